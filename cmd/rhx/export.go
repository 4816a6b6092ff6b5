package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/backup"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

type exportCmd struct {
	File      string   `arg:"" help:"The file; - for stdout."`
	Secret    []string `arg:"" optional:"" predictor:"stored" help:"Secrets; without any, all."`
	To        []string `sep:"none" help:"Encrypt to a public key of age or SSH, or to those in a file, instead of a passphrase." placeholder:"KEY"`
	Plain     bool     `help:"Write it unencrypted, after a question."`
	Overwrite bool     `help:"Replace a file that is there."`
	Weak      bool     `help:"Take a passphrase that is guessed easily."`
	Yes       bool     `short:"y" help:"Do not ask."`
}

func (c *exportCmd) Help() string {
	return `For leaving rhx, or for other programs: one JSON document with the newest version of each secret, its provider, profile and places (docs/moving-in.md). rhx store export is the backup: every version, always encrypted, for rhx store import.

It is encrypted with a passphrase, which is asked for twice or taken from RHX_BACKUP_PASSPHRASE, or with --to to keys; age -d opens it. With --plain it is not encrypted.

Examples:
  rhx export secrets.age
  rhx export secrets.json --plain
  rhx export - --to age1… db | ssh nas 'cat > db.age'`
}

// exportJSON is the JSON of an export.
type exportJSON struct {
	File    string        `json:"file"`
	Secrets int           `json:"secrets"`
	Plain   bool          `json:"plain"`
	Failed  []failureJSON `json:"failed"`
}

func (c *exportCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := c.check(a); err != nil {
		return err
	}
	to, err := backup.Recipients(c.To)
	if err != nil {
		return err
	}
	// Before anything is asked: opening a store may start rhx anew.
	st, err := e.Records.Store(ctx)
	if err != nil {
		return err
	}
	doc, left, err := e.Exchange.Export(ctx, c.Secret)
	switch {
	case err != nil:
		return err
	case len(doc.Secrets) == 0 && len(left) == 0:
		return errors.New("the store is empty: there is nothing to export")
	case len(doc.Secrets) == 0:
		return fmt.Errorf("nothing can be read: %s: %s", left[0].Name, left[0].Why)
	}
	path, err := c.allowed(a, e, len(doc.Secrets))
	if err != nil {
		return err
	}
	if len(to) == 0 && !c.Plain {
		if to, err = e.Backup.ChoosePassphrase(c.File, c.Weak); err != nil {
			return err
		}
	}
	if err := c.write(a, path, doc, to); err != nil {
		return err
	}
	var events []session.Event
	for _, s := range doc.Secrets {
		events = append(events, session.Event{Machine: place.Store.String(), Secret: s.Name, Path: st.URL(), To: a.path(path), Action: "exported"})
	}
	e.Book.Note(events)
	return c.report(a, doc, left)
}

// check refuses flags that mean nothing together.
func (c *exportCmd) check(a *app) error {
	stdout := c.File == "-"
	switch {
	case c.Plain && len(c.To) > 0:
		return fault.WithKind(errors.New("--plain is not encrypted, and --to says to whom it is"), fault.Usage)
	case c.Weak && (c.Plain || len(c.To) > 0):
		return fault.WithKind(errors.New("--weak is for a passphrase, and --plain and --to have none"), fault.Usage)
	case stdout && a.OutTTY:
		return fault.WithHint(fault.WithKind(errors.New("an export is not for a terminal"), fault.Usage), "redirect it, or name a file")
	case stdout && a.Output != "table":
		return fault.WithKind(errors.New("with - stdout is the export, and -o has no place there"), fault.Usage)
	}
	return nil
}

// allowed asks before a file is replaced, and before values are written unencrypted.
func (c *exportCmd) allowed(a *app, e *engine.Engine, secrets int) (string, error) {
	path := c.File
	if path != "-" {
		own := []string{e.Dirs.Config, e.Dirs.Data, e.Dirs.State, e.Dirs.Cache}
		var err error
		path, err = backup.Free(c.File, c.Overwrite, own...)
		if errors.Is(err, fs.ErrExist) && a.canAsk() {
			if !a.ask(c.File + " is there already. Replace it?") {
				return "", errors.New("nothing was exported")
			}
			c.Overwrite = true
			path, err = backup.Free(c.File, true, own...)
		}
		if err != nil {
			return "", err
		}
	}
	if !c.Plain || c.Yes {
		return path, nil
	}
	question := fmt.Sprintf("Write all values of %s unencrypted to %s?", plural(secrets, "secret"), c.File)
	if !a.hasTerminal() {
		return "", fault.WithHint(fault.Unasked(errors.New("nobody is there to be asked whether the values may be written unencrypted")), "--yes says so")
	}
	if !a.ask(question) {
		return "", errors.New("nothing was exported")
	}
	return path, nil
}

