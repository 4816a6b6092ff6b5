// Package host is rhx as a library: it finds the credentials that a machine has,
// keeps them in a store, and puts them to use, as the command rhx does with the
// same configuration.
//
//	h, err := host.Open(host.Options{})
//	if err != nil {
//		return err
//	}
//	defer h.Close()
//	report, err := h.Sync(ctx, []string{"gpu-01", "gpu-02"}, "aws", "openai")
//
// A method whose work has several parts returns what became of each, and an error
// that joins the failures: where it is nil, all of it is done. What package host and
// package secret export stays; see docs/library.md.
package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/vaultlogin"
)

// Options say what Open opens. The zero value is what the command rhx would use.
type Options struct {
	// Store is the URL of the store: "local", or vault://MOUNT/PREFIX. "" is the one
	// that RHX_STORE or config.yaml names, else the local one. A store in Vault is
	// used with the variables of the vault command or the login of rhx login.
	Store string
	// Home is the home folder, an absolute path; "" is this user's. rhx's own folders
	// are below it, unless XDG variables or RHX_HOME say another place.
	Home string
	// Getenv is the environment; nil is that of the process.
	Getenv func(name string) string
	// Passphrase asks for that of a key; nil means that nobody can be asked.
	Passphrase func(prompt string) (string, error)
	// Overwrite replaces values that differ, where Load and Sync would report a
	// conflict.
	Overwrite bool
	// Parallel bounds the hosts that are served at once; 32 if it is 0.
	Parallel int
	// AcceptNewHosts adds the keys of unknown hosts to known_hosts; without it such a
	// host is an error. A changed key always is.
	AcceptNewHosts bool
	// Warn is told what a user should know and what stops nothing, by any goroutine;
	// nil for nobody.
	Warn func(text string)
}

// Host is one rhx: the providers, this machine, and a store. Its methods may be
// called from several goroutines.
type Host struct {
	opts   Options
	getenv func(string) string
	e      *engine.Engine
	logins *vaultlogin.Logins
	keys   machine.Keys
	asking sync.Mutex
}

// Open opens an rhx. Nothing is read before it is needed; the error is of options
// that cannot be, and of folders of rhx's, or for root a home folder, that are
// another user's.
func Open(opts Options) (*Host, error) {
	h := &Host{opts: opts, getenv: opts.Getenv}
	if h.getenv == nil {
		h.getenv = os.Getenv
	}
	home := opts.Home
	if home == "" {
		if home = h.getenv("HOME"); home == "" {
			home, _ = os.UserHomeDir() // "" is refused below
		}
	}
	if !filepath.IsAbs(home) {
		return nil, fault.WithHint(errors.New("the home folder is not known, or no absolute path"), "set Options.Home")
	}
	if err := ownfile.Home(home); err != nil {
		return nil, err
	}
	work, _ := os.Getwd() // without one there is no project
	h.e = engine.New(engine.Parts{
		Home: home, Work: work, Getenv: h.getenv, NewRunner: newRunner, Passphrase: h.passphrase(), Warn: h.warn, Note: func(string, ...any) {},
		OpenVault: func(url string) (store.Store, error) { return h.logins.Open(url) },
	})
	if err := h.e.Dirs.Check(); err != nil {
		return nil, err
	}
	h.logins = &vaultlogin.Logins{Stores: h.e.Stores, Local: h.e.Local, Getenv: h.getenv, Home: home, Warn: h.warn, Note: func(string, ...any) {}}
	url := opts.Store
	if url == "" {
		url = h.getenv("RHX_STORE")
	}
	h.e.Stores.Use(url)
	return h, nil
}

// Close releases the store and waits for what is under way. No method may be called
// afterwards.
func (h *Host) Close() error {
	h.logins.Wait()
	return h.e.Close()
}

func (h *Host) warn(text string) {
	if h.opts.Warn != nil {
		h.opts.Warn(text)
	}
}

// passphrase is Options.Passphrase, asked one question at a time.
func (h *Host) passphrase() func(string) (string, error) {
	if h.opts.Passphrase == nil {
		return nil
	}
	return func(prompt string) (string, error) {
		h.asking.Lock()
		defer h.asking.Unlock()
		return h.opts.Passphrase(prompt)
	}
}

// Found is a secret on this machine.
type Found struct {
	secret.Secret
	// State is "value"; "keyring" or "exec", where the file says that the value is in
	// the system's keyring or comes from a command; or "invalid", then Err says why.
	State string
	Err   error
}

// Detect returns the secrets on this machine, of the providers named or of all. The
// error joins those of files that are broken; what was found is valid all the same.
func (h *Host) Detect(ctx context.Context, providers ...string) ([]Found, error) {
	found, err := h.e.Detector.On(ctx, h.e.Local, providers...)
	errs := []error{err}
	out := make([]Found, len(found))
	for i, f := range found {
		out[i] = Found{Secret: f.Secret, State: string(f.State), Err: f.Err}
		if f.State == provider.Invalid {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, f.Err))
		}
	}
	return out, errors.Join(errs...)
}

// Saved is what became of one secret in the store.
type Saved struct {
	Name string
	// Action is created, updated, unchanged or failed.
	Action string
	// Version counts from 1; 0 where the save failed.
	Version int
	Err     error
}

// Save saves secrets of this machine to the store, by the names that Detect gives
// them; without names all.
func (h *Host) Save(ctx context.Context, names ...string) ([]Saved, error) {
	saved, err := h.e.Exchange.Save(ctx, h.e.Local, exchange.SaveOptions{Names: names, All: len(names) == 0})
	errs := []error{err}
	out := make([]Saved, len(saved))
	for i, s := range saved {
		out[i] = Saved{s.Name, string(s.Action), s.Version, s.Err}
		if s.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, s.Err))
		}
	}
	return out, errors.Join(errs...)
}

