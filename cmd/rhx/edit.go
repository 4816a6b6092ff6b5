package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

type editCmd struct {
	Secret string `arg:"" predictor:"stored" help:"The secret's name."`
	Kept   bool   `help:"Go on with what you typed earlier and could not be saved. An empty file drops it."`
}

func (c *editCmd) Help() string {
	return `Opens the values in $VISUAL, $EDITOR or vi, as lines KEY=VALUE, or as JSON where such lines cannot hold them. What you save there becomes a new version. Nothing is saved where the editor fails or the file is unchanged.

Where somebody else has saved the secret meanwhile, or it cannot be saved, what you typed is kept, sealed with the store's key, and can be edited again over the newest version: at once, or later with --kept.

The file is in a folder in memory (XDG_RUNTIME_DIR or /dev/shm) that only you can read, and that goes with the editor, however rhx ends. vim and emacs are told to keep no copies elsewhere; for other editors see docs/stores.md.

Examples:
  rhx edit aws/prod
  VISUAL='code --wait' rhx edit db
  rhx edit db --kept   # what could not be saved`
}

func (c *editCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if a.NoInput {
		return fault.WithHint(fault.Unasked(errors.New("rhx edit asks an editor, and --no-input says to ask nobody")), "rhx save "+c.Secret+" KEY=- takes a value from a pipe")
	}
	if a.editor() == "" && runtime.GOOS != "windows" && !a.canAsk() {
		return fault.WithHint(fault.Unasked(errors.New("vi needs a terminal, and there is none here")), "VISUAL or EDITOR names another editor; rhx save "+c.Secret+" KEY=- takes a value from a pipe")
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	kept, err := e.Exchange.HasDraft(ctx, c.Secret)
	if err != nil {
		return err // nor could anything be kept
	}
	rec, err := e.Records.Get(ctx, c.Secret, 0)
	if c.Kept && kept && errors.Is(err, store.ErrNotFound) {
		return c.drop(ctx, a, e, err)
	}
	if err != nil {
		return err
	}
	if rec.Secret.Provider != "" {
		if _, err := e.Specs.Get(rec.Secret.Provider); err != nil {
			return err // before anything is typed
		}
	}
	ed := &editing{a: a, e: e, rec: rec}
	if c.Kept {
		ed.kept, err = e.Exchange.Draft(ctx, rec.Name)
	} else if kept {
		a.warn(fmt.Sprintf("what was typed for %s earlier and not saved is kept: rhx edit %s --kept goes on with it", rec.Name, rec.Name))
	}
	if err != nil {
		return err
	}
	saved, err := ed.run(ctx)
	if err != nil || saved == nil {
		return err
	}
	return a.printSaved([]exchange.Saved{*saved})
}

// drop drops what was kept of a secret that is not there any more, after a question.
func (c *editCmd) drop(ctx context.Context, a *app, e *engine.Engine, gone error) error {
	if !a.canAsk() {
		return fault.WithHint(gone, "what was typed for it is kept: rhx undelete "+c.Secret+" brings the secret back, rhx delete "+c.Secret+" --destroy drops both")
	}
	if !a.ask(fmt.Sprintf("%s is not in the store any more. Drop what was typed for it?", c.Secret)) {
		return gone
	}
	if _, err := e.Exchange.DropDrafts(ctx, c.Secret); err != nil {
		return err
	}
	a.say(c.Secret + ": what was kept is dropped")
	return nil
}

// editorError is that of an editor that ended with a status.
type editorError struct {
	editor string
	status int
}

func (e *editorError) Error() string {
	return fmt.Sprintf("the editor %s ended with the status %d; nothing was saved", e.editor, e.status)
}

// editor is the one that the user has chosen; "" without a choice.
func (a *app) editor() string {
	return cmp.Or(strings.TrimSpace(a.Getenv("VISUAL")), strings.TrimSpace(a.Getenv("EDITOR")))
}

// openEditor has a person edit a file.
func (a *app) openEditor(dir, file string) error {
	editor := cmp.Or(a.editor(), "vi")
	// As git does it: the shell takes the editor's words apart.
	argv := append([]string{"sh", "-c", editor + ` "$@"`, editor}, append(keepsNoCopies(editor), file)...)
	if runtime.GOOS == "windows" {
		if editor == "vi" {
			editor = "notepad"
		}
		argv = append(strings.Fields(editor), file)
	}
	environ := bundle.Environ(a.environ(), []bundle.Var{{Name: "TMPDIR", Value: secret.NewValue(dir)}})
	status, err := a.runner(nil).Supervise(argv, environ)
	switch {
	case err != nil:
		return err
	case status != 0:
		return fault.WithHint(&editorError{strings.Fields(editor)[0], status &^ child.BySignal}, "VISUAL or EDITOR names another one")
	}
	return nil
}

// keepsNoCopies are the arguments with which an editor writes a file nowhere else: no
// backup, no history of changes, no registers.
func keepsNoCopies(editor string) []string {
	program, err := exec.LookPath(strings.Fields(editor)[0])
	if err != nil {
		return nil
	}
	switch base := filepath.Base(paths.Real(program)); { // vi may be vim
	case strings.Contains(base, "vim"):
		return []string{"-n", "-i", "NONE", "-c", "set nobackup nowritebackup noundofile viminfo="}
	case strings.HasPrefix(base, "emacs") && !strings.HasPrefix(base, "emacsclient"):
		return []string{"--eval", "(setq make-backup-files nil auto-save-default nil)"}
	}
	return nil
}

// valuesOf are the values that a person has typed, checked as those of the record's
// secret.
func valuesOf(e *engine.Engine, rec *store.Record, data []byte) (secret.Values, error) {
	sec := rec.Secret.Clone()
	sec.Values = secret.Values{}
	if err := exchange.ParseValues("it", data, sec.Values); err != nil {
		return nil, err
	}
	changed := sec.Values.Diff(rec.Secret.Values)
	for _, k := range changed {
		if v, ok := sec.Values[k]; ok && v.Empty() {
			return nil, fault.WithHint(fmt.Errorf("the value of %s is empty", k), "without its line the secret has no such key")
		}
	}
	if len(changed) == 0 {
		return sec.Values, nil
	}
	return sec.Values, e.Exchange.CheckValues(sec, nil)
}
