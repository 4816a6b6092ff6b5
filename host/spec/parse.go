package spec

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
)

// codecs are the names that a key's "as" may have.
var codecs = []string{"base64", "basic-user", "basic-password", "url-user", "url-password", "trim"}

// Parse reads and checks one spec. file is its name for messages; an error is
// an [*Error] with line and column.
func Parse(file string, data []byte) (*Spec, error) {
	d := &decoder{file: file}
	root := d.document(data)
	if d.err != nil {
		return nil, d.err
	}
	s := &Spec{Origin: file}
	version := false
	var together *yaml.Node
	d.mapping(root, "a spec", map[string]func(*yaml.Node){
		"spec": func(n *yaml.Node) {
			if version = true; d.text(n) != "1" {
				d.fail(n, "spec version %s is not known to this rhx, which reads version 1", n.Value)
			}
		},
		"name": func(n *yaml.Node) {
			if s.Name = d.text(n); !validProvider(s.Name) {
				d.fail(n, "a provider's name has lower-case letters, digits and dashes, and begins with a letter")
			}
		},
		"aliases":  func(n *yaml.Node) { s.Aliases = d.texts(n) },
		"title":    func(n *yaml.Node) { s.Title = d.text(n) },
		"docs":     func(n *yaml.Node) { s.Docs = d.text(n) },
		"document": func(n *yaml.Node) { s.Document = d.variable(n) },
		"together": func(n *yaml.Node) { together = n },
		"values":   func(n *yaml.Node) { d.values(n, s) },
		"files": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				d.fail(n, "files must be a list")
				return
			}
			d.each(n, func(n *yaml.Node) { s.Files = append(s.Files, d.file1(n)) })
		},
	})
	switch {
	case d.err != nil:
	case !version:
		d.fail(root, `"spec: 1" is missing`)
	case s.Name == "":
		d.fail(root, "name is missing")
	case len(s.Values) == 0 && !s.Any:
		d.fail(root, "values is missing")
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	if together != nil {
		d.together(together, s)
	}
	d.check(root, s)
	if d.err != nil {
		return nil, d.err
	}
	return s, nil
}

func validProvider(name string) bool {
	if name == "" || name[0] < 'a' || name[0] > 'z' || len(name) > 64 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	})
}

// ValidVar reports whether name can be the name of an environment variable.
func ValidVar(name string) bool {
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_')
	})
}

func (d *decoder) variable(n *yaml.Node) string {
	v := d.text(n)
	if !ValidVar(v) {
		d.fail(n, "%q is not the name of a variable", v)
	}
	return v
}

func (d *decoder) values(n *yaml.Node, s *Spec) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "values must be a mapping")
		return
	}
	d.pairs(n, func(k, n *yaml.Node) {
		if k.Value == "*" {
			s.Any = true
			return
		}
		if k.Value == "" {
			d.fail(k, "a value's name is empty")
		}
		v := Value{Name: k.Value}
		d.mapping(n, "a value", map[string]func(*yaml.Node){
			"env": func(n *yaml.Node) {
				d.each(n, func(n *yaml.Node) { v.Env = append(v.Env, d.variable(n)) })
			},
			"public":   func(n *yaml.Node) { v.Public = d.bool(n) },
			"optional": func(n *yaml.Node) { v.Optional = d.bool(n) },
			"pattern":  func(n *yaml.Node) { v.Pattern = d.regexp(n) },
			"reject":   func(n *yaml.Node) { v.Reject = d.regexp(n) },
			"rotates":  func(n *yaml.Node) { v.Rotates = d.bool(n) },
		})
		s.Values = append(s.Values, v)
	})
}

