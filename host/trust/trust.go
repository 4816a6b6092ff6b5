// Package trust keeps the providers that a user got from others.
//
// Such a provider is a package: provider.yaml, and beside it the wasm module
// that the spec names, if it names one. It is copied into the data folder after
// the user has seen what it may do, and the sha256 digest of every file goes
// into a lock file there. From then on each file is compared with its digest
// whenever it is used: a provider whose bytes are not those that were approved
// is refused.
//
// A project has providers of its own in .rhx/providers. They are used where they
// lie, by whoever approved them, in that folder: a lock that came with the project
// would be the consent of somebody else, so there is none.
//
// The lock is in the data folder, not beside config.yaml: consent is one
// person's on one machine, and people publish ~/.config.
package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/spec"
)

// Providers are the added providers. Its methods may be called from several
// goroutines.
type Providers struct {
	data string
	// project is the folder of the project's providers; "" for none. An error is one
	// that cannot be looked for, or that others can write.
	project func() (string, error)

	mu   sync.Mutex
	lock *lock // nil until it is needed
}

// Open returns the providers kept in rhx's data folder, and those of the project
// that the folder work is in. It reads nothing yet.
func Open(data, work string) *Providers {
	return &Providers{data: data, project: sync.OnceValues(func() (string, error) { return findProject(work) })}
}

// findProject returns the folder .rhx/providers that is nearest above a folder.
func findProject(work string) (string, error) {
	for work != "" {
		dir := filepath.Join(work, ".rhx", "providers")
		if there, err := isDir(dir); err != nil {
			return "", fmt.Errorf("look for providers of the project: %w", err)
		} else if there {
			return dir, ownProject(work, dir)
		}
		up := filepath.Dir(work)
		if up == work {
			break
		}
		work = up
	}
	return "", nil
}

// ownProject returns an error where others than the user and root can have put a
// project's providers there, such as another user in /tmp.
func ownProject(work, dir string) error {
	for _, d := range []string{filepath.Join(work, ".rhx"), dir} {
		if err := ownfile.Dir(d); err != nil {
			return fmt.Errorf("the project's providers: %w", err)
		}
	}
	return nil
}

func isDir(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

func (p *Providers) folder() string { return filepath.Join(p.data, "providers") }

// place is where a provider is and what was approved of it.
type place struct {
	dir     string
	entry   *entry // nil where nothing was
	project bool
}

// find returns a provider's place. One that the user added hides the project's.
func (p *Providers) find(l *lock, name string) (place, error) {
	own := place{dir: filepath.Join(p.folder(), name), entry: l.Providers[name]}
	if own.entry != nil {
		return own, nil
	}
	if there, err := isDir(own.dir); err != nil || there {
		return own, err
	}
	project, err := p.project()
	if err != nil || project == "" {
		return own, err
	}
	dir := filepath.Join(project, name)
	return place{dir, l.Projects[dir], true}, nil
}

// Names lists the folders of added providers and of the project's, approved or
// not, without opening anything in them.
func (p *Providers) Names() ([]string, error) {
	names, err := providersIn(p.folder())
	dir, err2 := p.project()
	if dir != "" && err2 == nil {
		var more []string
		more, err2 = providersIn(dir)
		names = append(names, more...)
	}
	err = errors.Join(err, err2)
	slices.Sort(names)
	return slices.Compact(names), err
}

func providersIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && spec.ValidName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	if err != nil {
		err = fmt.Errorf("read providers: %w", err)
	}
	return names, err
}

// Replaces reports whether the user let a provider take the place of a built-in
// one.
func (p *Providers) Replaces(name string) (bool, error) {
	l, err := p.locked()
	if err != nil {
		return false, err
	}
	at, err := p.find(l, name)
	return err == nil && at.entry != nil && at.entry.Replaces, err
}

// Spec returns the spec of an added provider, if it is as it was approved.
func (p *Providers) Spec(name string) (*spec.Spec, error) {
	data, err := p.file(name, specFile)
	if err != nil {
		return nil, err
	}
	l, err := p.locked()
	if err != nil {
		return nil, err
	}
	at, err := p.find(l, name)
	if err != nil {
		return nil, err
	}
	s, err := spec.Parse(filepath.Join(at.dir, specFile), data)
	if err != nil {
		return nil, err
	}
	for i := range s.Files {
		f := &s.Files[i]
		if f.Wasm != "" {
			f.WasmDigest = at.entry.Files[f.Wasm+".wasm"]
		}
	}
	return s, nil
}

// Module returns the code of a provider's module, if it is as it was approved.
func (p *Providers) Module(provider, module string) ([]byte, error) {
	return p.file(provider, module+".wasm")
}

