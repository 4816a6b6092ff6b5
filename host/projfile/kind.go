package projfile

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// kind is one of the files that are known.
type kind struct {
	// name is the file's, and dir the folder of the project in which it is; "" for the
	// project's own. With variants, names that go on with a dot count, too; with ends,
	// all names that end so.
	dir, name      string
	variants, ends bool
	// format is that of package codec in which it is written; "" for a program of the
	// shell, which is only read.
	format string
	// in is the map that has the variables; "" for the whole document. beside is another
	// one, whose variables are called by it and a colon.
	in, beside string
	// deep reports that there are variables in maps, too, which are called by their
	// steps: "connections.db.password".
	deep bool
	// lower reports that variables have the names of the environment's in lower case.
	lower bool
}

// kinds are the files of which a project's variables are read.
var kinds = []kind{
	// dotenv of all languages, docker compose
	{name: ".env", variants: true, format: "dotenv"},
	// direnv: direnv.net
	{name: ".envrc"},
	// Cloudflare Workers: developers.cloudflare.com/workers/configuration/secrets
	{name: ".dev.vars", variants: true, format: "dotenv"},
	// Streamlit: docs.streamlit.io/develop/concepts/connections/secrets-management
	{dir: ".streamlit", name: "secrets.toml", format: "toml", deep: true},
	// Azure Functions: learn.microsoft.com/azure/azure-functions/functions-develop-local
	{name: "local.settings.json", format: "json", in: "Values", beside: "ConnectionStrings"},
	// Terraform and OpenTofu: developer.hashicorp.com/terraform/language/values/variables
	{name: ".tfvars", ends: true, format: "hcl", deep: true, lower: true},
	{name: ".tfvars.json", ends: true, format: "json", deep: true, lower: true},
	// Packer: developer.hashicorp.com/packer/guides/hcl/variables
	{name: ".pkrvars.hcl", ends: true, format: "hcl", deep: true, lower: true},
}

// notLive are parts of names by which a file is an example for people to copy, or one
// that is encrypted.
var notLive = []string{
	"example", "examples", "sample", "template", "tmpl", "tpl", "dist", "defaults", "schema",
	"vault", "enc", "gpg", "age", "asc",
}

// kindOf is the kind of a file by the end of its path, with slashes; nil for none.
func kindOf(file string) *kind {
	base, dir := path.Base(file), path.Base(path.Dir(file))
	for i := range kinds {
		k := &kinds[i]
		if stem, ok := strings.CutSuffix(base, k.name); k.ends {
			if ok && stem != "" && !example(stem) {
				return k
			}
			continue
		}
		rest, ok := strings.CutPrefix(base, k.name)
		switch {
		case !ok, k.dir != "" && k.dir != dir:
		case rest == "":
			return k
		case k.variants && len(rest) > 1 && rest[0] == '.':
			if example(rest[1:]) {
				return nil
			}
			return k
		}
	}
	return nil
}

// example reports whether a part of a name says that the file is an example, or encrypted.
func example(name string) bool {
	return slices.ContainsFunc(strings.Split(strings.ToLower(name), "."), func(part string) bool { return slices.Contains(notLive, part) })
}

// Format is the format in which a project file is written; "" where the path is that of
// none, or of one that is only read.
func Format(file string) string {
	if k := kindOf(file); k != nil {
		return k.format
	}
	return ""
}

// Written reports whether variables go back into a file: into all but programs.
func Written(file string) bool {
	k := kindOf(file)
	return k == nil || k.format != ""
}

// Place is where a variable is in a file: the keys that lead to it.
func Place(file, name string) []string {
	k := kindOf(file)
	switch {
	case k == nil:
	case k.in != "":
		if rest, ok := strings.CutPrefix(name, k.beside+":"); ok {
			return []string{k.beside, rest}
		}
		return []string{k.in, name}
	case k.deep:
		return strings.Split(name, ".")
	}
	return []string{name}
}

// Known is what programs and providers call a variable of a file.
func Known(file, name string) string {
	if k := kindOf(file); k != nil && k.lower {
		return strings.ToUpper(name)
	}
	return name
}

// Named is what a file calls a variable that programs and providers know by a name.
func Named(file, name string) string {
	if k := kindOf(file); k != nil && k.lower {
		return strings.ToLower(name)
	}
	return name
}

// Locate divides the path of a file into the project's folder and the name in it.
func Locate(file string) (dir, name string) {
	dir, name = filepath.Split(file)
	dir = filepath.Clean(dir)
	if k := kindOf(filepath.ToSlash(file)); k != nil && k.dir != "" {
		dir, name = filepath.Dir(dir), k.dir+"/"+name
	}
	return dir, name
}

// notAValue says why a text is none that somebody meant: it is empty, stands where one
// is to be put, or names one that is elsewhere. "" for a value.
func notAValue(text string) string {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "it is empty"
	case placeholder().MatchString(text):
		return "it is a placeholder"
	case strings.HasPrefix(text, "encrypted:"), strings.HasPrefix(text, "ENC["): // dotenvx, sops
		return "it is encrypted"
	case strings.HasPrefix(text, "op://"):
		return "it names a value of 1Password"
	}
	return ""
}

var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`x{3,}|\*{3,}|\.{3,}|…|\?{3,}`,
		`[a-z_]{1,10}[-_](?:x{4,}|\*{3,}|\.{3,}|…)`, // sk-xxxx
		`(?:change|replace)[-_ ]?(?:me|this)!*`,
		`(?:(?:[a-z]{1,10}|replace[-_ ]with)[-_ ])?your[-_ ].*`, // sk-your-key, insert your key
		`your[a-z]{0,10}(?:key|token|secret|password|here)`,
		`<[^<>]*>|\{\{.*\}\}|\[your.*\]`,
		`todo|tbd|fixme|placeholder`,
	}, "|") + `)$`)
})
