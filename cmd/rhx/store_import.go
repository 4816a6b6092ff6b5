package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/backup"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

type storeImportCmd struct {
	File      string `arg:"" help:"The backup; - for stdin."`
	Identity  string `help:"The key that opens the backup, if not the one of the local store." placeholder:"FILE"`
	Overwrite bool   `help:"Replace other values in the store, and delete there what is deleted in the backup."`
	DryRun    bool   `help:"Say what would be imported; import nothing."`
	Yes       bool   `short:"y" help:"Do not ask."`
}

func (c *storeImportCmd) Help() string {
	return `Reads all of the backup first, and changes nothing where anything is wrong with it. A secret that the store does not have comes back with all versions, in their order; one that it has with the same values stays as it is; one with other values is a conflict, unless --overwrite is given: then the backup's newest version is put on top. An import that was interrupted is continued by another one.

The passphrase is asked for, or taken from RHX_BACKUP_PASSPHRASE.

Examples:
  rhx store import backup.age --dry-run
  ssh nas 'cat backup.age' | rhx store import - --yes`
}

// importedJSON is the JSON of an import from a backup.
type importedJSON struct {
	Store   string         `json:"store"`
	Created time.Time      `json:"created,omitzero"`
	Missing []string       `json:"missing"`
	Secrets []restoredJSON `json:"secrets"`
}

type restoredJSON struct {
	Name    string          `json:"name"`
	Action  provider.Action `json:"action"`
	Added   int             `json:"added"`
	Version int             `json:"version,omitempty"`
	Deleted bool            `json:"deleted,omitempty"`
	Keys    []string        `json:"keys,omitempty"`
	Error   string          `json:"error,omitempty"`
}

func (c *storeImportCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	// Before anything is asked: opening a store may start rhx anew.
	st, err := e.Records.Store(ctx)
	if err != nil {
		return err
	}
	name, f := c.File, (*backup.File)(nil)
	if name == "-" {
		name = "the backup"
		f, err = e.Backup.OpenStream(ctx, name, a.reader(ctx, "-"), c.Identity)
	} else {
		f, err = e.Backup.Open(ctx, name, c.Identity)
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	steps, err := e.Backup.Plan(ctx, f, c.Overwrite)
	if err != nil {
		return err
	}
	todo, err := a.showSteps(f, name, steps)
	if err != nil {
		return err
	}
	if local, ok := store.As[*agestore.Store](st); ok && todo > 0 {
		shared, err := local.Shared(ctx)
		if err != nil {
			return err
		}
		if shared != nil {
			a.warn("the store is shared: what is imported is read by those who read all of it, or a secret of that name: " + memberNames(append([]agestore.Member{shared.Owner}, shared.Members...)))
		}
	}
	if todo > 0 && !c.Yes && !c.DryRun {
		if !a.canAskBeside(c.File == "-") || a.Output != "table" {
			return notConfirmed("rhx store import", "rhx store import --dry-run shows what it would do")
		}
		if !a.ask(fmt.Sprintf("Import %s into %s?", plural(todo, "secret"), st.URL())) {
			return errors.New("nothing was imported")
		}
	}
	if !c.DryRun {
		if steps, err = e.Backup.Import(ctx, f, steps); err != nil {
			return err
		}
	}
	return a.reportSteps(f, steps, c.DryRun)
}

// shownMissing bounds the names of what a backup lacks.
const shownMissing = 10

// showSteps prints what would become of a backup, and counts what would be imported.
func (a *app) showSteps(f *backup.File, name string, steps []backup.Step) (todo int, err error) {
	if n := len(f.Missing); n > shownMissing {
		a.warn(fmt.Sprintf("the backup lacks what could not be read when it was made: %s and %d more", strings.Join(f.Missing[:shownMissing], ", "), n-shownMissing))
	} else if n > 0 {
		a.warn("the backup lacks what could not be read when it was made: " + strings.Join(f.Missing, ", "))
	}
	rows := make([][]string, 0, len(steps))
	for _, s := range steps {
		if s.Action == provider.Created || s.Action == provider.Updated {
			todo++
		}
		rows = append(rows, []string{s.Name, becomes(s)})
	}
	if a.Output != "table" || a.Quiet {
		return todo, nil
	}
	from := name + ": a backup"
	if f.Store != "" {
		from += " of " + f.Store
	}
	if !f.Created.IsZero() {
		from += " from " + f.Created.Local().Format("2006-01-02 15:04")
	}
	fmt.Fprintln(a.Out, from)
	return todo, a.stateTable([]string{"SECRET", "WHAT"}, rows, 1)
}

// becomes is what an import would do with a secret.
func becomes(s backup.Step) string {
	switch {
	case s.Action == provider.Failed:
		return "not to be imported: " + s.Err.Error()
	case s.Action == provider.Unchanged && s.Deleted:
		return "deleted in both"
	case s.Action == provider.Unchanged:
		return "same"
	case s.Differs && s.Deleted:
		return fmt.Sprintf("deleted; the store has version %d", s.After)
	case s.Differs:
		return fmt.Sprintf("differs from version %d: %s", s.After, strings.Join(s.Keys, ", "))
	case s.Action == provider.Updated:
		return fmt.Sprintf("%s more, after version %d", plural(s.Added, "version"), s.After)
	case s.After > 0:
		return "new: the store has it deleted"
	case s.Deleted:
		return "new, and deleted: " + plural(s.Added, "version")
	}
	return "new: " + plural(s.Added, "version")
}

// reportSteps says what was done.
func (a *app) reportSteps(f *backup.File, steps []backup.Step, dryRun bool) error {
	out := importedJSON{Store: f.Store, Created: f.Created, Missing: append([]string{}, f.Missing...), Secrets: []restoredJSON{}}
	bad := 0
	for _, s := range steps {
		j := restoredJSON{Name: s.Name, Action: s.Action, Added: s.Added, Version: s.Version, Deleted: s.Deleted, Keys: s.Keys}
		if s.Err != nil {
			j.Error = s.Err.Error()
			bad++
		}
		out.Secrets = append(out.Secrets, j)
	}
	done, err := a.data(out)
	if err != nil || dryRun {
		return err
	}
	if !done {
		if !slices.ContainsFunc(steps, func(s backup.Step) bool { return s.Action != provider.Unchanged }) {
			a.say("Nothing to import.")
		}
		for _, s := range steps {
			switch {
			case s.Err != nil:
				a.report(s.Name, s.Err)
			case s.Action == provider.Unchanged:
			case s.Deleted:
				a.say(fmt.Sprintf("%s: imported, and deleted as in the backup", s.Name))
			default:
				a.say(fmt.Sprintf("%s: imported, version %d", s.Name, s.Version))
			}
		}
	}
	return outcome(bad, len(steps))
}
