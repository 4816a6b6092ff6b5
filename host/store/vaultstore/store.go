// Package vaultstore keeps secrets in HashiCorp Vault, in a KV engine of
// version 2 or 1, so that the vault CLI and everything else that reads Vault
// sees each value as a plain field.
//
// A secret NAME in the store vault://MOUNT/PREFIX is the entry PREFIX/NAME of
// the engine at MOUNT. Each key of its values is a field of the entry. Bytes
// that JSON cannot hold are written as "rhx:base64:…", as is text that begins
// so itself.
//
// # Version 2
//
// All but the values is custom metadata of the entry: provider, profile,
// locations (a JSON list of where the values came from) and expires.VERSION. Other
// custom metadata is never touched.
//
// Put is two requests: the values, with check-and-set, then the custom
// metadata, if it differs. A crash in between leaves the new version complete
// and readable, with the provider and locations of the version before it (none
// for a new secret, as if written by `vault kv put`) and with no expiry, since
// an expiry names the version it is for. The other order could say of the old
// values what is true of the new ones only.
//
// # Version 1
//
// The engine keeps the newest version only, without a number, a time or custom
// metadata. The metadata of the secret "FOLDER/LEAF" is therefore an entry of its
// own, "FOLDER/.rhx/LEAF", which List does not show; names must not have the step
// ".rhx". It is written after the values and holds a short salted checksum of them.
// Where that does not fit, because of a crash in between or because somebody wrote
// the values by hand, its time and expiry count as unknown and the version as one
// more than it says. List, which reads no values, cannot know that. Check-and-set
// is a read before the write: two writers at the same instant can both succeed,
// and the later one wins. Delete removes the secret, as Destroy does, and its next
// version is 1 again.
package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// metaFolder is the folder, in that of a secret, of the metadata that an engine of
// version 1 cannot keep itself. An engine that was upgraded to version 2 still has
// these entries, so no name may have this step.
const metaFolder = ".rhx"

// Scheme begins the URL of every store of this package.
const Scheme = "vault://"

// Options say which store to open and how to reach it.
type Options struct {
	// URL is "vault://MOUNT/PREFIX", or "vault://MOUNT" for all of an engine.
	// It is not percent-decoded: what follows the scheme is the path as the
	// vault CLI spells it. How much of it is the mount, Vault says.
	URL string
	// Getenv returns a variable: VAULT_ADDR, VAULT_TOKEN and the others that
	// the vault CLI reads.
	Getenv func(string) string
	// Home is the folder where the vault CLI keeps its token in .vault-token, or
	// names in .vault the program that keeps it. Both are only read from; "" for none.
	Home string
	// Login returns the session that rhx login keeps, nil if there is none. It is
	// called where VAULT_TOKEN is not set. nil: there is no such login.
	Login func() (*Session, error)
	// Warn is told when the connection is not protected: no TLS beyond this
	// machine, or certificates that are not checked. nil: nobody is told.
	Warn func(text string)
}

// Store is a [store.Store] in Vault.
type Store struct {
	url string
	// path is MOUNT/PREFIX.
	path string
	c    *client

	mu sync.Mutex
	// engine and root are found out by the first call. root is the prefix
	// below the mount: "", or ends in "/".
	engine engine
	root   string
}

var (
	_ store.Store = (*Store)(nil)
	_ store.Namer = (*Store)(nil)
)

// engine is what differs between the versions of the KV engine. Its paths are
// below the mount and encoded; dir is "" or ends in "/".
type engine interface {
	// list returns what the folder dir has.
	list(ctx context.Context, dir string) ([]string, error)
	// info describes the newest version of the entry at path; nil if there is
	// none or it is deleted.
	info(ctx context.Context, path, name string) (*store.Info, error)
	get(ctx context.Context, path, name string, version int) (*store.Record, error)
	put(ctx context.Context, path string, s *secret.Secret, expect int) (int, error)
	delete(ctx context.Context, path, name string) error
	undelete(ctx context.Context, path, name string, version int) error
	destroy(ctx context.Context, path string) error
	history(ctx context.Context, path, name string) ([]store.Info, error)
	// rules are what a policy must have for reading path and, with write, for
	// writing it; with all, for all paths that begin so, and for listing them.
	rules(path string, all, write bool) []rule
}

// Open returns the store that o names. It reads the token file and the TLS
// files that variables name, and connects to nothing.
func Open(o Options) (*Store, error) {
	path, err := pathOf(o.URL)
	if err != nil {
		return nil, err
	}
	c, err := newClient(o.Getenv, o.Home, o.Login)
	if err != nil {
		return nil, fault.WithKind(fmt.Errorf("store %s%s: %w", Scheme, path, err), fault.KindOf(err))
	}
	o.warn(c)
	return &Store{url: Scheme + path, path: path, c: c}, nil
}

func (o Options) warn(c *client) {
	if o.Warn != nil {
		for _, text := range c.warnings() {
			o.Warn(text)
		}
	}
}

