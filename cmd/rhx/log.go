package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/session"
)

type logCmd struct {
	Secret string `arg:"" optional:"" predictor:"stored" help:"Only of this secret."`
	Last   int    `short:"n" help:"The last N events; 0 for all." default:"50" placeholder:"50"`
}

func (c *logCmd) Help() string {
	return `The local log: when, who, by which command, which secret, to which machine and place or which program. It has no values and is never sent anywhere.`
}

func (c *logCmd) Run(_ context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	all, err := e.Book.Events()
	if fault.KindOf(err) == fault.Partial {
		a.warn(err.Error())
	} else if err != nil {
		return err
	}
	var events []session.Event
	for _, e := range all {
		if c.Secret == "" || e.Secret == c.Secret {
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
	rows := make([][]string, 0, len(events))
	for _, e := range events {
		place := e.Path
		switch {
		case e.Var != "":
			place = "$" + e.Var
		case e.To != "":
			place = e.To
		}
		rows = append(rows, []string{e.Time.Local().Format("2006-01-02 15:04:05"), e.User, e.Command, e.Secret, e.Machine, place, e.Action, strings.Join(e.Keys, ", ")})
	}
	return a.table([]string{"TIME", "USER", "COMMAND", "SECRET", "MACHINE", "PLACE", "ACTION", "KEYS"}, rows)
}

// logGiven notes which secrets a program gets.
func (a *app) logGiven(e *engine.Engine, command, at, to string, env *project.Environment) {
	var events []session.Event
	add := func(name string) {
		if name != "" && !slices.ContainsFunc(events, func(e session.Event) bool { return e.Secret == name }) {
			events = append(events, session.Event{Command: command, Machine: at, Secret: name, To: filepath.Base(to), Action: "given"})
		}
	}
	for _, v := range env.Vars {
		add(v.Secret)
	}
	for _, rec := range env.Files {
		add(rec.Secret.Name)
	}
	if err := e.Book.Log(events); err != nil {
		a.warn("the log could not be written: " + err.Error())
	}
}
