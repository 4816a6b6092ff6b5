package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/backup"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

type storeExportCmd struct {
	File      string   `arg:"" help:"The backup; - for stdout."`
	To        []string `sep:"none" help:"Encrypt to a public key of age or SSH, or to those in a file, instead of a passphrase." placeholder:"KEY"`
	Overwrite bool     `help:"Replace a file that is there."`
	Partial   bool     `help:"Write a backup although something cannot be read, without that."`
	Weak      bool     `help:"Take a passphrase that is guessed easily."`
}

func (c *storeExportCmd) Help() string {
	return `The file has every version of every secret, deleted ones too, with its provider, profile, origin and time. It is encrypted with a passphrase, which is asked for twice or taken from RHX_BACKUP_PASSPHRASE, so that it opens also when the store's key is lost; or with --to to keys. It is an age file: age -d FILE shows what is in it, as docs/stores.md says.

If anything cannot be read, no backup is written. With --partial what can be read is, and the exit status is 3.

Examples:
  rhx store export backup.age
  rhx store export backup.age --to age1… --to ~/.ssh/id_ed25519.pub
  rhx store export - --to age1… | ssh nas 'cat > backup.age'`
}

// exportedJSON is export's JSON.
type exportedJSON struct {
	File     string        `json:"file"`
	Store    string        `json:"store"`
	Secrets  int           `json:"secrets"`
	Versions int           `json:"versions"`
	Written  bool          `json:"written"`
	Failed   []failureJSON `json:"failed"`
}

type failureJSON struct {
	Name  string `json:"name,omitempty"`
	Error string `json:"error"`
}

func (c *storeExportCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	stdout := c.File == "-"
	switch {
	case stdout && a.OutTTY:
		return fault.WithHint(fault.WithKind(errors.New("a backup is not for a terminal"), fault.Usage), "redirect it, or name a file")
	case stdout && a.Output != "table":
		return fault.WithKind(errors.New("with - stdout is the backup, and -o has no place there"), fault.Usage)
	case c.Weak && len(c.To) > 0:
		return fault.WithKind(errors.New("--weak is for a passphrase, and --to takes its place"), fault.Usage)
	}
	to, err := backup.Recipients(c.To)
	if err != nil {
		return err
	}
	path := c.File
	if !stdout {
		if path, err = c.free(a, e); err != nil {
			return err
		}
		if err := backup.Sweep(filepath.Dir(path)); err != nil {
			a.warn("what a killed export left is not removed: " + err.Error())
		}
	}
	// Before anything is asked: opening a store may start rhx anew.
	st, err := e.Records.Store(ctx)
	if err != nil {
		return err
	}
	if len(to) == 0 {
		name := c.File
		if stdout {
			name = "the backup"
		}
		if to, err = e.Backup.ChoosePassphrase(name, c.Weak); err != nil {
			return err
		}
	}
	out, err := c.write(ctx, a, e, path, to)
	if err != nil && !errors.Is(err, backup.ErrIncomplete) {
		return err
	}
	if err == nil {
		e.Book.Note([]session.Event{{Machine: place.Store.String(), Path: st.URL(), To: a.path(path), Action: "exported"}})
	}
	return c.report(a, out, err)
}

// free says where the backup goes, and asks whether a file there is to be replaced.
func (c *storeExportCmd) free(a *app, e *engine.Engine) (string, error) {
	own := []string{e.Dirs.Config, e.Dirs.Data, e.Dirs.State, e.Dirs.Cache}
	path, err := backup.Free(c.File, c.Overwrite, own...)
	if errors.Is(err, fs.ErrExist) && a.canAsk() {
		if !a.ask(c.File + " is there already. Replace it?") {
			return "", errors.New("no backup was written")
		}
		c.Overwrite = true
		return backup.Free(c.File, true, own...)
	}
	return path, err
}

// write writes the file, whole or not at all, or stdout.
func (c *storeExportCmd) write(ctx context.Context, a *app, e *engine.Engine, path string, to []age.Recipient) (out *backup.Exported, err error) {
	if path == "-" {
		out, err = e.Backup.Export(ctx, a.Data(), to, c.Partial)
		if err != nil {
			err = fault.WithHint(fmt.Errorf("%w; what stdout got is cut off, and opens nowhere", err), fault.Hint(err))
		}
		return out, err
	}
	err = atomicfile.Options{}.Stream(path, 0o600, func(w io.Writer) error {
		if out, err = e.Backup.Export(ctx, w, to, c.Partial); err != nil {
			return err
		}
		// Somebody may have made one meanwhile.
		_, err = backup.Free(path, c.Overwrite)
		return err
	})
	return out, err
}

func (c *storeExportCmd) report(a *app, out *backup.Exported, incomplete error) error {
	j := exportedJSON{c.File, out.Store, out.Secrets, out.Versions, incomplete == nil, []failureJSON{}}
	for _, f := range out.Failed {
		j.Failed = append(j.Failed, failureJSON{f.What, f.Err.Error()})
	}
	done, err := a.data(j)
	if err != nil {
		return err
	}
	if !done {
		for _, f := range out.Failed {
			if f.What == "" {
				a.Fail(f.Err.Error(), fault.Hint(f.Err))
			} else {
				a.report(f.What, f.Err)
			}
		}
		if incomplete == nil {
			c.say(a, out)
		}
	}
	return cmp.Or(incomplete, partlyDone(len(out.Failed) > 0))
}

// say says what is in the backup.
func (c *storeExportCmd) say(a *app, out *backup.Exported) {
	if a.Quiet {
		return
	}
	w, name := a.Out, c.File
	if c.File == "-" {
		w, name = a.Err, "The backup"
	}
	fmt.Fprintf(w, "%s: %s, %s of %s\n", name, plural(out.Secrets, "secret"), plural(out.Versions, "version"), out.Store)
	if out.Gone > 0 {
		fmt.Fprintf(w, "Without their values, which the store does not give: %s\n", plural(out.Gone, "deleted version"))
	}
}
