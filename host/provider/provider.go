// Package provider carries out specs: it finds the secrets in what was read
// from a machine, and works out which bytes of which files to change to put
// secrets there.
//
// [Take] reads everything that some specs declare in one go. [Snapshot.Extract]
// finds secrets in it. A [Plan] collects what putting or removing secrets would
// change; nothing is written here.
package provider

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// State says whether a secret that was found has values.
type State string

// The states.
const (
	// HasValue: the values were found.
	HasValue State = "value"
	// InKeyring: the tool keeps the secret in the system's keyring.
	InKeyring State = "keyring"
	// ByCommand: the tool gets the secret from a command; rhx never runs it.
	ByCommand State = "exec"
	// BySignIn: the tool signs in, and keeps the result for some hours.
	BySignIn State = "sso"
	// ByRole: the tool derives the secret from that of another profile.
	ByRole State = "role"
	// Invalid: the file or the variables are broken or not complete.
	Invalid State = "invalid"
)

// Found is one secret found on a machine.
type Found struct {
	secret.Secret
	State State
	// Err says what is wrong where State is Invalid.
	Err error
	// Notes are things worth knowing: a value of unusual form, a variable that
	// differs from the file.
	Notes []string
	// Unused reports that a secret value stands in the file, which the tool does not use:
	// it gets one from where State says.
	Unused bool
	// odd reports that a value does not match its pattern in the spec.
	odd bool
}

// Guests runs the wasm module that a spec has for a file.
type Guests interface {
	Run(ctx context.Context, sp *spec.Spec, f *spec.File, req *abi.Request) (*abi.Response, error)
}

// Snapshot is what the specs declare, as it was read from one machine.
type Snapshot struct {
	Info   machine.Info
	guests Guests
	files  map[string]machine.File

	ownDirs []string // folders of rhx's own files
	users   []string // files that may be among them
	resolve func(string) (string, error)
}

// Take reads every variable and file that specs declare, and the files that a user
// named (see [Snapshot.Abs]), in two round trips. The files that these name take one
// more.
func Take(ctx context.Context, m machine.Machine, guests Guests, specs []*spec.Spec, named ...string) (*Snapshot, error) {
	return TakeWith(ctx, m, guests, specs, Also{Paths: named})
}

// Also lists what a snapshot has beyond what its specs name.
type Also struct {
	// Vars are further variables.
	Vars []string
	// Paths are further files, each absolute or as a user names it.
	Paths []string
	// Found, unless nil, returns the absolute paths of further files, given what the
	// machine says of itself.
	Found func(machine.Info) []string
}

// TakeWith is Take with more files and variables, in the same round trips.
func TakeWith(ctx context.Context, m machine.Machine, guests Guests, specs []*spec.Spec, also Also) (*Snapshot, error) {
	vars := slices.Concat([]string{machine.WorkVar}, ownVars, also.Vars)
	for _, s := range specs {
		vars = append(append(vars, s.Vars()...), s.Ambient...)
	}
	slices.Sort(vars)
	info, err := m.Info(ctx, slices.Compact(vars))
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{Info: info, guests: guests, files: map[string]machine.File{}}
	if err := snap.expand(ctx, m, specs); err != nil {
		return nil, err
	}
	var paths, patterns []string
	for _, p := range also.Paths {
		paths = append(paths, snap.abs(p))
	}
	if also.Found != nil {
		paths = append(paths, also.Found(info)...)
	}
	snap.own(m, paths)
	for _, s := range specs {
		for i := range s.Files {
			f := &s.Files[i]
			located, _ := snap.locate(s, f) // Extract and Put tell what is wrong
			for _, p := range located {
				switch {
				case f.PerFile():
					patterns = append(patterns, p)
				case f.Format == "keypair":
					paths = append(paths, p, p+".pub")
				default:
					paths = append(paths, p)
				}
			}
		}
	}
	if err := snap.read(ctx, m, paths, patterns); err != nil {
		return nil, err
	}
	return snap, snap.read(ctx, m, snap.referenced(specs), nil)
}

