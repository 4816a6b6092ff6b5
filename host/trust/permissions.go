package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/spec"
)

// What a module of others may use; the sandbox holds it to that.
const (
	moduleMemory  = "64 MiB"
	moduleSeconds = 2
)

// permissions says, a line each, all that a spec lets rhx read, write, set and
// run, on any operating system.
func permissions(s *spec.Spec) []string {
	var out []string
	for i := range s.Files {
		f := &s.Files[i]
		verb := "read and write"
		if f.ReadOnly {
			verb = "read"
		}
		line := verb + " " + places(f) + ", " + how(f)
		if !f.ReadOnly {
			line += fmt.Sprintf(", mode %04o", f.Mode)
		}
		line += fileDanger(f)
		out = append(out, line)
		for _, add := range f.Add {
			out = append(out, fmt.Sprintf("write %s = %q into %s", add.At, add.Text, f.Path("")))
		}
		for _, k := range f.Keys {
			if len(k.Inline) > 0 {
				var fields []string
				for _, in := range k.Inline {
					fields = append(fields, in.Field)
				}
				slices.Sort(fields)
				out = append(out, fmt.Sprintf("read the certificates and keys that %s names in %s", f.Path(""), strings.Join(fields, ", ")))
			}
		}
	}
	for _, v := range s.Values {
		kind := "secret"
		if v.Public {
			kind = "public"
		}
		for i, name := range v.Env {
			verb := "read and set"
			if i > 0 {
				verb = "read"
			}
			line := fmt.Sprintf("%s $%s, for %s (%s)", verb, name, v.Name, kind)
			if i == 0 && hazard.Runs(name) {
				line += varDanger
			}
			out = append(out, line)
		}
	}
	if s.Document != "" {
		line := fmt.Sprintf("read and set $%s, for all values", s.Document)
		if hazard.Runs(s.Document) {
			line += varDanger
		}
		out = append(out, line)
	}
	for _, name := range s.Ambient {
		out = append(out, fmt.Sprintf("see whether $%s is set", name))
	}
	if m := module(s); m != "" {
		out = append(out, fmt.Sprintf("run %s.wasm in the sandbox, with at most %s of memory and %d s a call", m, moduleMemory, moduleSeconds))
	}
	for i := range s.Files {
		if s.Files[i].Random {
			out = append(out, fmt.Sprintf("give %s.wasm this machine's randomness", s.Files[i].Wasm))
			break
		}
	}
	for i := range s.Use {
		u := &s.Use[i]
		out = append(out, fmt.Sprintf("have it sent to %s (%s)", u.Where(), u.How()))
	}
	for i := range s.Helpers {
		line := "have rhx answer " + s.Helpers[i].Protocol + " with it"
		if at := s.Helpers[i].For; len(at) > 0 {
			line += ", for " + strings.Join(at, ", ")
		}
		out = append(out, line)
	}
	return append(out, "reach hosts: none")
}

// places are the paths of a file on all systems, and the variables that move it.
func places(f *spec.File) string {
	text := f.Paths.Default
	for _, goos := range []string{"darwin", "linux", "windows"} {
		if p := f.Path(goos); p != f.Paths.Default {
			text += fmt.Sprintf(", on %s %s", goos, p)
		}
	}
	for _, o := range f.Override {
		switch {
		case o.List:
			text += fmt.Sprintf(", or the files that $%s lists", o.Var)
		case o.Rel != "":
			text += fmt.Sprintf(", or $%s/%s", o.Var, o.Rel)
		default:
			text += fmt.Sprintf(", or the file that $%s names", o.Var)
		}
	}
	return text
}

func how(f *spec.File) string {
	switch {
	case f.Wasm != "":
		return "by " + f.Wasm + ".wasm"
	case f.Format == "keypair":
		return "and .pub beside it, as keypair"
	}
	return "as " + f.Format
}

func module(s *spec.Spec) string {
	for i := range s.Files {
		if s.Files[i].Wasm != "" {
			return s.Files[i].Wasm
		}
	}
	return ""
}
