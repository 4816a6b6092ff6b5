package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// In a folder with a trusted manifest its store is the store of every command, and a
// name is what the manifest says that it is.

// inProject returns the manifest that applies here, if the user trusts it; nil where
// there is none. One that is not trusted does nothing: where it has a store, that is
// said.
func (a *app) inProject() (*manifest.Manifest, error) {
	if a.trusted != nil || a.looked {
		return a.trusted, nil
	}
	a.looked = true
	if a.Manifest != "" {
		// It was named: it is read, and asked about, as for a bundle.
		return a.manifest(context.Background(), false)
	}
	path, data, err := a.readManifest()
	if fault.KindOf(err) == fault.Usage {
		return nil, nil // there is none
	}
	if err != nil {
		return nil, err
	}
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	trusted, _, err := e.Added.KnowsManifest(path, data)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(a.shortPath(path), data, e.Project.ManifestOptions(a.Profile))
	if !trusted {
		if err == nil && m.Store != "" && a.Store == "" {
			a.warn(fmt.Sprintf("%s is not trusted, so its store is not used; read it, then run rhx trust", a.shortPath(path)))
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.use(m)
	return m, nil
}

// use has all that follows use a manifest.
func (a *app) use(m *manifest.Manifest) {
	if a.Store == "" && m.Store != "" {
		a.Store = m.Store
		a.made.Stores.Use(m.Store)
		a.note("store: %s, as %s says", m.Store, m.File)
	}
	a.trusted = m
}

// openStore opens the store of the project, or of the user.
func (a *app) openStore(ctx context.Context) (store.Store, error) {
	if _, err := a.inProject(); err != nil {
		return nil, err
	}
	return a.made.Stores.Open(ctx)
}

// stored returns the names in the store of secrets as a user calls them.
func (a *app) stored(names ...string) ([]string, error) {
	if _, err := a.engine(); err != nil {
		return nil, err
	}
	m, err := a.inProject()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if m == nil {
			continue
		}
		if s := m.Secret(name); s != nil && s.StoreName() != name {
			out[i] = s.StoreName()
			a.note("%s is %s, as %s says", name, out[i], m.File)
		}
	}
	return out, nil
}

// storedOne is stored for one name.
func (a *app) storedOne(name *string) error {
	names, err := a.stored(*name)
	if err == nil {
		*name = names[0]
	}
	return err
}

// checkFlags refuses the flags that a command has no use for. The path is of its
// words ("rhx provider new").
func (a *app) checkFlags(path string) error {
	of := usesOf(strings.Fields(path)[1])
	for _, f := range limited {
		if of&f.use == 0 && f.value(a.globals) != "" {
			return fault.WithKind(fmt.Errorf("%s does not take --%s", path, f.name), fault.Usage)
		}
	}
	return session.CheckReason(a.Reason)
}
