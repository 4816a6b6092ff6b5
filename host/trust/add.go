package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/rhx-dev/rhx/host/fault"
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
	// Replaces reports that it takes the place of a built-in provider.
	Replaces bool
	// SignedBy is the number of the key that signed it; "" where none did.
	SignedBy string
	// Signer is that key, where it is trusted and the signature is right. Then
	// nobody need be asked.
	Signer *Key

	newKey *Key
}

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
	old := l.Providers[name]
	out := &Proposal{Package: pkg, Permissions: permissions(pkg.Spec), newKey: opts.Key}
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
	if pkg.Origin == p.Dir(name) {
		// Approved anew where it lies: it still comes from where it came from.
		pkg.Origin = old.Origin
	}
	return out, nil
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
			out.Signer = &k
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

// Install copies a package into the data folder and pins it. The bytes are those
// that the proposal was made of.
func (p *Providers) Install(pr *Proposal) error {
	return p.change(func(l *lock) error { return p.install(l, pr) })
}

func (p *Providers) install(l *lock, pr *Proposal) error {
	name := pr.Spec.Name
	fresh, err := os.MkdirTemp(p.folder(), ".new-*") // mode 0700
	if err != nil {
		return err
	}
	for file, data := range pr.Files {
		if err := os.WriteFile(filepath.Join(fresh, file), data, 0o600); err != nil {
			return err
		}
	}
	old := filepath.Join(p.folder(), ".old-"+name)
	had := os.Rename(p.Dir(name), old)
	if had != nil && !errors.Is(had, fs.ErrNotExist) {
		return had
	}
	if err := os.Rename(fresh, p.Dir(name)); err != nil {
		return err
	}
	e := &entry{Origin: pr.Origin, Files: digests(pr.Package), Permissions: pr.Permissions, Replaces: pr.Replaces}
	if pr.Signer != nil {
		e.Signer = pr.Signer.String()
	}
	l.Providers[name] = e
	if pr.newKey != nil && !slices.Contains(l.Keys, pr.newKey.String()) {
		l.Keys = append(l.Keys, pr.newKey.String())
	}
	if err := p.write(l); err != nil {
		// The lock on disk has the old digests, so the old files belong to it.
		_ = os.RemoveAll(p.Dir(name))
		if had == nil {
			_ = os.Rename(old, p.Dir(name))
		}
		return err
	}
	return os.RemoveAll(old)
}

// Remove deletes a provider's files and its entry; false where there is neither.
func (p *Providers) Remove(name string) (found bool, err error) {
	err = p.change(func(l *lock) error {
		_, statErr := os.Lstat(p.Dir(name))
		_, listed := l.Providers[name]
		if found = listed || statErr == nil; !found {
			return nil
		}
		if listed {
			delete(l.Providers, name)
			if err := p.write(l); err != nil {
				return err
			}
		}
		return os.RemoveAll(p.Dir(name))
	})
	return found, err
}
