package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/inventory"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/strictyaml"
)

// Options are what a manifest is read with.
type Options struct {
	// Profile is the overlay that is merged in; "" for none.
	Profile string
	// Providers are the names of all providers.
	Providers []string
	// Aliases returns their other names; nil for none. It is asked only about a name
	// that is none of Providers: to know them takes reading all providers.
	Aliases func() []string
}

// parser reads one manifest.
type parser struct {
	strictyaml.Decoder
	opts Options
	m    *Manifest
	raw  map[string]*rawBundle
	// later are the checks of references to bundles, for when all is read.
	later []func()
}

// rawBundle is a bundle as it is written, before what it extends is folded in.
type rawBundle struct {
	Bundle
	extends []ref
	folded  bool
	folding bool
}

// ref is a name with its place.
type ref struct {
	name string
	node *yaml.Node
}

// Parse reads a manifest. file is its name for messages. An error is a
// [*strictyaml.Error] with line and column.
func Parse(file string, data []byte, opts Options) (*Manifest, error) {
	p := &parser{Decoder: strictyaml.Decoder{File: file, Kind: "a manifest"}, opts: opts, m: &Manifest{File: file}, raw: map[string]*rawBundle{}}
	root := p.Document(data)
	if p.Err != nil {
		return nil, p.Err
	}
	root = p.profile(root)
	version := false
	var bundles *yaml.Node
	p.Mapping(root, "a manifest", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if version = true; p.Text(n) != "1" {
				p.Fail(n, "version %s of a manifest is not known to this rhx, which reads version 1", n.Value)
			}
		},
		"store":    p.store,
		"secrets":  p.secrets,
		"bundles":  func(n *yaml.Node) { bundles = n },
		"hosts":    p.hosts,
		"mcp":      p.mcp,
		"profiles": func(*yaml.Node) {},
	})
	if p.Err == nil && !version {
		p.Fail(root, `"version: 1" is missing`)
	}
	if bundles != nil && p.Err == nil {
		p.bundles(bundles)
	}
	for _, check := range p.later {
		check()
	}
	if p.Err != nil {
		return nil, p.Err
	}
	return p.m, nil
}

// profile merges the profile that was asked for, and notes which there are.
func (p *parser) profile(root *yaml.Node) *yaml.Node {
	merged := root
	found := false
	p.Pairs(root, func(k, v *yaml.Node) {
		if k.Value != "profiles" {
			return
		}
		if v.Kind != yaml.MappingNode {
			p.Fail(v, "profiles must be a mapping")
			return
		}
		p.Pairs(v, func(k, v *yaml.Node) {
			p.m.Profiles = append(p.m.Profiles, k.Value)
			p.Mapping(v, "a profile", map[string]func(*yaml.Node){
				"store": func(*yaml.Node) {}, "secrets": func(*yaml.Node) {}, "bundles": func(*yaml.Node) {}, "hosts": func(*yaml.Node) {},
			})
			if k.Value == p.opts.Profile {
				found = true
				merged = overlay(root, v)
			}
		})
	})
	if p.Err == nil && p.opts.Profile != "" && !found {
		p.Fail(root, "there is no profile %q%s", p.opts.Profile, fault.DidYouMean(p.opts.Profile, p.m.Profiles))
	}
	return merged
}

func (p *parser) store(n *yaml.Node) {
	if p.m.Store = p.Text(n); p.m.Store != "local" && !strings.HasPrefix(p.m.Store, "vault://") {
		p.Fail(n, "a store is local, or vault://MOUNT/PREFIX")
	}
}