// CheckURL returns the error of a URL that can name no store in Vault.
func CheckURL(url string) error {
	_, err := pathOf(url)
	return err
}

// pathOf returns the MOUNT/PREFIX of a URL.
func pathOf(url string) (string, error) {
	path, ok := strings.CutPrefix(url, Scheme)
	if !ok {
		return "", fault.WithKind(fmt.Errorf("%q is not the URL of a Vault store", url), fault.Usage)
	}
	path = strings.TrimSuffix(path, "/")
	if err := secret.ValidName(path); err != nil || !printable(path) {
		return "", fault.WithHint(fault.WithKind(fmt.Errorf("the store %q does not name a path in Vault", url), fault.Usage),
			"it is vault://MOUNT/PREFIX, such as vault://secret/ml-team; the server's address is in VAULT_ADDR")
	}
	return path, nil
}

// URL returns "vault://MOUNT/PREFIX".
func (s *Store) URL() string { return s.url }

// Close closes the connections and forgets what was read.
func (s *Store) Close() error {
	s.c.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.engine.(*v2); ok {
		e.seen.clear()
	}
	return nil
}

// List returns the newest version of every secret below the prefix that is not
// deleted, sorted by name. It needs "list" on every folder and, for an engine
// of version 2, "read" on the metadata; no values are read.
func (s *Store) List(ctx context.Context) ([]store.Info, error) {
	e, root, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := walk(ctx, e, root, walkTimeouts*s.c.timeout)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.url, err)
	}
	infos := make([]*store.Info, len(paths))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxParallel)
	for i, p := range paths {
		g.Go(func() error {
			info, err := e.info(ctx, p, decodeName(strings.TrimPrefix(p, root)))
			infos[i] = info
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("list %s: %w", s.url, err)
	}
	list := []store.Info{}
	for _, info := range infos {
		if info != nil {
			list = append(list, *info)
		}
	}
	slices.SortFunc(list, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Names implements [store.Namer]: one request for each folder. It needs "list"
// on every folder.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	e, root, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	paths, err := walk(ctx, e, root, walkTimeouts*s.c.timeout)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.url, err)
	}
	for i, p := range paths {
		paths[i] = decodeName(strings.TrimPrefix(p, root))
	}
	slices.Sort(paths)
	return paths, nil
}

// Get returns one version, 0 for the newest.
func (s *Store) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	if checkName(name) != nil || version < 0 {
		return nil, notFound(name, version)
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	v, err := e.get(ctx, root+encodeName(name), name, version)
	return v, wrap(err, "read", name)
}

// Put writes sec as a new version: see [store.Store]. If the values were
// written and the metadata was not, it returns the new version's number and an
// error that says so.
func (s *Store) Put(ctx context.Context, sec *secret.Secret, expect int) (int, error) {
	if err := checkName(sec.Name); err != nil {
		return 0, err
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	v, err := e.put(ctx, root+encodeName(sec.Name), sec, expect)
	return v, wrap(err, "save", sec.Name)
}

// Delete marks the newest version as deleted; an engine of version 1 removes
// the secret.
func (s *Store) Delete(ctx context.Context, name string) error {
	if checkName(name) != nil {
		return notFound(name, 0)
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return err
	}
	return wrap(e.delete(ctx, root+encodeName(name), name), "delete", name)
}

// Undelete brings a deleted version back: see [store.Store]. An engine of
// version 1 cannot.
func (s *Store) Undelete(ctx context.Context, name string, version int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return notFound(name, version)
	}
	return wrap(e.undelete(ctx, root+encodeName(name), name, version), "undelete", name)
}

// Destroy removes every version and the metadata. A secret that is not there
// is no error.
func (s *Store) Destroy(ctx context.Context, name string) error {
	if checkName(name) != nil {
		return notFound(name, 0)
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return err
	}
	return wrap(e.destroy(ctx, root+encodeName(name)), "destroy", name)
}

// History returns every version that Vault still knows, newest first.
func (s *Store) History(ctx context.Context, name string) ([]store.Info, error) {
	if checkName(name) != nil {
		return nil, notFound(name, 0)
	}
	e, root, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	v, err := e.history(ctx, root+encodeName(name), name)
	return v, wrap(err, "read the history of", name)
}

func checkName(name string) error {
	if slices.Contains(strings.Split(name, "/"), metaFolder) {
		return fmt.Errorf("secret name %q has the step %q, which the store uses itself", name, metaFolder)
	}
	return secret.ValidName(name)
}

func notFound(name string, version int) error {
	if version == 0 {
		return fmt.Errorf("%q: %w", name, store.ErrNotFound)
	}
	return fmt.Errorf("%q version %d: %w", name, version, store.ErrNotFound)
}

// wrap adds what was being done to an error that does not say so itself.
func wrap(err error, verb, name string) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return err
	}
	return fmt.Errorf("%s %q: %w", verb, name, err)
}
