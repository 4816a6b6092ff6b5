package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/provider"
)

// welcomeWithin is how long the look around may take.
const welcomeWithin = 5 * time.Second

// welcome says on a new machine what rhx finds and what comes next; false where there is a
// store already, or it cannot be told.
func (a *app) welcome(ctx context.Context) bool {
	e, err := a.engine()
	if err != nil || !isNew(e, a.Getenv) {
		return false
	}
	names, broken, looked := a.foundHere(ctx, e)
	if ctx.Err() != nil {
		return false
	}
	next := [][2]string{{"rhx save --all", "saves them, to encrypted files on this machine"}}
	found := "Found here: " + shortList(names, a.Width()-len("Found here: . rhx detect shows where.")) + ". rhx detect shows where."
	switch {
	case !looked:
		found = "rhx detect shows the credentials that are here."
	case len(names) == 0 && broken:
		found = "Found here: what cannot be read. rhx detect shows what is wrong."
	case len(names) == 0:
		found = "Found here: no credentials that rhx knows. rhx providers lists the kinds."
		next[0] = [2]string{"rhx save NAME KEY=-", "saves a value that you type"}
	}
	next = append(next, [2]string{"rhx login", "uses HashiCorp Vault instead"}, [2]string{"rhx --help", "lists the commands"})
	if path, err := findManifest(); err == nil {
		next = append(next, [2]string{"rhx check", "says what " + a.shortPath(path) + " needs"})
	}
	a.say("rhx keeps credentials encrypted, and puts them where they are needed. There is no store yet.")
	a.say(found)
	for _, n := range next {
		a.say("  " + n[0] + strings.Repeat(" ", 22-len(n[0])) + term.Line(n[1]))
	}
	return true
}

// isNew reports whether there is no store, and none is chosen.
func isNew(e *engine.Engine, getenv func(string) string) bool {
	for _, name := range []string{"RHX_STORE", "RHX_AGE_IDENTITY", "RHX_AGE_IDENTITY_CMD"} {
		if getenv(name) != "" {
			return false
		}
	}
	conf, err := e.Stores.Config()
	if err != nil || conf.Store != "" || conf.Identity != "" {
		return false
	}
	for _, name := range []string{"store", "identity.txt"} {
		if _, err := os.Lstat(filepath.Join(e.Dirs.Data, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// foundHere are the names of what rhx save --all would save, and whether there is something
// that cannot be read; looked is false where that took too long.
func (a *app) foundHere(ctx context.Context, e *engine.Engine) (names []string, broken, looked bool) {
	ctx, cancel := context.WithTimeout(ctx, welcomeWithin)
	defer cancel()
	done := make(chan []provider.Found, 1)
	go func() {
		found, _ := e.Detector.On(ctx, e.Local) // what is broken, rhx detect says
		done <- found
	}()
	select {
	case found := <-done:
		for _, f := range found {
			if f.State == provider.HasValue {
				names = append(names, f.Name)
			}
			broken = broken || f.State == provider.Invalid
		}
		return names, broken, true
	case <-ctx.Done():
		return nil, false, false
	}
}

// shortList names as many as there is room for, and says how many more there are.
func shortList(names []string, room int) string {
	text := strings.Join(names, ", ")
	for n := len(names) - 1; n > 0 && utf8.RuneCountInString(text) > room; n-- {
		text = strings.Join(names[:n], ", ") + " and " + plural(len(names)-n, "other")
	}
	return text
}