func (p *parser) secrets(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.Fail(n, "secrets must be a mapping")
		return
	}
	p.Pairs(n, func(k, v *yaml.Node) {
		s := &Secret{Name: k.Value, Line: k.Line}
		if err := secret.ValidName(k.Value); err != nil {
			p.Fail(k, "%v", err)
			return
		}
		if strings.ContainsAny(k.Value, "}|") || k.Value == "env" || strings.HasPrefix(k.Value, "env.") {
			p.Fail(k, "a manifest cannot name a secret %q", k.Value)
			return
		}
		var provider, oneOf *yaml.Node
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
			v = &yaml.Node{Kind: yaml.MappingNode, Line: v.Line, Column: v.Column}
		}
		p.Mapping(v, "a secret", map[string]func(*yaml.Node){
			"provider": func(n *yaml.Node) { provider = n },
			"profile":  func(n *yaml.Node) { s.Profile = p.Text(n) },
			"values":   func(n *yaml.Node) { p.values(n, s) },
			"one_of":   func(n *yaml.Node) { oneOf = n },
		})
		p.provider(s, k, provider)
		if oneOf != nil {
			p.oneOf(oneOf, s)
		}
		p.m.Secrets = append(p.m.Secrets, s)
	})
}

// provider finds out which provider a secret is of.
func (p *parser) provider(s *Secret, k, n *yaml.Node) {
	if p.Err != nil {
		return
	}
	known := func(name string) bool {
		return slices.Contains(p.opts.Providers, name) || p.opts.Aliases != nil && slices.Contains(p.opts.Aliases(), name)
	}
	head, profile := secret.SplitName(s.Name)
	switch {
	case n != nil:
		if s.Provider = p.Text(n); p.Err == nil && !known(s.Provider) {
			p.Fail(n, "unknown provider %q%s", s.Provider, fault.DidYouMean(s.Provider, p.opts.Providers))
		}
	case len(s.Values) > 0:
	case known(head):
		s.Provider = head
		if profile != "" {
			if s.Profile != "" {
				p.Fail(k, "%q names a profile already", s.Name)
			}
			s.Profile = profile
		}
	default:
		p.Fail(k, "%q is no provider's name%s; a secret of its own has values", s.Name, fault.DidYouMean(head, p.opts.Providers))
	}
	if s.Provider != "" && len(s.Values) > 0 {
		p.Fail(k, "a provider's secret has the values that its provider says, and none of its own")
	}
	if s.Provider == "" && s.Profile != "" {
		p.Fail(k, "only a provider's secret has a profile")
	}
}

func (p *parser) values(n *yaml.Node, s *Secret) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		p.Fail(n, "values must be a mapping with at least one key")
		return
	}
	p.Pairs(n, func(k, v *yaml.Node) {
		value := Value{Key: k.Value}
		if k.Value == "" || strings.ContainsAny(k.Value, "}|\n") {
			p.Fail(k, "a key cannot be %q", k.Value)
			return
		}
		if v.Kind == yaml.ScalarNode && v.Tag == "!!null" {
			s.Values = append(s.Values, value)
			return
		}
		p.Mapping(v, "a value", map[string]func(*yaml.Node){
			"default": func(n *yaml.Node) { text := p.Text(n); value.Default = &text },
			"generate": func(n *yaml.Node) {
				value.Generate = p.generate(n)
			},
			"prompt":   func(n *yaml.Node) { value.Prompt = p.Text(n) },
			"required": func(n *yaml.Node) { value.Optional = !p.Bool(n) },
		})
		ways := 0
		for _, set := range []bool{value.Default != nil, value.Generate != nil, value.Prompt != ""} {
			if set {
				ways++
			}
		}
		if ways > 1 {
			p.Fail(k, "%q can have one of default, generate and prompt", k.Value)
		}
		s.Values = append(s.Values, value)
	})
}

func (p *parser) generate(n *yaml.Node) *Generate {
	g := &Generate{Kind: kindText, Length: defaultLength, Alphabet: defaultAlphabet}
	if n.Kind == yaml.ScalarNode {
		if g.Kind = p.Text(n); !slices.Contains(kinds(), g.Kind) {
			p.Fail(n, "%q is not made by rhx%s (known: %s, or {length: N})", g.Kind, fault.DidYouMean(g.Kind, kinds()), strings.Join(kinds(), ", "))
		}
		return g
	}
	number := func(n *yaml.Node) {
		v, err := strconv.Atoi(p.Text(n))
		if err != nil || v < 8 || v > 4096 {
			p.Fail(n, "a length is a number from 8 to 4096")
		}
		g.Length = v
	}
	p.Mapping(n, "generate", map[string]func(*yaml.Node){
		"length": number,
		"hex":    func(n *yaml.Node) { g.Kind = kindHex; number(n) },
		"alphabet": func(n *yaml.Node) {
			g.Alphabet = p.Text(n)
			letters := []rune(g.Alphabet)
			slices.Sort(letters)
			if len(letters) < 2 || len(slices.Compact(letters)) < len([]rune(g.Alphabet)) {
				p.Fail(n, "an alphabet has two characters or more, each once")
			}
		},
	})
	return g
}

