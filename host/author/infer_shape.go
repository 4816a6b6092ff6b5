package author

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

// No tool keeps more in one profile; and the work below is quadratic in it.
const (
	maxValues  = 200
	maxSecrets = 1000
)

// sketch is what a sample shows of a provider. It holds words of the sample only
// where they are plainly names of the format, and never a value.
type sketch struct {
	name   string // of the provider
	format string
	// profiles is nil where the file is one profile.
	profiles *spec.Profiles
	// npm reports that the file is in npm's dialect of ini.
	npm bool
	// lists and blocks are the options of XML and HCL.
	lists, blocks []string
	// hosts reports that profiles are named by hosts.
	hosts   bool
	values  []sketched
	expires spec.Path
	// drawn counts the profiles, or is 1.
	drawn int
	// dropped counts secret values that the sketch has no place for.
	dropped int

	// secrets are the texts of the sample's secret values, which no word that is
	// written may hold.
	secrets []string
}

// sketched is one value of a sketch.
type sketched struct {
	spec.Value
	at     spec.Path
	mirror spec.Path
	as     string
	// root reports that at counts from the file's root.
	root bool
	// in is the number of profiles that have it.
	in int
}

// holder is an entry with secret values below it.
type holder struct {
	key  string
	node *codec.Node
}

// leaf is a single value of a sample.
type leaf struct {
	class class
	path  []string
	node  *codec.Node
}

// draw finds profiles and values in a decoded sample.
func (s *sketch) draw(root *codec.Node) error {
	if s.collect("", root); len(s.secrets) > maxSecrets {
		return errors.New("it has too many secret values; a sample with a few is enough")
	}
	if s.npm {
		if found, err := s.registries(root); found {
			return err
		}
	}
	if s.format == "ini" {
		if s.quotes(root) && !s.npm {
			return errors.New("its values are in quotes, which rhx would take for a part of them")
		}
		root = headless(root)
	}
	if s.format == "netrc" {
		return s.netrc(root)
	}
	at, node := spec.Path{}, root
	for {
		if node.Kind == codec.List {
			return s.entries(at, node)
		}
		direct, holders := s.below(node)
		lists := slices.ContainsFunc(holders, func(h holder) bool { return h.node.Kind == codec.List })
		switch {
		case len(at) > 0 && s.named(at[len(at)-1].Key, node):
			return s.scalars(at, node)
		case !direct && len(holders) == 0:
			return errors.New("no value in it looks like a secret, by its key or by itself")
		case lists && (direct || len(holders) > 1 || otherLists(node, holders[0].key)):
			return errors.New("it has several lists, and rhx cannot guess how they belong together")
		case direct, len(holders) > 1 && !s.alike(holders):
			return s.fixed(root)
		case len(holders) == 1 && s.descends(at, holders[0]):
			at, node = append(slices.Clone(at), spec.PathStep{Key: holders[0].key}), holders[0].node
			continue
		}
		return s.profiled(at, holders)
	}
}

// named reports whether a map holds one secret value under each name that a user
// gave.
func (s *sketch) named(key string, n *codec.Node) bool {
	return isPlural(lastWord(key)) && len(n.Pairs) > 0 && !slices.ContainsFunc(n.Pairs, func(p codec.Pair) bool {
		return ofName(p.Key) != other || !p.Value.Scalar() || p.Value.Text == "" || ofName(key) != hidden && !looksSecret(p.Value.Text)
	})
}

// scalars draws a map of which every entry is a profile that is one value.
func (s *sketch) scalars(at spec.Path, n *codec.Node) error {
	s.profiles, s.drawn = &spec.Profiles{Keys: at}, len(n.Pairs)
	hosts := 0
	for _, p := range n.Pairs {
		if isDefault(p.Key) && s.profiles.Default == "" {
			s.profiles.Default = p.Key
		}
		if strings.Contains(p.Key, ".") {
			hosts++
		}
	}
	s.hosts = hosts > len(n.Pairs)/2
	s.values = []sketched{{Value: spec.Value{Name: "token"}, at: spec.Path{}, in: len(n.Pairs)}}
	return s.done()
}

// otherLists reports whether a map has a list of maps beside the one at key: its
// items say more of the profiles there, as a kubeconfig's contexts do.
func otherLists(n *codec.Node, key string) bool {
	return slices.ContainsFunc(n.Pairs, func(p codec.Pair) bool {
		return p.Key != key && slices.ContainsFunc(p.Value.Items, func(i *codec.Node) bool { return i.Kind == codec.Map })
	})
}

// headless returns an ini tree with the options before all sections at its top.
func headless(root *codec.Node) *codec.Node {
	out := &codec.Node{Kind: codec.Map}
	for _, p := range root.Pairs {
		if p.Key == "" {
			out.Pairs = append(out.Pairs, p.Value.Pairs...)
		} else {
			out.Pairs = append(out.Pairs, p)
		}
	}
	return out
}