func (d *decoder) together(n *yaml.Node, s *Spec) {
	group := func(n *yaml.Node) {
		names := d.texts(n)
		for _, name := range names {
			if _, ok := s.Value(name); !ok {
				d.fail(n, "together names %q, which values does not have", name)
			}
		}
		s.Together = append(s.Together, names)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.SequenceNode {
		d.each(n, group)
		return
	}
	group(n)
}

func (d *decoder) file1(n *yaml.Node) File {
	f := File{Mode: 0o600}
	var format, keys *yaml.Node
	d.mapping(n, "a file", map[string]func(*yaml.Node){
		"path":     func(n *yaml.Node) { f.Paths = d.filePaths(n) },
		"override": func(n *yaml.Node) { d.each(n, func(n *yaml.Node) { f.Override = append(f.Override, d.override(n)) }) },
		"format":   func(n *yaml.Node) { format = n },
		"exclude":  func(n *yaml.Node) { f.Exclude = d.patterns(n) },
		"profiles": func(n *yaml.Node) { f.Profiles = d.profiles(n) },
		"keys":     func(n *yaml.Node) { keys = n },
		"add":      func(n *yaml.Node) { f.Add = d.fixed(n) },
		"states":   func(n *yaml.Node) { d.each(n, func(n *yaml.Node) { f.States = append(f.States, d.state(n)) }) },
		"expires":  func(n *yaml.Node) { f.Expires = d.path(n) },
		"mode":     func(n *yaml.Node) { f.Mode = d.mode(n) },
		"read_only": func(n *yaml.Node) {
			f.ReadOnly = d.bool(n)
		},
		"mirror": func(n *yaml.Node) { f.Mirror = d.bool(n) },
	})
	switch {
	case d.err != nil:
		return f
	case f.Paths == nil:
		d.fail(n, "path is missing")
	case format == nil:
		d.fail(n, "format is missing")
	default:
		d.format(format, &f)
	}
	if keys != nil && d.err == nil {
		d.keys(keys, &f)
	}
	return f
}

func (d *decoder) filePaths(n *yaml.Node) map[string]string {
	paths := map[string]string{}
	one := func(n *yaml.Node) string {
		p := d.text(n)
		if dir := path.Dir(p); !strings.HasPrefix(p, "~/") || path.Clean(p) != p || strings.Contains(dir, "{") || slices.Contains(strings.Split(p, "/"), "..") {
			d.fail(n, `a path begins with "~/", has no ".." step, and "{profile}" only in its last element`)
		}
		return p
	}
	if n.Kind != yaml.MappingNode {
		paths[""] = one(n)
		return paths
	}
	d.mapping(n, "path", map[string]func(*yaml.Node){
		"default": func(n *yaml.Node) { paths[""] = one(n) },
		"linux":   func(n *yaml.Node) { paths["linux"] = one(n) },
		"macos":   func(n *yaml.Node) { paths["darwin"] = one(n) },
		"windows": func(n *yaml.Node) { paths["windows"] = one(n) },
	})
	if paths[""] == "" {
		d.fail(n, "path needs a default")
	}
	return paths
}

func (d *decoder) override(n *yaml.Node) Override {
	var o Override
	if n.Kind == yaml.MappingNode {
		d.mapping(n, "override", map[string]func(*yaml.Node){
			"list": func(n *yaml.Node) { o.Var, o.List = d.variable(n), true },
		})
		return o
	}
	v, rel, _ := strings.Cut(d.text(n), "/")
	if !ValidVar(v) || path.Clean("/"+rel) != "/"+rel {
		d.fail(n, "an override is VARIABLE, VARIABLE/PATH or {list: VARIABLE}")
	}
	o.Var, o.Rel = v, rel
	return o
}

func (d *decoder) format(n *yaml.Node, f *File) {
	name := n.Value
	if n.Kind == yaml.MappingNode {
		d.mapping(n, "format", map[string]func(*yaml.Node){
			"wasm": func(n *yaml.Node) { f.Wasm = d.text(n) },
			"ini": func(n *yaml.Node) {
				name = "ini"
				d.mapping(n, "format ini", map[string]func(*yaml.Node){
					"inline_comments": func(n *yaml.Node) { f.Options.InlineComments = d.bool(n) },
				})
			},
		})
		if f.Wasm != "" && name != "" {
			d.fail(n, "a format is one of wasm and ini")
		}
		if f.Wasm != "" {
			return
		}
	} else if name = d.text(n); d.err != nil {
		return
	}
	if !slices.Contains(codec.Names(), name) {
		d.fail(n, "unknown format %q%s (known: %s, or {wasm: MODULE})", name, fault.DidYouMean(name, codec.Names()), strings.Join(codec.Names(), ", "))
	}
	f.Format = name
}

func (d *decoder) patterns(n *yaml.Node) []string {
	list := d.texts(n)
	for _, p := range list {
		if _, err := path.Match(p, ""); err != nil {
			d.fail(n, "%q is not a file name pattern", p)
		}
	}
	return list
}

func (d *decoder) profiles(n *yaml.Node) *Profiles {
	p := &Profiles{}
	kinds := 0
	d.mapping(n, "profiles", map[string]func(*yaml.Node){
		"section": func(n *yaml.Node) {
			if p.Section = d.text(n); strings.Count(p.Section, "*") != 1 {
				d.fail(n, `section has one "*", which stands for the profile`)
			}
			kinds++
		},
		"keys": func(n *yaml.Node) {
			p.Keys = d.path(n)
			kinds++
		},
		"entries": func(n *yaml.Node) { p.Entries = d.path(n); kinds++ },
		"name":    func(n *yaml.Node) { p.Name = d.text(n) },
		"default": func(n *yaml.Node) { p.Default = d.text(n) },
		"inherit": func(n *yaml.Node) { p.Inherit = d.text(n) },
	})
	if d.err == nil && (kinds > 1 || (p.Entries != nil) != (p.Name != "")) {
		d.fail(n, "profiles has one of section, keys, and entries with name")
	}
	return p
}

func (d *decoder) keys(n *yaml.Node, f *File) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "keys must be a mapping")
		return
	}
	d.pairs(n, func(k, n *yaml.Node) {
		key := Key{Value: k.Value}
		if n.Kind != yaml.MappingNode {
			key.At = d.paths(n)
			f.Keys = append(f.Keys, key)
			return
		}
		d.mapping(n, "a key", map[string]func(*yaml.Node){
			"at":     func(n *yaml.Node) { key.At = d.paths(n) },
			"mirror": func(n *yaml.Node) { key.Mirror = d.paths(n) },
			"as": func(n *yaml.Node) {
				if key.As = d.text(n); !slices.Contains(codecs, key.As) {
					d.fail(n, "unknown codec %q%s (known: %s)", key.As, fault.DidYouMean(key.As, codecs), strings.Join(codecs, ", "))
				}
			},
			"root":    func(n *yaml.Node) { key.Root = d.bool(n) },
			"tree":    func(n *yaml.Node) { key.Tree = d.bool(n) },
			"profile": func(n *yaml.Node) { key.Profile = d.bool(n) },
			"inline":  func(n *yaml.Node) { key.Inline = d.textMap(n, "inline") },
		})
		if d.err == nil && key.Inline != nil && !key.Tree {
			d.fail(n, "inline is for a key with tree: true")
		}
		if d.err == nil && (len(key.At) == 0) != key.Profile {
			d.fail(n, "a key has at, or profile: true")
		}
		f.Keys = append(f.Keys, key)
	})
}

