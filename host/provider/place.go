package provider

import (
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// entry is one profile in a decoded file.
type entry struct {
	// name is the profile as the file spells it; "" where the file is one profile.
	name string
	// at is where the profile's values are.
	at codec.Path
}

// entries lists the profiles of a document.
func entries(f *spec.File, root *codec.Node) []entry {
	p := f.Profiles
	switch {
	case p == nil:
		return []entry{{}}
	case p.Section != "":
		var out []entry
		for _, pair := range root.Pairs {
			if name := profileOf(p, pair); name != "" {
				out = append(out, entry{name, codec.Keys(pair.Key)})
			}
		}
		return out
	case p.Option != "":
		var out []entry
		if top := root.Get(""); top != nil {
			for _, pair := range top.Pairs {
				if name := optionProfile(p, pair.Key); name != "" {
					out = append(out, entry{name, codec.Keys("", pair.Key)})
				}
			}
		}
		return out
	case p.Keys != nil:
		base, _ := p.Keys.Expand(noHoles)
		m := root.Find(base)
		if m == nil {
			return nil
		}
		out := make([]entry, 0, len(m.Pairs))
		for _, pair := range m.Pairs {
			out = append(out, entry{pair.Key, join(base, codec.Step{Key: pair.Key})})
		}
		return out
	}
	base, _ := p.Entries.Expand(noHoles)
	list := root.Find(base)
	if list == nil {
		return nil
	}
	var out []entry
	for _, item := range list.Items {
		if n := item.Get(p.Name); n.Scalar() && n.Text != "" && !slices.ContainsFunc(out, func(e entry) bool { return e.name == n.Text }) {
			out = append(out, entry{n.Text, join(base, codec.Step{Field: p.Name, Equals: n.Text})})
		}
	}
	return out
}

// lookup returns the profile called name of a document: the first one of that
// name that entries would list. A file that is one profile has it under any name.
func lookup(f *spec.File, root *codec.Node, name string) (entry, bool) {
	p := f.Profiles
	switch {
	case p == nil:
		return entry{}, true
	case p.Section == "*": // the section's name is the profile's
		return entry{name, codec.Keys(name)}, profileOf(p, codec.Pair{Key: name, Value: root.Get(name)}) != ""
	case p.Section != "":
		for _, pair := range root.Pairs {
			if n := profileOf(p, pair); n != "" && n == name {
				return entry{name, codec.Keys(pair.Key)}, true
			}
		}
		return entry{}, false
	case p.Option != "":
		e := entry{name, profileOption(f, name)}
		return e, name != "" && root.Find(e.at) != nil
	case p.Keys != nil:
		base, _ := p.Keys.Expand(noHoles)
		if root.Find(base).Get(name) == nil {
			return entry{}, false
		}
		return entry{name, join(base, codec.Step{Key: name})}, true
	}
	base, _ := p.Entries.Expand(noHoles)
	at := join(base, codec.Step{Field: p.Name, Equals: name})
	return entry{name, at}, name != "" && root.Find(at) != nil
}

// place returns where the profile called name is, or would be put.
func place(f *spec.File, root *codec.Node, name string) entry {
	if e, ok := lookup(f, root, name); ok {
		return e
	}
	p := f.Profiles
	switch {
	case p.Section != "":
		return entry{name, codec.Keys(profileSection(p, name))}
	case p.Option != "":
		return entry{name, profileOption(f, name)}
	case p.Keys != nil:
		base, _ := p.Keys.Expand(noHoles)
		return entry{name, join(base, codec.Step{Key: name})}
	}
	base, _ := p.Entries.Expand(noHoles)
	return entry{name, join(base, codec.Step{Field: p.Name, Equals: name})}
}

// optionProfile returns the profile that an ini option outside every section is;
// "" for none.
func optionProfile(p *spec.Profiles, option string) string {
	before, after, _ := strings.Cut(p.Option, "*")
	rest, ok := strings.CutPrefix(option, before)
	name, ok2 := strings.CutSuffix(rest, after)
	if !ok || !ok2 {
		return ""
	}
	return name
}

// profileOption is where the option of a profile is.
func profileOption(f *spec.File, name string) codec.Path {
	return codec.Keys("", optionName(f, strings.ReplaceAll(f.Profiles.Option, "*", name)))
}

// optionName is the name of an ini option as its codec has it.
func optionName(f *spec.File, name string) string {
	if f.Options.CaseSensitive {
		return name
	}
	return strings.ToLower(name)
}

// profileOf returns the profile that an entry of the document is, "" for none.
func profileOf(p *spec.Profiles, pair codec.Pair) string {
	// What others inherit is a profile only where it is the default one.
	if pair.Key == "" || pair.Value == nil || pair.Value.Kind != codec.Map || pair.Key == p.Inherit && p.Inherit != p.Default {
		return ""
	}
	return sectionProfile(p, pair.Key)
}

// sectionProfile returns the profile that an ini section holds, "" for none. Where the
// pattern has a prefix, as in "profile *", the default profile's section may
// stand without it, and a name may be quoted (botocore's rules).
func sectionProfile(p *spec.Profiles, section string) string {
	if p.Section == "*" || section == p.Default {
		return section
	}
	before, after, _ := strings.Cut(p.Section, "*")
	rest, ok := strings.CutPrefix(section, before)
	name, ok2 := strings.CutSuffix(rest, after)
	name = strings.TrimSpace(name)
	if !ok || !ok2 || name == "" {
		return ""
	}
	if q := name[0]; len(name) > 2 && (q == '"' || q == '\'') && name[len(name)-1] == q {
		name = name[1 : len(name)-1]
	}
	return name
}

func profileSection(p *spec.Profiles, name string) string {
	if p.Section == "*" || name == p.Default {
		return name
	}
	if strings.ContainsAny(name, " \t") {
		name = `"` + name + `"`
	}
	return strings.ReplaceAll(p.Section, "*", name)
}

func join(base codec.Path, more ...codec.Step) codec.Path {
	return append(slices.Clone(base), more...)
}

func noHoles(string) (string, bool) { return "", false }

// resolve gives the concrete path of a place below an entry. A "*" step takes
// the first entry under which the rest of the path exists.
func resolve(f *spec.File, root *codec.Node, e entry, p spec.Path, fromRoot bool, holes func(string) (string, bool)) (codec.Path, bool) {
	base := e.at
	if fromRoot {
		base = nil
	}
	// An option outside every section is in the section "" of the ini tree.
	if f.Format == "ini" && len(base) == 0 && len(p) == 1 {
		base = codec.Keys("")
	}
	if i := slices.IndexFunc(p, func(s spec.PathStep) bool { return s.Any }); i >= 0 {
		head, ok := p[:i].Expand(holes)
		if !ok {
			return nil, false
		}
		if m := root.Find(join(base, head...)); m != nil {
			for _, pair := range m.Pairs {
				filled := slices.Clone(p)
				filled[i] = spec.PathStep{Key: pair.Key}
				if at, ok := resolve(f, root, e, filled, fromRoot, holes); ok && root.Find(at) != nil {
					return at, true
				}
			}
		}
		return nil, false
	}
	rest, ok := p.Expand(holes)
	if !ok {
		return nil, false
	}
	if n := len(rest); f.Format == "ini" && n > 0 {
		rest[n-1].Key = optionName(f, rest[n-1].Key)
	}
	return join(base, rest...), true
}

// holes returns the lookup for a profile's name and the values known so far.
func holes(name string, values map[string]string) func(string) (string, bool) {
	return func(hole string) (string, bool) {
		if hole == "profile" {
			return name, name != ""
		}
		key, rest, deep := strings.Cut(hole, ".")
		text := values[key]
		if text == "" {
			return "", false
		}
		if !deep {
			return text, true
		}
		tree, _ := codec.FromJSON([]byte(text))
		n := tree.Find(codec.Keys(strings.Split(rest, ".")...))
		if !n.Scalar() || n.Text == "" {
			return "", false
		}
		return n.Text, true
	}
}
