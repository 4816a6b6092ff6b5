package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
)

// decoder reads YAML nodes into Go values and keeps the first error, so that
// the code that walks a document reads as its grammar.
type decoder struct {
	file string
	err  error
}

// document parses one YAML document, which must be a mapping.
func (d *decoder) document(data []byte) *yaml.Node {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		d.yamlError(err)
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.err = &Error{d.file, 1, 1, "several YAML documents; a spec is one"}
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) yamlError(err error) {
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
	d.err = &Error{d.file, line, 1, msg}
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	if d.err == nil {
		d.err = &Error{d.file, n.Line, n.Column, fmt.Sprintf(format, args...)}
	}
}

// mapping calls the function of each key of a mapping; an unknown or repeated
// key is an error.
func (d *decoder) mapping(n *yaml.Node, what string, fields map[string]func(*yaml.Node)) {
	if d.err != nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping", what)
		return
	}
	d.pairs(n, func(k, v *yaml.Node) {
		read, ok := fields[k.Value]
		if !ok {
			known := make([]string, 0, len(fields))
			for f := range fields {
				known = append(known, f)
			}
			d.fail(k, "%s has no field %q%s", what, k.Value, fault.DidYouMean(k.Value, known))
			return
		}
		read(v)
	})
}

// pairs calls f for each entry of a mapping, in order.
func (d *decoder) pairs(n *yaml.Node, f func(k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && d.err == nil; i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			d.fail(k, "a key must be text")
			return
		}
		if seen[k.Value] {
			d.fail(k, "%q is set twice", k.Value)
			return
		}
		seen[k.Value] = true
		f(k, n.Content[i+1])
	}
}

func (d *decoder) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fail(n, "text expected")
		return ""
	}
	return n.Value
}

func (d *decoder) bool(n *yaml.Node) (b bool) {
	if err := n.Decode(&b); err != nil || n.Kind != yaml.ScalarNode {
		d.fail(n, "true or false expected")
	}
	return b
}

// textMap reads a mapping of texts.
func (d *decoder) textMap(n *yaml.Node, what string) map[string]string {
	out := map[string]string{}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping", what)
		return out
	}
	d.pairs(n, func(k, v *yaml.Node) { out[k.Value] = d.text(v) })
	return out
}

// each calls f for n, or for every item where n is a list.
func (d *decoder) each(n *yaml.Node, f func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		f(n)
		return
	}
	for _, item := range n.Content {
		if d.err != nil {
			return
		}
		f(item)
	}
}

func (d *decoder) regexp(n *yaml.Node) *regexp.Regexp {
	text := d.text(n)
	// By itself first: "a)|(b" must not close the group around it.
	_, err := regexp.Compile(text)
	if err != nil {
		d.fail(n, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	re, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		d.fail(n, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re
}

func (d *decoder) path(n *yaml.Node) Path {
	p, err := ParsePath(d.text(n))
	if err != nil {
		d.fail(n, "%v", err)
	}
	return p
}

func (d *decoder) paths(n *yaml.Node) []Path {
	var out []Path
	d.each(n, func(n *yaml.Node) { out = append(out, d.path(n)) })
	return out
}
