package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// editing is one rhx edit.
type editing struct {
	a *app
	e *engine.Engine
	// rec is the version that is edited: the newest that was seen.
	rec *store.Record
	// kept is what was typed and is not saved yet; nil for nothing.
	kept *exchange.Draft

	dir, name string
	opened    []byte // what the editor has found in the file
}

// file is the path of what is edited.
func (ed *editing) file() string { return filepath.Join(ed.dir, ed.name) }

// run has a person edit the values until they are saved, or given up; nil for not changed,
// which is said.
func (ed *editing) run(ctx context.Context) (*exchange.Saved, error) {
	if !child.InMemory(ed.a.Getenv) {
		ed.a.warn("this system has no folder in memory: while the editor runs, the values are in a file on its disk, which only you can read")
	}
	dir, release, err := child.PrivateFolder(ed.a.Getenv)
	if err != nil {
		return nil, err
	}
	ed.dir = dir
	defer func() {
		if left := release(); left != nil {
			ed.a.warn(left.Error() + "; the next rhx edit tries again")
		}
	}()
	if err := ed.first(ctx); err != nil {
		return nil, err
	}
	for {
		text, err := ed.edit()
		if killed := (*editorError)(nil); errors.As(err, &killed) && killed.status > 128 && len(text) > 0 {
			return nil, ed.keep(ctx, text, err)
		}
		if err != nil {
			return nil, ed.told(err)
		}
		saved, again, err := ed.save(ctx, text)
		if !again {
			return saved, err
		}
	}
}

// write has the editor find a text in the file.
func (ed *editing) write(name string, text []byte) error {
	if ed.name != "" {
		_ = os.Remove(ed.file()) // that may have another name
	}
	ed.name, ed.opened = name, text
	return os.WriteFile(ed.file(), text, 0o600)
}

// first writes the file: the values of the store, or what was kept.
func (ed *editing) first(ctx context.Context) error {
	if ed.kept == nil {
		about := fmt.Sprintf("%s, version %d: lines KEY=VALUE, as rhx save --values has them.", term.Line(ed.rec.Name), ed.rec.Version)
		name, text, err := exchange.ValuesFile(&ed.rec.Secret, keysOf(specOf(ed.e, ed.rec.Secret.Provider), ed.rec.Secret.Values), about,
			"A line that you take out takes the key out. A file that is not changed changes nothing.")
		if err != nil {
			return err
		}
		return ed.write(name, text)
	}
	mine := secret.Values{}
	if ed.kept.Version == ed.rec.Version || exchange.ParseValues("it", ed.kept.Text, mine) != nil {
		return ed.write(ed.kept.File, ed.kept.Text)
	}
	var base secret.Values
	old, err := ed.e.Records.Get(ctx, ed.rec.Name, ed.kept.Version)
	switch {
	case err == nil:
		base = old.Secret.Values
	case !errors.Is(err, store.ErrNotFound): // it is deleted: what it had is not known
		return err
	}
	return ed.merge(exchange.Merge(base, ed.rec.Secret.Values, mine), ed.kept.Version)
}

// merge writes the file of values that two people have changed since version base.
func (ed *editing) merge(m exchange.Merged, base int) error {
	about := []string{fmt.Sprintf("%s: what you typed over version %d, now over version %d.", term.Line(ed.rec.Name), base, ed.rec.Version)}
	if len(m.Theirs) > 0 {
		about = append(about, fmt.Sprintf("Of version %d: %s.", ed.rec.Version, term.Line(strings.Join(m.Theirs, ", "))))
	}
	if len(m.Both) > 0 {
		about = append(about, "Both have changed these, and yours are below:")
	}
	sec := ed.rec.Secret.Clone()
	sec.Values = m.Values
	name, text, err := exchange.ValuesFile(sec, keysOf(specOf(ed.e, sec.Provider), sec.Values), append(about, m.Conflicts(ed.rec.Secret.Values, ed.rec.Version)...)...)
	if err != nil {
		return err
	}
	return ed.write(name, text)
}

// edit opens the editor, and returns what is in the file then; with an error of the editor
// what was typed, if anything was.
func (ed *editing) edit() ([]byte, error) {
	editErr := ed.a.openEditor(ed.dir, ed.file())
	text, err := ownfile.ReadNoLink(ed.file(), maxInput)
	switch {
	case editErr != nil && (err != nil || bytes.Equal(text, ed.opened)):
		return nil, editErr
	case editErr != nil:
		return text, editErr
	case err != nil:
		return nil, fmt.Errorf("nothing was saved: read what was edited: %w", err)
	}
	return text, nil
}

