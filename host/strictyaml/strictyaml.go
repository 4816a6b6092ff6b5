// Package strictyaml reads YAML documents that people write, so that an unknown
// field, a field that is set twice or a value of another kind is an error with its
// line and column.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
)

// Error is what is wrong with a document, and where. Lines and columns count from 1.
type Error struct {
	File         string
	Line, Column int
	Msg          string
}

// Error returns FILE:LINE:COLUMN: MESSAGE.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Decoder reads YAML nodes into Go values and keeps the first error, so that
// the code that walks a document reads as its grammar.
type Decoder struct {
	// File is the document's name for messages, and Kind what it is, such as "a spec".
	File, Kind string
	// Err is the first error, an [*Error].
	Err error
}

// Document parses one YAML document, which must be a mapping.
func (d *Decoder) Document(data []byte) *yaml.Node {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		d.yamlError(err)
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.Err = &Error{d.File, 1, 1, "several YAML documents; " + d.Kind + " is one"}
		return nil
	}
	return doc.Content[0]
}

func (d *Decoder) yamlError(err error) {
	line, msg := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	var te *yaml.TypeError
	if errors.As(err, &te) && len(te.Errors) > 0 {
		msg = te.Errors[0]
	}
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if n, text, ok := strings.Cut(rest, ": "); ok {
			if v, err := strconv.Atoi(n); err == nil {
				line, msg = v, text
			}
		}
	}
	if msg == "EOF" {
		msg = "the file is empty"
	}
	d.Err = &Error{d.File, line, 1, msg}
}

// Fail notes an error at a node, unless there was one before.
func (d *Decoder) Fail(n *yaml.Node, format string, args ...any) {
	if d.Err == nil {
		d.Err = &Error{d.File, n.Line, n.Column, fmt.Sprintf(format, args...)}
	}
}

// Mapping calls the function of each key of a mapping; an unknown or repeated
// key is an error.
func (d *Decoder) Mapping(n *yaml.Node, what string, fields map[string]func(*yaml.Node)) {
	if d.Err != nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "%s must be a mapping", what)
		return
	}
	d.Pairs(n, func(k, v *yaml.Node) {
		read, ok := fields[k.Value]
		if !ok {
			known := make([]string, 0, len(fields))
			for f := range fields {
				known = append(known, f)
			}
			d.Fail(k, "%s has no field %q%s", what, k.Value, fault.DidYouMean(k.Value, known))
			return
		}
		read(v)
	})
}

// Pairs calls f for each entry of a mapping, in order.
func (d *Decoder) Pairs(n *yaml.Node, f func(k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && d.Err == nil; i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			d.Fail(k, "a key must be text")
			return
		}
		if seen[k.Value] {
			d.Fail(k, "%q is set twice", k.Value)
			return
		}
		seen[k.Value] = true
		f(k, n.Content[i+1])
	}
}

// Text reads a scalar as it is written.
func (d *Decoder) Text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.Fail(n, "text expected")
		return ""
	}
	return n.Value
}

// Bool reads true or false.
func (d *Decoder) Bool(n *yaml.Node) (b bool) {
	if err := n.Decode(&b); err != nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.Fail(n, "true or false expected")
	}
	return b
}

// TextMap reads a mapping of texts.
func (d *Decoder) TextMap(n *yaml.Node, what string) map[string]string {
	out := map[string]string{}
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "%s must be a mapping", what)
		return out
	}
	d.Pairs(n, func(k, v *yaml.Node) { out[k.Value] = d.Text(v) })
	return out
}

// Each calls f for n, or for every item where n is a list.
func (d *Decoder) Each(n *yaml.Node, f func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		f(n)
		return
	}
	for _, item := range n.Content {
		if d.Err != nil {
			return
		}
		f(item)
	}
}
