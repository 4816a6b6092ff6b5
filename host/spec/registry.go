package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// Builtin is a spec that is part of the program: it was parsed when that was built,
// and is made when it is first asked for.
type Builtin struct {
	Name string
	// Vars are the variables that hold the secret or move its files, and Paths the
	// files' default paths on all systems, a folder for "{profile}" in it; between
	// blanks and line breaks. Where none of them is there, the secret is not.
	Vars, Paths string
	Make        func() *Spec
}

// Registry finds specs by name: the built-in ones, then the user's own, then
// those of packages that the user added. Which there are is found out once, and a
// spec is made, or read and parsed, when it is first asked for, once. Its methods
// may be called from several goroutines.
type Registry struct {
	builtin  []Builtin
	userDir  string
	packages Packages

	// userNames lists the user's specs, packageNames the packages. An error is a
	// folder that cannot be read.
	userNames, packageNames func() ([]string, error)

	mu     sync.Mutex
	parsed map[string]*Spec
	added  map[string]*Spec // of packages
}

// Packages are providers that the user got from others and approved.
type Packages interface {
	// Names lists them without opening any.
	Names() ([]string, error)
	// Replaces reports whether one may take the place of a built-in provider.
	Replaces(name string) (bool, error)
	// Spec returns a spec, or an error where it is not what was approved.
	Spec(name string) (*Spec, error)
}

// NewRegistry returns a registry of the specs in builtin, in their order, and of
// those in the folder userDir, which need not exist.
func NewRegistry(builtin []Builtin, userDir string) *Registry {
	return &Registry{builtin: builtin, userDir: userDir, parsed: map[string]*Spec{}, added: map[string]*Spec{},
		userNames:    sync.OnceValues(func() ([]string, error) { return specsIn(userDir) }),
		packageNames: func() ([]string, error) { return nil, nil },
	}
}

// WithPackages returns a registry that has the specs of packages, too.
func (r *Registry) WithPackages(p Packages) *Registry {
	with := NewRegistry(r.builtin, r.userDir)
	with.packages, with.packageNames = p, sync.OnceValues(p.Names)
	return with
}

// maxSpec is how large the file of a user's own spec may be, in bytes.
const maxSpec = 1 << 20

// ValidName reports whether a provider can have this name.
func ValidName(name string) bool { return validProvider(name) }

// Builtin reports whether name is that of a provider that is part of rhx.
func (r *Registry) Builtin(name string) bool {
	return slices.ContainsFunc(r.builtin, func(b Builtin) bool { return b.Name == name })
}

// make returns a built-in spec, as it was made before if it was.
func (r *Registry) make(b Builtin) *Spec {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.parsed[b.Name]
	if s == nil {
		s = b.Make()
		r.parsed[b.Name] = s
	}
	return s
}

// UserFile returns the path of the user's own spec of that name; "" for none.
func (r *Registry) UserFile(name string) string {
	if users, _ := r.userNames(); slices.Contains(users, name) {
		return filepath.Join(r.userDir, name+".yaml")
	}
	return ""
}

// Names returns the names of all providers, the built-in ones first.
func (r *Registry) Names() []string {
	users, _ := r.userNames()
	packages, _ := r.packageNames()
	names := make([]string, 0, len(r.builtin)+len(users)+len(packages))
	for _, b := range r.builtin {
		names = append(names, b.Name)
	}
	names = append(names, users...)
	for _, name := range packages {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// specsIn lists the specs in a folder; without it there are none.
func specsIn(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && !e.IsDir() && name != "" {
			names = append(names, name)
		}
	}
	if err != nil {
		err = fmt.Errorf("read providers: %w", err)
	}
	return names, err
}

// Get returns the spec of a provider by its name or an alias. A name that is
// not known is a usage error with the nearest one.
func (r *Registry) Get(name string) (*Spec, error) {
	packages, packErr := r.packageNames()
	if i := slices.IndexFunc(r.builtin, func(b Builtin) bool { return b.Name == name }); i >= 0 {
		if slices.Contains(packages, name) {
			if replaces, err := r.packages.Replaces(name); err != nil || replaces {
				return r.fromPackage(name, err)
			}
		} else if packErr != nil {
			return nil, packErr // one may be in its place
		}
		return r.make(r.builtin[i]), nil
	}
	users, err := r.userNames()
	if err != nil {
		return nil, err
	}
	if slices.Contains(users, name) {
		return r.load(name)
	}
	if packErr != nil {
		return nil, packErr
	}
	if slices.Contains(packages, name) {
		return r.fromPackage(name, nil)
	}
	for _, b := range r.builtin {
		if slices.Contains(r.make(b).Aliases, name) {
			return r.Get(b.Name)
		}
	}
	// A broken spec of another provider is not what was asked about.
	specs, _ := r.All()
	for _, s := range specs {
		if slices.Contains(s.Aliases, name) {
			return s, nil
		}
	}
	return nil, fault.WithHint(fault.WithKind(
		fmt.Errorf("unknown provider %q%s", name, fault.DidYouMean(name, r.Names())), fault.Usage),
		"rhx providers lists the known ones; a spec of your own goes into "+r.userDir)
}

// fromPackage returns the spec of a package, as it was parsed before if it was,
// unless err says that it is of no use.
func (r *Registry) fromPackage(name string, err error) (*Spec, error) {
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", name, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.added[name]; s != nil {
		return s, nil
	}
	s, err := r.packages.Spec(name)
	if err == nil && s.Name != name {
		err = &Error{File: s.Origin, Line: 1, Column: 1, Msg: fmt.Sprintf("the provider is named %q, but its folder %q", s.Name, name)}
	}
	if err == nil {
		r.added[name] = s
	}
	return s, err
}