func (d *decoder) fixed(n *yaml.Node) []Fixed {
	var out []Fixed
	if n.Kind != yaml.MappingNode {
		d.fail(n, "add must be a mapping")
		return nil
	}
	d.pairs(n, func(k, n *yaml.Node) {
		fx := Fixed{At: d.path(k)}
		if n.Kind == yaml.MappingNode {
			d.mapping(n, "add", map[string]func(*yaml.Node){
				"text": func(n *yaml.Node) { fx.Text = d.text(n) },
				"root": func(n *yaml.Node) { fx.Root = d.bool(n) },
			})
		} else {
			fx.Text = d.text(n)
		}
		out = append(out, fx)
	})
	return out
}

func (d *decoder) state(n *yaml.Node) State {
	var s State
	d.mapping(n, "a state", map[string]func(*yaml.Node){
		"state": func(n *yaml.Node) {
			if s.State = d.text(n); s.State != "keyring" && s.State != "exec" {
				d.fail(n, "a state is keyring or exec")
			}
		},
		"at":   func(n *yaml.Node) { s.At = d.path(n) },
		"root": func(n *yaml.Node) { s.Root = d.bool(n) },
		"wins": func(n *yaml.Node) { s.Wins = d.bool(n) },
	})
	if d.err == nil && (s.State == "" || s.At == nil) {
		d.fail(n, "a state has state and at")
	}
	return s
}

func (d *decoder) mode(n *yaml.Node) fs.FileMode {
	v, err := strconv.ParseUint(strings.TrimPrefix(d.text(n), "0o"), 8, 32)
	if err != nil || v&^0o700 != 0 || v&0o600 != 0o600 {
		d.fail(n, "mode is 0600 or 0700: a file with secrets is its owner's alone")
	}
	return fs.FileMode(v)
}

// check holds what must be true across the parts of a spec.
func (d *decoder) check(root *yaml.Node, s *Spec) {
	if d.err != nil {
		return
	}
	if s.Document == "" && len(s.Files) == 0 && !slices.ContainsFunc(s.Values, func(v Value) bool { return len(v.Env) > 0 }) {
		d.fail(root, "the spec has neither files nor variables")
	}
	for i := range s.Files {
		f := &s.Files[i]
		where := f.Paths[""]
		if f.Wasm != "" {
			continue
		}
		if f.Profiles != nil && (f.Profiles.Section != "") != (f.Format == "ini") {
			d.fail(root, "%s: profiles by section are for format ini, and only they", where)
		}
		if f.Format == "keypair" {
			if !f.PerFile() && f.Keys != nil {
				d.fail(root, "%s: format keypair has fixed keys", where)
			}
			for _, v := range []string{"private_key", "public_key"} {
				if _, ok := s.Value(v); !ok {
					d.fail(root, "%s: format keypair needs the value %s", where, v)
				}
			}
			continue
		}
		if len(f.Keys) == 0 {
			d.fail(root, "%s: keys is missing", where)
		}
		for _, k := range f.Keys {
			if k.Value == "*" && s.Any {
				continue
			}
			if _, ok := s.Value(k.Value); !ok {
				d.fail(root, "%s: keys names %q, which values does not have", where, k.Value)
			}
		}
	}
}
