package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/spec"
)

// Template is a text with values of secrets in it.
type Template []Part

// Part is a piece of text, or a reference.
type Part struct {
	Text string
	// Secret and Key name a value; EnvVar names a variable of the environment that
	// rhx was started in. At most one of the two is set.
	Secret, Key string
	EnvVar      string
	// Filter is how the value is written: see Filters.
	Filter string
}

// Filters lists how a value can be written into a text: url as a part of an
// address (percent-encoded), json as the inside of a JSON string, shell as one
// word of a POSIX shell, base64.
func Filters() []string { return []string{"url", "json", "shell", "base64"} }

// parseTemplate reads ${SECRET.KEY}, ${SECRET.KEY|FILTER} and ${env.VARIABLE};
// $${ stands for ${. A $ before anything else stands for itself. split divides
// what is in the braces into a declared secret and a key.
func parseTemplate(text string, split func(string) (name, key string, err error)) (Template, error) {
	var t Template
	literal := ""
	flush := func() {
		if literal != "" {
			t = append(t, Part{Text: literal})
			literal = ""
		}
	}
	for text != "" {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			literal += text
			break
		}
		literal += text[:i]
		text = text[i:]
		switch {
		case strings.HasPrefix(text, "$${"):
			literal += "${"
			text = text[3:]
		case strings.HasPrefix(text, "${"):
			inside, rest, ok := strings.Cut(text[2:], "}")
			if !ok {
				return nil, errors.New(`"${" has no "}"; for the two characters themselves write $${`)
			}
			ref, filter, filtered := strings.Cut(inside, "|")
			if filtered && !slices.Contains(Filters(), filter) {
				return nil, fmt.Errorf("there is no way %q to write a value (known: %s)", filter, strings.Join(Filters(), ", "))
			}
			p := Part{Filter: filter}
			if name, ok := strings.CutPrefix(ref, "env."); ok {
				if p.EnvVar = name; !spec.ValidVar(name) {
					return nil, fmt.Errorf("${env.%s}: %q is not the name of a variable", name, name)
				}
			} else {
				var err error
				if p.Secret, p.Key, err = split(ref); err != nil {
					return nil, err
				}
			}
			flush()
			t = append(t, p)
			text = rest
		default:
			literal += "$"
			text = text[1:]
		}
	}
	flush()
	return t, nil
}

// Expand returns the text with its values. value looks one up.
func (t Template) Expand(value func(Part) (string, error)) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.Secret == "" && p.EnvVar == "" {
			b.WriteString(p.Text)
			continue
		}
		v, err := value(p)
		if err != nil {
			return "", err
		}
		if p.Filter == "json" && !utf8.ValidString(v) {
			return "", fmt.Errorf("%s: the value is not UTF-8, which JSON cannot hold; the filter base64 takes any bytes", Template{p})
		}
		b.WriteString(p.filter(v))
	}
	return b.String(), nil
}

func (p Part) filter(v string) string {
	switch p.Filter {
	case "url":
		return strings.ReplaceAll(url.QueryEscape(v), "+", "%20")
	case "json":
		out, _ := json.Marshal(v) // UTF-8 is always marshalled
		return string(out[1 : len(out)-1])
	case "shell":
		return bundle.ShellQuote(v)
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(v))
	}
	return v
}

// String is the text as it is written in a manifest.
func (t Template) String() string {
	var b strings.Builder
	for _, p := range t {
		switch {
		case p.EnvVar != "":
			b.WriteString("${env." + p.EnvVar)
		case p.Secret != "":
			b.WriteString("${" + p.Secret + "." + p.Key)
		default:
			b.WriteString(strings.ReplaceAll(p.Text, "${", "$${"))
			continue
		}
		if p.Filter != "" {
			b.WriteString("|" + p.Filter)
		}
		b.WriteString("}")
	}
	return b.String()
}
