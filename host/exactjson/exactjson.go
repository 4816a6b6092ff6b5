// Package exactjson writes the JSON of rhx's own files.
package exactjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/fault"
)

// ErrNotUTF8 is text that JSON cannot hold as it is.
var ErrNotUTF8 = fault.WithHint(errors.New("the name of a file or folder in it is not UTF-8, and could not be kept as it is"), "rename what has bytes in its name that are no text, or work in another folder")

// Marshal is json.Marshal, and refuses text that is not UTF-8. json.Marshal puts U+FFFD in its
// place: a path that is read back would be that of another file.
func Marshal(v any) ([]byte, error) { return Check(json.Marshal(v)) }

// MarshalIndent is json.MarshalIndent with two spaces, and as strict as [Marshal].
func MarshalIndent(v any) ([]byte, error) { return Check(json.MarshalIndent(v, "", "  ")) }

// Text is a text as JSON can hold it: itself, or, where it is not UTF-8, in quotes with \x and two
// digits for each byte that is no character's, as Go writes it.
func Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strconv.Quote(s)
}

// Check returns ErrNotUTF8 for what encoding/json has written with something replaced. It
// writes U+FFFD itself as it is, and as an escape where it stands for something else.
func Check(data []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	for rest := data; ; rest = rest[2:] {
		i := bytes.IndexByte(rest, '\\')
		if i < 0 {
			return data, nil
		}
		if rest = rest[i:]; bytes.HasPrefix(rest, []byte(`\ufffd`)) {
			return nil, ErrNotUTF8
		}
	}
}
