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
	"github.com/rhx-dev/rhx/host/strictyaml"
)

// codecs are the names that a key's "as" may have.
var codecs = []string{"base64", "basic-user", "basic-password", "url-user", "url-password", "trim", "number", "bool"}

// states are the signs that a secret is elsewhere.
var states = []string{"keyring", "exec", "sso", "role"}

// Parse reads and checks one spec. file is its name for messages; an error is
// an [*Error] with line and column.
func Parse(file string, data []byte) (*Spec, error) {
	d := &decoder{strictyaml.Decoder{File: file, Kind: "a spec"}}
	root := d.Document(data)
	if d.aliases(root); d.Err != nil {
		return nil, d.Err
	}
	s := &Spec{Origin: file}
	version := false
	// Read after the rest, in this order: each refers to what is before it.
	var values, together, oneOf, files, use, helper *yaml.Node
	d.Mapping(root, "a spec", map[string]func(*yaml.Node){
		"spec": func(n *yaml.Node) {
			if version = true; d.Text(n) != "1" {
				d.Fail(n, "spec version %s is not known to this rhx, which reads version 1", n.Value)
			}
		},
		"name":     func(n *yaml.Node) { s.Name = d.provider(n) },
		"aliases":  func(n *yaml.Node) { d.Each(n, func(n *yaml.Node) { s.Aliases = append(s.Aliases, d.provider(n)) }) },
		"title":    func(n *yaml.Node) { s.Title = d.Text(n) },
		"group":    func(n *yaml.Node) { s.Group = d.group(n) },
		"docs":     func(n *yaml.Node) { s.Docs = d.Text(n) },
		"document": func(n *yaml.Node) { s.Document = d.variable(n) },
		"ambient":  func(n *yaml.Node) { d.Each(n, func(n *yaml.Node) { s.Ambient = append(s.Ambient, d.variable(n)) }) },
		"values":   func(n *yaml.Node) { values = n },
		"together": func(n *yaml.Node) { together = n },
		"one_of":   func(n *yaml.Node) { oneOf = n },
		"unsafe":   func(n *yaml.Node) { s.Unsafe = d.patterns(n, "value, VALUE.FIELD or a pattern of values") },
		"files":    func(n *yaml.Node) { files = n },
		"use":      func(n *yaml.Node) { use = n },
		"helper":   func(n *yaml.Node) { helper = n },
	})
	switch {
	case d.Err != nil:
	case !version:
		d.Fail(root, `"spec: 1" is missing`)
	case s.Name == "":
		d.Fail(root, "name is missing")
	case values == nil:
		d.Fail(root, "values is missing")
	default:
		d.values(values, s)
	}
	if together != nil && d.Err == nil {
		s.Together = d.groups(together, s, "together")
	}
	if oneOf != nil && d.Err == nil {
		s.OneOf = d.groups(oneOf, s, "one_of")
	}
	if files != nil && d.Err == nil {
		d.files(files, s)
	}
	if use != nil && d.Err == nil {
		d.Each(use, func(n *yaml.Node) { s.Use = append(s.Use, d.use(n, s)) })
	}
	if helper != nil && d.Err == nil {
		d.helpers(helper, s)
	}
	if len(s.Files) == 0 && s.Document == "" && !slices.ContainsFunc(s.Values, func(v Value) bool { return len(v.Env) > 0 }) {
		d.Fail(root, "the spec has neither files nor variables")
	}
	if d.Err != nil {
		return nil, d.Err
	}
	if s.Title == "" {
		s.Title = s.Name
	}
	return s, nil
}

// provider reads the name of a provider.
func (d *decoder) provider(n *yaml.Node) string {
	name := d.Text(n)
	if !validProvider(name) {
		d.Fail(n, "a provider's name has lower-case letters, digits and dashes, and begins with a letter or digit")
	}
	return name
}

