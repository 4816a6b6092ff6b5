package spec

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/strictyaml"
)

// Error is what is wrong with a spec, and where.
type Error = strictyaml.Error

// decoder reads a spec's nodes.
type decoder struct{ strictyaml.Decoder }

func (d *decoder) regexp(n *yaml.Node) *Pattern {
	text := d.Text(n)
	if err := checkPattern(text); err != nil {
		d.Fail(n, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return &Pattern{Text: text}
}

func (d *decoder) path(n *yaml.Node) Path {
	p, err := ParsePath(d.Text(n))
	if err != nil {
		d.Fail(n, "%v", err)
	}
	return p
}

func (d *decoder) paths(n *yaml.Node) []Path {
	var out []Path
	d.Each(n, func(n *yaml.Node) { out = append(out, d.path(n)) })
	return out
}

// aliases refuses YAML aliases: the code that walks a spec would take one for
// something that is neither text nor a mapping, and say only that.
func (d *decoder) aliases(n *yaml.Node) {
	if d.Err != nil || n == nil {
		return
	}
	if n.Kind == yaml.AliasNode {
		d.Fail(n, "*%s: a spec has no YAML aliases; write out here what &%[1]s names", n.Value)
	}
	for _, c := range n.Content {
		d.aliases(c)
	}
}

// unquoted reports that a node is {NAME}, which YAML reads as a mapping; NAME.
func unquoted(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle == 0 || len(n.Content) != 2 || n.Content[1].Tag != "!!null" {
		return "", false
	}
	return n.Content[0].Value, n.Content[1].Value == ""
}

// Text reads a scalar as it is written.
func (d *decoder) Text(n *yaml.Node) string {
	if name, ok := unquoted(n); ok {
		d.Fail(n, `{%s} without quotes is a YAML mapping; write "{%[1]s}"`, name)
		return ""
	}
	return d.Decoder.Text(n)
}
