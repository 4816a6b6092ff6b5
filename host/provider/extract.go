package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Extract returns the secrets of one provider in the snapshot: the default
// profile first, then the others by name, then what is broken. A broken file
// does not hide what other files hold.
//
// For each profile the first file that has its values counts, else the
// variables; values of several places are never mixed.
func (s *Snapshot) Extract(ctx context.Context, sp *spec.Spec) []Found {
	var c collector
	for mirror := range 2 {
		for i := range sp.Files {
			if f := &sp.Files[i]; f.Mirror == (mirror == 1) {
				for _, p := range s.locate(f) {
					c.add(s.extractFile(ctx, sp, f, p)...)
				}
			}
		}
	}
	if env, ok := s.extractEnv(sp); ok {
		c.addEnv(env)
	}
	return c.sorted()
}

// ExtractFile returns the secrets in one file that the user named, read as the
// first of the provider's files whose format it has.
func (s *Snapshot) ExtractFile(ctx context.Context, sp *spec.Spec, name string) ([]Found, error) {
	if len(sp.Files) == 0 {
		return nil, fmt.Errorf("%s keeps its secret in variables, not in a file", sp.Name)
	}
	p := s.abs(name)
	if missing(s.files[p]) {
		return nil, fmt.Errorf("read %s: no such file", s.Short(p))
	}
	var good, broken []Found
	for _, f := range byName(sp, path.Base(p)) {
		found := s.extractOne(ctx, sp, f, s.files[p], s.givenProfile(f, p))
		switch {
		case len(found) == 0:
		case !slices.ContainsFunc(found, func(f Found) bool { return f.State != Invalid }):
			if broken == nil {
				broken = found
			}
		case !slices.ContainsFunc(found, func(f Found) bool { return f.odd }):
			return found, nil
		case good == nil:
			good = found
		}
	}
	if good == nil {
		good = broken
	}
	if good != nil {
		return good, nil
	}
	return nil, fmt.Errorf("%s has no secret of %s", s.Short(p), sp.Name)
}

// byName returns a provider's files, those first whose default path ends in the
// name of the file that is to be read.
func byName(sp *spec.Spec, name string) []*spec.File {
	var named, others []*spec.File
	for i := range sp.Files {
		f := &sp.Files[i]
		if slices.ContainsFunc(slices.Collect(maps.Values(f.Paths)), func(p string) bool { return path.Base(p) == name }) {
			named = append(named, f)
		} else {
			others = append(others, f)
		}
	}
	return append(named, others...)
}

// givenProfile is the profile of a file that the user named, where the file is
// the profile: its base name.
func (s *Snapshot) givenProfile(f *spec.File, p string) string {
	if f.PerFile() {
		return p[strings.LastIndexByte(p, '/')+1:]
	}
	return ""
}

// ExtractEnv returns the secret that the provider's variables hold, whatever
// the files hold.
func (s *Snapshot) ExtractEnv(sp *spec.Spec) (Found, error) {
	f, ok := s.extractEnv(sp)
	if !ok {
		var names []string
		for _, v := range sp.Values {
			if len(v.Env) > 0 {
				names = append(names, v.Env[0])
			}
		}
		if sp.Document != "" {
			names = append(names, sp.Document)
		}
		if len(names) == 0 {
			return f, fmt.Errorf("%s has no variables; its secret is in files", sp.Name)
		}
		return f, fmt.Errorf("no variable of %s is set (%s)", sp.Name, strings.Join(names, ", "))
	}
	return f, f.Err
}

// collector keeps the best finding of each name.
type collector struct {
	found  []Found
	broken []Found
}

func (c *collector) add(found ...Found) {
	for _, f := range found {
		i := c.index(f.Name)
		switch {
		case f.State == Invalid:
			c.broken = append(c.broken, f)
		case i < 0:
			c.found = append(c.found, f)
		case f.State == HasValue && c.found[i].State != HasValue:
			c.found[i] = f
		}
	}
}