func validProvider(name string) bool {
	if name == "" || name[0] == '-' || len(name) > 64 {
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
	v := d.Text(n)
	switch holes := Holes(v); {
	case len(holes) > 0:
		d.Fail(n, "%q is not the name of a variable: it has no holes such as {%s}, since a variable belongs to the default profile", v, holes[0])
	case !ValidVar(v):
		d.Fail(n, "%q is not the name of a variable", v)
	}
	return v
}

func (d *decoder) values(n *yaml.Node, s *Spec) {
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "values must be a mapping")
		return
	}
	d.Pairs(n, func(k, n *yaml.Node) {
		if k.Value == "*" {
			s.Any = true
			d.Mapping(n, `"*"`, nil)
			return
		}
		if k.Value == "" || strings.ContainsAny(k.Value, "{}.") {
			d.Fail(k, `a value's name is not empty and has no ".", "{" or "}"`)
		}
		v := Value{Name: k.Value}
		d.Mapping(n, "a value", map[string]func(*yaml.Node){
			"env": func(n *yaml.Node) {
				d.Each(n, func(n *yaml.Node) { v.Env = append(v.Env, d.variable(n)) })
			},
			"public":   func(n *yaml.Node) { v.Public = d.Bool(n) },
			"optional": func(n *yaml.Node) { v.Optional = d.Bool(n) },
			"pattern":  func(n *yaml.Node) { v.Pattern = d.regexp(n) },
			"reject":   func(n *yaml.Node) { v.Reject = d.regexp(n) },
			"rotates":  func(n *yaml.Node) { v.Rotates = d.Bool(n) },
		})
		s.Values = append(s.Values, v)
	})
	if len(s.Values) == 0 && !s.Any {
		d.Fail(n, "values is empty")
	}
}

// groups reads a list of values, or a list of such lists.
func (d *decoder) groups(n *yaml.Node, s *Spec, what string) [][]string {
	var out [][]string
	group := func(n *yaml.Node) {
		var names []string
		d.Each(n, func(n *yaml.Node) { names = append(names, d.valueName(n, s, what)) })
		out = append(out, names)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.SequenceNode {
		d.Each(n, group)
	} else {
		group(n)
	}
	return out
}

// valueName reads the name of a value that the spec must have.
func (d *decoder) valueName(n *yaml.Node, s *Spec, what string) string {
	name := d.Text(n)
	if !s.has(name) {
		var known []string
		for _, v := range s.Values {
			if name != "*" {
				known = append(known, v.Name)
			}
		}
		d.Fail(n, "%s names %q, which values does not have%s", what, name, fault.DidYouMean(name, known))
	}
	return name
}

// has reports whether the spec lists a value.
func (s *Spec) has(name string) bool {
	return slices.ContainsFunc(s.Values, func(v Value) bool { return v.Name == name })
}

func (d *decoder) files(n *yaml.Node, s *Spec) {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.Fail(n, "files must be a list, and not empty")
		return
	}
	d.Each(n, func(n *yaml.Node) { s.Files = append(s.Files, d.file1(n, s)) })
}