// quotes reports whether a value that counts is in quotes.
func (s *sketch) quotes(n *codec.Node) bool {
	return slices.ContainsFunc(n.Pairs, func(p codec.Pair) bool {
		text := p.Value.Text
		in := len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]
		return in && s.classOf(p.Key, p.Value) != other || s.quotes(p.Value)
	})
}

// collect keeps the texts of everything in the sample that may be secret.
func (s *sketch) collect(key string, n *codec.Node) {
	for _, item := range n.Items {
		s.collect("", item)
	}
	named := s.named(key, n)
	for _, p := range n.Pairs {
		if p.Value.Scalar() && len(p.Value.Text) >= 4 && (named || s.classOf(p.Key, p.Value) == hidden) {
			s.secrets = append(s.secrets, strings.ToLower(p.Value.Text))
		}
		s.collect(p.Key, p.Value)
	}
}

func (s *sketch) classOf(key string, n *codec.Node) class {
	if !n.Scalar() || n.Text == "" || n.Opaque || n.Kind == codec.Null || n.Kind == codec.Bool {
		return other
	}
	switch c := ofName(key); {
	case hasPassword(n.Text):
		return hidden
	case c == hidden && isSwitch(n.Text):
		return other
	case c == public && isDate(n.Text): // last_login
		return other
	case c == other && looksSecret(n.Text):
		return hidden
	case c == expires && !isTime(n.Text):
		return other
	default:
		return c
	}
}

// isSwitch reports the text of a setting in formats without types.
func isSwitch(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "yes", "no", "on", "off", "none", "null":
		return true
	}
	return false
}