// addEnv adds what the variables hold: a source of its own, or one more of a
// secret that a file holds too.
func (c *collector) addEnv(env Found) {
	i := c.index(env.Name)
	if b := slices.IndexFunc(c.broken, func(f Found) bool { return f.Name == env.Name }); i < 0 && b >= 0 && env.State == HasValue {
		env.Notes = append(env.Notes, fmt.Sprintf("%s is broken, so the environment counts", c.broken[b].Sources[0]))
	}
	if i < 0 || env.State == Invalid || c.found[i].State != HasValue {
		if env.State == Invalid && i >= 0 && c.found[i].State == HasValue {
			// The file is whole; what is set of the variables is only worth a note.
			c.found[i].Notes = append(c.found[i].Notes, env.Err.Error())
			return
		}
		c.add(env)
		return
	}
	f := &c.found[i]
	var differs []string
	f.Sources = append(f.Sources, env.Sources...)
	for k, v := range env.Values {
		if w, ok := f.Values[k]; ok && v != w {
			differs = append(differs, k)
		}
	}
	if len(differs) > 0 {
		slices.Sort(differs)
		f.Notes = append(f.Notes, fmt.Sprintf("%s: the environment has another value than %s, which rhx uses", strings.Join(differs, ", "), f.Sources[0]))
	}
}

func (c *collector) index(name string) int {
	return slices.IndexFunc(c.found, func(f Found) bool { return f.Name == name })
}