func (d *decoder) file1(n *yaml.Node, s *Spec) File {
	f := File{Mode: 0o600}
	nodes := map[string]*yaml.Node{}
	later := func(key string) func(*yaml.Node) { return func(n *yaml.Node) { nodes[key] = n } }
	d.Mapping(n, "a file", map[string]func(*yaml.Node){
		"path":      func(n *yaml.Node) { nodes["path"], f.Paths = n, d.filePaths(n) },
		"override":  func(n *yaml.Node) { d.Each(n, func(n *yaml.Node) { f.Override = append(f.Override, d.override(n)) }) },
		"format":    later("format"),
		"clients":   later("clients"),
		"exclude":   later("exclude"),
		"profiles":  later("profiles"),
		"keys":      later("keys"),
		"add":       later("add"),
		"states":    later("states"),
		"expires":   later("expires"),
		"mode":      func(n *yaml.Node) { f.Mode = d.mode(n) },
		"read_only": func(n *yaml.Node) { f.ReadOnly = d.Bool(n) },
		"mirror":    func(n *yaml.Node) { f.Mirror = d.Bool(n) },
	})
	switch {
	case d.Err != nil:
		return f
	case nodes["path"] == nil:
		d.Fail(n, "path is missing")
	case nodes["format"] == nil:
		d.Fail(n, "format is missing")
	default:
		d.format(nodes["format"], &f)
	}
	if n := nodes["clients"]; n != nil && d.Err == nil {
		d.clients(n, &f)
	}
	if n := nodes["profiles"]; n != nil && d.Err == nil {
		f.Profiles = d.profiles(n, &f)
		f.Options.Defaults = f.Profiles.Default == "DEFAULT" || f.Profiles.Inherit == "DEFAULT"
	}
	if n := nodes["exclude"]; n != nil && d.Err == nil {
		if f.Exclude = d.patterns(n, "file name pattern"); !f.PerFile() && (f.Profiles == nil || f.Wasm != "") {
			d.Fail(n, `exclude is for profiles that rhx finds: a path with "{profile}", or profiles`)
		}
	}
	if d.whole(n, nodes, s, &f); d.Err != nil {
		return f
	}
	if n := nodes["keys"]; n != nil {
		d.keys(n, s, &f)
	}
	if n := nodes["add"]; n != nil {
		f.Add = d.fixed(n)
		for _, fx := range f.Add {
			if fx.Root && len(fx.At) > 1 && fx.At[0].Key == "DEFAULT" {
				f.Options.Inherited = fx.At[1].Key
			}
		}
	}
	if n := nodes["states"]; n != nil {
		d.Each(n, func(n *yaml.Node) { f.States = append(f.States, d.state(n)) })
	}
	if n := nodes["expires"]; n != nil {
		f.Expires = d.path(n)
	}
	d.holes(nodes, &f)
	return f
}

// whole checks which parts a file of its format has.
func (d *decoder) whole(n *yaml.Node, nodes map[string]*yaml.Node, s *Spec, f *File) {
	if d.Err != nil {
		return
	}
	none := func(what string, keys ...string) {
		for _, k := range keys {
			if nodes[k] != nil {
				d.Fail(nodes[k], "%s has no %s", what, k)
			}
		}
	}
	switch {
	case f.Wasm != "":
		if f.PerFile() {
			d.Fail(n, `a file of a wasm module cannot have "{profile}" in its path`)
		}
		none("a file of a wasm module", "keys", "add", "states", "expires")
		if f.Mirror {
			d.Fail(n, "a file of a wasm module cannot be a mirror")
		}
	case f.Format == "keypair":
		none("format keypair", "profiles", "keys", "add", "states", "expires")
		for _, v := range []string{"private_key", "public_key"} {
			if !s.has(v) {
				d.Fail(n, "format keypair needs the value %s", v)
			}
		}
		if f.Mirror {
			d.Fail(n, "a key pair cannot be a mirror")
		}
	case nodes["keys"] == nil:
		d.Fail(n, "keys is missing")
	case f.Format == "text":
		none("format text", "profiles", "add", "states", "expires")
	}
	if f.PerFile() {
		none(`a file with "{profile}" in its path`, "profiles")
	}
}

// holes checks that what stands for a profile or a value can be filled: while a
// value is read, only those before it are known.
func (d *decoder) holes(nodes map[string]*yaml.Node, f *File) {
	known := map[string]bool{"profile": f.Profiles != nil && f.Wasm == ""}
	check := func(n *yaml.Node, names []string) {
		for _, name := range names {
			if value, _, _ := strings.Cut(name, "."); !known[value] {
				d.Fail(n, "{%s} is neither the profile nor one of the file's keys before it", name)
			}
		}
	}
	keys := nodes["keys"]
	for i, k := range f.Keys {
		for _, p := range k.At {
			check(keys.Content[2*i+1], p.Holes())
		}
		for _, p := range k.Also {
			check(keys.Content[2*i+1], p.Holes())
		}
		known[k.Value] = k.Value != "*"
	}
	for i, k := range f.Keys {
		for _, p := range k.Mirror {
			check(keys.Content[2*i+1], p.Holes())
		}
	}
	for i, fx := range f.Add {
		check(nodes["add"].Content[2*i], append(fx.At.Holes(), Holes(fx.Text)...))
		if slices.ContainsFunc(fx.At, func(s PathStep) bool { return s.Any }) || len(fx.At) == 0 {
			d.Fail(nodes["add"].Content[2*i], `what is added has one place, without "*"`)
		}
	}
	for _, st := range f.States {
		check(nodes["states"], st.At.Holes())
	}
	check(nodes["expires"], f.Expires.Holes())
}

