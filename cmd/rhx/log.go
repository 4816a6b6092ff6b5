package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/session"
)

type logCmd struct {
	Secret string `arg:"" optional:"" predictor:"stored" help:"Only of this secret."`
	Last   int    `short:"n" help:"The last N events; 0 for all." default:"50" placeholder:"50"`
	Verify bool   `help:"Say whether lines of the log were changed, added or cut."`
}

func (c *logCmd) Help() string {
	return `The local log: when, who, by which command and from which program, which secret, to which machine and place or which program, and what the broker used it for. It has every write to the store and every read of values, what --reason said, and no values. It is never sent anywhere.

Examples:
  rhx log aws/prod
  rhx log --verify`
}

func (c *logCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Last < 0 {
		return fault.WithKind(errors.New("--last counts from 0, which is for all events"), fault.Usage)
	}
	if c.Verify {
		if c.Secret != "" {
			return fault.WithKind(errors.New("--verify is for the whole log, and takes no secret"), fault.Usage)
		}
		return a.verifyLog(ctx, e)
	}
	all, err := e.Book.Events()
	if fault.KindOf(err) == fault.Partial {
		a.warn(err.Error())
	} else if err != nil {
		return err
	}
	var events []session.Event
	for _, e := range all {
		if c.Secret == "" || e.Secret == c.Secret || slices.Contains(e.Secrets, c.Secret) {
			events = append(events, e)
		}
	}
	if c.Last > 0 && len(events) > c.Last {
		events = events[len(events)-c.Last:]
	}
	if events == nil {
		events = []session.Event{}
	}
	if done, err := a.data(events); done {
		return err
	}
	if len(events) == 0 {
		if c.Secret != "" && len(all) > 0 {
			a.say("Nothing in the log is about " + c.Secret + ".")
		} else {
			a.say("Nothing is in the log yet.")
		}
		return nil
	}
	header := []string{"TIME", "USER", "COMMAND", "SECRET", "MACHINE", "PLACE", "ACTION", "KEYS", "FROM"}
	if slices.ContainsFunc(events, func(e session.Event) bool { return e.Reason != "" }) {
		header = append(header, "REASON")
	}
	rows := logRows(events, c.Secret, len(header))
	if a.OutTTY && a.Width() < logWidth {
		a.sayLog(rows)
		return nil
	}
	return a.table(header, rows)
}

// sayLog shows the log in a narrow terminal.
func (a *app) sayLog(rows [][]string) {
	for _, r := range rows {
		a.say(words(r[0], r[1]+":", r[2], r[3]))
		keys, from := "", ""
		if r[7] != "" {
			keys = "(" + r[7] + ")"
		}
		if r[8] != "" {
			from = "from " + r[8]
		}
		a.say("  " + words(r[4]+":", r[5], r[6], keys, from))
		if len(r) > 9 && r[9] != "" {
			a.say("  " + r[9])
		}
	}
}

// logRows are the rows of events, of so many columns; only is the secret that was asked
// for, if any.
func logRows(events []session.Event, only string, columns int) [][]string {
	rows := make([][]string, 0, len(events))
	for _, e := range events {
		place, secret, action := e.Path, e.Secret, e.Action
		switch {
		case e.Var != "":
			place = "$" + e.Var
		case e.To != "":
			place = e.To
		}
		if e.Stored > 0 {
			action += fmt.Sprintf(" version %d", e.Stored)
		}
		if e.Status > 0 {
			action += fmt.Sprintf(" %d", e.Status)
		}
		if e.Times > 1 {
			action += fmt.Sprintf(", %d times", e.Times)
		}
		if n := len(e.Secrets); n > 0 && only != "" {
			secret = only
		} else if n > shownTogether {
			secret = fmt.Sprintf("%s and %d more", strings.Join(e.Secrets[:shownTogether], ", "), n-shownTogether)
		} else if n > 0 {
			secret = strings.Join(e.Secrets, ", ")
		}
		row := []string{e.Time.Local().Format("2006-01-02 15:04:05"), e.User, e.Command, secret, e.Machine, place, action, strings.Join(e.Keys, ", "), e.Caller, e.Reason}
		rows = append(rows, row[:columns])
	}
	return rows
}

// shownTogether is how many secrets of one event a row names.
const shownTogether = 3

// verifyLog says whether the log is as rhx wrote it.
func (a *app) verifyLog(ctx context.Context, e *engine.Engine) error {
	check, err := e.Book.VerifyLog(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d entries", check.Entries)
	if check.Unproven > 0 {
		text += fmt.Sprintf(", %d of them written while there was no key or it was locked", check.Unproven)
	}
	if check.Older > 0 {
		text += fmt.Sprintf("; %d from before entries were proven", check.Older)
	}
	_, err = a.printVerified(check, "log", text, check.Problems, check.Notes)
	if err == nil && len(check.Problems) > 0 {
		err = exitCode(1)
	}
	return err
}

// printVerified says whether the log or the store is as rhx wrote it: found is all that
// a program gets, and text what there is. done reports that it was printed for one.
func (a *app) printVerified(found any, what, text string, problems, notes []string) (done bool, err error) {
	if done, err = a.data(found); done || err != nil {
		return done, err
	}
	for _, note := range notes {
		a.warn(note)
	}
	for _, p := range problems {
		a.say(p)
	}
	is := "is"
	if len(problems) > 0 {
		is = "is not"
	}
	a.say(fmt.Sprintf("The %s %s as rhx wrote it: %s.", what, is, text))
	return false, nil
}

// logWidth is how wide a terminal has to be for the log as a table: in a narrower one
// most cells would have several lines.
const logWidth = 100

// words joins those that are not empty.
func words(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

// logGiven notes which secrets a program gets.
func logGiven(e *engine.Engine, command string, at place.Place, to string, env *project.Environment) {
	logGivenAs(e, command, at, to, func(string) string { return "given" }, env)
}

// logGivenAs is logGiven where the secrets have actions of their own.
func logGivenAs(e *engine.Engine, command string, at place.Place, to string, action func(secret string) string, env *project.Environment) {
	var events []session.Event
	add := func(name string) {
		if name != "" && !slices.ContainsFunc(events, func(e session.Event) bool { return e.Secret == name }) {
			events = append(events, session.Event{Command: command, Machine: at.String(), Secret: name, To: filepath.Base(to), Action: action(name)})
		}
	}
	for _, v := range env.Vars {
		add(v.Secret)
	}
	for _, rec := range env.Files {
		add(rec.Secret.Name)
	}
	e.Book.Note(events)
}
