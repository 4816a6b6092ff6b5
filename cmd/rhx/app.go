package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/place"
)

// app is what commands share: the streams, the flags, and the parts of rhx,
// each made when first asked for.
type app struct {
	*term.Terminal
	*globals
	environ     func() []string
	stopSignals func()
	// command is the words of the command that is run.
	command string
	// helped is set when the help was printed instead of a command being run.
	helped bool

	// outside is set where the project of the working folder is not to be looked at.
	outside bool

	made    *engine.Engine
	logins  logins
	trusted *manifest.Manifest // read, and trusted by the user
	looked  bool               // for a manifest
	remote  machine.Machine
	keys    machine.Keys
	places  machine.Contexts // of containers
	asking  sync.Mutex
	// collected takes failures on machines; nil where each is told at once.
	collected *failures
	// groups are the names of groups of hosts that a host's name may be a misspelling of.
	groups []string
}

// engine returns the parts of rhx over this machine's folders.
func (a *app) engine() (*engine.Engine, error) {
	if a.made != nil {
		return a.made, nil
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	work := ""
	if !a.outside {
		work, _ = os.Getwd() // without one there is no project
	}
	parts := engine.Parts{
		Home: home, Work: work, Getenv: a.Getenv, NewRunner: newRunner, OpenVault: a.openVault, Passphrase: a.passphrase, Warn: a.warn, Note: a.note,
	}
	if a.showsProgress() {
		parts.Progress = a.Progress
	}
	e := engine.New(parts)
	if err := e.Dirs.Check(); err != nil {
		return nil, err
	}
	if err := confine.Seen(e.Dirs.Data, e.Dirs.Config, e.Dirs.State); err != nil {
		if !slices.Contains(forConfined, a.command) {
			return nil, err
		}
		a.warn(err.Error())
	}
	a.made = e
	a.made.Stores.Use(a.Store)
	a.made.Stores.Made = a.keyMade
	a.made.Stores.Run, a.made.Stores.Plugin = a.printedKey, a.pluginUI()
	// No host and no file is being written while a key is not open.
	a.made.Stores.Checking = func() func() { return term.OnStop(func() { os.Exit(130) }) }
	a.made.Records.Open = a.openStore
	a.made.Book.Command, a.made.Book.Reason = a.command, a.Reason
	return a.made, nil
}

// forConfined are the commands that are of use although rhx's folders are hidden: detect reads
// the environment, and providers lists those that are built in.
var forConfined = []string{"detect", "providers"}

// keyMade tells of a new key.
func (a *app) keyMade(path string) {
	if !a.Quiet {
		fmt.Fprintf(a.Err, "A key was made: %s\nIt alone opens what rhx encrypts here. Keep a copy in a safe place, such as a password manager.\n", path)
	}
}

// passphrase asks for that of a key.
func (a *app) passphrase(prompt string) (string, error) {
	a.asking.Lock()
	defer a.asking.Unlock()
	return a.hidden(prompt + ": ")
}

// home returns the home folder. Root's rhx uses nobody else's.
func (a *app) home() (string, error) {
	home, err := a.Getenv("HOME"), error(nil)
	if !filepath.IsAbs(home) {
		home, err = os.UserHomeDir()
	}
	if err == nil && filepath.IsAbs(home) {
		return home, ownfile.Home(home)
	}
	return "", fault.WithHint(errors.New("the home folder is not known: HOME is not set to an absolute path"), "set HOME")
}

// at is the place that commands read: this machine, or the one that --on names.
func (a *app) at() place.Place {
	if a.On == "" {
		return place.Here
	}
	return place.Host(a.On)
}

// machine returns the machine at that place.
func (a *app) machine(e *engine.Engine) machine.Machine {
	if a.On == "" {
		return e.Local
	}
	if a.remote == nil {
		a.remote = a.ssh(a.On, false)
	}
	return a.remote
}

// fleet says how hosts are reached.
func (a *app) fleet(e *engine.Engine, parallel int, acceptNew bool) fleet.Fleet {
	return fleet.Fleet{Parallel: max(1, parallel), Open: func(at place.Place) machine.Machine {
		if at == place.Here {
			return e.Local
		}
		return a.ssh(at.Address(), acceptNew)
	}}
}

// tellInterrupt says what an interrupt does to work on hosts, once. It is called
// before hosts are asked for anything; the result ends it.
func (a *app) tellInterrupt(ctx context.Context) (stop func()) {
	told := make(chan struct{})
	unneeded := context.AfterFunc(ctx, func() {
		defer close(told)
		a.warn("interrupted; waiting for the hosts that are being written. Ctrl-C again stops at once")
	})
	return func() {
		if !unneeded() {
			<-told
		}
	}
}

// path is a path of an argument as it is looked up: from the working folder, or
// with --on from the home folder there.
func (a *app) path(name string) string {
	if name == "" || a.On != "" || name == "~" || strings.HasPrefix(name, "~/") {
		return name
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// localOnly refuses --on for the one form of a command that it means nothing to.
func (a *app) localOnly(command string) error {
	if a.On == "" {
		return nil
	}
	return fault.WithKind(fmt.Errorf("rhx %s does not take --on", command), fault.Usage)
}

func (a *app) close() {
	a.logins.wait()
	if a.remote != nil {
		_ = a.remote.Close()
	}
	if a.made != nil {
		_ = a.made.Close()
	}
}

// outcome is the exit status of work in so many parts, some of which failed; nil where
// none did. The report has named each that did.
func outcome(failed, all int) error {
	switch {
	case failed == 0:
		return nil
	case failed == all:
		return exitCode(1)
	}
	return partlyDone(true)
}

// outcomeOf is outcome of parts by their errors, which are nil where one was done. Where all
// failed because nobody could be asked it is the status of that.
func outcomeOf(errs []error) error {
	failed, unasked := 0, 0
	for _, err := range errs {
		if err != nil {
			failed++
		}
		if errors.Is(err, fault.ErrUnasked) {
			unasked++
		}
	}
	if failed > 0 && unasked == len(errs) {
		return exitCode(2)
	}
	return outcome(failed, len(errs))
}

// partlyDone is the exit status of work that was done but for what was left out; nil where
// nothing was. The report has named it.
func partlyDone(left bool) error {
	if left {
		return exitCode(3)
	}
	return nil
}