func isDate(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

func isTime(text string) bool {
	if isDate(text) {
		return true
	}
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && n > 1e8
}

// safe reports whether a key may be written: it is plainly a name, and no secret
// value is in it.
func (s *sketch) safe(key string) bool {
	if !isPlain(s.bare(key)) {
		return false
	}
	lower := strings.ToLower(key)
	return knownWords(key) || !slices.ContainsFunc(s.secrets, func(text string) bool { return strings.Contains(lower, text) })
}

// bare is a key without the sign that XML's attributes have.
func (s *sketch) bare(key string) string {
	if s.format == "xml" {
		return strings.TrimPrefix(key, "@")
	}
	return key
}

// fixedStep reports whether a map's key is part of the format, and not a name
// that a user gave.
func (s *sketch) fixedStep(key string) bool {
	return strings.EqualFold(key, s.name) || isPlain(key) && !slices.ContainsFunc(words(key), func(w string) bool { return !isFixedWord(w) && w != s.name })
}

// below returns whether a map has secret values of its own, and which of its
// entries have some below them.
func (s *sketch) below(n *codec.Node) (direct bool, holders []holder) {
	for _, p := range n.Pairs {
		switch {
		case p.Value.Scalar():
			direct = direct || s.classOf(p.Key, p.Value) == hidden
		case s.named(p.Key, p.Value), s.holds(p.Value):
			holders = append(holders, holder{p.Key, p.Value})
		}
	}
	return direct, holders
}

func (s *sketch) holds(n *codec.Node) bool {
	if slices.ContainsFunc(n.Items, s.holds) {
		return true
	}
	direct, holders := s.below(n)
	return direct || len(holders) > 0
}

// descends reports whether the only entry with secrets is a part of the format
// rather than a profile.
func (s *sketch) descends(at spec.Path, h holder) bool {
	if h.node.Kind == codec.List {
		return true
	}
	if len(at) > 0 && isPlural(at[len(at)-1].Key) {
		return false
	}
	if s.format == "xml" && len(at) == 0 {
		return isPlain(h.key) // the root element
	}
	return !isDefault(h.key) && s.fixedStep(h.key) || isPlain(h.key) && s.named(h.key, h.node)
}

// alike reports whether entries are profiles: they have a secret value at the
// same place, or names that only a user gives.
func (s *sketch) alike(holders []holder) bool {
	var common map[string]bool
	named := true
	for _, h := range holders {
		has := map[string]bool{}
		for _, l := range s.leaves(h.node) {
			if path := strings.Join(l.path, "\x00"); l.class == hidden && (common == nil || common[path]) {
				has[path] = true
			}
		}
		common = has
		named = named && h.node.Kind == codec.Map && !s.fixedStep(h.key)
	}
	return named || len(common) > 0
}

// leaves lists the values in a map, at any depth, but not those in lists.
func (s *sketch) leaves(n *codec.Node) []leaf {
	var out []leaf
	var walk func(n *codec.Node, path []string)
	walk = func(n *codec.Node, path []string) {
		for _, p := range n.Pairs {
			at := append(slices.Clone(path), p.Key)
			if c := s.classOf(p.Key, p.Value); c != other {
				out = append(out, leaf{c, at, p.Value})
			}
			walk(p.Value, at)
		}
	}
	walk(n, nil)
	return out
}

// fixed draws a file that is one profile.
func (s *sketch) fixed(root *codec.Node) error {
	s.add(root)
	return s.done()
}

// profiled draws a map whose entries are profiles.
func (s *sketch) profiled(at spec.Path, holders []holder) error {
	for _, step := range at {
		if !s.safe(step.Key) {
			return errors.New("its secrets are below entries whose names look like data")
		}
	}
	s.profiles = &spec.Profiles{Keys: at}
	if s.format == "ini" {
		s.profiles = &spec.Profiles{Section: sectionPattern(holders)}
	}
	hosts := 0
	for _, h := range holders {
		if isDefault(h.key) && s.profiles.Default == "" {
			s.profiles.Default = h.key
		}
		if strings.Contains(h.key, ".") {
			hosts++
		}
		s.add(h.node)
	}
	s.hosts = hosts > len(holders)/2
	return s.done()
}

// sectionPattern returns the pattern of ini sections that all begin with one of
// the words that tools use for that.
func sectionPattern(holders []holder) string {
	for _, word := range []string{"profile", "remote", "account", "host", "server", "environment", "credential", "connection", "registry"} {
		if !slices.ContainsFunc(holders, func(h holder) bool { return !isDefault(h.key) && !strings.HasPrefix(h.key, word+" ") }) &&
			slices.ContainsFunc(holders, func(h holder) bool { return !isDefault(h.key) }) {
			return word + " *"
		}
	}
	return "*"
}

// entries draws a list whose items are profiles, named by one of their fields.
func (s *sketch) entries(at spec.Path, list *codec.Node) error {
	var items []*codec.Node
	for _, item := range list.Items {
		if s.holds(item) {
			items = append(items, item)
		}
	}
	for _, step := range at {
		if !s.safe(step.Key) {
			return errors.New("its secrets are in a list whose name looks like data")
		}
	}
	for _, field := range []string{"name", "profile", "alias", "title", "label", "host", "hostname", "server", "url", "id", "user", "username", "email"} {
		if s.format == "xml" && !slices.ContainsFunc(items, func(i *codec.Node) bool { return i.Get(field) != nil }) {
			field = "@" + field
		}
		seen := map[string]bool{}
		for _, item := range items {
			if n := item.Get(field); n.Scalar() && n.Text != "" && s.classOf(field, n) != hidden {
				seen[n.Text] = true
			}
		}
		if len(seen) != len(items) {
			continue
		}
		s.profiles = &spec.Profiles{Entries: at, Name: field}
		for text := range seen {
			if isDefault(text) {
				s.profiles.Default = text
			}
		}
		for _, item := range items {
			rest := &codec.Node{Kind: codec.Map}
			for _, p := range item.Pairs {
				if p.Key != field {
					rest.Pairs = append(rest.Pairs, p)
				}
			}
			s.add(rest)
		}
		return s.done()
	}
	return errors.New("its secrets are in a list whose items have no field that names them")
}

// netrc draws the machine that the provider's name is part of, else all machines.
func (s *sketch) netrc(root *codec.Node) error {
	for _, p := range root.Pairs {
		if strings.Contains(p.Key, s.name) && s.safe(p.Key) {
			s.addAt(spec.Path{{Key: p.Key}}, p.Value)
			return s.done()
		}
	}
	s.profiles, s.hosts = &spec.Profiles{Keys: spec.Path{}}, true
	for _, p := range root.Pairs {
		s.add(p.Value)
	}
	return s.done()
}

// add draws the values of one profile.
func (s *sketch) add(profile *codec.Node) { s.addAt(nil, profile) }

func (s *sketch) addAt(base spec.Path, profile *codec.Node) {
	s.drawn++
	leaves := s.leaves(profile)
	hasSecret := func(dir []string) bool {
		return slices.ContainsFunc(leaves, func(l leaf) bool { return l.class == hidden && slices.Equal(l.path[:len(l.path)-1], dir) })
	}
	names := map[string]string{} // public texts of the profile, and the values that they are
	known := map[string]spec.Path{}
	// Shallow ones first: what is deeper may repeat them.
	slices.SortStableFunc(leaves, func(a, b leaf) int { return len(a.path) - len(b.path) })
	for _, class := range []class{public, hidden, expires} {
		for _, l := range leaves {
			dir := l.path[:len(l.path)-1]
			if l.class != class || class == public && len(dir) > 0 && !hasSecret(dir) {
				continue
			}
			at, ok := s.place(l.path, names)
			if !ok || len(s.values) >= maxValues {
				if class == hidden {
					s.dropped++
				}
				continue
			}
			at = append(slices.Clone(base), at...)
			switch class {
			case public:
				v := s.value(at, "", public)
				if len(l.path) == 1 {
					names[l.node.Text] = v.Name
				}
			case hidden:
				if same, ok := known[l.node.Text]; ok && len(at.Holes()) > 0 {
					s.mirror(same, at)
					continue
				}
				known[l.node.Text] = at
				if isBasic(l) {
					s.value(at, "basic-user", public)
					s.value(at, "basic-password", hidden)
				} else {
					s.value(at, "", hidden)
				}
			case expires:
				if s.expires == nil {
					s.expires = at
				}
			}
		}
	}
}

// place returns the place of a value in a spec. A step that repeats a public
// value of the profile is a hole for it; one that is plainly not a part of the
// format has no place.
func (s *sketch) place(path []string, names map[string]string) (spec.Path, bool) {
	var at spec.Path
	for i, key := range path {
		if name, ok := names[key]; ok && i < len(path)-1 {
			at = append(at, spec.PathStep{Key: "{" + name + "}"})
			continue
		}
		// Below tokens, a key that says nothing is a name that a user gave.
		given := i > 0 && i == len(path)-1 && ofName(key) == other && isPlural(lastWord(path[i-1]))
		if !s.safe(key) || given || i < len(path)-1 && !s.fixedStep(key) && (s.format != "xml" || i > 0) {
			return nil, false
		}
		at = append(at, spec.PathStep{Key: key})
	}
	return at, true
}

// isBasic reports USER:PASSWORD in base64, as docker and npm keep it.
func isBasic(l leaf) bool {
	key := strings.TrimLeft(l.path[len(l.path)-1], "_")
	data, err := base64.StdEncoding.DecodeString(l.node.Text)
	user, password, ok := strings.Cut(string(data), ":")
	return key == "auth" && err == nil && ok && user != "" && password != "" && utf8.Valid(data)
}

// value returns the value at a place, new where the place is.
func (s *sketch) value(at spec.Path, as string, c class) *sketched {
	for i := range s.values {
		if v := &s.values[i]; v.as == as && slices.Equal(v.at, at) {
			v.in++
			v.Public = v.Public && c == public
			return v
		}
	}
	last := at[len(at)-1].Key
	name, env := "", ""
	switch as {
	case "basic-user":
		name = "username"
	case "basic-password":
		name = "password"
	default:
		name = s.valueName(last)
		if full := strings.ToUpper(strings.ReplaceAll(s.name, "-", "_")) + "_"; s.format == "dotenv" && strings.HasPrefix(last, full) && spec.ValidVar(last) {
			env = last
		}
	}
	if s.has(name) && len(at) > 1 && len(at.Holes()) == 0 {
		name = s.valueName(at[len(at)-2].Key) + "_" + name
	}
	for base, n := name, 2; s.has(name); n++ {
		name = base + "_" + strconv.Itoa(n)
	}
	v := sketched{Value: spec.Value{Name: name, Public: c == public}, at: at, as: as, in: 1}
	if env != "" {
		v.Env = []string{env}
	}
	s.values = append(s.values, v)
	return &s.values[len(s.values)-1]
}

func (s *sketch) has(name string) bool {
	return slices.ContainsFunc(s.values, func(v sketched) bool { return v.Name == name })
}

// valueName makes the name of a value of a key, without the provider's name.
func (s *sketch) valueName(key string) string {
	name := strings.Trim(strings.ReplaceAll(s.bare(key), ".", "_"), "_-")
	if s.format == "dotenv" {
		name = strings.ToLower(name)
	}
	if n := len(s.name); len(name) > n+1 && strings.EqualFold(strings.ReplaceAll(name[:n], "_", "-"), s.name) && (name[n] == '_' || name[n] == '-') {
		name = name[n+1:]
	}
	return name
}

func (s *sketch) mirror(at, mirror spec.Path) {
	for i := range s.values {
		if slices.Equal(s.values[i].at, at) && s.values[i].mirror == nil {
			s.values[i].mirror = mirror
		}
	}
}

// done settles which values a secret needs: the secret ones that every profile
// has, or all others beside them.
func (s *sketch) done() error {
	if !slices.ContainsFunc(s.values, func(v sketched) bool { return !v.Public }) {
		return errors.New("its secrets are at places that are named by data rather than by a format")
	}
	for i := range s.values {
		v := &s.values[i]
		v.Optional = v.in < s.drawn || v.Public && v.as == ""
	}
	return nil
}
