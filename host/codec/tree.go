package codec

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// treeMaxDepth bounds how deeply values may nest, so that a hostile file is an
// error and not a stack overflow.
const treeMaxDepth = 1000

// treeBOM is the UTF-8 byte order mark.
const treeBOM = "\xef\xbb\xbf"

// ToJSON returns n as compact JSON. Map entries keep their order. A Number
// keeps its text where that is valid JSON; other spellings of a finite number
// (0x1f, 1_000, +5) are converted, and what JSON has no number for (.inf, nan)
// becomes a string. A nil node is null. Bytes that are not UTF-8, which no typed
// format decodes to, become U+FFFD.
func ToJSON(n *Node) []byte {
	return jsonStyle{}.value(nil, n, "")
}

// TreeIn returns the List or Map that a text is in JSON; false for any other
// text. A value that is a subtree is carried as such a text.
func TreeIn(text string) (*Node, bool) {
	if text == "" || text[0] != '{' && text[0] != '[' {
		return nil, false
	}
	n, err := FromJSON([]byte(text))
	return n, err == nil
}

// FromJSON is the reverse of [ToJSON]: it reads strict JSON (no comments, no
// trailing commas) and keeps the order of keys and the text of numbers. Of
// duplicate keys the last one counts. Its errors are [*Error].
func FromJSON(data []byte) (*Node, error) {
	n, err := jsonFormat{}.Decode(data)
	if err != nil {
		return nil, err
	}
	if !json.Valid(data) {
		return nil, &Error{Msg: "not strict JSON: it is empty, or has comments, trailing commas or a byte order mark"}
	}
	return n, nil
}

// treeNumber returns the text of a Number as JSON.
func treeNumber(s string) string {
	if treeIsJSONNumber(s) {
		return s
	}
	plain := strings.ReplaceAll(s, "_", "")
	if i, ok := new(big.Int).SetString(plain, 0); ok && len(s) < 1000 {
		return i.String()
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return string(jsonString(nil, s))
}

func treeIsJSONNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && s[len(s)-1] > ' ' && json.Valid([]byte(s))
}

// treeStep is one step of a place in a decoded tree: into a Map's entry, or,
// where key is nil, into a List's item. Unlike [Step] it can name every node.
type treeStep struct {
	key   *string
	index int
}

// treeAction is what a [treeOp] does.
type treeAction uint8

const (
	treeReplace treeAction = iota // the value at path becomes value
	treeInsert                    // the Map at path gets the new entry key: value
	treeAppend                    // the List at path gets value as its last item
	treeRemove                    // the Map entry or List item at path goes
)

// treeOp is one primitive change of a document.
type treeOp struct {
	action treeAction
	path   []treeStep
	key    string
	value  *Node
	// more are entries that the Map gets after key: a format that can make several
	// at once need not be asked for each.
	more []Pair
}

// treeEditor is a format that can make primitive changes.
type treeEditor interface {
	Format
	// change makes op in data, which decodes. It may do a part of it only: the
	// caller compares again.
	change(data []byte, op treeOp) ([]byte, error)
}

// treeSplice makes edits in order. It reduces each of them to the primitive
// changes that lead from the present tree to the wanted one, so that setting a
// whole Map touches only the entries that differ.
func treeSplice(f treeEditor, data []byte, edits []Edit) ([]byte, error) {
	for _, e := range edits {
		now, err := f.Decode(data)
		if err != nil {
			return nil, err
		}
		want, err := now.with(e.Path, e.Value)
		if err != nil {
			return nil, err
		}
		// Every change settles at least one difference; the bound keeps a defect in a
		// format from becoming an endless loop.
		left := 16 + 2*(treeSize(e.Value)+treeSize(now.Find(e.Path)))
		for {
			op, differs := treeDiff(now, want, nil)
			if !differs {
				break
			}
			if left--; left < 0 {
				return nil, ErrVerify
			}
			if data, err = f.change(data, op); err != nil {
				return nil, err
			}
			if now, err = f.Decode(data); err != nil {
				return nil, ErrVerify
			}
		}
	}
	return data, nil
}

func treeSize(n *Node) int {
	if n == nil {
		return 0
	}
	size := 1
	for _, i := range n.Items {
		size += treeSize(i)
	}
	for _, p := range n.Pairs {
		size += treeSize(p.Value)
	}
	return size
}

