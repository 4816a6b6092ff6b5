package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/host/trust"
	"github.com/rhx-dev/rhx/specs"
)

// app is what commands share: the streams, the flags, and the parts of rhx,
// each made when first asked for.
type app struct {
	*term.Terminal
	*globals
	environ     func() []string
	stopSignals func()
	// helped is set when the help was printed instead of a command being run.
	helped bool

	h       *host.Host
	dirs    config.Dirs
	guests  *guests
	added   *trust.Providers
	trusted *manifest.Manifest // read, and trusted by the user
	remote  machine.Machine
	keys    machine.Keys
	asking  sync.Mutex
	// loggedIn is the environment of the login that was just made: what follows
	// goes to its server with its token, whatever the variables say.
	loggedIn func(string) string
	// What goroutines ask for, each made by the first that does.
	confLock  sync.Mutex
	conf      *config.Config
	localLock sync.Mutex
	local     *agestore.Store
	// background is work beside that of the command: see inBackground.
	background sync.WaitGroup
}

// host returns the use cases over this machine's folders.
func (a *app) host() (*host.Host, error) {
	if a.h != nil {
		return a.h, nil
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	a.dirs = config.NewDirs(home, a.Getenv)
	work, _ := os.Getwd() // without one there is no project
	a.added = trust.Open(a.dirs.Data, work)
	a.guests = &guests{cache: filepath.Join(a.dirs.Cache, "wasm"), added: a.added, warn: a.warn, note: a.note}
	a.h = &host.Host{
		Specs:  spec.NewRegistry(specs.FS, specs.Names(), filepath.Join(a.dirs.Config, "providers")).WithPackages(a.added),
		Guests: a.guests,
		Dirs:   a.dirs,
		Local:  machine.Local(home, a.Getenv),
		Journal: &journal.Journal{
			Dir: filepath.Join(a.dirs.State, "journal"),
			Seal: func(ctx context.Context, data []byte) ([]byte, error) {
				return a.seal(ctx, data, (*agestore.Store).Seal)
			},
			Unseal: func(ctx context.Context, data []byte) ([]byte, error) {
				return a.seal(ctx, data, (*agestore.Store).Unseal)
			},
		},
		OpenStore: func(ctx context.Context) (store.Store, error) {
			return a.openStore(ctx, home)
		},
	}
	if a.showsProgress() {
		a.h.Progress = a.Progress
	}
	return a.h, nil
}

// seal encrypts or decrypts with the key of the local store.
func (a *app) seal(ctx context.Context, data []byte, by func(*agestore.Store, context.Context, []byte) ([]byte, error)) ([]byte, error) {
	local, err := a.localStore()
	if err != nil {
		return nil, err
	}
	return by(local, ctx, data)
}

func (a *app) home() (string, error) {
	if home := a.Getenv("HOME"); filepath.IsAbs(home) {
		return home, nil
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return "", fault.WithHint(errors.New("the home folder is not known: HOME is not set to an absolute path"), "set HOME")
	}
	return home, nil
}

// config returns config.yaml, read once.
func (a *app) config() (*config.Config, error) {
	a.confLock.Lock()
	defer a.confLock.Unlock()
	if a.conf == nil {
		c, err := config.Load(a.dirs)
		if err != nil {
			return nil, err
		}
		a.conf = c
	}
	return a.conf, nil
}

// machine returns the machine to read: this one, or the one that --on names.
func (a *app) machine(h *host.Host) machine.Machine {
	if a.On == "" {
		return h.Local
	}
	if a.remote == nil {
		a.remote = a.ssh(a.On, false)
	}
	return a.remote
}

// hostHere is host for a command that --on makes no sense for.
func (a *app) hostHere(command string) (*host.Host, error) {
	h, err := a.host()
	if err != nil {
		return nil, err
	}
	return h, a.localOnly(command)
}

// localOnly is the error of a command that --on makes no sense for.
func (a *app) localOnly(command string) error {
	if a.On == "" {
		return nil
	}
	return fault.WithKind(fmt.Errorf("rhx %s does not take --on", command), fault.Usage)
}

func (a *app) close() {
	a.background.Wait()
	if a.remote != nil {
		_ = a.remote.Close()
	}
	if a.h != nil {
		_ = a.h.Close()
	}
	if a.guests != nil {
		a.guests.close()
	}
}

// outcome is the error of work in parts of which failed did not succeed; nil
// where none failed. The report has named each.
func outcome(failed, all int) error {
	switch {
	case failed == 0:
		return nil
	case failed == all:
		return exitCode(1)
	}
	return exitCode(3)
}