func (c *collector) sorted() []Found {
	slices.SortStableFunc(c.found, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return append(c.found, c.broken...)
}

func (s *Snapshot) extractFile(ctx context.Context, sp *spec.Spec, f *spec.File, p string) []Found {
	if !f.PerFile() {
		return s.extractOne(ctx, sp, f, s.files[p], "")
	}
	var out []Found
	if folder := s.files[p]; folder.Err != nil && !missing(folder) {
		return []Found{s.invalid(sp, "", path.Dir(p), folder.Err)}
	}
	files, profiles := s.matching(f, p)
	for i, file := range files {
		out = append(out, s.extractOne(ctx, sp, f, file, profiles[i])...)
	}
	return out
}

// extractOne returns the secrets in one file; profile is that of the whole
// file, "" where the file is not a profile.
func (s *Snapshot) extractOne(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File, profile string) []Found {
	if missing(file) {
		return nil
	}
	if file.Err != nil {
		if f.PerFile() && errors.Is(file.Err, machine.ErrNotRegular) {
			return nil // a socket or folder beside the keys
		}
		return []Found{s.invalid(sp, profile, file.Path, file.Err)}
	}
	if f.Wasm != "" {
		return s.extractWasm(ctx, sp, f, file)
	}
	if f.Format == "keypair" {
		return s.extractKeyPair(sp, f, file, profile)
	}
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	root, err := format.Decode(file.Data)
	if err != nil {
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	if err := shape(f, root); err != nil {
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	root = s.inlined(f, file.Path, root)
	var out []Found
	for _, e := range entries(f, root) {
		if found, ok := s.extractEntry(sp, f, file.Path, root, e); ok {
			out = append(out, found)
		}
	}
	return out
}

// shape reports a document that is of another kind than its spec says, which
// would otherwise look as if it had nothing.
func shape(f *spec.File, root *codec.Node) error {
	if f.Format != "json" && f.Format != "yaml" || root.Kind == codec.Null {
		return nil
	}
	at, want := spec.Path{}, codec.Map
	switch p := f.Profiles; {
	case p == nil && slices.ContainsFunc(f.Keys, func(k spec.Key) bool {
		return k.Value != "*" && slices.ContainsFunc(k.At, func(p spec.Path) bool { return len(p) == 0 || p[0].Field != "" })
	}):
		return nil
	case p != nil && p.Entries != nil:
		at, want = p.Entries, codec.List
	case p != nil:
		at = p.Keys
	}
	base, _ := at.Expand(noHoles)
	for i := range len(base) + 1 {
		kind := want
		if i < len(base) {
			kind = codec.Map
		}
		if n := root.Find(base[:i]); n != nil && n.Kind != codec.Null && n.Kind != kind {
			what := map[codec.Kind]string{codec.Map: "a mapping", codec.List: "a list"}[kind]
			return &codec.Error{Line: n.Line, Msg: what + " was expected here"}
		}
	}
	return nil
}

// invalid is a file that cannot be read. The error says where it is.
func (s *Snapshot) invalid(sp *spec.Spec, profile, p string, err error) Found {
	return Found{
		Secret: secret.Secret{
			Name: secret.Name(sp.Name, profile), Provider: sp.Name, Profile: profile,
			Sources: []secret.Source{s.fileSource(p)},
		},
		State: Invalid,
		Err:   s.readError(p, err),
	}
}

// readError says which file cannot be read, once.
func (s *Snapshot) readError(p string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("read %s: %w", s.Short(p), err)
}

func (s *Snapshot) fileSource(p string) secret.Source {
	return secret.Source{Kind: secret.SourceFile, Path: s.Short(p)}
}

// new starts a finding of the profile that the file calls name.
func (s *Snapshot) new(sp *spec.Spec, f *spec.File, name, p string) Found {
	profile := name
	if profile == f.Default() {
		profile = ""
	}
	return Found{
		Secret: secret.Secret{
			Name: secret.Name(sp.Name, profile), Provider: sp.Name, Profile: profile,
			Sources: []secret.Source{s.fileSource(p)},
		},
		State: HasValue,
	}
}

// extractEntry returns the secret of one profile; false where the profile has
// nothing of the provider.
func (s *Snapshot) extractEntry(sp *spec.Spec, f *spec.File, p string, root *codec.Node, e entry) (Found, bool) {
	found := s.new(sp, f, e.name, p)
	texts, stub, err := readEntry(sp, f, root, e)
	if err != nil {
		found.State, found.Err = Invalid, s.readError(p, err)
		return found, true
	}
	state, wins := readState(f, root, e, texts)
	if stub && state == "" {
		state = InKeyring
	}
	private := slices.ContainsFunc(slices.Collect(maps.Keys(texts)), func(k string) bool { return !sp.Public(k) })
	if state != "" && (wins || !private) {
		found.State = state
		return found, true
	}
	if !counts(sp, f, texts) {
		return found, false
	}
	if lacks := lacking(sp, f, texts); len(lacks) > 0 {
		where := s.Short(p)
		if e.name != "" {
			where += ", " + e.name
		}
		found.State, found.Err = Invalid, fmt.Errorf("read %s: %s is missing", where, strings.Join(lacks, ", "))
		return found, true
	}
	s.fill(sp, &found, texts)
	if f.Expires != nil {
		if at, ok := resolve(f, root, e, f.Expires, false, holes(e.name, texts)); ok {
			found.Expires = parseTime(root.Find(at))
		}
	}
	return found, true
}

// counts reports whether a profile's values are a secret, if only a part of
// one: public values alone are not, in a file that is for secret ones.
func counts(sp *spec.Spec, f *spec.File, texts map[string]string) bool {
	expected := false
	for _, k := range f.Keys {
		v, _ := sp.Value(k.Value)
		if !v.Optional && !k.Profile && texts[k.Value] != "" {
			return true
		}
		expected = expected || !v.Public
	}
	for k := range texts {
		if !expected || !sp.Public(k) {
			return true
		}
	}
	return false
}

// fill sets a finding's values and its notes on them.
func (s *Snapshot) fill(sp *spec.Spec, found *Found, texts map[string]string) {
	found.Values = secret.Values{}
	for k, text := range texts {
		found.Values[k] = secret.NewValue(text)
	}
	for _, k := range sp.Order(found.Values.Keys()) {
		v, _ := sp.Value(k)
		if v.Pattern != nil && !v.Pattern.MatchString(texts[k]) {
			found.odd = true
			found.Notes = append(found.Notes, fmt.Sprintf("%s does not look as it should", k))
		}
		if v.Rotates {
			found.Notes = append(found.Notes, fmt.Sprintf("%s is good for one machine: another one that uses it can log this one out", k))
		}
	}
}

// lacking returns the values that a whole secret of this file would have too.
func lacking(sp *spec.Spec, f *spec.File, texts map[string]string) []string {
	var out []string
	for _, k := range f.Keys {
		if v, ok := sp.Value(k.Value); ok && !v.Optional && k.Value != "*" && texts[k.Value] == "" {
			out = append(out, k.Value)
		}
	}
	for _, group := range sp.Together {
		out = append(out, lackingOf(group, texts)...)
	}
	return out
}

// lackingOf returns the members of group without text, where others have one.
func lackingOf(group []string, texts map[string]string) []string {
	var without []string
	for _, name := range group {
		if texts[name] == "" {
			without = append(without, name)
		}
	}
	if len(without) == len(group) {
		return nil
	}
	return without
}

// readEntry returns the texts of a profile's values by name. stub reports that
// one of them was a redacted stand-in, which is left out.
func readEntry(sp *spec.Spec, f *spec.File, root *codec.Node, e entry) (texts map[string]string, stub bool, err error) {
	texts = map[string]string{}
	for _, k := range f.Keys {
		if k.Value == "*" {
			readAny(f, root, e, k, texts)
			continue
		}
		text, ok, err := readKey(f, root, e, k, texts)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", k.Value, err)
		}
		if v, _ := sp.Value(k.Value); ok && v.Reject != nil && v.Reject.MatchString(text) {
			stub = true
			continue
		}
		if ok && text != "" {
			texts[k.Value] = text
		}
	}
	return texts, stub, nil
}

func readKey(f *spec.File, root *codec.Node, e entry, k spec.Key, known map[string]string) (string, bool, error) {
	if k.Profile {
		return e.name, e.name != "", nil
	}
	_, n := findKey(f, root, e, k, known)
	if n == nil {
		return "", false, nil
	}
	return nodeText(n, k)
}

// nodeText returns a node as a value's text.
func nodeText(n *codec.Node, k spec.Key) (string, bool, error) {
	switch {
	case k.Tree:
		return string(codec.ToJSON(n)), true, nil
	case n.Kind == codec.Null:
		return "", false, nil
	case !n.Scalar():
		return "", false, &codec.Error{Line: n.Line, Msg: "a single value was expected here"}
	case n.Text == "":
		return "", false, nil
	}
	text, err := decodeAs(k.As, n.Text)
	if err != nil {
		return "", false, &codec.Error{Line: n.Line, Msg: err.Error()}
	}
	return text, true, nil
}

// findKey returns the place of a key that exists, and its node; else the first
// place that can be named, and nil.
func findKey(f *spec.File, root *codec.Node, e entry, k spec.Key, known map[string]string) (codec.Path, *codec.Node) {
	var first codec.Path
	for _, p := range k.At {
		at, ok := resolve(f, root, e, p, k.Root, holes(e.name, known))
		if !ok {
			continue
		}
		if n := root.Find(at); n != nil {
			return at, n
		}
		if first == nil {
			first = at
		}
	}
	// Options that a profile does not set itself may come from another section.
	if f.Profiles != nil && f.Profiles.Inherit != "" && !k.Root {
		for _, p := range k.At {
			if at, ok := resolve(f, root, entry{at: codec.Keys(f.Profiles.Inherit)}, p, false, holes(e.name, known)); ok {
				if n := root.Find(at); n != nil {
					return first, n
				}
			}
		}
	}
	return first, nil
}

// readAny adds every entry of the map that a "*" key names and no other key
// has taken.
func readAny(f *spec.File, root *codec.Node, e entry, k spec.Key, texts map[string]string) {
	at, m := findKey(f, root, e, k, texts)
	if m == nil || m.Kind != codec.Map {
		return
	}
	for _, pair := range m.Pairs {
		if takenByOther(f, root, e, join(at, codec.Step{Key: pair.Key}), texts) || pair.Value.Kind == codec.Null {
			continue
		}
		text := pair.Value.Text
		if !pair.Value.Scalar() {
			text = string(codec.ToJSON(pair.Value))
		}
		if text != "" {
			texts[pair.Key] = text
		}
	}
}

// takenByOther reports whether a key other than "*" names the place.
func takenByOther(f *spec.File, root *codec.Node, e entry, at codec.Path, texts map[string]string) bool {
	for _, k := range f.Keys {
		for _, p := range k.At {
			if q, ok := resolve(f, root, e, p, k.Root, holes(e.name, texts)); ok && k.Value != "*" && slices.Equal(q, at) {
				return true
			}
		}
	}
	return false
}

// readState returns the state whose sign is in the file, "" for none.
func readState(f *spec.File, root *codec.Node, e entry, texts map[string]string) (State, bool) {
	for _, st := range f.States {
		if at, ok := resolve(f, root, e, st.At, st.Root, holes(e.name, texts)); ok {
			if n := root.Find(at); n != nil && n.Kind != codec.Null && (!n.Scalar() || n.Text != "") {
				return State(st.State), st.Wins
			}
		}
	}
	return "", false
}

// parseTime reads a time in RFC 3339, or in seconds or milliseconds since 1970.
func parseTime(n *codec.Node) time.Time {
	if !n.Scalar() {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339, n.Text); err == nil {
		return t.UTC()
	}
	sec, err := strconv.ParseFloat(n.Text, 64)
	switch {
	case err != nil || sec <= 0:
		return time.Time{}
	case sec > 1e11:
		return time.UnixMilli(int64(sec)).UTC()
	}
	return time.Unix(int64(sec), 0).UTC()
}

// extractEnv returns the secret in the provider's variables; false where none
// of them is set.
func (s *Snapshot) extractEnv(sp *spec.Spec) (Found, bool) {
	found := Found{Secret: secret.Secret{Name: sp.Name, Provider: sp.Name}, State: HasValue}
	texts := map[string]string{}
	var lacks []string
	for _, v := range sp.Values {
		if len(v.Env) == 0 {
			// Where a needed value has no variable, the others are settings.
			if !v.Optional && sp.Document == "" {
				return found, false
			}
			continue
		}
		// "export $(cat .env)" on a file with CRLF leaves a carriage return.
		i := slices.IndexFunc(v.Env, func(name string) bool { return strings.TrimRight(s.Info.Env[name], "\r\n") != "" })
		if i < 0 {
			if !v.Optional {
				lacks = append(lacks, v.Env[0])
			}
			continue
		}
		text := strings.TrimRight(s.Info.Env[v.Env[i]], "\r\n")
		if v.Reject != nil && v.Reject.MatchString(text) {
			if !v.Optional {
				lacks = append(lacks, v.Env[0])
			}
			continue
		}
		texts[v.Name] = text
		found.Sources = append(found.Sources, secret.Source{Kind: secret.SourceEnv, Var: v.Env[i]})
	}
	if doc := s.Info.Env[sp.Document]; len(texts) == 0 && sp.Document != "" && strings.HasPrefix(strings.TrimSpace(doc), "{") {
		return s.extractDocument(sp, found, doc)
	}
	if len(texts) == 0 {
		return found, false
	}
	for _, group := range sp.Together {
		for _, name := range lackingOf(group, texts) {
			if v, _ := sp.Value(name); len(v.Env) > 0 && !slices.Contains(lacks, v.Env[0]) {
				lacks = append(lacks, v.Env[0])
			}
		}
	}
	if len(lacks) > 0 {
		var set []string
		for _, src := range found.Sources {
			set = append(set, src.Var)
		}
		found.State = Invalid
		found.Err = fmt.Errorf("%s is set, but %s is not", strings.Join(set, ", "), strings.Join(lacks, ", "))
		return found, true
	}
	s.fill(sp, &found, texts)
	return found, true
}

func (s *Snapshot) extractDocument(sp *spec.Spec, found Found, doc string) (Found, bool) {
	found.Sources = []secret.Source{{Kind: secret.SourceEnv, Var: sp.Document}}
	root, err := codec.FromJSON([]byte(doc))
	if err != nil || root.Kind != codec.Map {
		found.State, found.Err = Invalid, fmt.Errorf("%s is not a JSON document", sp.Document)
		return found, true
	}
	texts := map[string]string{}
	readAny(&spec.File{}, root, entry{}, spec.Key{Value: "*", At: []spec.Path{{}}}, texts)
	s.fill(sp, &found, texts)
	return found, len(texts) > 0
}

func (s *Snapshot) extractKeyPair(sp *spec.Spec, f *spec.File, file machine.File, profile string) []Found {
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	private, err := format.Decode(file.Data)
	if err == nil && private.Text == "" {
		err = errors.New("the file is empty")
	}
	if err != nil {
		if f.PerFile() {
			return nil // other files live beside the keys
		}
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	found := s.new(sp, f, profile, file.Path)
	texts := map[string]string{"private_key": private.Text}
	if pub := s.files[file.Path+".pub"]; pub.Path != "" && pub.Err == nil && len(pub.Data) > 0 {
		texts["public_key"] = string(pub.Data)
		found.Sources = append(found.Sources, s.fileSource(pub.Path))
	}
	s.fill(sp, &found, texts)
	return []Found{found}
}