func (d *decoder) filePaths(n *yaml.Node) (p Paths) {
	one := func(n *yaml.Node) string {
		p := d.Text(n)
		dir, name := path.Split(p)
		name = strings.Replace(name, "{profile}", "", 1)
		if holes := Holes(dir + name); len(holes) > 0 && holes[0] != "profile" {
			d.Fail(n, `{%s} cannot be in a path, which has "{profile}" alone, in its last element`, holes[0])
		}
		if !strings.HasPrefix(p, "~/") || path.Clean(p) != p || strings.ContainsAny(dir+name, "{}*?[\\\x00") || slices.Contains(strings.Split(p, "/"), "..") {
			d.Fail(n, `a path begins with "~/", has no ".." step and no wildcard, and "{profile}" once at most, in its last element`)
		}
		return p
	}
	if _, hole := unquoted(n); n.Kind != yaml.MappingNode || hole {
		p.Default = one(n)
		return p
	}
	d.Mapping(n, "path", map[string]func(*yaml.Node){
		"default": func(n *yaml.Node) { p.Default = one(n) },
		"linux":   func(n *yaml.Node) { p.Linux = one(n) },
		"macos":   func(n *yaml.Node) { p.MacOS = one(n) },
		"windows": func(n *yaml.Node) { p.Windows = one(n) },
	})
	if p.Default == "" {
		d.Fail(n, "path needs a default")
	}
	per := strings.Contains(p.Default, "{profile}")
	for _, goos := range []string{"linux", "darwin", "windows"} {
		if strings.Contains(p.On(goos), "{profile}") != per {
			d.Fail(n, `"{profile}" is in all paths of a file, or in none`)
		}
	}
	return p
}

func (d *decoder) override(n *yaml.Node) Override {
	var o Override
	if n.Kind == yaml.MappingNode {
		d.Mapping(n, "override", map[string]func(*yaml.Node){
			"list":    func(n *yaml.Node) { o.Var, o.List = d.variable(n), true },
			"path":    func(n *yaml.Node) { o.Var, o.Rel = d.moved(n) },
			"expands": func(n *yaml.Node) { o.Expands = d.Bool(n) },
		})
		if o.Var == "" || o.List && o.Rel != "" {
			d.Fail(n, overrideForms)
		}
		return o
	}
	o.Var, o.Rel = d.moved(n)
	return o
}

const overrideForms = "an override is VARIABLE, VARIABLE/PATH, VARIABLE/../NAME, {list: VARIABLE} or {path: any of the first three, expands: true}"

// moved reads VARIABLE, VARIABLE/PATH or VARIABLE/../NAME.
func (d *decoder) moved(n *yaml.Node) (name, rel string) {
	name, rel, deep := strings.Cut(d.Text(n), "/")
	below := strings.TrimPrefix(rel, "../")
	if !ValidVar(name) || deep && (below == "" || path.Clean("/"+below) != "/"+below) {
		d.Fail(n, overrideForms)
	}
	return name, rel
}

