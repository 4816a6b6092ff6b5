// Package doctor says what is wrong or unwise on this machine, and how to mend it. Each
// check is a file of its own, and a line in the list of [Checks].
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/harden"
	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/store"
)

// Level says how much a finding matters.
type Level string

// The levels. A warning is a fault or a risk; a note is worth knowing, and no more.
const (
	Warning Level = "warning"
	Note    Level = "note"
)

// Finding is one thing that is wrong or unwise. It has no value of a secret.
type Finding struct {
	// Check is the name of the check that found it.
	Check string
	Level Level
	// What is wrong, and Why it matters.
	What, Why string
	// Command mends it, for a shell; "" where none does.
	Command string
	// Fix does what Command does where that is safe; nil where somebody has to decide.
	Fix func() error
}

// Check looks for one kind of fault.
type Check struct {
	Name string
	// Needs says what has to be well before this is looked at.
	Needs Need
	// Look returns what it finds. It ends with the context, or is left alone.
	Look func(ctx context.Context, d *Doctor) ([]Finding, error)
}

// Need is what a check builds on.
type Need uint8

// The needs.
const (
	Nothing Need = iota
	// Listed: the store can be listed.
	Listed
	// Open: its values can be read without asking anybody.
	Open
)

// within is how long one check may take.
const within = 10 * time.Second

// Doctor is what checks look at. Its fields are set once.
type Doctor struct {
	Engine *engine.Engine
	Home   string
	Getenv func(string) string
	// Program is the path of this rhx, Version its version. Slim reports that it goes on as
	// rhx-full for Vault and for wasm modules.
	Program, Version string
	Slim             bool
	// Manifest returns the rhx.yaml that applies in the working folder, "" for none, and
	// whether the user trusts it.
	Manifest func() (path string, m *manifest.Manifest, trusted bool, err error)
	// Health asks the server of a store in Vault; nil where the store is another.
	Health func(ctx context.Context, st store.Store) (*Health, error)
	// Harden is what rhx harden would take out of files.
	Harden func(ctx context.Context) ([]*harden.Item, error)
	// Installer knows the clients that ask rhx.
	Installer *helper.Installer
	// LeftFolders are those that a killed rhx has left in memory.
	LeftFolders func() []string

	within time.Duration // tests have another one
}

// Health is what a server of Vault says.
type Health struct {
	Address string
	// Skew is how far its clock is before this machine's.
	Skew time.Duration
	// Expires is when the token ends; zero for never. Life is how long it was good for.
	Expires time.Time
	Life    time.Duration
	// Renews reports that rhx extends its life; Root that it may do everything.
	Renews, Root bool
}

// Run makes the checks, one after the other. Each has its time: what hangs is a finding.
func (d *Doctor) Run(ctx context.Context, checks []Check) []Finding {
	var out []Finding
	well := Nothing
	for _, c := range checks {
		if c.Needs > well {
			continue
		}
		found, ok := d.one(ctx, c)
		out = append(out, found...)
		if c.Name == storeCheck.Name && ok && !anyWarning(found) {
			if well = Listed; d.opens() {
				well = Open
			}
		}
		if ctx.Err() != nil {
			return out
		}
	}
	return out
}

func anyWarning(all []Finding) bool {
	for _, f := range all {
		if f.Level == Warning {
			return true
		}
	}
	return false
}

// one makes one check; ok reports that it came to its end.
func (d *Doctor) one(ctx context.Context, c Check) (found []Finding, ok bool) {
	limit := d.within
	if limit == 0 {
		limit = within
	}
	checkCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		found []Finding
		err   error
	}
	done := make(chan result, 1)
	go func() {
		found, err := c.Look(checkCtx, d)
		done <- result{found, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-checkCtx.Done():
		select {
		case r = <-done:
		case <-time.After(limit / 10): // what heeds the context is about to say more
			r.err = checkCtx.Err()
		}
	}
	if errors.Is(r.err, context.DeadlineExceeded) {
		r.err = fmt.Errorf("no answer within %v", limit)
	}
	if r.err != nil {
		// One for each of several errors that are joined; clients share files.
		lines := strings.Split(r.err.Error(), "\n")
		for i, line := range lines {
			if !slices.Contains(lines[:i], line) {
				r.found = append(r.found, Finding{Level: Warning, What: "could not look: " + line, Why: "What is wrong there is not known."})
			}
		}
	}
	for i := range r.found {
		r.found[i].Check = c.Name
	}
	return r.found, r.err == nil
}

// opens reports whether values can be read without asking anybody.
func (d *Doctor) opens() bool {
	if url, err := d.Engine.Stores.URL(); err != nil || url != engine.LocalURL {
		return err == nil
	}
	local, err := d.Engine.Stores.Local()
	return err == nil && (local.Opens() || d.Getenv("RHX_AGE_PASSPHRASE") != "")
}

// local reports whether the store is the one on this machine.
func (d *Doctor) local() bool {
	url, err := d.Engine.Stores.URL()
	return err == nil && url == engine.LocalURL
}
