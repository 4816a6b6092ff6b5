package projfile

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/codec"
)

// tree returns the variables of a document. Texts alone are values: numbers and the like
// are settings, and would come back as texts.
func (k *kind) tree(data []byte) ([]assigned, error) {
	format, err := codec.New(k.format, codec.Options{})
	if err != nil {
		return nil, err
	}
	// What TOML costs to read grows with the square of its keys and tables.
	if k.format == "toml" && bytes.Count(data, []byte("="))+bytes.Count(data, []byte("[")) > 2*maxVars {
		return nil, errMany
	}
	root, err := format.Decode(data)
	if err != nil {
		return nil, err
	}
	if k.in == "" {
		return k.walk(nil, "", root), nil
	}
	if n := root.Get("IsEncrypted"); n != nil && n.Text == "true" {
		return []assigned{{name: k.in, why: "it is encrypted"}}, nil
	}
	var out []assigned
	for _, in := range []struct{ key, prefix string }{{k.in, ""}, {k.beside, k.beside + ":"}} {
		n := root.Get(in.key)
		if n == nil || n.Kind == codec.Null {
			continue
		}
		if n.Kind != codec.Map {
			return nil, &codec.Error{Line: n.Line, Msg: in.key + " is not a map"}
		}
		for _, a := range k.walk(nil, in.prefix, n) {
			if in.prefix == "" && strings.HasPrefix(a.name, k.beside+":") {
				a.why = "its place is in " + k.beside
			}
			out = append(out, a)
		}
	}
	return out, nil
}

// walk adds what is in a map, below the steps that prefix has.
func (k *kind) walk(out []assigned, prefix string, n *codec.Node) []assigned {
	for _, p := range n.Pairs {
		name := prefix + p.Key
		switch {
		case p.Key == "", k.deep && strings.Contains(p.Key, "."):
			out = append(out, assigned{name: name, why: "its name is empty or has a dot"})
		case p.Value.Kind == codec.String && !p.Value.Disputed && !(k.format == "toml" && tomlTime().MatchString(p.Value.Text)):
			out = append(out, assigned{name: name, value: p.Value.Text})
		case k.deep && p.Value.Kind == codec.Map:
			out = k.walk(out, name+".", p.Value)
		default:
			out = append(out, assigned{name: name, why: "it is no text"})
		}
	}
	return out
}

// tomlTime matches what TOML writes without quotes and codec reads as a text: it would
// come back in quotes, as another type.
var tomlTime = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{4}-\d\d-\d\d|^\d\d:\d\d`) })
