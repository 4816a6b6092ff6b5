package codec

import (
	"bytes"
)

// text is a file that is one value, such as an API key. The value is the
// content without a byte order mark and without one line ending at its end;
// both stay as they are when the value changes.
type text struct{}

// Decode implements [Format].
func (text) Decode(data []byte) (*Node, error) {
	if err := checkText(data); err != nil {
		return nil, err
	}
	value, _ := cutNewline(data[bomLen(data):])
	return &Node{Kind: String, Text: string(value), Line: 1}, nil
}

// Splice implements [Format]. An empty file gets exactly the value, without a
// line ending, unless the value ends with one: that is written twice, because
// reading takes one off.
func (f text) Splice(data []byte, edits []Edit) ([]byte, error) {
	for _, e := range edits {
		value, err := wholeText(e)
		if err != nil {
			return nil, err
		}
		mark := bomLen(data)
		_, end := cutNewline(data[mark:])
		if len(end) == 0 && bytes.HasSuffix([]byte(value), []byte("\n")) {
			end = []byte("\n")
		}
		out := append([]byte(nil), data[:mark]...)
		out = append(append(out, value...), end...)
		if got, err := f.Decode(out); err != nil || got.Text != value {
			return nil, &Error{Msg: "the value cannot be written: it begins with a byte order mark or ends with a carriage return"}
		}
		data = out
	}
	return data, nil
}

// normal implements [normalizer].
func (text) normal(_ *Node, e Edit) Edit { return emptyForNil(e) }

// cutNewline returns data without its last line ending, and that ending.
func cutNewline(data []byte) (value, end []byte) {
	n := len(data)
	switch {
	case bytes.HasSuffix(data, []byte("\r\n")):
		n -= 2
	case bytes.HasSuffix(data, []byte("\n")):
		n--
	}
	return data[:n], data[n:]
}

// emptyForNil turns the removal of a whole document that is one value into an
// edit that makes it empty.
func emptyForNil(e Edit) Edit {
	if len(e.Path) == 0 && e.Value == nil {
		e.Value = Text("")
	}
	return e
}

// wholeText returns the new text of a document that is one value.
func wholeText(e Edit) (string, error) {
	switch e = emptyForNil(e); {
	case len(e.Path) > 0:
		return "", editError(e.Path, "the file is one value, with nothing inside it")
	case e.Value.Kind != String:
		return "", &Error{Msg: "the file holds text only"}
	}
	return e.Value.Text, nil
}