func (p *parser) oneOf(n *yaml.Node, s *Secret) {
	group := func(n *yaml.Node) {
		var keys []string
		p.Each(n, func(n *yaml.Node) {
			key := p.Text(n)
			i := slices.IndexFunc(s.Values, func(v Value) bool { return v.Key == key })
			if i < 0 {
				p.Fail(n, "%s has no key %q", s.Name, key)
				return
			}
			s.Values[i].Optional = true
			keys = append(keys, key)
		})
		if p.Err == nil && len(keys) < 2 {
			p.Fail(n, "a group of one_of has two keys or more")
		}
		s.OneOf = append(s.OneOf, keys)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.SequenceNode {
		p.Each(n, group)
		return
	}
	group(n)
}

func (p *parser) hosts(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.Fail(n, "hosts must be a mapping")
		return
	}
	p.Pairs(n, func(k, v *yaml.Node) {
		g := &HostGroup{Name: k.Value, Line: k.Line}
		if !validWord(k.Value) {
			p.Fail(k, "a group of hosts cannot be called %q", k.Value)
			return
		}
		p.Mapping(v, "a group of hosts", map[string]func(*yaml.Node){
			"addresses": func(n *yaml.Node) {
				p.Each(n, func(n *yaml.Node) {
					hosts, err := inventory.Expand(p.Text(n))
					if err != nil {
						p.Fail(n, "%v", err)
					}
					g.Addresses = append(g.Addresses, hosts...)
				})
			},
			"bundles": func(n *yaml.Node) {
				p.Each(n, func(n *yaml.Node) {
					name := p.Text(n)
					g.Bundles = append(g.Bundles, name)
					p.later = append(p.later, func() { p.mustBundle(ref{name, n}) })
				})
			},
		})
		if p.Err == nil && len(g.Addresses) == 0 {
			p.Fail(k, "the group %q has no addresses", k.Value)
		}
		p.m.Hosts = append(p.m.Hosts, g)
	})
}

func (p *parser) mustBundle(r ref) {
	if p.Err == nil && p.m.Bundle(r.name) == nil {
		p.Fail(r.node, "there is no bundle %q%s", r.name, fault.DidYouMean(r.name, p.m.BundleNames()))
	}
}

func (p *parser) bundles(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.Fail(n, "bundles must be a mapping")
		return
	}
	var order []*rawBundle
	p.Pairs(n, func(k, v *yaml.Node) {
		if !validWord(k.Value) {
			p.Fail(k, "a bundle cannot be called %q", k.Value)
			return
		}
		b := p.bundle(k, v)
		p.raw[k.Value] = b
		order = append(order, b)
	})
	for _, b := range order {
		p.fold(b)
		p.m.Bundles = append(p.m.Bundles, &b.Bundle)
	}
}

