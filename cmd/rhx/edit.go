package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

type editCmd struct {
	Secret string `arg:"" predictor:"stored" help:"The secret's name."`
}

func (c *editCmd) Help() string {
	return `Opens the values in $VISUAL, $EDITOR or vi, as lines KEY=VALUE, or as JSON where such lines cannot hold them. What you save there becomes a new version. Nothing is saved where the editor fails or the file is unchanged, or where somebody else has saved the secret meanwhile.

The file is in a folder in memory (XDG_RUNTIME_DIR or /dev/shm) that only you can read, and that goes with the editor, however rhx ends. vim and emacs are told to keep no copies elsewhere; for other editors see docs/stores.md.

Examples:
  rhx edit aws/prod
  VISUAL='code --wait' rhx edit db`
}

// maxEdited is how much an edited file may hold, in bytes.
const maxEdited = 16 << 20

func (c *editCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if a.NoInput {
		return fault.WithHint(fault.WithKind(errors.New("rhx edit asks an editor, and --no-input says to ask nobody"), fault.Usage), "rhx save "+c.Secret+" KEY=- takes a value from a pipe")
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	rec, err := e.Records.Get(ctx, c.Secret, 0)
	if err != nil {
		return err
	}
	if rec.Secret.Provider != "" {
		if _, err := e.Specs.Get(rec.Secret.Provider); err != nil {
			return err // before anything is typed
		}
	}
	values, err := a.edited(e, rec)
	if err != nil || values == nil {
		return err
	}
	saved, err := e.Exchange.Replace(ctx, rec, values)
	if err != nil {
		return err
	}
	return a.printSaved([]exchange.Saved{saved})
}

// edited returns the values that a person makes of those of a record; nil for none, which
// is said.
func (a *app) edited(e *engine.Engine, rec *store.Record) (values secret.Values, err error) {
	about := fmt.Sprintf("%s, version %d: lines KEY=VALUE, as rhx save --values has them.", term.Line(rec.Name), rec.Version)
	name, text, err := exchange.ValuesFile(&rec.Secret, keysOf(specOf(e, rec.Secret.Provider), rec.Secret.Values), about,
		"A line that you take out takes the key out. A file that is not changed changes nothing.")
	if err != nil {
		return nil, err
	}
	if !child.InMemory(a.Getenv) {
		a.warn("this system has no folder in memory: while the editor runs, the values are in a file on its disk, which only you can read")
	}
	dir, release, err := child.PrivateFolder(a.Getenv)
	if err != nil {
		return nil, err
	}
	defer func() {
		if left := release(); left != nil {
			a.warn(left.Error() + "; the next rhx edit tries again")
		}
	}()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	for {
		if err := a.openEditor(dir, file); err != nil {
			return nil, err
		}
		data, err := ownfile.ReadNoLink(file, maxEdited)
		if err != nil {
			return nil, fmt.Errorf("nothing was saved: read what was edited: %w", err)
		}
		if values, err = valuesOf(e, rec, data); err == nil {
			if len(values.Diff(rec.Secret.Values)) == 0 {
				a.say(rec.Name + ": not changed")
				return nil, nil
			}
			return values, nil
		}
		a.report(rec.Name, err)
		if !a.canAsk() || !a.ask("Edit it again? If not, what you typed is gone.") {
			return nil, errors.New("nothing was saved")
		}
	}
}

// openEditor has a person edit a file.
func (a *app) openEditor(dir, file string) error {
	editor := cmp.Or(strings.TrimSpace(a.Getenv("VISUAL")), strings.TrimSpace(a.Getenv("EDITOR")), "vi")
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
		return fault.WithHint(fmt.Errorf("the editor %s ended with the status %d; nothing was saved", strings.Fields(editor)[0], status&^child.BySignal), "VISUAL or EDITOR names another one")
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