// Known reports whether name is a provider's name, without parsing anything.
func (r *Registry) Known(name string) bool {
	return slices.Contains(r.Names(), name)
}

// All returns every spec that is valid, the built-in ones first, and an error
// that joins what is wrong with the others.
func (r *Registry) All() ([]*Spec, error) {
	return r.all(func(Builtin) bool { return true })
}

// Possible returns what All does, without those built-in specs of which nothing is
// on a machine: set reports whether a variable is set, and there whether a file, with
// "~/" for the home folder, may exist.
func (r *Registry) Possible(set, there func(string) bool) ([]*Spec, error) {
	return r.all(func(b Builtin) bool {
		for name := range strings.FieldsSeq(b.Vars) {
			if set(name) {
				return true
			}
		}
		for p := range strings.Lines(b.Paths) {
			if there(strings.TrimSuffix(p, "\n")) {
				return true
			}
		}
		return false
	})
}

// Paths returns the default paths of the built-in specs' files, on all systems.
func (r *Registry) Paths() []string {
	paths := make([]string, 0, len(r.builtin))
	for _, b := range r.builtin {
		for p := range strings.Lines(b.Paths) {
			paths = append(paths, strings.TrimSuffix(p, "\n"))
		}
	}
	return paths
}

func (r *Registry) all(possible func(Builtin) bool) ([]*Spec, error) {
	var specs []*Spec
	var errs []error
	add := func(s *Spec, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		specs = append(specs, s)
	}
	packages, packErr := r.packageNames()
	for _, b := range r.builtin {
		name := b.Name
		replaces, err := false, error(nil)
		if slices.Contains(packages, name) {
			replaces, err = r.packages.Replaces(name)
		}
		switch {
		case err != nil || replaces:
			add(r.fromPackage(name, err))
			continue
		case slices.Contains(packages, name):
			errs = append(errs, fmt.Errorf("the added provider %s is not used: the name is that of a built-in one; rhx provider remove %s, or add it anew with --replace", name, name))
		}
		if possible(b) {
			add(r.make(b), nil)
		}
	}
	users, err := r.userNames()
	if err != nil {
		errs = append(errs, err)
	}
	for _, name := range users {
		add(r.load(name))
	}
	if packErr != nil {
		errs = append(errs, packErr)
	}
	for _, name := range packages {
		switch {
		case r.Builtin(name):
		case slices.Contains(users, name):
			errs = append(errs, fmt.Errorf("the added provider %s is not used: %s has that name, too", name, filepath.Join(r.userDir, name+".yaml")))
		default:
			add(r.fromPackage(name, nil))
		}
	}
	return specs, errors.Join(errs...)
}

// load returns a user's spec, as it was parsed before if it was.
func (r *Registry) load(name string) (*Spec, error) {
	// A user's spec of a built-in name is an error, and not the built-in one.
	if r.Builtin(name) {
		return nil, fmt.Errorf("%s: the name %s is that of a built-in provider; rename the file and the provider in it", filepath.Join(r.userDir, name+".yaml"), name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.parsed[name]; s != nil {
		return s, nil
	}
	s, err := r.parse(name)
	if err == nil {
		r.parsed[name] = s
	}
	return s, err
}

func (r *Registry) parse(name string) (*Spec, error) {
	file := filepath.Join(r.userDir, name+".yaml")
	data, err := ownfile.Read(file, maxSpec)
	if err != nil {
		return nil, fmt.Errorf("read provider %s: %w", name, err)
	}
	s, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	if s.Name != name {
		return nil, &Error{File: file, Line: 1, Column: 1, Msg: fmt.Sprintf("the provider is named %q, but its file %q", s.Name, name)}
	}
	for i := range s.Files {
		if s.Files[i].Wasm != "" {
			return nil, &Error{File: file, Line: 1, Column: 1, Msg: "a provider with a wasm module is a package: rhx provider add takes its folder"}
		}
	}
	return s, nil
}
