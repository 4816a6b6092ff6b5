package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// data prints v as JSON or YAML, as -o says; false where a table is wanted.
func (a *app) data(v any) (bool, error) {
	if a.Output == "table" {
		return false, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return true, err
	}
	escape := escapeJSON
	if a.Output == "yaml" {
		// Through JSON, so that both have the same fields in the same order. YAML takes
		// some characters only escaped that JSON takes as they are.
		var n yaml.Node
		if err := yaml.Unmarshal(forProgram(b.Bytes(), true, escapeYAML), &n); err != nil {
			return true, err
		}
		block(&n, a.OutTTY)
		b.Reset()
		yenc := yaml.NewEncoder(&b)
		yenc.SetIndent(2)
		if err := yenc.Encode(&n); err != nil {
			return true, err
		}
		escape = escapeYAML
	}
	_, err := a.Data().Write(forProgram(b.Bytes(), a.OutTTY, escape))
	return true, err
}

// block takes the JSON look from a YAML tree. With quoted, strings that are not fit
// for a terminal are in quotes, where they can be escaped.
func block(n *yaml.Node, quoted bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!str":
		n.Style = 0
	case quoted && !term.Safe(n.Value):
		n.Style = yaml.DoubleQuotedStyle
	default:
		var s yaml.Node
		s.SetString(n.Value)
		n.Style = s.Style
	}
	for _, c := range n.Content {
		block(c, quoted)
	}
}

// forProgram is text for programs as it is written: unchanged, but on a terminal
// with what that would obey escaped by the language's own means, so that it still
// says the same.
func forProgram(data []byte, tty bool, escape func(rune) string) []byte {
	if !tty || term.Safe(string(data)) {
		return data
	}
	var b bytes.Buffer
	for _, r := range string(data) {
		if term.Safe(string(r)) {
			b.WriteRune(r)
		} else {
			b.WriteString(escape(r))
		}
	}
	return b.Bytes()
}

func escapeJSON(r rune) string {
	if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
		return fmt.Sprintf(`\u%04x\u%04x`, hi, lo)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

func escapeYAML(r rune) string { return fmt.Sprintf(`\U%08x`, r) }

// exact prints what is for programs alone, byte for byte. It is refused on a
// terminal that would obey a part of it: shown in another form it would not be
// the same, and nobody would see that.
func (a *app) exact(what, text string) error {
	if a.OutTTY && !term.Safe(strings.ReplaceAll(text, "\r\n", "\n")) {
		return fault.WithHint(fmt.Errorf("%s has control characters, which this terminal would obey; it is not printed", what),
			"to a file or a pipe it goes as it is; -o json shows it on a terminal")
	}
	_, err := io.WriteString(a.Data(), text)
	return err
}

// table prints rows under a header, in columns.
func (a *app) table(header []string, rows [][]string) error { return a.stateTable(header, rows, 0) }

// stateTable is table with states, which have their colours, from a column on.
func (a *app) stateTable(header []string, rows [][]string, from int) error {
	return a.Print(term.Table{Header: header, Rows: rows, States: from})
}

// maxShown is how many characters of a public value a table shows.
const maxShown = 40

// valuesCell is a secret's values for a table: public ones as they are, the
// others masked unless they are to be revealed.
func valuesCell(sp *spec.Spec, values secret.Values, reveal bool) string {
	var parts []string
	of := shown(sp, values, reveal)
	for _, k := range keysOf(sp, values) {
		text := of(k)
		if r := []rune(text); !reveal && len(r) > maxShown {
			text = string(r[:maxShown-1]) + "…"
		}
		parts = append(parts, k+"="+text)
	}
	return strings.Join(parts, "  ")
}

// keysOf returns the keys of values in the order in which people see them.
func keysOf(sp *spec.Spec, values secret.Values) []string {
	if sp == nil {
		return values.Keys()
	}
	return sp.Order(values.Keys())
}

// placesCell is the places of a secret for people.
func placesCell(sources []secret.Source) string {
	texts := make([]string, len(sources))
	for i, s := range sources {
		texts[i] = s.String()
	}
	return strings.Join(texts, ", ")
}

// shown returns the values of a secret as they may be shown.
func shown(sp *spec.Spec, values secret.Values, reveal bool) func(key string) string {
	public := provider.Public(sp, values)
	return func(key string) string {
		if reveal || public(key) {
			return values[key].Reveal()
		}
		return values[key].String()
	}
}

// shownAll is every value of a secret as it may be shown.
func shownAll(sp *spec.Spec, values secret.Values, reveal bool) map[string]string {
	out := make(map[string]string, len(values))
	text := shown(sp, values, reveal)
	for k := range values {
		out[k] = text(k)
	}
	return out
}

// ago is a time for people.
func ago(t time.Time, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return ""
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute") + " ago"
	case d < 24*time.Hour:
		return plural(int(d/time.Hour), "hour") + " ago"
	case d < 30*24*time.Hour:
		return plural(int(d/(24*time.Hour)), "day") + " ago"
	}
	return t.Local().Format("2006-01-02")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