// file returns a file of a provider, compared with its digest.
func (p *Providers) file(provider, name string) ([]byte, error) {
	l, err := p.locked()
	if err != nil {
		return nil, err
	}
	at, err := p.find(l, provider)
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", provider, err)
	}
	if at.entry == nil {
		return nil, at.refused(provider, at.unapproved())
	}
	want, ok := at.entry.Files[name]
	if !ok {
		return nil, at.refused(provider, name+" is not part of what you approved")
	}
	data, err := readRegular(filepath.Join(at.dir, name), limitOf(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, at.refused(provider, name+" is missing")
	case err != nil:
		return nil, fmt.Errorf("provider %s: %w", provider, err)
	case digest(data) != want:
		return nil, at.refused(provider, name+" is not what you approved")
	}
	return data, nil
}

func (at place) unapproved() string {
	if at.project {
		return "it came with this project, and you have not approved it"
	}
	return "it was not added by rhx provider add"
}

func (at place) refused(name, why string) error {
	hint := fmt.Sprintf("rhx provider add %s shows what it may do now, and asks", at.dir)
	if !at.project {
		hint += fmt.Sprintf("; rhx provider remove %s takes it away", name)
	}
	return fault.WithHint(errors.New(notUsed(name)+why), hint)
}

func notUsed(name string) string { return "provider " + name + " is not used: " }

// Status is what is known of an added provider.
type Status struct {
	Name, Origin string
	// Project reports that it is the project's, and used where it lies.
	Project bool
	// Files are the digests that were approved, by file name.
	Files map[string]string
	// Signer is the key whose signature stood for the user's yes; "" for none.
	Signer string
	// Replaces reports that it takes the place of a built-in provider.
	Replaces bool
	// Problems are what differs from what was approved; none: all is well.
	Problems []string
}

// List compares every file of every added provider with its digest, and checks
// the signatures that stood for a yes. It needs no network.
func (p *Providers) List() ([]Status, error) {
	l, err := p.locked()
	if err != nil {
		return nil, err
	}
	names, err := p.Names()
	if err != nil {
		return nil, err
	}
	names = slices.Concat(names, slices.Collect(maps.Keys(l.Providers)))
	slices.Sort(names)
	var out []Status
	for _, name := range slices.Compact(names) {
		at, err := p.find(l, name)
		if err != nil {
			return nil, err
		}
		e := at.entry
		if e == nil {
			out = append(out, Status{Name: name, Origin: at.dir, Project: at.project, Problems: []string{at.unapproved()}})
			continue
		}
		st := Status{Name: name, Origin: e.Origin, Project: at.project, Files: maps.Clone(e.Files), Signer: e.Signer, Replaces: e.Replaces}
		for _, file := range slices.Sorted(maps.Keys(e.Files)) {
			if _, err := p.file(name, file); err != nil {
				st.Problems = append(st.Problems, strings.TrimPrefix(err.Error(), notUsed(name)))
			}
		}
		if e.Signer != "" && len(st.Problems) == 0 {
			st.Problems = p.checkSignature(l, name, e)
		}
		out = append(out, st)
	}
	return out, nil
}

// checkSignature checks anew the signature that a provider was added on.
func (p *Providers) checkSignature(l *lock, name string, e *entry) (problems []string) {
	files := map[string][]byte{}
	for file := range e.Files {
		data, err := p.file(name, file)
		if err != nil {
			return []string{err.Error()}
		}
		files[file] = data
	}
	key, err := ParseKey(e.Signer)
	if err == nil {
		err = checkSums(files)
	}
	if err == nil && !key.signed(files[sumsFile], files[sigFile]) {
		err = fmt.Errorf("%s is not a signature by key %s", sigFile, key.ID())
	}
	if err != nil {
		problems = append(problems, err.Error())
	} else if !slices.Contains(l.Keys, e.Signer) {
		problems = append(problems, fmt.Sprintf("key %s, which signed it, is no longer trusted", key.ID()))
	}
	return problems
}

// Keys returns the public keys whose signature stands for a yes.
func (p *Providers) Keys() ([]Key, error) {
	l, err := p.locked()
	if err != nil {
		return nil, err
	}
	var keys []Key
	for _, text := range l.Keys {
		k, err := ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p.lockPath(), err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// digest is the form in which the lock has a digest: sha256: and hexadecimal.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// readRegular reads a file of at most limit bytes that is no symbolic link.
func readRegular(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	// Another file may have taken its place since.
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s changed while it was read", path), err)
	}
	return readLimited(f, path, limit)
}

func readLimited(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", name, limit>>10)
	}
	return data, nil
}
