package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/paths"
)

// Proposal is a package that may be added, for somebody to say yes to.
type Proposal struct {
	*Package
	// Permissions are all that it may do, a line each.
	Permissions []string
	// Changes reports that a provider of this name was approved before; More and
	// Less are then the permissions that differ from those.
	Changes    bool
	More, Less []string
	// Same reports that it is there already, byte for byte as approved.
	Same bool
	// Project reports that it is the project's own: it is used where it lies.
	Project bool
	// Replaces reports that it takes the place of a built-in provider.
	Replaces bool
	// SignedBy is the number of the key that signed it; "" where none did.
	SignedBy string
	// Signer is that key, where it is trusted and the signature is right. Then
	// nobody need be asked, unless there are Doubts.
	Signer *Key
	// Doubts are what a trusted key's signature does not answer for: each is a reason
	// to ask all the same.
	Doubts []string

	newKey *Key
	signed int64
}

// Ask reports whether somebody has to say yes to the package before it is installed.
func (pr *Proposal) Ask() bool { return pr.Signer == nil || len(pr.Doubts) > 0 }

// Options are how a package is to be added.
type Options struct {
	// Builtin reports whether a name is that of a built-in provider.
	Builtin func(name string) bool
	// Replace lets the package take the place of a built-in provider.
	Replace bool
	// Key is a key to trust from now on; nil for none. The package must be
	// signed by it.
	Key *Key
}

// Propose compares a package with what was approved before. It changes nothing.
func (p *Providers) Propose(pkg *Package, opts Options) (*Proposal, error) {
	l, err := p.locked()
	if err != nil {
		return nil, err
	}
	name := pkg.Spec.Name
	at, err := p.proposed(l, pkg)
	if err != nil {
		return nil, err
	}
	old := at.entry
	out := &Proposal{Package: pkg, Permissions: permissions(pkg.Spec), Project: at.project, newKey: opts.Key}
	if opts.Builtin(name) {
		if !opts.Replace && (old == nil || !old.Replaces) {
			return nil, fault.WithHint(fmt.Errorf("the name %s is that of a built-in provider", name), "--replace lets this package take its place")
		}
		out.Replaces = true
		out.Permissions = append(out.Permissions, "take the place of the built-in provider "+name)
	}
	if err := p.signature(out, opts.Key); err != nil {
		return nil, err
	}
	if old == nil {
		out.Doubts = out.doubts(nil)
		return out, nil
	}
	out.Changes = true
	out.More = without(out.Permissions, old.Permissions)
	out.Less = without(old.Permissions, out.Permissions)
	out.Same = old.Replaces == out.Replaces && maps.Equal(old.Files, digests(pkg)) && (out.Signer == nil || old.Signer == out.Signer.String())
	for file := range old.Files {
		if _, err := p.file(name, file); err != nil {
			out.Same = false
		}
	}
	out.Doubts = out.doubts(old)
	if !at.project && pkg.Origin == at.dir {
		// Approved anew where it lies: it still comes from where it came from.
		pkg.Origin = old.Origin
	}
	return out, nil
}

// doubts are what the signature of a trusted key does not answer for. A key speaks for
// the providers that it has signed before, onwards in time, and not for more
// permissions.
func (pr *Proposal) doubts(old *entry) []string {
	if pr.Signer == nil {
		return nil
	}
	var out []string
	more := pr.Permissions
	if old != nil {
		more = pr.More
	}
	switch {
	case slices.ContainsFunc(more, Dangerous):
		out = append(out, "it could run programs as you")
	case old != nil && len(more) > 0:
		out = append(out, "it may do more than what you approved")
	}
	if old == nil || old.Files[sumsFile] == digest(pr.Files[sumsFile]) && old.Signer == pr.Signer.String() {
		return out // new, or the same bytes, signed once more
	}
	switch {
	case old.Signer == "":
		out = append(out, "what you approved was not signed by a key that you trusted")
	case old.Signer != pr.Signer.String():
		by := old.Signer
		if k, err := ParseKey(by); err == nil {
			by = k.ID()
		}
		out = append(out, fmt.Sprintf("what you approved was signed by another key, %s", by))
	case pr.signed == 0 || old.Signed == 0:
		out = append(out, "the signatures do not say which version is the newer one")
	case pr.signed < old.Signed:
		out = append(out, fmt.Sprintf("it is an older version: it was signed on %s, and what you have on %s", day(pr.signed), day(old.Signed)))
	}
	return out
}

func day(seconds int64) string { return time.Unix(seconds, 0).UTC().Format("2006-01-02 15:04 UTC") }

// proposed returns where a package will be, and what was approved of it before.
func (p *Providers) proposed(l *lock, pkg *Package) (place, error) {
	name := pkg.Spec.Name
	own := filepath.Join(p.folder(), name)
	dir, err := p.project()
	if err != nil {
		return place{}, err
	}
	if dir == "" || !paths.Same(filepath.Dir(pkg.Origin), dir) {
		return place{dir: own, entry: l.Providers[name]}, nil
	}
	added, err := isDir(own)
	if err != nil {
		return place{}, err
	}
	// However the user wrote its path, here is how it will be found.
	pkg.Origin = filepath.Join(dir, filepath.Base(pkg.Origin))
	at := place{dir: filepath.Join(dir, name), project: true}
	switch {
	case pkg.Origin != at.dir:
		return at, fmt.Errorf("%s: the provider is named %q, and its folder must be, too", pkg.Origin, name)
	case l.Providers[name] != nil || added:
		return at, fault.WithHint(fmt.Errorf("there is a provider %s that you added, and it comes first", name), "rhx provider remove "+name+" takes it away")
	}
	at.entry = l.Projects[at.dir]
	return at, nil
}

