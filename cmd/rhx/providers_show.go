package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/rhx-dev/rhx/host/helper"
	"github.com/rhx-dev/rhx/host/spec"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

// providerJSON is a provider in JSON.
type providerJSON struct {
	Name    string      `json:"name"`
	Title   string      `json:"title"`
	Group   string      `json:"group,omitempty"`
	Docs    string      `json:"docs,omitempty"`
	Aliases []string    `json:"aliases,omitempty"`
	Values  []valueJSON `json:"values"`
	Files   []fileJSON  `json:"files"`
	// Document is a variable that holds the whole secret as JSON.
	Document string      `json:"document,omitempty"`
	Use      []useJSON   `json:"use,omitempty"`
	Helper   []helpsJSON `json:"helper,omitempty"`
	// Harden are the clients that read it from its file and can ask rhx instead.
	Harden []string `json:"harden,omitempty"`
	Spec   string   `json:"spec"`
}

type valueJSON struct {
	Name     string   `json:"name"`
	Env      []string `json:"env,omitempty"`
	Public   bool     `json:"public"`
	Optional bool     `json:"optional"`
	Rotates  bool     `json:"rotates,omitempty"`
	Pattern  string   `json:"pattern,omitempty"`
}

type fileJSON struct {
	Path     string   `json:"path"`
	Override []string `json:"override,omitempty"`
	Format   string   `json:"format"`
	Module   string   `json:"module,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Profiles string   `json:"profiles,omitempty"`
	Write    bool     `json:"write"`
	Mode     string   `json:"mode"`
}

type useJSON struct {
	Hosts []string `json:"hosts"`
	// Where are the hosts, or what says which.
	Where string `json:"where"`
	// How says where in a request the secret is.
	How string `json:"how"`
}

// helpsJSON is a protocol by which clients can ask for the secret.
type helpsJSON struct {
	Protocol string   `json:"protocol"`
	For      []string `json:"for,omitempty"`
}

func describe(sp *spec.Spec) providerJSON { return describeOn(sp, goos()) }

// describeOn is describe with the paths of a system.
func describeOn(sp *spec.Spec, goos string) providerJSON {
	j := providerJSON{Name: sp.Name, Title: sp.Title, Group: sp.Group, Docs: sp.Docs, Aliases: sp.Aliases, Document: sp.Document, Spec: sp.Origin, Values: []valueJSON{}, Files: []fileJSON{}}
	for _, v := range sp.Values {
		vj := valueJSON{Name: v.Name, Env: v.Env, Public: v.Public, Optional: v.Optional, Rotates: v.Rotates}
		if v.Pattern != nil {
			vj.Pattern = v.Pattern.Text
		}
		j.Values = append(j.Values, vj)
	}
	for i := range sp.Files {
		j.Files = append(j.Files, describeFile(&sp.Files[i], goos))
	}
	for _, c := range helper.Readers(sp.Name) {
		j.Harden = append(j.Harden, c.Name)
	}
	for i := range sp.Use {
		j.Use = append(j.Use, useJSON{append([]string{}, sp.Use[i].Hosts...), sp.Use[i].Where(), sp.Use[i].How()})
	}
	for _, protocol := range spec.Protocols() {
		helps := helpsJSON{Protocol: protocol}
		all := sp.HelpersFor(protocol)
		for _, h := range all {
			for _, at := range h.For {
				if !slices.Contains(helps.For, at) {
					helps.For = append(helps.For, at)
				}
			}
		}
		if len(all) > 0 {
			j.Helper = append(j.Helper, helps)
		}
	}
	return j
}

func describeFile(f *spec.File, goos string) fileJSON {
	j := fileJSON{Path: f.Path(goos), Format: f.Format, Write: !f.ReadOnly, Mode: fmt.Sprintf("%04o", f.Mode), Profiles: profilesOf(f)}
	for _, o := range f.Override {
		text := o.Var
		if o.Rel != "" {
			text += "/" + o.Rel
		}
		j.Override = append(j.Override, text)
	}
	if f.Wasm != "" {
		j.Format, j.Module, j.Digest = "wasm", f.Wasm, f.WasmDigest
		if module, ok := wasm.Module(f.Wasm); ok && j.Digest == "" {
			j.Digest = fmt.Sprintf("sha256:%x", sha256.Sum256(module))
		}
	}
	return j
}

// profilesOf says in words what a file's profiles are; "" where it is one.
func profilesOf(f *spec.File) string {
	p := f.Profiles
	switch {
	case f.PerFile():
		return "each file is one"
	case p == nil:
		return ""
	case p.Section == "*":
		return "each section is one"
	case p.Section != "":
		return "each section [" + strings.Replace(p.Section, "*", "NAME", 1) + "] is one"
	case p.Option != "":
		return "each option " + strings.Replace(p.Option, "*", "NAME", 1) + " is one"
	case len(p.Keys) > 0:
		return "each entry of " + p.Keys.String() + " is one"
	case p.Keys != nil:
		return "each entry is one"
	case p.Entries != nil:
		return "each item of " + p.Entries.String() + " is one, by its " + p.Name
	}
	return "several"
}

// printProvider prints all that there is to know of a provider.
func (a *app) printProvider(j providerJSON) error {
	if done, err := a.data(j); done {
		return err
	}
	fmt.Fprintf(a.Out, "%s: %s\n", j.Name, j.Title)
	if j.Docs != "" {
		fmt.Fprintf(a.Out, "how to get one: %s\n", j.Docs)
	}
	if len(j.Aliases) > 0 {
		fmt.Fprintf(a.Out, "also called: %s\n", strings.Join(j.Aliases, ", "))
	}
	if i := slices.IndexFunc(spec.Groups(), func(g spec.Group) bool { return g.Name == j.Group }); i >= 0 {
		fmt.Fprintf(a.Out, "group: %s (%s)\n", j.Group, spec.Groups()[i].Title)
	}
	fmt.Fprintf(a.Out, "spec: %s\n", j.Spec)
	a.printValues(j)
	a.printFiles(j)
	if len(j.Use) > 0 {
		fmt.Fprintln(a.Out, "\nsent by clients to:")
	}
	for _, u := range j.Use {
		fmt.Fprintf(a.Out, "  %s\n    %s\n", u.Where, u.How)
	}
	fmt.Fprintln(a.Out, "\nwhat rhx can do with it:")
	w := tabwriter.NewWriter(a.Out, 0, 4, 2, ' ', 0)
	for _, able := range abilities(j) {
		fmt.Fprintf(w, "  %s\t%s\n", able[0], able[1])
	}
	return w.Flush()
}

func (a *app) printValues(j providerJSON) {
	fmt.Fprintln(a.Out, "\nvalues:")
	for _, v := range j.Values {
		kind := "secret"
		if v.Public {
			kind = "public"
		}
		if v.Optional {
			kind += ", optional"
		}
		if v.Rotates {
			kind += ", good for one machine"
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
}

func (a *app) printFiles(j providerJSON) {
	if len(j.Files) > 0 {
		fmt.Fprintln(a.Out, "\nfiles:")
	}
	for _, f := range j.Files {
		verb := "read and written"
		if !f.Write {
			verb = "read only"
		}
		fmt.Fprintf(a.Out, "  %s  (%s, %s, mode %s)\n", f.Path, f.Format, verb, f.Mode)
		if f.Profiles != "" {
			fmt.Fprintf(a.Out, "    profiles: %s\n", f.Profiles)
		}
		if len(f.Override) > 0 {
			fmt.Fprintf(a.Out, "    moved by $%s\n", strings.Join(f.Override, ", $"))
		}
		if f.Module != "" {
			fmt.Fprintf(a.Out, "    module %s, %s\n", f.Module, f.Digest)
		}
	}
}

// abilities are the commands that do something with a provider's secret, and what.
func abilities(j providerJSON) [][2]string {
	writes := slices.ContainsFunc(j.Files, func(f fileJSON) bool { return f.Write })
	vars := j.Document != "" || slices.ContainsFunc(j.Values, func(v valueJSON) bool { return len(v.Env) > 0 })
	out := [][2]string{
		{"rhx detect " + j.Name, "finds it on this machine"},
		{"rhx save " + j.Name, "keeps it in the store"},
	}
	if writes {
		out = append(out,
			[2]string{"rhx load " + j.Name, "puts it into its file here"},
			[2]string{"rhx sync HOST -s " + j.Name, "and on other machines"},
		)
	}
	if vars {
		out = append(out, [2]string{"rhx run -s " + j.Name + " -- COMMAND", "gives its variables to a command"})
	}
	if vars && len(j.Use) > 0 {
		out = append(out, [2]string{"rhx run --broker -s " + j.Name + " -- COMMAND", "lets a command use it at those hosts and not have it"})
	}
	for _, client := range j.Harden {
		out = append(out, [2]string{"rhx harden " + j.Name, "takes it out of its file: " + client + " asks rhx instead"})
	}
	for _, helps := range j.Helper {
		for _, client := range helper.Clients() {
			if client.Protocol != helps.Protocol {
				continue
			}
			text := "has " + client.Name + " ask rhx for it"
			if len(helps.For) > 0 {
				text += ", at " + strings.Join(helps.For, ", ")
			}
			out = append(out, [2]string{"rhx helper install " + client.Name, text})
		}
	}
	return out
}