// write writes the document, whole or not at all, or to stdout.
func (c *exportCmd) write(a *app, path string, doc *exchange.Exported, to []age.Recipient) error {
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	put := func(w io.Writer) error {
		if c.Plain {
			_, err := w.Write(text)
			return err
		}
		sealed, err := age.Encrypt(w, to...)
		if err != nil {
			return err
		}
		if _, err := io.Copy(sealed, bytes.NewReader(text)); err != nil {
			return err
		}
		return sealed.Close()
	}
	if path == "-" {
		return put(a.Data())
	}
	return atomicfile.Options{}.Stream(path, 0o600, func(w io.Writer) error {
		if err := put(w); err != nil {
			return err
		}
		_, err := backup.Free(path, c.Overwrite) // somebody may have made one meanwhile
		return err
	})
}

func (c *exportCmd) report(a *app, doc *exchange.Exported, left []exchange.Leftover) error {
	j := exportJSON{c.File, len(doc.Secrets), c.Plain, []failureJSON{}}
	for _, l := range left {
		j.Failed = append(j.Failed, failureJSON{l.Name, l.Why})
	}
	if c.File != "-" {
		done, err := a.data(j)
		if err != nil {
			return err
		}
		if !done && !a.Quiet {
			how := ", encrypted"
			if c.Plain {
				how = ", unencrypted"
			}
			fmt.Fprintf(a.Out, "%s: %s%s\n", c.File, plural(len(doc.Secrets), "secret"), how)
		}
	}
	if a.Output == "table" {
		for _, l := range left {
			a.report(l.Name, errors.New(l.Why))
		}
	}
	return partlyDone(len(left) > 0)
}

type importExportCmd struct {
	File     string   `arg:"" help:"What rhx export wrote; - for stdin."`
	Identity []string `sep:"none" help:"The key that opens it, instead of a passphrase." placeholder:"FILE"`
	DryRun   bool     `help:"Say what would be saved; save nothing."`
	Yes      bool     `short:"y" help:"Do not ask; replace values that differ in the store."`
}

func (c *importExportCmd) Help() string {
	return `Reads what rhx export wrote, encrypted or plain, and saves each secret under its name, with its provider and profile. Of its places none is taken that says where load writes it. A passphrase is asked for, or taken from RHX_IMPORT_PASSPHRASE.

Examples:
  rhx import rhx secrets.age
  rhx import rhx secrets.json --dry-run`
}

func (c *importExportCmd) Run(ctx context.Context, a *app) error {
	if c.File == "-" && a.InTTY {
		return fault.WithHint(fault.WithKind(errors.New("nothing is piped in"), fault.Usage), "name the file instead of -")
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	// Before anything is read or asked: opening a store may start rhx anew.
	if _, err := e.Records.Store(ctx); err != nil {
		return err
	}
	data, err := a.readExport(ctx, c.File)
	if err != nil {
		return err
	}
	from, plain := fromStdin, true
	if c.File != "-" {
		from = a.shortPath(a.path(c.File))
	}
	if foreign.IsAge(data) {
		plain = false
		if data, err = foreign.Age(data, c.Identity, foreign.MaxSize, func(string) (string, error) { return a.importPassphrase("Passphrase of " + from) }); err != nil {
			return fmt.Errorf("open %s: %w", from, err)
		}
	}
	im, err := e.Exchange.PlanExport(ctx, data)
	if err != nil {
		return fault.WithHint(fmt.Errorf("read %s: %w", from, err), fault.Hint(err))
	}
	err = a.doImport(im, from, c.DryRun, c.Yes, func(plan []exchange.Upload, replace bool) ([]exchange.Saved, error) {
		return e.Exchange.Upload(ctx, plan, replace)
	})
	return a.reminded(err, c.File, plain && !c.DryRun)
}