// Put saves a secret with the values that it has, and returns its version. The
// values that the store has already make no new version.
func (h *Host) Put(ctx context.Context, s *secret.Secret) (int, error) {
	saved, err := h.e.Exchange.SaveSecret(ctx, s)
	return saved.Version, err
}

// Get returns a secret of the store, of the newest version.
func (h *Host) Get(ctx context.Context, name string) (*secret.Secret, error) {
	rec, err := h.e.Records.Get(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	return &rec.Secret, nil
}

// List returns the names of the secrets in the store, sorted.
func (h *Host) List(ctx context.Context) ([]string, error) {
	infos, err := h.e.Records.List(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Name
	}
	return names, nil
}

// Delete deletes secrets from the store. The versions before stay there.
func (h *Host) Delete(ctx context.Context, names ...string) error {
	deleted, err := h.e.Exchange.Delete(ctx, place.Here, h.e.Local, names, exchange.DeleteOptions{})
	errs := []error{err}
	for _, d := range deleted {
		errs = append(errs, d.Err)
	}
	return errors.Join(errs...)
}

// Outcome is what became of one secret at one place of a machine.
type Outcome struct {
	// Machine is "local" or the host; Secret the name in the store.
	Machine, Secret string
	// Path is the file, Var the variable of rhx's env file.
	Path, Var string
	// Action is created, updated, unchanged, removed, conflict or failed.
	Action string
	// Keys are the values that were added or differ.
	Keys []string
	Err  error
}

// Report is what became of all parts of a work.
type Report []Outcome

// Err joins the failures; nil where there is none.
func (r Report) Err() error {
	var errs []error
	for _, o := range r {
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", o.Machine, o.Secret, o.Err))
		}
	}
	return errors.Join(errs...)
}

func reported(outcomes []session.Outcome) Report {
	out := make(Report, len(outcomes))
	for i, o := range outcomes {
		out[i] = Outcome{o.At.String(), o.Secret, o.Source.Path, o.Source.Var, string(o.Action), o.Keys, o.Err}
	}
	return out
}

func (h *Host) resolve() func(deliver.Conflict) deliver.Decision {
	if h.opts.Overwrite {
		return deliver.ReplaceAll
	}
	return nil
}

// Load brings secrets from the store into the native files of their tools on this
// machine, merged into what is there. The error is that of the report, or of the
// whole.
func (h *Host) Load(ctx context.Context, names ...string) (Report, error) {
	out, err := h.e.Exchange.Load(ctx, place.Here, h.e.Local, exchange.LoadOptions{Names: names, Resolve: h.resolve(), Warn: h.warn})
	r := reported(out)
	return r, errors.Join(err, r.Err())
}

// Sync brings secrets from the store to hosts over SSH, each as ssh names it: into
// native files, and the variables of those that have no file into rhx's env file
// there. The error is that of the report, or of the whole.
func (h *Host) Sync(ctx context.Context, hosts []string, names ...string) (Report, error) {
	places := make([]place.Place, len(hosts))
	for i, address := range hosts {
		places[i] = place.Host(address)
	}
	out, err := h.e.Exchange.Sync(ctx, places, exchange.SyncOptions{Names: names, Overwrite: h.opts.Overwrite, Fleet: h.fleet(), Warn: h.warn})
	r := reported(out.Outcomes())
	return r, errors.Join(err, r.Err())
}

func (h *Host) fleet() fleet.Fleet {
	return fleet.Fleet{Parallel: h.opts.Parallel, Open: func(at place.Place) machine.Machine {
		if at == place.Here {
			return h.e.Local
		}
		return machine.SSH(at.Address(), machine.SSHOptions{Getenv: h.getenv, Environ: os.Environ, AcceptNew: h.opts.AcceptNewHosts, Keys: &h.keys})
	}}
}

// Command returns a command that has the variables of secrets in its environment,
// beside those of the process. Where the secrets set a part of a group of variables,
// the rest of the group is taken away. A secret without a provider with a key such as
// PATH or LD_PRELOAD, by which programs run others, is an error.
func (h *Host) Command(ctx context.Context, names []string, name string, args ...string) (*exec.Cmd, error) {
	env, err := h.e.Project.Environment(ctx, nil, nil, names, bundle.Names{})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = bundle.Environ(os.Environ(), env.Vars, env.Strip...)
	return cmd, nil
}

// Undo brings the files that the last Load or Sync, or a command of rhx, changed back
// to what they were, on hosts too. The report has no names of secrets.
func (h *Host) Undo(ctx context.Context) (Report, error) {
	last, err := h.e.Book.LastSession(ctx)
	if err != nil {
		return nil, err
	}
	undone, err := h.e.Book.Undo(ctx, last, h.fleet(), journal.UndoOptions{Overwrite: h.opts.Overwrite})
	r := make(Report, len(undone))
	for i, u := range undone {
		r[i] = Outcome{Machine: u.At.String(), Path: u.Path, Action: u.Action(), Err: u.Err}
	}
	return r, errors.Join(err, r.Err())
}

// guestArg is the argument with which a program that uses this package is started
// again, for a wasm module of somebody else: it runs in a process of its own.
const guestArg = "rhx-run-guest"

func init() {
	if len(os.Args) == 2 && os.Args[1] == guestArg {
		os.Exit(sandbox.Serve(os.Stdin, os.Stdout))
	}
}

func newRunner(cache string, warn func(string)) (engine.Runner, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Config{CacheDir: cache, Warn: warn, Child: []string{exe, guestArg}}), nil
}