func (p *parser) bundle(k, v *yaml.Node) *rawBundle {
	b := &rawBundle{Bundle: Bundle{Name: k.Value, Line: k.Line, From: map[string]string{}, Paths: map[string]string{}, TTL: map[string]time.Duration{}}}
	from := func(name string) { b.From[name] = k.Value }
	declared := func(n *yaml.Node) string {
		name := p.Text(n)
		if p.Err == nil && p.m.Secret(name) == nil {
			p.Fail(n, "%q is not among the secrets of this manifest%s", name, fault.DidYouMean(name, p.m.SecretNames()))
		}
		return name
	}
	p.Mapping(v, "a bundle", map[string]func(*yaml.Node){
		"extends": func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) { b.extends = append(b.extends, ref{p.Text(n), n}) })
		},
		"secrets": func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) { b.Secrets = append(b.Secrets, declared(n)); from(n.Value) })
		},
		"files": func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) {
				name, path, ttl := "", "", time.Duration(0)
				if n.Kind == yaml.MappingNode {
					p.Mapping(n, "a file", map[string]func(*yaml.Node){
						"secret": func(n *yaml.Node) { name = declared(n) },
						"path":   func(n *yaml.Node) { path = p.filePath(n) },
						"ttl":    func(n *yaml.Node) { ttl = p.ttl(n) },
					})
					if p.Err == nil && name == "" {
						p.Fail(n, "a file needs a secret")
					}
				} else {
					name = declared(n)
				}
				if p.Err == nil && path == "" && p.m.Secret(name).Provider == "" {
					p.Fail(n, "%q has no file: it is no provider's, and no path is said", name)
				}
				if b.Files = append(b.Files, name); path != "" {
					b.Paths[name] = path
				}
				if ttl != 0 {
					b.TTL[name] = ttl
				}
			})
		},
		"unset": func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) { b.Unset = append(b.Unset, p.variable(n)) })
		},
		"env": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				p.Fail(n, "env must be a mapping")
				return
			}
			p.Pairs(n, func(k, v *yaml.Node) {
				t, err := parseTemplate(p.Text(v), p.split)
				if err != nil {
					p.Fail(v, "%v", err)
				}
				b.Env = append(b.Env, Variable{Name: p.variable(k), Text: t, Line: k.Line})
				from(k.Value)
			})
		},
		"broker": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				p.Fail(n, "broker must be a mapping from secrets to what they may be used for")
				return
			}
			p.Pairs(n, func(k, v *yaml.Node) {
				if name := declared(k); p.Err == nil && p.m.Secret(name).Provider == "" {
					p.Fail(k, "%q has no rule for the broker: it is no provider's", name)
				}
				b.Broker = append(b.Broker, p.limit(k.Value, v))
			})
		},
	})
	return b
}

// limit reads what a secret may be used for.
func (p *parser) limit(name string, n *yaml.Node) Limit {
	l := Limit{Secret: name}
	list := func(to *[]string, ok func(string) bool, what string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) {
				text := p.Text(n)
				if p.Err == nil && !ok(text) {
					p.Fail(n, "%q is not %s", text, what)
				}
				*to = append(*to, text)
			})
			if p.Err == nil && len(*to) == 0 {
				p.Fail(n, "an empty list would allow nothing; leave it out to allow all")
			}
		}
	}
	p.Mapping(n, "what a secret may be used for", map[string]func(*yaml.Node){
		"hosts":   list(&l.Hosts, spec.ValidHost, `a host in lower case such as api.example.com, "*.example.com" or "**.example.com"`),
		"methods": list(&l.Methods, validMethod, "a method in upper case such as GET"),
		"paths":   list(&l.Paths, validPrefix, "a path that begins with a slash, without a query, dots as segments or escapes"),
	})
	if p.Err == nil && len(l.Hosts)+len(l.Methods)+len(l.Paths) == 0 {
		p.Fail(n, "say hosts, methods or paths")
	}
	return l
}