// File returns a file of the snapshot by its absolute path. A file that was not read is
// returned as one that does not exist.
func (s *Snapshot) File(path string) machine.File {
	if f, ok := s.files[path]; ok {
		return f
	}
	return machine.File{Path: path, Err: fs.ErrNotExist}
}

// read adds the files at paths, and those that match patterns, which have
// "{profile}" for any name.
func (s *Snapshot) read(ctx context.Context, m machine.Machine, paths, patterns []string) error {
	if len(paths)+len(patterns) == 0 {
		return nil
	}
	// The paths by the patterns that the machine is asked for: a name may have
	// characters that are special in a pattern.
	asked := map[string]string{}
	for _, p := range paths {
		if err := s.notNamedOurs(p); err != nil {
			s.files[p] = machine.File{Path: p, Err: err}
			continue
		}
		asked[machine.Quote(p)] = p
	}
	for _, p := range patterns {
		if err := s.notNamedOurs(path.Dir(p)); err != nil {
			s.files[p] = machine.File{Path: p, Err: err}
			continue
		}
		before, after, _ := strings.Cut(p, "{profile}")
		asked[machine.Quote(before)+"*"+machine.Quote(after)] = p
	}
	files, err := m.Read(ctx, slices.Sorted(maps.Keys(asked)))
	for _, f := range files {
		// A folder that cannot be listed is reported under the pattern itself.
		if p, ok := asked[f.Path]; ok && f.Err != nil {
			f.Path = p
		}
		// Links are followed for files that exist only: most do not.
		if f.Err == nil {
			if err := s.notOurs(f.Path); err != nil {
				f.Data, f.Err = nil, err
			}
		}
		s.files[f.Path] = f
	}
	return err
}

func (s *Snapshot) listSeparator() string {
	if s.Info.OS == "windows" {
		return ";"
	}
	return ":"
}

func (s *Snapshot) slashed(p string) string {
	if s.Info.OS == "windows" {
		return strings.ReplaceAll(p, `\`, "/")
	}
	return p
}

// abs makes a path absolute: "~/" is the home folder, other relative paths
// count from the working folder.
func (s *Snapshot) abs(p string) string {
	p = s.slashed(p)
	switch {
	case p == "~":
		return s.Info.Home
	case strings.HasPrefix(p, "~/"):
		return path.Join(s.Info.Home, p[2:])
	case path.IsAbs(p) || len(p) > 2 && p[1] == ':':
		return path.Clean(p)
	}
	dir := s.slashed(s.Info.Env[machine.WorkVar])
	if dir == "" {
		dir = s.Info.Home
	}
	return path.Join(dir, p)
}

// Abs makes a path that a user gave absolute on the snapshot's machine.
func (s *Snapshot) Abs(p string) string { return s.abs(p) }

// Missing reports whether a file that was asked for does not exist.
func (s *Snapshot) Missing(p string) bool { return missing(s.files[s.abs(p)]) }

// Short returns a path with "~/" for the home folder.
func (s *Snapshot) Short(p string) string { return s.Info.Short(p) }

// matching returns the files that were read for a "{profile}" path, with the
// profile of each.
func (s *Snapshot) matching(f *spec.File, pattern string) (files []machine.File, profiles []string) {
	before, after, _ := strings.Cut(pattern, "{profile}")
	var paths []string
	for p := range s.files {
		rest, ok := strings.CutPrefix(p, before)
		profile, ok2 := strings.CutSuffix(rest, after)
		if ok && ok2 && p != pattern && profile != "" && !strings.Contains(profile, "/") && !f.Excluded(path.Base(p)) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		files = append(files, s.files[p])
		profiles = append(profiles, strings.TrimSuffix(strings.TrimPrefix(p, before), after))
	}
	return files, profiles
}

func missing(f machine.File) bool {
	return f.Path == "" || errors.Is(f.Err, fs.ErrNotExist)
}
