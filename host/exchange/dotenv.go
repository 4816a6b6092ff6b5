package exchange

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// DotenvOptions say what of a project's files is imported.
type DotenvOptions struct {
	// File is one file, by its absolute path, or a folder, of which and below which all
	// project files are; "" for those of the working folder.
	File string
	// Project is what the secrets are called by; "" for the name of the file's folder.
	Project string
	// Overwrite replaces what the store has from elsewhere, or newer.
	Overwrite bool
}

// PlanDotenv reads the files in which a project keeps variables, and compares them with
// the store. It changes nothing. What the store has under a secret's name from another
// file is not the project's: it is a Conflict, as is a version that this machine has
// not seen.
func (x *Exchange) PlanDotenv(ctx context.Context, opts DotenvOptions) (*Import, error) {
	// Before anything is read: opening a store may start rhx anew.
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	files, err := x.projectFiles(ctx, opts)
	if err != nil {
		return nil, err
	}
	im := &Import{}
	var found []provider.Found
	for _, f := range files {
		if f.Err != nil {
			im.Left = append(im.Left, Leftover{Name: f.Name, Why: f.Err.Error()})
		}
		for _, l := range f.Left {
			im.Left = append(im.Left, Leftover{Name: f.Name + ": " + l.Name, Why: l.Why, NoValue: true})
		}
		for i := range f.Secrets {
			sec := &f.Secrets[i]
			// Of the name as a profile nothing is refused: it is written as %2F and the like.
			if err := secret.ValidName(cmp.Or(sec.Profile, sec.Name)); err != nil {
				return nil, fault.WithHint(fault.WithKind(err, fault.Usage), "--name N gives the project's secrets another name")
			}
			if opens(*sec, st) {
				im.Left = append(im.Left, Leftover{Name: f.Name + ": " + some(variables(&sec.Secret)), Why: "it opens the store"})
				continue
			}
			if slices.ContainsFunc(found, func(g provider.Found) bool { return g.Name == sec.Name }) {
				im.Left = append(im.Left, Leftover{Name: f.Name + ": " + some(variables(&sec.Secret)), Why: "another file's secret is called " + sec.Name + ", too; rhx import dotenv FILE --name N gives this one another name"})
				continue
			}
			sec.Notes = append(sec.Notes, notWrittenBack(&sec.Secret, &f.File)...)
			found = append(found, *sec)
			im.From = append(im.From, f.Name+": "+some(variables(&sec.Secret)))
		}
	}
	im.Plan, err = x.planUpload(ctx, found, func(sec *secret.Secret, old *store.Record) error {
		if opts.Overwrite {
			return nil
		}
		if from := fileOf(&old.Secret); from != fileOf(sec) {
			return fault.WithHint(&OthersError{Name: sec.Name, From: from}, "--name N gives this project's secrets another name; --overwrite replaces it")
		}
		if err := x.stale(ctx, st, place.Here, sec, old); err != nil {
			return fault.WithHint(err, storedOrHere(sec.Name, "--overwrite"))
		}
		return nil
	})
	return im, err
}

// fileOf is the file that a secret was saved from; "" for none.
func fileOf(sec *secret.Secret) string {
	for _, src := range sec.Sources {
		if src.Kind == secret.SourceFile {
			return src.Path
		}
	}
	return ""
}

// storedOrHere is the hint where the store and a file have different values.
func storedOrHere(name, flag string) string {
	return "rhx load " + name + " --overwrite writes what is stored into the file; rhx import dotenv " + flag + " saves what the file has"
}

// OthersError is a name under which the store has something else than what the same
// file held before.
type OthersError struct {
	Name string
	// From is the file that it was saved from, "" for none.
	From string
	// Tool is the tool of which another one was read; "" for a file.
	Tool string
}

func (e *OthersError) Error() string {
	text := "the store has another " + e.Name + ", "
	switch {
	case e.From != "":
		return text + "from " + e.From
	case e.Tool != "":
		return text + "which is not from " + e.Tool
	}
	return text + "which is not from this file"
}

// projectFiles returns the file that is to be imported, or all of a folder.
func (x *Exchange) projectFiles(ctx context.Context, opts DotenvOptions) ([]detect.ProjectFile, error) {
	if info, err := os.Stat(opts.File); err == nil && info.IsDir() {
		return x.projectTree(ctx, opts)
	}
	if opts.File != "" {
		f, err := x.Detector.ProjectFile(ctx, x.Local, opts.File, opts.Project)
		return []detect.ProjectFile{f}, err
	}
	files, err := x.Detector.Project(ctx, x.Local, opts.Project)
	if err == nil && len(files) == 0 {
		err = fault.WithHint(fmt.Errorf("there is no .env file in this folder, nor another one of a project's variables"), "rhx import dotenv FILE reads a file of another name")
	}
	return files, err
}

// SaveDotenv saves what is new in a plan of PlanDotenv and, with replace, what differs,
// as Upload does, and notes that this machine has it.
func (x *Exchange) SaveDotenv(ctx context.Context, plan []Upload, replace bool) ([]Saved, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return nil, err
	}
	plan = slices.Clone(plan)
	for i := range plan {
		if u := &plan[i]; u.Action == provider.Updated && !replace {
			u.Action, u.Err = provider.Conflict, fault.WithHint(&StoredDiffersError{u.Keys}, storedOrHere(u.Found.Name, "--yes"))
		}
	}
	saved, err := x.Upload(ctx, plan, true)
	if err == nil {
		x.saw(ctx, place.Here, st, saved)
	}
	return saved, err
}

// notWrittenBack says which variables of a secret load could not put into the file again.
func notWrittenBack(sec *secret.Secret, file *projfile.File) []string {
	format, err := codec.New(projfile.Format(file.Name), codec.Options{})
	if err != nil {
		return nil // a file that load does not write
	}
	var notes []string
	names := variables(sec)
	for _, v := range file.Vars {
		if !slices.Contains(names, v.Name) {
			continue
		}
		if _, err := codec.Apply(format, nil, []codec.Edit{{Path: codec.Keys(projfile.Place(file.Name, v.Name)...), Value: codec.Text(v.Value.Reveal())}}); err != nil {
			notes = append(notes, fmt.Sprintf("rhx load cannot write it into %s again: %v", file.Name, err))
		}
	}
	return notes
}

// variables are the names that a secret's values had in a file.
func variables(sec *secret.Secret) []string {
	if sec.Provider == "" {
		return sec.Values.Keys()
	}
	var names []string
	for _, src := range sec.Sources {
		names = append(names, src.Var)
	}
	return names
}

// some is a list of variables for people, cut where it is long. Those that can do more
// than hold a value come first, with what they can do: the file may be a stranger's.
func some(names []string) string {
	const most = 5
	var marked, plain []string
	for _, name := range names {
		if can := hazard.Of(name); can != "" {
			marked = append(marked, name+" ("+can+")")
		} else {
			plain = append(plain, name)
		}
	}
	more := ""
	if len(plain) > most+1 {
		more = fmt.Sprintf(" and %d more", len(plain)-most)
		plain = plain[:most]
	}
	return joined(append(marked, plain...)) + more
}
