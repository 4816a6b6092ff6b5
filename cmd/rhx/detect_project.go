package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// project returns the project files in this folder, with what was asked for of them,
// and the names that were asked for and are no secret's in them.
func (c *detectCmd) project(ctx context.Context, a *app, e *engine.Engine) ([]detect.ProjectFile, []string) {
	if a.On != "" {
		return nil, c.Providers // the working folder is this machine's
	}
	files, err := e.Detector.Project(ctx, e.Local, "")
	if err != nil {
		a.warn(err.Error())
	}
	// One of which nothing is a value, such as an empty file, is of no interest here.
	files = slices.DeleteFunc(files, func(f detect.ProjectFile) bool { return f.Err == nil && len(f.Secrets) == 0 })
	if len(c.Providers) == 0 || len(files) == 0 {
		return files, c.Providers
	}
	names := slices.Clone(c.Providers)
	var wanted []detect.ProjectFile
	for _, f := range files {
		f.Secrets = slices.DeleteFunc(f.Secrets, func(s provider.Found) bool {
			i := slices.Index(names, s.Name)
			if i >= 0 {
				names = slices.Delete(names, i, i+1)
			}
			return i < 0 && !slices.ContainsFunc(c.Providers, func(name string) bool {
				sp, err := e.Specs.Get(name)
				return err == nil && s.Provider == sp.Name
			})
		})
		if f.Err != nil || len(f.Secrets) > 0 {
			wanted = append(wanted, f)
		}
	}
	return wanted, names
}

// projectJSON is what project files have, for programs.
func projectJSON(e *engine.Engine, files []detect.ProjectFile, reveal bool) ([]foundJSON, error) {
	var out []foundJSON
	for _, f := range files {
		if f.Err != nil {
			out = append(out, foundJSON{
				ProjectFile: f.Name, Sources: []secret.Source{{Kind: secret.SourceFile, Path: f.Path}},
				State: provider.Invalid, Error: f.Err.Error(),
			})
		}
		for _, s := range f.Secrets {
			var sp *spec.Spec
			if s.Provider != "" {
				var err error
				if sp, err = e.Specs.Get(s.Provider); err != nil {
					return nil, err
				}
			}
			out = append(out, foundJSON{
				ProjectFile: f.Name, Name: s.Name, Provider: s.Provider, Profile: s.Profile, Sources: s.Sources, State: s.State,
				Values: shownAll(sp, s.Values, reveal), Notes: s.Notes,
			})
		}
	}
	return out, nil
}

// printProject shows the project files, without values.
func (a *app) printProject(files []detect.ProjectFile) error {
	var rows [][]string
	for _, f := range files {
		var has []string
		for _, s := range f.Secrets {
			if s.Provider == "" {
				has = append(has, plural(len(s.Values), "variable"))
				if len(f.Secrets) > 1 {
					has[len(has)-1] = fmt.Sprintf("%d more", len(s.Values))
				}
				continue
			}
			var vars []string
			for _, src := range s.Sources {
				vars = append(vars, src.Var)
			}
			has = append(has, fmt.Sprintf("%s (%s)", s.Provider, strings.Join(vars, ", ")))
		}
		if f.Err != nil {
			has = []string{"broken: " + f.Err.Error()}
		}
		rows = append(rows, []string{f.Name, strings.Join(has, ", ")})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := a.table([]string{"IN THIS PROJECT", "VARIABLES"}, rows); err != nil {
		return err
	}
	if slices.ContainsFunc(files, func(f detect.ProjectFile) bool { return len(f.Secrets) > 0 }) {
		a.say("rhx import dotenv saves them.")
	}
	return nil
}
