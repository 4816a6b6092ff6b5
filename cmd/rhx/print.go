package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

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
	if a.Output == "yaml" {
		// Through JSON, so that both have the same fields in the same order.
		var n yaml.Node
		if err := yaml.Unmarshal(b.Bytes(), &n); err != nil {
			return true, err
		}
		block(&n)
		b.Reset()
		yenc := yaml.NewEncoder(&b)
		yenc.SetIndent(2)
		if err := yenc.Encode(&n); err != nil {
			return true, err
		}
	}
	_, err := a.Out.Write(b.Bytes())
	return true, err
}

// block takes the JSON look from a YAML tree.
func block(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" {
		var s yaml.Node
		s.SetString(n.Value)
		n.Style = s.Style
	} else {
		n.Style = 0
	}
	for _, c := range n.Content {
		block(c)
	}
}

// table prints rows under a header, in columns.
func (a *app) table(header []string, rows [][]string) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = printable(r[i])
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		line = strings.TrimRight(line, " ")
		if i == 0 {
			line = a.paint("1", line, a.OutTTY)
		}
		if _, err := fmt.Fprintln(a.Out, line); err != nil {
			return err
		}
	}
	return nil
}

// printable keeps control characters, which a file's author may have chosen,
// from a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}

// maxShown is how many characters of a public value a table shows.
const maxShown = 40

// valuesCell is a secret's values for a table: public ones as they are, the
// others masked unless they are to be revealed.
func valuesCell(sp *spec.Spec, values secret.Values, reveal bool) string {
	var parts []string
	for _, k := range keysOf(sp, values) {
		text := shown(sp, k, values[k], reveal)
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

// shown is a value as it may be shown.
func shown(sp *spec.Spec, key string, v secret.Value, reveal bool) string {
	if reveal || sp != nil && sp.Public(key) {
		return v.Reveal()
	}
	return v.String()
}

// shownAll is every value of a secret as it may be shown.
func shownAll(sp *spec.Spec, values secret.Values, reveal bool) map[string]string {
	out := make(map[string]string, len(values))
	for k, v := range values {
		out[k] = shown(sp, k, v, reveal)
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
