package spec

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/strictyaml"
)

// Error is what is wrong with a spec, and where.
type Error = strictyaml.Error

// decoder reads a spec's nodes.
type decoder struct{ strictyaml.Decoder }

func (d *decoder) regexp(n *yaml.Node) *regexp.Regexp {
	text := d.Text(n)
	// By itself first: "a)|(b" must not close the group around it.
	_, err := regexp.Compile(text)
	if err != nil {
		d.Fail(n, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	re, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		d.Fail(n, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re
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
