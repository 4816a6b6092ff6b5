package config

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/strictyaml"
)

const (
	version     = 1
	versionLine = "version: 1"
	maxFile     = 4 << 20
)

// Load reads config.yaml; a missing one is empty. What rhx does not know in it is an
// error with its place: a misspelt "store" must not mean another store.
func Load(d Dirs) (*Config, error) {
	path := Path(d)
	data, err := ownfile.Read(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &Config{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parse(path, data)
}

func parse(path string, data []byte) (*Config, error) {
	c := &Config{}
	if empty(data) {
		return c, nil
	}
	d := &strictyaml.Decoder{File: path, Kind: "config.yaml"}
	if doc := d.Document(data); d.Err == nil {
		d.Mapping(doc, "config.yaml", map[string]func(*yaml.Node){
			"version":  func(n *yaml.Node) { checkVersion(d, n) },
			"store":    func(n *yaml.Node) { c.Store = text(d, n) },
			"identity": func(n *yaml.Node) { c.Identity = text(d, n) },
			"secrets":  func(n *yaml.Node) { c.Secrets = locations(d, n) },
			"vault": func(n *yaml.Node) {
				if nothing(n) {
					return
				}
				d.Mapping(n, "vault", map[string]func(*yaml.Node){
					"address":   func(n *yaml.Node) { c.Vault.Address = text(d, n) },
					"namespace": func(n *yaml.Node) { c.Vault.Namespace = text(d, n) },
					"ca_cert":   func(n *yaml.Node) { c.Vault.CACert = text(d, n) },
				})
			},
		})
	}
	if d.Err != nil {
		return nil, d.Err
	}
	return c, nil
}

// empty reports whether a file has no document, only comments and blank lines.
func empty(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}

// nothing reports whether a key stands there without a value, as one does of which
// the last entry was removed.
func nothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func checkVersion(d *strictyaml.Decoder, n *yaml.Node) {
	v, err := strconv.Atoi(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil || v < 0:
		d.Fail(n, "version must be a number; this rhx knows %d", version)
	case v > version:
		d.Fail(n, "it is of version %d, which a newer rhx wrote; this one reads version %d at most", v, version)
	}
}

// text reads a text that is not empty: an empty one would mean the default without
// saying so.
func text(d *strictyaml.Decoder, n *yaml.Node) string {
	t := d.Text(n)
	if t == "" {
		d.Fail(n, "text expected; without the line the default holds")
	}
	return t
}

func locations(d *strictyaml.Decoder, n *yaml.Node) map[string]Location {
	if nothing(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "secrets must be a mapping")
		return nil
	}
	out := map[string]Location{}
	d.Pairs(n, func(k, v *yaml.Node) { out[k.Value] = location(d, v) })
	return out
}

// location reads a path as text, or variables (and paths, which are no names of
// variables) as a list.
func location(d *strictyaml.Decoder, n *yaml.Node) Location {
	var l Location
	if n.Kind != yaml.SequenceNode {
		l.Path = text(d, n)
		return l
	}
	for _, item := range n.Content {
		if t := text(d, item); spec.ValidVar(t) {
			l.Vars = append(l.Vars, t)
		} else {
			l.AddPath(t)
		}
	}
	return l
}
