package deliver

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// formats are the forms of files that a user names, by the ending of the name.
var formats = map[string]string{".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".env": "dotenv"}

// formatOf is the form that a file's name says; "" where it says none. ".env" and
// ".env.local" are dotenv files, too, and so are some others of projects.
func formatOf(file string) string {
	base := path.Base(file)
	if strings.HasPrefix(base, ".env.") {
		return "dotenv"
	}
	if format := projfile.Format(file); format != "" {
		return format
	}
	return formats[strings.ToLower(path.Ext(file))]
}

// formFor returns by which spec, and with which values, a secret is written: its
// provider's, or for a file that the user named the form that its ending says.
func formFor(sp *spec.Spec, sec *secret.Secret, to string) (*spec.Spec, *secret.Secret, error) {
	own := sp != nil && len(sp.Files) > 0
	if to == "" && ofVariables(sec) {
		return nil, sec, ErrVariablesOnly // a project's name is none of a profile in the provider's file
	}
	format := formatOf(to)
	if format == "" && wasIn(sec, to) {
		format = "dotenv"
	}
	if own && (to == "" || format == "" || hasFormat(sp, format) && !ofVariables(sec)) {
		return sp, sec, nil
	}
	if to == "" {
		return nil, sec, ErrVariablesOnly
	}
	if format == "" {
		return nil, sec, fault.WithKind(fmt.Errorf("cannot tell the format of %s: its name should end in .json, .yaml, .toml, .tfvars or .env", to), fault.Usage)
	}
	// Such a file has no profiles.
	whole := &secret.Secret{Name: sec.Name, Values: sec.Values}
	if (format == "dotenv" || projfile.Format(to) != "") && sp != nil {
		var env bundle.Env
		env.Add(sp, sec)
		vars, err := env.Vars()
		if err != nil {
			return nil, sec, err
		}
		whole.Values = secret.Values{}
		for _, v := range vars {
			for _, name := range namesOf(sec, v, to) {
				whole.Values[name] = v.Value
			}
		}
	}
	base, err := BaseSpec(whole, to, format)
	if err == nil && (format == "dotenv" || projfile.Format(to) != "") {
		// The file's keys are variables.
		switch {
		case sp == nil:
			base.Unsafe = slices.DeleteFunc(sec.Values.Keys(), func(key string) bool { return !hazard.Runs(key) })
		case provider.Unasked(sp, sec) != nil:
			base.Unsafe = []string{sp.Document}
		}
	}
	return base, whole, err
}

// ofVariables reports whether a secret was saved from variables in a file.
func ofVariables(sec *secret.Secret) bool {
	return slices.ContainsFunc(sec.Sources, func(src secret.Source) bool { return src.Kind == secret.SourceFile && src.Var != "" })
}

// wasIn reports whether a secret was saved from variables in the file to, which the user
// named then, whatever it is called.
func wasIn(sec *secret.Secret, to string) bool {
	return slices.ContainsFunc(sec.Sources, func(src secret.Source) bool {
		rest, home := strings.CutPrefix(src.Path, "~/")
		return src.Kind == secret.SourceFile && src.Own && (sec.Provider == "" || src.Var != "") &&
			(src.Path == to || home && strings.HasSuffix(to, "/"+rest))
	})
}

// namesOf are the names under which a variable goes into a file: those that it had in
// the file that the secret was saved from, or else the first that its provider reads, as
// the file has such names.
func namesOf(sec *secret.Secret, v bundle.Var, to string) []string {
	var names []string
	for _, src := range sec.Sources {
		known := projfile.Known(src.Path, src.Var)
		if src.Kind == secret.SourceFile && (known == v.Name || slices.Contains(v.Also, known)) {
			names = append(names, src.Var)
		}
	}
	if names == nil {
		return []string{projfile.Named(to, v.Name)}
	}
	return names
}

func hasFormat(sp *spec.Spec, format string) bool {
	for i := range sp.Files {
		if f := &sp.Files[i]; f.Format == format && !f.ReadOnly {
			return true
		}
	}
	return false
}

// BaseSpec is how a secret that has no file of its own is written to one that the
// user named: its keys at the top level, or where a project file has them.
func BaseSpec(sec *secret.Secret, to, format string) (*spec.Spec, error) {
	f := spec.File{Paths: spec.Paths{Default: to}, Format: format, Mode: 0o600}
	sp := &spec.Spec{Name: sec.Name, Any: true}
	for _, k := range sec.Values.Keys() {
		var at spec.Path
		for _, step := range projfile.Place(to, k) {
			if step == "*" || strings.Contains(step, "{") {
				return nil, fmt.Errorf("the key %q cannot be written to a file", k)
			}
			at = append(at, spec.PathStep{Key: step})
		}
		sp.Values = append(sp.Values, spec.Value{Name: k})
		f.Keys = append(f.Keys, spec.Key{Value: k, At: []spec.Path{at}})
	}
	sp.Files = []spec.File{f}
	return sp, nil
}

// SpecAt returns by which spec, and with which values, a secret was written to a file
// that the user named or the provider has.
func SpecAt(sp *spec.Spec, sec *secret.Secret, file string) (*spec.Spec, *secret.Secret, error) {
	return formFor(sp, sec, file)
}
