package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/spec"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

type providersCmd struct {
	Name string `arg:"" predictor:"provider" optional:"" help:"Show all that this one reads and writes."`
}

// providerJSON is a provider in JSON.
type providerJSON struct {
	Name    string      `json:"name"`
	Title   string      `json:"title"`
	Docs    string      `json:"docs,omitempty"`
	Aliases []string    `json:"aliases,omitempty"`
	Values  []valueJSON `json:"values"`
	Files   []fileJSON  `json:"files"`
	// Document is a variable that holds the whole secret as JSON.
	Document string `json:"document,omitempty"`
	Spec     string `json:"spec"`
}

type valueJSON struct {
	Name     string   `json:"name"`
	Env      []string `json:"env,omitempty"`
	Public   bool     `json:"public"`
	Optional bool     `json:"optional"`
	Pattern  string   `json:"pattern,omitempty"`
}

type fileJSON struct {
	Path     string   `json:"path"`
	Override []string `json:"override,omitempty"`
	Format   string   `json:"format"`
	Module   string   `json:"module,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Write    bool     `json:"write"`
	Mode     string   `json:"mode"`
}

func (c *providersCmd) Run(_ context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.Name != "" {
		sp, err := e.Specs.Get(c.Name)
		if err != nil {
			return err
		}
		return a.printProvider(describe(sp))
	}
	all, err := e.Specs.All()
	if err != nil {
		a.warn(err.Error())
	}
	out := make([]providerJSON, 0, len(all))
	rows := make([][]string, 0, len(all))
	for _, sp := range all {
		j := describe(sp)
		out = append(out, j)
		rows = append(rows, []string{j.Name, j.Title, strings.Join(places(j), ", ")})
	}
	if done, err := a.data(out); done {
		return err
	}
	return a.table([]string{"NAME", "FOR", "KEPT IN"}, rows)
}

func describe(sp *spec.Spec) providerJSON {
	j := providerJSON{Name: sp.Name, Title: sp.Title, Docs: sp.Docs, Aliases: sp.Aliases, Document: sp.Document, Spec: sp.Origin, Values: []valueJSON{}, Files: []fileJSON{}}
	for _, v := range sp.Values {
		vj := valueJSON{Name: v.Name, Env: v.Env, Public: v.Public, Optional: v.Optional}
		if v.Pattern != nil {
			vj.Pattern = v.Pattern.Text
		}
		j.Values = append(j.Values, vj)
	}
	for i := range sp.Files {
		f := &sp.Files[i]
		fj := fileJSON{Path: f.Path(goos()), Format: f.Format, Write: !f.ReadOnly, Mode: fmt.Sprintf("%04o", f.Mode)}
		for _, o := range f.Override {
			text := o.Var
			if o.Rel != "" {
				text += "/" + o.Rel
			}
			fj.Override = append(fj.Override, text)
		}
		if f.Wasm != "" {
			fj.Format, fj.Module, fj.Digest = "wasm", f.Wasm, f.WasmDigest
			if module, ok := wasm.Module(f.Wasm); ok && fj.Digest == "" {
				fj.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256(module))
			}
		}
		j.Files = append(j.Files, fj)
	}
	return j
}

// places are where a provider's secret is kept, for a table.
func places(j providerJSON) []string {
	var out []string
	for _, f := range j.Files {
		out = append(out, f.Path)
	}
	for _, v := range j.Values {
		if len(v.Env) > 0 {
			out = append(out, "$"+v.Env[0])
		}
	}
	if j.Document != "" {
		out = append(out, "$"+j.Document)
	}
	return out
}

func (a *app) printProvider(j providerJSON) error {
	if done, err := a.data(j); done {
		return err
	}
	fmt.Fprintf(a.Out, "%s: %s\n%s\n", j.Name, j.Title, j.Docs)
	if len(j.Aliases) > 0 {
		fmt.Fprintf(a.Out, "also called: %s\n", strings.Join(j.Aliases, ", "))
	}
	fmt.Fprintf(a.Out, "spec: %s\n\nvalues:\n", j.Spec)
	for _, v := range j.Values {
		kind := "secret"
		if v.Public {
			kind = "public"
		}
		if v.Optional {
			kind += ", optional"
		}
		text := fmt.Sprintf("  %s (%s)", v.Name, kind)
		if len(v.Env) > 0 {
			text += "  $" + strings.Join(v.Env, ", $")
		}
		fmt.Fprintln(a.Out, text)
	}
	if j.Document != "" {
		fmt.Fprintf(a.Out, "  all of them as one JSON document  $%s\n", j.Document)
	}
	if len(j.Files) > 0 {
		fmt.Fprintln(a.Out, "\nfiles:")
	}
	for _, f := range j.Files {
		verb := "read and written"
		if !f.Write {
			verb = "read only"
		}
		fmt.Fprintf(a.Out, "  %s  (%s, %s, mode %s)\n", f.Path, f.Format, verb, f.Mode)
		if len(f.Override) > 0 {
			fmt.Fprintf(a.Out, "    moved by $%s\n", strings.Join(f.Override, ", $"))
		}
		if f.Module != "" {
			fmt.Fprintf(a.Out, "    module %s, %s\n", f.Module, f.Digest)
		}
	}
	return nil
}
