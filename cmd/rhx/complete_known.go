package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/inventory"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// What is offered at Tab. Nothing here asks anybody, the network included: a person has
// pressed a key, and may not have meant to.

// tabTimeout is how long files are waited for.
const tabTimeout = 3 * time.Second

// loginMethods are how rhx login logs in.
var loginMethods = []string{"token", "userpass", "ldap", "approle", "jwt", "oidc", "kubernetes", "cert"}

// known are the values that the tag predictor names, for a line so far and the word cur.
func (a *app) known(cur string) map[string]func(parted) []string {
	fixed := func(names func() []string) func(parted) []string {
		return func(parted) []string { return names() }
	}
	ofManifest := func(names func(*manifest.Manifest) []string) func(parted) []string {
		return func(parted) []string {
			m, err := a.inProject()
			if err != nil || m == nil {
				return nil
			}
			return names(m)
		}
	}
	if strings.HasPrefix(cur, "-") { // --flag=VALUE
		_, cur, _ = strings.Cut(cur, "=")
	}
	stored := func() []string { return a.storedNames(cur) }
	return map[string]func(parted) []string{
		"stored":   fixed(stored),
		"deleted":  fixed(a.deletedNames),
		"key":      func(p parted) []string { return a.keysOfStored(firstOf(p.rest)) },
		"version":  func(p parted) []string { return a.versionsOf(firstOf(p.rest)) },
		"client":   fixed(helperClients),
		"command":  fixed(commandNames),
		"provider": fixed(a.providerNames),
		"savable":  func(parted) []string { return append(stored(), a.providerNames()...) },
		"format":   fixed(bundle.Formats),
		"method":   fixed(func() []string { return slices.Clone(loginMethods) }),
		"language": fixed(guestsdk.Languages),
		"bundle":   ofManifest(func(m *manifest.Manifest) []string { return m.BundleNames() }),
		"profile":  ofManifest(func(m *manifest.Manifest) []string { return slices.Clone(m.Profiles) }),
		"host": func(p parted) []string {
			return append(a.sshHosts(), a.inventoryNames(given(p.flags, "-i", "--inventory"))...)
		},
		"group": func(parted) (names []string) {
			for _, g := range spec.Groups() {
				names = append(names, g.Name)
			}
			return names
		},
	}
}

func firstOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

func (a *app) providerNames() []string {
	e, err := a.engine()
	if err != nil {
		return nil
	}
	return e.Specs.Names()
}

// errNetwork is why no store in Vault is opened for Tab.
var errNetwork = errors.New("that would need the network")

// quietly opens the store, if that is on this machine. It needs no key until a value is
// read.
func (a *app) quietly(ctx context.Context) (*engine.Engine, store.Store, error) {
	e, err := a.engine()
	if err != nil {
		return nil, nil, err
	}
	e.Stores.OpenVault = func(string) (store.Store, error) { return nil, errNetwork }
	st, err := a.openStore(ctx)
	return e, st, err
}

// storedNames are the names in the store that begin with cur, those that the manifest has
// for them, and where the store cannot tell them, those that were placed on this machine.
func (a *app) storedNames(cur string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), tabTimeout)
	defer cancel()
	e, st, err := a.quietly(ctx)
	if e == nil {
		return nil
	}
	var names []string
	if m, err := a.inProject(); err == nil && m != nil {
		names = m.SecretNames()
	}
	if err != nil {
		if conf, err := e.Stores.Config(); err == nil {
			for name := range conf.Secrets {
				names = append(names, name)
			}
		}
		return names
	}
	if b, ok := store.As[beginner](st); ok {
		begin, _ := b.Begin(ctx, cur)
		names = append(names, begin...)
	}
	return names
}

// beginner is a store that tells at once which names begin with a text: agestore.Store.
type beginner interface {
	Begin(ctx context.Context, text string) ([]string, error)
}

// deletedNames are those of the store that can be brought back. Where one cannot be read
// there are none: it may be there still.
func (a *app) deletedNames() []string {
	ctx, cancel := context.WithTimeout(context.Background(), tabTimeout)
	defer cancel()
	_, st, err := a.quietly(ctx)
	if err != nil {
		return nil
	}
	archive, ok := store.As[store.Archive](st)
	if !ok {
		return nil
	}
	all, err := archive.AllNames(ctx)
	if err != nil {
		return nil
	}
	infos, err := st.List(ctx)
	if err != nil {
		return nil
	}
	there := make(map[string]bool, len(infos))
	for _, i := range infos {
		there[i.Name] = true
	}
	return slices.DeleteFunc(all, func(name string) bool { return there[name] })
}

// versionsOf are the versions of a secret that can be read.
func (a *app) versionsOf(name string) (versions []string) {
	ctx, cancel := context.WithTimeout(context.Background(), tabTimeout)
	defer cancel()
	_, st, err := a.quietly(ctx)
	if err != nil || a.storedOne(&name) != nil {
		return nil
	}
	infos, err := st.History(ctx, name)
	if err != nil {
		return nil
	}
	for _, info := range infos {
		if !info.Destroyed {
			versions = append(versions, strconv.Itoa(info.Version))
		}
	}
	return versions
}

// keysOfStored are the keys of a secret: those that it has, where the store's key opens
// without a question, else those that its provider's spec has.
func (a *app) keysOfStored(name string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), tabTimeout)
	defer cancel()
	e, st, err := a.quietly(ctx)
	if e == nil || name == "" {
		return nil
	}
	if err == nil && a.storedOne(&name) == nil {
		if local, err := e.Stores.Local(); err == nil && local.Opens() {
			if rec, err := st.Get(ctx, name, 0); err == nil {
				return rec.Secret.Values.Keys()
			}
		}
	}
	provider, _ := secret.SplitName(name)
	sp, err := e.Specs.Get(provider)
	if err != nil {
		return nil
	}
	var keys []string
	for _, v := range sp.Values {
		keys = append(keys, v.Name)
	}
	return keys
}

// sshHosts are the hosts that the user's ssh_config names, and what it includes.
func (a *app) sshHosts() []string {
	home, err := a.home()
	if err != nil {
		return nil
	}
	dir := filepath.Join(home, ".ssh")
	config, err := ownfile.Read(filepath.Join(dir, "config"), 1<<20)
	if err != nil {
		return nil
	}
	return inventory.SSHHosts(string(config), func(pattern string) (texts []string) {
		if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
			pattern = filepath.Join(home, rest)
		} else if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(dir, pattern)
		}
		files, _ := filepath.Glob(pattern)
		for _, file := range files[:min(len(files), 256)] {
			if text, err := ownfile.Read(file, 1<<20); err == nil {
				texts = append(texts, string(text))
			}
		}
		return texts
	})
}

// inventoryNames are the groups and hosts of the inventory that a line names.
func (a *app) inventoryNames(files []string) []string {
	if len(files) == 0 {
		return nil
	}
	file := a.path(files[len(files)-1])
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	inv, err := a.inventory(context.Background(), file)
	if err != nil {
		return nil
	}
	return append(inv.Groups(), inv.All()...)
}