func (d *decoder) format(n *yaml.Node, f *File) {
	name := ""
	if n.Kind == yaml.MappingNode {
		kinds := 0
		dialect := func(format string, read func(n *yaml.Node)) func(n *yaml.Node) {
			return func(n *yaml.Node) {
				kinds++
				name = format
				read(n)
			}
		}
		d.Mapping(n, "format", map[string]func(*yaml.Node){
			"wasm": dialect("", func(n *yaml.Node) {
				if f.Wasm = d.Text(n); !validProvider(f.Wasm) {
					d.Fail(n, "a wasm module's name has lower-case letters, digits and dashes, and begins with a letter or digit")
				}
			}),
			"random": func(n *yaml.Node) { f.Random = d.Bool(n) },
			"ini":    dialect("ini", func(n *yaml.Node) { d.ini(n, &f.Options) }),
			"xml":    dialect("xml", func(n *yaml.Node) { f.Options.Lists = d.names(n, "xml", "lists") }),
			"hcl":    dialect("hcl", func(n *yaml.Node) { f.Options.Blocks = d.names(n, "hcl", "blocks") }),
		})
		switch {
		case kinds > 1:
			d.Fail(n, "a format is one of wasm, ini, xml and hcl")
		case f.Random && f.Wasm == "":
			d.Fail(n, "only a wasm module can have random")
		}
		if f.Wasm != "" {
			return
		}
	} else if name = d.Text(n); d.Err != nil {
		return
	}
	if !slices.Contains(codec.Names(), name) || name == "" {
		d.Fail(n, "unknown format %q%s (known: %s, or {wasm: MODULE})", name, fault.DidYouMean(name, codec.Names()), strings.Join(codec.Names(), ", "))
	}
	f.Format = name
}

// names reads the dialect of a format that has one option, which is a list of names.
func (d *decoder) names(n *yaml.Node, format, option string) string {
	var names []string
	d.Mapping(n, "format "+format, map[string]func(*yaml.Node){
		option: func(n *yaml.Node) {
			d.Each(n, func(n *yaml.Node) {
				name := d.Text(n)
				if name == "" || strings.ContainsAny(name, " \t\r\n") {
					d.Fail(n, "%s of %s are names", option, format)
				}
				names = append(names, name)
			})
		},
	})
	return strings.Join(names, " ")
}

// ini reads the dialect of an ini file.
func (d *decoder) ini(n *yaml.Node, o *codec.Options) {
	signs := func(n *yaml.Node, allowed string) string {
		text := d.Text(n)
		if text != allowed[:1] && text != allowed[1:] && text != allowed && text != allowed[1:]+allowed[:1] {
			d.Fail(n, "this is one or both of %s and %s", allowed[:1], allowed[1:])
		}
		return text
	}
	d.Mapping(n, "format ini", map[string]func(*yaml.Node){
		"delimiters":     func(n *yaml.Node) { o.Delimiters = signs(n, "=:") },
		"comments":       func(n *yaml.Node) { o.Comments = signs(n, "#;") },
		"case_sensitive": func(n *yaml.Node) { o.CaseSensitive = d.Bool(n) },
		"quotes":         func(n *yaml.Node) { o.Quotes = d.Bool(n) },
		"references":     func(n *yaml.Node) { o.References = d.Bool(n) },
		"inline_comments": func(n *yaml.Node) {
			if o.CommentsAnywhere = n.Value == "anywhere"; !o.CommentsAnywhere {
				o.InlineComments = d.Bool(n)
			}
		},
		"continued": func(n *yaml.Node) {
			ways := map[string]codec.Continued{"indented": codec.Indented, "never": codec.OneLine, "backslash": codec.Backslashed}
			way, ok := ways[d.Text(n)]
			if !ok {
				d.Fail(n, "continued is indented, never or backslash")
			}
			o.Continued = way
		},
	})
}

// clients reads which programs must be able to read a file.
func (d *decoder) clients(n *yaml.Node, f *File) {
	var names []string
	d.Each(n, func(n *yaml.Node) { names = append(names, d.Text(n)) })
	set, err := codec.ClientsOf(f.Format, names)
	switch {
	case d.Err != nil:
	case f.Wasm != "" && len(names) > 0:
		d.Fail(n, "a file of a wasm module has no clients")
	case err != nil:
		d.Fail(n, "%v", err)
	}
	f.Options.Clients = set
}

func (d *decoder) patterns(n *yaml.Node, what string) []string {
	var list []string
	d.Each(n, func(n *yaml.Node) {
		p := d.Text(n)
		if _, err := path.Match(p, ""); err != nil || p == "" {
			d.Fail(n, "%q is not a %s", p, what)
		}
		list = append(list, p)
	})
	return list
}