// treeDiff returns the first primitive change on the way from now to want.
// Additions come before removals, so that no Map or List is empty in between.
func treeDiff(now, want *Node, path []treeStep) (treeOp, bool) {
	switch {
	case now == nil || want == nil || now.Kind != want.Kind:
		return treeOp{treeReplace, path, "", want, nil}, !same(now, want)
	case now.Kind == Map:
		return treeDiffMap(now, want, path)
	case now.Kind == List:
		return treeDiffList(now, want, path)
	}
	return treeOp{treeReplace, path, "", want, nil}, !same(now, want)
}

func treeDiffMap(now, want *Node, path []treeStep) (treeOp, bool) {
	known := make(map[string]*Node, len(now.Pairs))
	for _, p := range now.Pairs {
		known[p.Key] = p.Value
	}
	wanted := make(map[string]bool, len(want.Pairs))
	for _, p := range want.Pairs {
		wanted[p.Key] = true
		if v, ok := known[p.Key]; ok {
			if op, differs := treeDiff(v, p.Value, treeInto(path, treeStep{key: &p.Key})); differs {
				return op, true
			}
		}
	}
	isKnown := func(p Pair) bool { _, ok := known[p.Key]; return ok }
	for i, p := range want.Pairs {
		if !isKnown(p) {
			more := slices.DeleteFunc(slices.Clone(want.Pairs[i+1:]), isKnown)
			return treeOp{treeInsert, path, p.Key, p.Value, more}, true
		}
	}
	for _, p := range now.Pairs {
		if !wanted[p.Key] {
			return treeOp{treeRemove, treeInto(path, treeStep{key: &p.Key}), "", nil, nil}, true
		}
	}
	return treeOp{}, false
}

func treeDiffList(now, want *Node, path []treeStep) (treeOp, bool) {
	a, b := now.Items, want.Items
	head := 0
	for head < len(a) && head < len(b) && same(a[head], b[head]) {
		head++
	}
	if head == len(a) && head == len(b) {
		return treeOp{}, false
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && same(a[len(a)-1-tail], b[len(b)-1-tail]) {
		tail++
	}
	switch {
	case head == len(a):
		return treeOp{treeAppend, path, "", b[head], nil}, true
	case head+tail >= len(b):
		return treeOp{treeRemove, treeInto(path, treeStep{index: head}), "", nil, nil}, true
	case len(a) == len(b):
		return treeDiff(a[head], b[head], treeInto(path, treeStep{index: head}))
	}
	return treeOp{treeReplace, path, "", want, nil}, true
}

// treeInto returns path with one more step, not sharing memory with it.
func treeInto(path []treeStep, s treeStep) []treeStep {
	return append(path[:len(path):len(path)], s)
}

// treeEOL returns the line ending of data: that of its first line.
func treeEOL(data []byte) string {
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// treeLine returns the number of the line that holds offset, and the column in
// bytes, both from 1.
func treeLine(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// treeLines counts the lines of ever larger offsets in one pass over the data.
type treeLines struct {
	data      []byte
	pos, line int
}

func (l *treeLines) at(offset int) int {
	if offset < l.pos {
		l.pos, l.line = 0, 0
	}
	l.line += bytes.Count(l.data[l.pos:offset], []byte("\n"))
	l.pos = offset
	return l.line + 1
}

// treeLineStart returns where the line that holds offset begins.
func treeLineStart(data []byte, offset int) int {
	return bytes.LastIndexByte(data[:offset], '\n') + 1
}

// treeLineEnd returns where the line that holds offset ends: after its \n, or
// at the end of data.
func treeLineEnd(data []byte, offset int) int {
	if i := bytes.IndexByte(data[offset:], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(data)
}

// treeIndent returns the blanks that the line that holds offset begins with.
func treeIndent(data []byte, offset int) string {
	start := treeLineStart(data, offset)
	end := start
	for end < offset && (data[end] == ' ' || data[end] == '\t') {
		end++
	}
	return string(data[start:end])
}

// treePut returns data with the bytes from start to end replaced by text.
func treePut(data []byte, start, end int, text string) []byte {
	out := make([]byte, 0, len(data)-(end-start)+len(text))
	out = append(out, data[:start]...)
	out = append(out, text...)
	return append(out, data[end:]...)
}

// treeInvalidUTF8 returns an error for the first byte that is not UTF-8.
func treeInvalidUTF8(data []byte) error {
	at := invalidUTF8(data)
	if at < 0 {
		return nil
	}
	line, column := treeLine(data, at)
	return &Error{line, column, "not UTF-8 text"}
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for i, r := range string(data) {
		if r == utf8.RuneError && !bytes.HasPrefix(data[i:], []byte("\ufffd")) {
			return i
		}
	}
	return -1
}
