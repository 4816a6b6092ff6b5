package projfile

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// kind is one of the files that are known.
type kind struct {
	// name is the file's. With variants, names that go on with a dot count, too.
	name     string
	variants bool
	// format is that of package codec in which it is written.
	format string
}

// kinds are the files of which a project's variables are read.
var kinds = []kind{
	{".env", true, "dotenv"},      // dotenv of all languages, docker compose
	{".dev.vars", true, "dotenv"}, // Cloudflare Workers: developers.cloudflare.com/workers/configuration/secrets
}

// notLive are parts of names by which a file is an example for people to copy, or one
// that is encrypted.
var notLive = []string{
	"example", "examples", "sample", "template", "tmpl", "tpl", "dist", "defaults", "schema",
	"vault", "enc", "gpg", "age", "asc",
}

// kindOf is the kind of a file by its name; nil for none.
func kindOf(name string) *kind {
	for i := range kinds {
		k := &kinds[i]
		rest, ok := strings.CutPrefix(name, k.name)
		switch {
		case !ok:
		case rest == "":
			return k
		case k.variants && len(rest) > 1 && rest[0] == '.':
			if slices.ContainsFunc(strings.Split(strings.ToLower(rest[1:]), "."), func(part string) bool { return slices.Contains(notLive, part) }) {
				return nil
			}
			return k
		}
	}
	return nil
}

// Format is the format in which a project file of that name is written; "" where the
// name is that of none.
func Format(name string) string {
	if k := kindOf(name); k != nil {
		return k.format
	}
	return ""
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
