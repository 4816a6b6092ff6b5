package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// complete returns an error for a secret that lacks what its file must have, so
// that no half of one is written.
func complete(sp *spec.Spec, f *spec.File, sec *secret.Secret) error {
	texts := revealed(sec.Values)
	if len(texts) == 0 {
		return errors.New("the secret has no values")
	}
	var lacks []string
	switch {
	case f.Format == "keypair":
		if texts["private_key"] == "" {
			lacks = []string{"private_key"}
		}
	default:
		for _, k := range f.Keys {
			if k.Profile {
				texts[k.Value] = "the profile's name says it"
			}
		}
		lacks = lacking(sp, f, texts)
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the secret has no value for %s", strings.Join(lacks, ", "))
	}
	return nil
}

// target chooses the file that a secret goes to: the one that has values of its
// profile already, else the first of those that can hold all of its values with
// the fewest places left empty.
func (p *Plan) target(sp *spec.Spec, sec *secret.Secret, opts Options) (*spec.File, string, error) {
	var best *spec.File
	bestPath, bestEmpty := "", 0
	var nowhere error
	for i := range sp.Files {
		f := &sp.Files[i]
		if f.ReadOnly || f.Mirror || !p.holdsProfile(f, sec.Profile) {
			continue
		}
		paths, err := p.snap.locate(sp, f)
		if opts.To != "" {
			paths = []string{opts.To}
		}
		for i := range paths {
			paths[i] = strings.ReplaceAll(paths[i], "{profile}", sec.Profile)
		}
		if len(paths) == 0 {
			if nowhere == nil {
				nowhere = blame(err)
			}
			continue
		}
		empty, whole := fit(sp, f, sec)
		path, has := p.among(sp, f, paths, p.profileName(f, sec))
		if has && whole {
			return f, path, nil
		}
		if !whole {
			empty += 1000
		}
		if best == nil || empty < bestEmpty {
			best, bestPath, bestEmpty = f, path, empty
		}
	}
	switch {
	case nowhere != nil:
		// The other files of the spec are not where the user wants it.
		return nil, "", nowhere
	case best != nil:
		return best, bestPath, nil
	case len(sp.Files) == 0:
		return nil, "", fmt.Errorf("%s has variables only, no file", sp.Name)
	case sec.Profile == "":
		return nil, "", fmt.Errorf("%s has no default profile, so a secret needs one: name it %s/PROFILE", sp.Name, sp.Name)
	}
	return nil, "", fmt.Errorf("%s has no file that can hold the profile %q", sp.Name, sec.Profile)
}

// holdsProfile reports whether a file can hold a profile ("" for the default).
// A profile that is a file's name stays in its folder, is seen when the folder
// is read again, and is no other file's name on any file system.
func (p *Plan) holdsProfile(f *spec.File, profile string) bool {
	switch {
	case profile == "":
		return !f.PerFile() && (f.Profiles == nil || f.Profiles.Default != "")
	case !f.PerFile():
		return f.Profiles != nil && !f.Excluded(profile)
	}
	bad := func(r rune) bool {
		return r == '/' || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError ||
			p.snap.Info.OS == "windows" && strings.ContainsRune(`\:*?"<>|`, r)
	}
	return profile[0] != '.' && !strings.ContainsFunc(profile, bad) && !f.Excluded(profile) &&
		!(p.snap.Info.OS == "windows" && strings.TrimRight(profile, ". ") != profile)
}

// fit counts the places of a file that a secret would leave empty; whole
// reports that every value that some file of the spec has a place for has one
// in this file.
func fit(sp *spec.Spec, f *spec.File, sec *secret.Secret) (empty int, whole bool) {
	if f.Wasm != "" || f.Format == "keypair" {
		return 0, true
	}
	names := func(f *spec.File, value string) bool {
		return slices.ContainsFunc(f.Keys, func(k spec.Key) bool { return k.Value == value || k.Value == "*" })
	}
	for _, k := range f.Keys {
		if _, ok := sec.Values[k.Value]; !ok && k.Value != "*" {
			empty++
		}
	}
	for k := range sec.Values {
		if !names(f, k) && slices.ContainsFunc(sp.Files, func(o spec.File) bool { return names(&o, k) }) {
			return empty, false
		}
	}
	return empty, true
}

// among chooses one of several files that a variable lists: the one that has
// values of the profile, else the profile, else the first that is there, else
// the last (as kubectl does). has reports that values are there.
func (p *Plan) among(sp *spec.Spec, f *spec.File, paths []string, name string) (path string, has bool) {
	path = paths[len(paths)-1]
	rank := 0
	for _, q := range paths {
		r := p.holds(sp, f, q, name)
		if r > rank {
			path, rank = q, r
		}
	}
	return path, rank == 3
}

// holds grades a file: 0 it is not there, 1 it is, 2 it has the profile, 3 with
// values of the provider.
func (p *Plan) holds(sp *spec.Spec, f *spec.File, path, name string) int {
	if file := p.files[path]; missing(p.snap.files[path]) && (file == nil || file.remove) {
		return 0
	}
	if f.Wasm != "" || f.Format == "keypair" {
		return 3
	}
	doc, err := p.document(f, path)
	if err != nil {
		return 1
	}
	e, ok := lookup(f, doc.Root(), name)
	if !ok {
		return 1
	}
	texts, _, err := readEntry(sp, f, doc.Root(), e)
	if err != nil || counts(sp, f, texts) {
		return 3
	}
	return 2
}

// profileName is the secret's profile as the file spells it. A value that is
// the profile's own name decides for the default profile.
func (p *Plan) profileName(f *spec.File, sec *secret.Secret) string {
	if f.PerFile() || f.Profiles == nil {
		return ""
	}
	if sec.Profile != "" {
		return sec.Profile
	}
	for _, k := range f.Keys {
		if v, ok := sec.Values[k.Value]; k.Profile && ok && !v.Empty() {
			return v.Reveal()
		}
	}
	return f.Profiles.Default
}