// save saves what was typed; again, where the editor is to be opened anew.
func (ed *editing) save(ctx context.Context, text []byte) (saved *exchange.Saved, again bool, err error) {
	if ed.kept != nil && len(bytes.TrimSpace(text)) == 0 {
		ed.a.say(ed.rec.Name + ": what was kept is dropped")
		return nil, false, ed.kept.Drop()
	}
	values, err := valuesOf(ed.e, ed.rec, text)
	if err != nil {
		return ed.retry(ctx, text, err, "Edit it again?")
	}
	if len(values.Diff(ed.rec.Secret.Values)) == 0 {
		ed.a.say(ed.rec.Name + ": not changed")
		return nil, false, ed.kept.Drop()
	}
	// An editor that was left without a change says yes to the store's values only.
	if bytes.Equal(text, ed.opened) && !(ed.a.canAsk() && ed.a.ask("The file was not changed. Save it as it is?")) {
		return nil, false, ed.told(errors.New("nothing was saved"))
	}
	for {
		one, err := ed.e.Exchange.Replace(ctx, ed.rec, values)
		switch {
		case err == nil:
			return &one, false, ed.kept.Drop()
		case errors.Is(err, store.ErrConflict):
			return ed.conflict(ctx, text, values, err)
		}
		if _, again, err = ed.retry(ctx, text, err, "Try again to save it?"); !again {
			return nil, false, err
		}
	}
}

// conflict is what is done where somebody else has saved the secret meanwhile.
func (ed *editing) conflict(ctx context.Context, text []byte, values secret.Values, conflict error) (*exchange.Saved, bool, error) {
	base := ed.rec
	newest, err := ed.e.Records.Get(ctx, base.Name, 0)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, ed.keep(ctx, text, fmt.Errorf("%w; nothing was saved", conflict))
	}
	if err != nil {
		return nil, false, ed.keep(ctx, text, errors.Join(conflict, err))
	}
	m := exchange.Merge(base.Secret.Values, newest.Secret.Values, values)
	said := fmt.Sprintf("somebody saved version %d while you edited version %d", newest.Version, base.Version)
	if len(m.Both) > 0 {
		said += ", and both have changed " + strings.Join(m.Both, ", ")
	}
	saved, again, err := ed.retry(ctx, text, errors.New(said), fmt.Sprintf("Edit it again, over version %d?", newest.Version))
	if again {
		ed.rec = newest
		err = ed.merge(m, base.Version)
	}
	return saved, again && err == nil, err
}

// retry says why nothing was saved, keeps what was typed, and asks whether to go on.
func (ed *editing) retry(ctx context.Context, text []byte, why error, question string) (*exchange.Saved, bool, error) {
	if len(bytes.TrimSpace(text)) == 0 || !ed.a.canAsk() {
		return nil, false, ed.keep(ctx, text, fault.WithHint(fmt.Errorf("%s: %w; nothing was saved", ed.rec.Name, why), fault.Hint(why)))
	}
	ed.a.report(ed.rec.Name, why)
	// First, so that nothing is lost by Ctrl-C at the question either.
	kept := ed.keep(ctx, text, errors.New("nothing was saved"))
	if isKept(ed.kept, text) {
		question += fmt.Sprintf(" If not, it is kept: rhx edit %s --kept goes on with it.", ed.rec.Name)
	} else {
		ed.a.report(ed.rec.Name, kept)
		question += " If not, what you typed is gone."
	}
	return nil, ed.a.ask(question), kept
}

func isKept(d *exchange.Draft, text []byte) bool { return d != nil && bytes.Equal(d.Text, text) }

// keep keeps what was typed, and returns the error with how to go on.
func (ed *editing) keep(ctx context.Context, text []byte, why error) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return why
	}
	if !isKept(ed.kept, text) {
		d := &exchange.Draft{Name: ed.rec.Name, Version: ed.rec.Version, File: ed.name, Text: text, Kept: time.Now().UTC()}
		// Also where somebody has pressed Ctrl-C.
		if err := ed.e.Exchange.KeepDraft(context.WithoutCancel(ctx), d); err != nil {
			return fault.WithHint(fmt.Errorf("%w, and what you typed could not be kept: %w", why, err), fault.Hint(err))
		}
		before := ed.kept
		ed.kept = d
		if err := before.Drop(); err != nil {
			ed.a.warn(err.Error())
		}
	}
	return ed.told(why)
}

// told adds to an error how to go on with what is kept.
func (ed *editing) told(err error) error {
	if ed.kept == nil {
		return err
	}
	hint := fmt.Sprintf("what you typed is kept, sealed: rhx edit %s --kept goes on with it", ed.rec.Name)
	if h := fault.Hint(err); h != "" {
		hint = h + "\n" + hint
	}
	return fault.WithHint(err, hint)
}
