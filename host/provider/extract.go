package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Extract returns the secrets of one provider in the snapshot: the default
// profile first, then the others by name, then what is broken. A broken file
// does not hide what other files hold.
//
// For each profile the first file that has its values counts, else the
// variables; values of several places are never mixed. The modules of all files
// together have the time of one call.
func (s *Snapshot) Extract(ctx context.Context, sp *spec.Spec) []Found {
	var c collector
	ctx = abi.WithBudget(ctx)
	for mirror := range 2 {
		for i := range sp.Files {
			f := &sp.Files[i]
			if f.Mirror != (mirror == 1) {
				continue
			}
			paths, err := s.locate(sp, f)
			c.addMisled(sp, err)
			if merges(f) {
				c.add(s.extractMerged(sp, f, paths)...)
				continue
			}
			for _, p := range paths {
				c.add(s.extractFile(ctx, sp, f, p)...)
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
	for i := range sp.Files {
		if f := &sp.Files[i]; f.Format == "keypair" {
			return nil, s.notKey(s.files[p])
		}
	}
	return nil, fmt.Errorf("%s has no secret of %s", s.Short(p), sp.Name)
}

// WhyNot says why a file that would be the profile's, and is there, has no secret of
// the provider; nil where there is no such file.
func (s *Snapshot) WhyNot(sp *spec.Spec, profile string) error {
	for i := range sp.Files {
		f := &sp.Files[i]
		paths, _ := s.locate(sp, f)
		if !f.PerFile() || len(paths) == 0 || strings.Contains(profile, "/") {
			continue
		}
		file := s.files[strings.ReplaceAll(paths[0], "{profile}", profile)]
		switch {
		case missing(file):
		case file.Err != nil:
			return s.readError(file.Path, file.Err)
		case f.Excluded(profile):
			return fmt.Errorf("%s is a file of the tool itself, not a secret", s.Short(file.Path))
		case f.Format == "keypair":
			return s.notKey(file)
		}
	}
	return nil
}

// notKey says why a file is no key pair; nil where it is one.
func (s *Snapshot) notKey(file machine.File) error {
	err := checkKey(file.Data)
	if err == nil {
		return nil
	}
	return s.readError(file.Path, err)
}

// byName returns a provider's files, those first whose default path ends in the
// name of the file that is to be read.
func byName(sp *spec.Spec, name string) []*spec.File {
	var named, others []*spec.File
	for i := range sp.Files {
		f := &sp.Files[i]
		if slices.ContainsFunc(f.Paths.All(), func(p string) bool { return path.Base(p) == name }) {
			named = append(named, f)
		} else {
			others = append(others, f)
		}
	}
	return append(named, others...)
}

// givenProfile is the profile of a file that the user named, if each file is a profile:
// its base name.
func (s *Snapshot) givenProfile(f *spec.File, p string) string {
	if f.PerFile() {
		return p[strings.LastIndexByte(p, '/')+1:]
	}
	return ""
}

// collector keeps the best finding of each name.
type collector struct {
	found  []Found
	at     map[string]int // where in found a name is
	broken []Found
}

func (c *collector) add(found ...Found) {
	for _, f := range found {
		i := c.index(f.Name)
		switch {
		case f.State == Invalid:
			c.broken = append(c.broken, f)
		case i < 0:
			if c.at == nil {
				c.at = map[string]int{}
			}
			c.at[f.Name] = len(c.found)
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
	if i < 0 || c.found[i].State != HasValue {
		c.add(env)
		return
	}
	f := &c.found[i]
	if env.State == Invalid {
		// The file has a whole secret, so variables with a part of one are no error.
		f.Notes = append(f.Notes, env.Err.Error())
		return
	}
	var differs []string
	f.Sources = append(f.Sources, env.Sources...)
	for _, k := range env.Values.Keys() {
		if w, ok := f.Values[k]; ok && env.Values[k] != w {
			differs = append(differs, k)
		}
	}
	if len(differs) > 0 {
		f.Notes = append(f.Notes, fmt.Sprintf("%s: the environment has another value than %s, which rhx uses", strings.Join(differs, ", "), f.Sources[0]))
	}
}

// addMisled adds, once, a variable that should name a file and does not.
func (c *collector) addMisled(sp *spec.Spec, err error) {
	var e *misled
	if !errors.As(err, &e) || slices.ContainsFunc(c.broken, func(f Found) bool { return f.Sources[0].Var == e.variable }) {
		return
	}
	c.broken = append(c.broken, Found{
		Secret: secret.Secret{Name: sp.Name, Provider: sp.Name, Sources: []secret.Source{{Kind: secret.SourceEnv, Var: e.variable}}},
		State:  Invalid, Err: blame(err),
	})
}

func (c *collector) index(name string) int {
	if i, ok := c.at[name]; ok {
		return i
	}
	return -1
}

func (c *collector) sorted() []Found {
	slices.SortStableFunc(c.found, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return append(c.found, c.broken...)
}

// noteMode adds the note that the permissions of a file are too open to the first of its findings that
// has a secret value.
func (s *Snapshot) noteMode(sp *spec.Spec, f *spec.File, file machine.File, found []Found) []Found {
	for i := range found {
		if s.exposed(file, f.Mode) && private(sp, revealed(found[i].Values)) {
			found[i].Notes = append(found[i].Notes, fmt.Sprintf("the permissions %04o of %s are too open; rhx load mends that, as does chmod %04o", file.Mode.Perm(), s.Short(file.Path), file.Mode.Perm()&f.Mode))
			break
		}
	}
	return found
}

// exposed reports whether a file can be read or written by others than its owner,
// though mode, which is that of its spec, does not let them.
func (s *Snapshot) exposed(file machine.File, mode fs.FileMode) bool {
	return s.Info.OS != "windows" && file.Mode.Perm()&0o077&^mode != 0
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
	return s.noteMode(sp, f, file, s.secretsIn(ctx, sp, f, file, profile))
}

func (s *Snapshot) secretsIn(ctx context.Context, sp *spec.Spec, f *spec.File, file machine.File, profile string) []Found {
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
	root, unreadable, err := s.decode(f, file)
	if err != nil {
		return []Found{s.invalid(sp, profile, file.Path, err)}
	}
	var out []Found
	for _, e := range entries(f, root) {
		if f.PerFile() {
			e.name = profile
		} else if f.Excluded(e.name) {
			continue
		}
		if found, ok := s.extractEntry(sp, f, file.Path, root, e); ok {
			if unreadable != nil && len(out) == 0 { // once for the file
				found.Notes = append(found.Notes, unreadable.Error())
			}
			out = append(out, found)
		}
	}
	return out
}

// decode reads a file's document, with what it has in other files. unreadable says
// which of the programs that should cannot read the file.
func (s *Snapshot) decode(f *spec.File, file machine.File) (root *codec.Node, unreadable, err error) {
	format, err := codec.New(f.Format, f.Options)
	if err != nil {
		return nil, nil, err
	}
	root, err = format.Decode(file.Data)
	if err == nil {
		err = shape(f, root)
	}
	if err != nil {
		return nil, nil, err
	}
	return s.inlined(f, file.Path, root), codec.Unreadable(format, file.Data), nil
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
	return fault.Mark(fmt.Errorf("read %s: %w", s.Short(p), fault.Cause(err)), ErrUnread)
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
		return s.named(sp, found, texts), true
	}
	state, wins := readState(f, root, e, texts)
	if stub && state == "" {
		state = InKeyring
	}
	if state != "" && (wins || !private(sp, texts)) {
		found.State, found.Unused = state, private(sp, texts)
		if found.Unused {
			found.Notes = append(found.Notes, "a secret value stands in "+s.Short(p)+" all the same, which the tool does not use")
		}
		return s.named(sp, found, texts), true
	}
	if !counts(sp, f, texts) {
		return Found{}, false
	}
	if lacks := lacking(sp, f, texts); len(lacks) > 0 {
		where := s.Short(p)
		if e.name != "" {
			where += ", " + e.name
		}
		found.State, found.Err = Invalid, fmt.Errorf("read %s: %s is missing", where, strings.Join(lacks, ", "))
		return s.named(sp, found, texts), true
	}
	s.fill(sp, &found, texts)
	found.Notes = append(found.Notes, spellings(f, root, e, texts)...)
	found.Notes = append(found.Notes, s.unread(f, p, root, e)...)
	if f.Expires != nil {
		if at, ok := resolve(f, root, e, f.Expires, false, holes(e.name, texts)); ok {
			found.Expires = parseTime(root.Find(at))
		}
	}
	return s.named(sp, found, texts), true
}

// named returns a finding unchanged, or without name and values if its name would have
// a secret in it: names are shown, and are folders in stores.
func (s *Snapshot) named(sp *spec.Spec, found Found, texts map[string]string) Found {
	reveals := SecretForm(found.Profile)
	for k, text := range texts {
		reveals = reveals || !sp.Public(k) && len(text) >= 12 && strings.Contains(found.Profile, text)
	}
	if !reveals {
		return found
	}
	return Found{
		Secret: secret.Secret{Name: sp.Name, Provider: sp.Name, Sources: found.Sources}, State: Invalid,
		Err: fmt.Errorf("read %s: a profile is called by a secret value there, so rhx has no name for it; give it another name", found.Sources[0]),
	}
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
			found.Notes = append(found.Notes, fmt.Sprintf("%s does not look as it should, which is %s", k, v.Pattern))
		}
		if v.Rotates {
			found.Notes = append(found.Notes, fmt.Sprintf("%s is good for one machine: another one that uses it can log this one out", k))
		}
	}
}