func (d *decoder) profiles(n *yaml.Node, f *File) *Profiles {
	p := &Profiles{}
	kinds := 0
	kind := func(n *yaml.Node) Path {
		kinds++
		path := d.path(n)
		if len(path.Holes()) > 0 || slices.ContainsFunc(path, func(s PathStep) bool { return s.Any }) {
			d.Fail(n, "profiles are at one place, without holes")
		}
		return path
	}
	d.Mapping(n, "profiles", map[string]func(*yaml.Node){
		"section": func(n *yaml.Node) {
			if p.Section = d.Text(n); strings.Count(p.Section, "*") != 1 {
				d.Fail(n, `section has one "*", which stands for the profile`)
			}
			kinds++
		},
		"option": func(n *yaml.Node) {
			if p.Option = d.Text(n); strings.Count(p.Option, "*") != 1 {
				d.Fail(n, `option has one "*", which stands for the profile`)
			}
			kinds++
		},
		"keys":    func(n *yaml.Node) { p.Keys = kind(n) },
		"entries": func(n *yaml.Node) { p.Entries = kind(n) },
		"name":    func(n *yaml.Node) { p.Name = d.Text(n) },
		"default": func(n *yaml.Node) { p.Default = d.Text(n) },
		"inherit": func(n *yaml.Node) { p.Inherit = d.Text(n) },
	})
	want := 1
	if f.Wasm != "" {
		want = 0
	}
	switch {
	case d.Err != nil:
	case f.Wasm != "" && kinds > 0:
		d.Fail(n, "profiles of a wasm module's file have default at most: the module finds them")
	case kinds != want || (p.Entries != nil) != (p.Name != ""):
		d.Fail(n, "profiles has one of section, option, keys, and entries with name")
	case f.Wasm == "" && (p.Section != "" || p.Option != "") != (f.Format == "ini"):
		d.Fail(n, "profiles by section or option are for format ini, and only they")
	case p.Inherit != "" && p.Section == "":
		d.Fail(n, "inherit is for profiles by section")
	}
	return p
}

func (d *decoder) keys(n *yaml.Node, s *Spec, f *File) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		d.Fail(n, "keys must be a mapping, and not empty")
		return
	}
	d.Pairs(n, func(k, n *yaml.Node) {
		if k.Value != "*" || !s.Any {
			d.valueName(k, s, "keys")
		}
		key := Key{Value: k.Value}
		if _, hole := unquoted(n); n.Kind == yaml.MappingNode && !hole {
			d.key(n, &key)
		} else {
			key.At = d.paths(n)
		}
		whole := func(p Path) bool { return len(p) == 0 }
		switch {
		case d.Err != nil:
		case (len(key.At) == 0) != key.Profile:
			d.Fail(n, "a key has at, or profile: true")
		case key.Profile && (key.As != "" || key.Also != nil || key.Mirror != nil || key.Root || key.Tree):
			d.Fail(n, "a key with profile: true has nothing else")
		case key.Profile && f.Profiles == nil:
			d.Fail(n, "profile: true is for a file with profiles")
		case key.Tree && key.As != "":
			d.Fail(n, "a key has as, or tree: true")
		case key.Also != nil && key.As == "":
			d.Fail(n, "also is for a key with as; places of one form are all in at")
		case key.Inline != nil && !key.Tree:
			d.Fail(n, "inline is for a key with tree: true")
		case k.Value == "*" && (len(key.At) > 1 || key.As != "" || key.Mirror != nil || key.Root || key.Tree):
			d.Fail(n, `"*" has one place, and nothing else`)
		case f.Format == "text" && !(slices.ContainsFunc(key.At, whole) && len(key.At) == 1 && !key.Tree):
			d.Fail(n, `a file of format text is one value: its place is "."`)
		case f.Format == "ini" && f.Profiles != nil && f.Profiles.Option != "" && !key.Root && slices.ContainsFunc(key.At, func(p Path) bool { return len(p) != 0 }):
			d.Fail(n, `a profile by option is one value: its place is ".", or has root: true`)
		case f.Format == "ini" && f.Profiles != nil && f.Profiles.Option == "" && !key.Root && slices.ContainsFunc(key.At, func(p Path) bool { return len(p) != 1 }):
			d.Fail(n, "a key in a section is one option")
		}
		f.Keys = append(f.Keys, key)
	})
	if d.Err == nil && f.Format == "text" && len(f.Keys) > 1 {
		d.Fail(n, "a file of format text is one value")
	}
}