func validMethod(text string) bool {
	return text != "" && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// validPrefix reports a path that a request can have as it stands.
func validPrefix(text string) bool {
	clean := path.Clean(text)
	return strings.HasPrefix(text, "/") && (clean == text || clean != "/" && clean+"/" == text) && !strings.ContainsAny(text, `?#%\;*`) && !strings.ContainsFunc(text, unicode.IsControl)
}

func (p *parser) variable(n *yaml.Node) string {
	v := p.Text(n)
	if !spec.ValidVar(v) {
		p.Fail(n, "%q is not the name of a variable", v)
	}
	return v
}

// split divides SECRET.KEY, where both may have dots, by what is declared: the shortest
// name of a secret that can have such a key.
func (p *parser) split(ref string) (name, key string, err error) {
	var noKey error
	for i := range len(ref) {
		if ref[i] != '.' {
			continue
		}
		s := p.m.Secret(ref[:i])
		if s == nil {
			continue
		}
		key = ref[i+1:]
		if s.Provider == "" && !slices.ContainsFunc(s.Values, func(v Value) bool { return v.Key == key || v.Generate != nil && v.Generate.Public(v.Key) == key }) {
			noKey = cmp.Or(noKey, fmt.Errorf("%s has no key %q%s", s.Name, key, fault.DidYouMean(key, keysOf(s))))
			continue
		}
		return s.Name, key, nil
	}
	if noKey != nil {
		return "", "", noKey
	}
	head, _, dotted := strings.Cut(ref, ".")
	if !dotted {
		return "", "", errors.New("${" + ref + "} is not ${SECRET.KEY}")
	}
	return "", "", fmt.Errorf("${%s}: %q is not among the secrets of this manifest%s", ref, head, fault.DidYouMean(head, p.m.SecretNames()))
}

func keysOf(s *Secret) []string {
	var out []string
	for _, v := range s.Values {
		out = append(out, v.Key)
	}
	return out
}

// filePath is a file on a machine: absolute, or in the home folder.
func (p *parser) filePath(n *yaml.Node) string {
	path := p.Text(n)
	switch {
	case p.Err != nil:
	case !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, "/"):
		p.Fail(n, "the path %q is neither absolute nor in the home folder (~/…)", path)
	case strings.ContainsFunc(path, unicode.IsControl), strings.HasSuffix(path, "/"):
		p.Fail(n, "the path %q is no file's", path)
	}
	return path
}

// MinTTL is the shortest time after which what was placed is taken out again.
const MinTTL = time.Second

// ttl is a time after which what was placed is taken out again.
func (p *parser) ttl(n *yaml.Node) time.Duration {
	d, err := time.ParseDuration(p.Text(n))
	if p.Err == nil && (err != nil || d < MinTTL) {
		p.Fail(n, "%q is no time of a second or more, such as 8h or 90m", n.Value)
	}
	return d
}

// fold brings into a bundle what those that it extends have.
func (p *parser) fold(b *rawBundle) {
	if b.folded || p.Err != nil {
		return
	}
	b.folding = true
	own := b.Bundle
	b.Secrets, b.Files, b.Env, b.Unset, b.Broker = nil, nil, nil, nil, nil
	b.From, b.Paths, b.TTL = map[string]string{}, map[string]string{}, map[string]time.Duration{}
	for _, r := range b.extends {
		parent := p.raw[r.name]
		switch {
		case parent == nil:
			known := make([]string, 0, len(p.raw))
			for name := range p.raw {
				known = append(known, name)
			}
			p.Fail(r.node, "there is no bundle %q%s", r.name, fault.DidYouMean(r.name, known))
			return
		case parent.folding:
			p.Fail(r.node, "%s extends itself", r.name)
			return
		}
		p.fold(parent)
		b.add(&parent.Bundle)
	}
	b.add(&own)
	b.folding, b.folded = false, true
}

// add brings another bundle's entries in; its own come later and win.
func (b *rawBundle) add(o *Bundle) {
	for _, list := range []struct{ to, from *[]string }{{&b.Secrets, &o.Secrets}, {&b.Files, &o.Files}, {&b.Unset, &o.Unset}} {
		for _, name := range *list.from {
			if !slices.Contains(*list.to, name) {
				*list.to = append(*list.to, name)
			}
		}
	}
	for _, v := range o.Env {
		if i := slices.IndexFunc(b.Env, func(w Variable) bool { return w.Name == v.Name }); i >= 0 {
			b.Env[i] = v
		} else {
			b.Env = append(b.Env, v)
		}
		// What a bundle sets, one that it extends does not take away.
		b.Unset = slices.DeleteFunc(b.Unset, func(name string) bool { return name == v.Name && !slices.Contains(o.Unset, name) })
	}
	for _, l := range o.Broker {
		b.Broker = append(slices.DeleteFunc(b.Broker, func(m Limit) bool { return m.Secret == l.Secret }), l)
	}
	maps.Copy(b.From, o.From)
	maps.Copy(b.Paths, o.Paths)
	maps.Copy(b.TTL, o.TTL)
}
