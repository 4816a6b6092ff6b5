package codec

import (
	"bytes"
)

// treeLast is the last entry of a list or map in brackets, with # comments, as TOML
// and YAML have it.
type treeLast struct {
	start, end int
	comma      int // offset of the comma behind it, or -1
}

// follow returns data with text as one more entry behind the last one: on a line of
// its own where that has one, or where a comment follows.
func (l treeLast) follow(data []byte, text, eol string) []byte {
	end := l.end
	if l.comma >= 0 {
		end = l.comma + 1
		text += ","
	}
	own := len(bytes.TrimSpace(data[treeLineStart(data, l.start):l.start])) == 0
	tail := end
	for tail < len(data) && (data[tail] == ' ' || data[tail] == '\t') {
		tail++
	}
	if tail < len(data) && data[tail] == '#' {
		own = true
		tail = len(bytes.TrimRight(data[:treeLineEnd(data, tail)], "\r\n"))
	} else {
		tail = end
	}
	if own {
		text = eol + treeIndent(data, l.start) + text
	} else {
		text = " " + text
	}
	out := treePut(data, tail, tail, text)
	if l.comma < 0 {
		out = treePut(out, l.end, l.end, ",")
	}
	return out
}

// treeCut returns data without the range from start to end and, elsewhere, without
// the comma at an offset. What is between them stays, for it may be a comment.
func treeCut(data []byte, start, end, comma int) []byte {
	if comma > start {
		data = treePut(data, comma, comma+1, "")
		return treePut(data, start, end, "")
	}
	return treePut(treePut(data, start, end, ""), comma, comma+1, "")
}

// treeCutLast returns data without the last entry in brackets, data[start:end], and
// without the comma before it. before is where the entry before it ends.
func treeCutLast(data []byte, before, comma, start, end int) []byte {
	if bytes.IndexByte(data[before:start], '#') >= 0 {
		return treeCut(data, start, end, comma)
	}
	return treePut(data, before, end, "")
}