// signature finds who signed the package. A signature that is wrong is an error,
// and so is one by another key than the one asked for.
func (p *Providers) signature(out *Proposal, extra *Key) error {
	sums, sig := out.Files[sumsFile], out.Files[sigFile]
	if sig == nil {
		if extra != nil {
			return fmt.Errorf("%s is not signed, by key %s or any other", out.Origin, extra.ID())
		}
		return nil
	}
	id, err := signerID(sig)
	if err != nil {
		return fmt.Errorf("%s: %w", out.Origin, err)
	}
	out.SignedBy = id
	keys, err := p.Keys()
	if err != nil {
		return err
	}
	if extra != nil {
		keys = []Key{*extra}
	}
	for _, k := range keys {
		switch {
		case k.ID() != id:
		case k.signed(sums, sig):
			out.Signer, out.signed = &k, signedAt(sig)
			return nil
		default:
			return fmt.Errorf("%s: the signature is wrong: key %s did not sign this %s", out.Origin, id, sumsFile)
		}
	}
	if extra != nil {
		return fmt.Errorf("%s is signed by key %s, not by %s", out.Origin, id, extra.ID())
	}
	return nil
}

func digests(pkg *Package) map[string]string {
	out := map[string]string{}
	for name, data := range pkg.Files {
		out[name] = digest(data)
	}
	return out
}

// Digests are those of the package's files, by name.
func (p *Package) Digests() map[string]string { return digests(p) }

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// Trust has a key's signature stand for a yes from now on.
func (p *Providers) Trust(k Key) error {
	return p.change(func(l *lock) error {
		if slices.Contains(l.Keys, k.String()) {
			return nil
		}
		l.Keys = append(l.Keys, k.String())
		return p.write(l)
	})
}

// Distrust takes a key back; false where it was not trusted. Providers that were
// added on its word stay, and List says so.
func (p *Providers) Distrust(k Key) (found bool, err error) {
	err = p.change(func(l *lock) error {
		i := slices.Index(l.Keys, k.String())
		if found = i >= 0; !found {
			return nil
		}
		l.Keys = slices.Delete(l.Keys, i, i+1)
		return p.write(l)
	})
	return found, err
}

// Install copies a package into the data folder, unless it is the project's, and
// pins it. The bytes are those that the proposal was made of.
func (p *Providers) Install(pr *Proposal) error {
	return p.change(func(l *lock) error { return p.install(l, pr) })
}

func (p *Providers) install(l *lock, pr *Proposal) error {
	name := pr.Spec.Name
	e := &entry{Origin: pr.Origin, Files: digests(pr.Package), Permissions: pr.Permissions, Replaces: pr.Replaces}
	if pr.Signer != nil {
		e.Signer, e.Signed = pr.Signer.String(), pr.signed
	}
	if pr.newKey != nil && !slices.Contains(l.Keys, pr.newKey.String()) {
		l.Keys = append(l.Keys, pr.newKey.String())
	}
	if pr.Project {
		l.Projects[pr.Origin] = e
		return p.write(l)
	}
	l.Providers[name] = e
	return p.copyIn(name, pr.Files, func() error { return p.write(l) })
}

// What copyIn has in the making, and what it replaces, are folders with these names.
const (
	newPrefix = atomicfile.Prefix
	oldPrefix = ".old-"
)

// copyIn puts files in the place of a provider's and calls commit. Where that
// fails, the old files are back.
func (p *Providers) copyIn(name string, files map[string][]byte, commit func() error) error {
	fresh, err := os.MkdirTemp(p.folder(), newPrefix+"*") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // which is gone where all went well
	for file, data := range files {
		if err := atomicfile.Write(filepath.Join(fresh, file), data, 0o600); err != nil {
			return err
		}
	}
	dir, old := filepath.Join(p.folder(), name), filepath.Join(p.folder(), oldPrefix+name)
	had := os.Rename(dir, old)
	if had != nil && !errors.Is(had, fs.ErrNotExist) {
		return had
	}
	err = os.Rename(fresh, dir)
	if err == nil {
		err = atomicfile.Options{}.SyncDir(p.folder())
	}
	if err == nil {
		err = commit()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		if had == nil {
			_ = os.Rename(old, dir)
		}
		return err
	}
	return os.RemoveAll(old)
}

// Remove deletes a provider's files and its entry, or a project's provider's
// entry alone; false where there is neither.
func (p *Providers) Remove(name string) (found bool, err error) {
	err = p.change(func(l *lock) error {
		at, err := p.find(l, name)
		if err != nil {
			return err
		}
		there, err := isDir(at.dir)
		if err != nil {
			return err
		}
		found = at.entry != nil || !at.project && there
		if at.entry != nil {
			delete(l.Providers, name)
			if at.project {
				delete(l.Projects, at.dir)
			}
			if err := p.write(l); err != nil {
				return err
			}
		}
		if at.project {
			return nil
		}
		return os.RemoveAll(at.dir)
	})
	return found, err
}