func (d *decoder) key(n *yaml.Node, key *Key) {
	d.Mapping(n, "a key", map[string]func(*yaml.Node){
		"at":     func(n *yaml.Node) { key.At = d.paths(n) },
		"mirror": func(n *yaml.Node) { key.Mirror = d.paths(n) },
		"as": func(n *yaml.Node) {
			if key.As = d.Text(n); !slices.Contains(codecs, key.As) {
				d.Fail(n, "unknown codec %q%s (known: %s)", key.As, fault.DidYouMean(key.As, codecs), strings.Join(codecs, ", "))
			}
		},
		"root":    func(n *yaml.Node) { key.Root = d.Bool(n) },
		"tree":    func(n *yaml.Node) { key.Tree = d.Bool(n) },
		"profile": func(n *yaml.Node) { key.Profile = d.Bool(n) },
		"also":    func(n *yaml.Node) { key.Also = d.paths(n) },
		"inline":  func(n *yaml.Node) { key.Inline = d.inline(n) },
	})
}

// inline reads the fields of a tree that name other files.
func (d *decoder) inline(n *yaml.Node) []Inline {
	var out []Inline
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "inline must be a mapping")
		return nil
	}
	d.Pairs(n, func(k, n *yaml.Node) {
		in := Inline{Field: k.Value}
		if n.Kind != yaml.MappingNode {
			in.Into = d.Text(n)
		} else {
			d.Mapping(n, "inline", map[string]func(*yaml.Node){
				"into": func(n *yaml.Node) { in.Into = d.Text(n) },
				"holds": func(n *yaml.Node) {
					switch d.Text(n) {
					case "certificates":
					case "key":
						in.Key = true
					default:
						d.Fail(n, "a file that is inlined holds certificates or key")
					}
				},
			})
			if in.Into == "" {
				d.Fail(n, "inline is FIELD: FIELD, or FIELD: {into: FIELD, holds: key}")
			}
		}
		out = append(out, in)
	})
	return out
}

func (d *decoder) fixed(n *yaml.Node) []Fixed {
	var out []Fixed
	if n.Kind != yaml.MappingNode {
		d.Fail(n, "add must be a mapping")
		return nil
	}
	d.Pairs(n, func(k, n *yaml.Node) {
		fx := Fixed{At: d.path(k)}
		if _, hole := unquoted(n); n.Kind == yaml.MappingNode && !hole {
			d.Mapping(n, "add", map[string]func(*yaml.Node){
				"text": func(n *yaml.Node) { fx.Text = d.Text(n) },
				"root": func(n *yaml.Node) { fx.Root = d.Bool(n) },
			})
		} else {
			fx.Text = d.Text(n)
		}
		if d.Err == nil && !holesClosed(fx.Text) {
			d.Fail(n, "a hole is {NAME}")
		}
		out = append(out, fx)
	})
	return out
}

func (d *decoder) state(n *yaml.Node) State {
	var s State
	d.Mapping(n, "a state", map[string]func(*yaml.Node){
		"state": func(n *yaml.Node) {
			if s.State = d.Text(n); !slices.Contains(states, s.State) {
				d.Fail(n, "a state is %s", strings.Join(states, ", "))
			}
		},
		"at":   func(n *yaml.Node) { s.At = d.path(n) },
		"root": func(n *yaml.Node) { s.Root = d.Bool(n) },
		"wins": func(n *yaml.Node) { s.Wins = d.Bool(n) },
	})
	if d.Err == nil && (s.State == "" || s.At == nil) {
		d.Fail(n, "a state has state and at")
	}
	return s
}

func (d *decoder) mode(n *yaml.Node) fs.FileMode {
	v, err := strconv.ParseUint(strings.TrimPrefix(d.Text(n), "0o"), 8, 32)
	if err != nil || v&^0o700 != 0 || v&0o600 != 0o600 {
		d.Fail(n, "mode is 0600 or 0700: a file with secrets is its owner's alone")
	}
	return fs.FileMode(v)
}
