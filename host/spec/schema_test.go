package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/strictyaml/schematest"
)

// onlyParse are parts of the errors that no schema can find: they are about what
// something refers to, how often a key is there, or what is in a text.
func onlyParse() []string {
	return []string{
		"is set twice", "which values does not have", "has no YAML aliases", "neither the profile nor one of the file's keys before it", "several YAML documents",
		"not a regular expression", "sends no secret value", "answers with no secret value", "is not a file name pattern", "or a pattern of values", "a key must be text",
	}
}

func TestSchema(t *testing.T) {
	check := schematest.Compile(t, spec.Schema())
	names, err := filepath.Glob("../../specs/*.yaml")
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range accepted() {
		if err := check([]byte(c.text)); err != nil {
			t.Errorf("%s: %v in\n%s", c.name, err, c.text)
		}
	}
	refusals := 0
	for _, c := range refused() {
		if strings.Contains(c.want, "the file is empty") || strings.Contains(c.want, "did not find") {
			continue // no document at all
		}
		expressible := true
		for _, part := range onlyParse() {
			expressible = expressible && !strings.Contains(c.want, part)
		}
		if err := check([]byte(c.text)); err == nil && expressible {
			t.Errorf("the schema accepts %s, which is %s:\n%s", c.name, c.want, c.text)
		}
		if expressible {
			refusals++
		}
	}
	if refusals < 60 {
		t.Errorf("only %d of the mistakes are found", refusals)
	}
	for _, fields := range []string{
		"    format: json\n    keys: {k: {att: a}}\n", "    format: json\n    keys: {k: a}\n    add: {b: {txt: c}}\n",
		"    format: json\n    keys: {k: a}\n    states: {state: exec, at: b, win: true}\n", "    format: json\n    keys: {k: a}\n    modes: 0600\n",
		"    format: json\n    keys: {k: a}\n    profiles: {key: a}\n", "    format: {wasm: m, rand: true}\n", "    format: json\n    keys: {k: [a, b.]}\n",
		"    format: json\n    override: {lists: A}\n    keys: {k: a}\n", "    format: json\n    keys: {k: 'a[x]'}\n", "    format: json\n    keys: {k: '\"a'}\n",
	} {
		if err := check([]byte(withFile(fields))); err == nil {
			t.Errorf("the schema accepts %s", fields)
		}
	}
}

// What Parse accepts, the schema does, whatever it is.
func FuzzSchema(f *testing.F) {
	for _, c := range accepted() {
		f.Add(c.text)
	}
	for _, c := range refused() {
		f.Add(c.text)
	}
	check := schematest.Compile(f, spec.Schema())
	f.Fuzz(func(t *testing.T, text string) {
		// Editors have YAML 1.2: an alias, a merge, a tag or yes for true is another
		// matter, and so is a mode.
		if strings.ContainsAny(text, "&<!") || strings.Contains(text, ": *") || strings.Contains(text, "mode") {
			return
		}
		if _, err := spec.Parse("f", []byte(text)); err != nil {
			return
		}
		if err := check([]byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	})
}

// A place is what the schema says it is, and nothing else.
func FuzzPlaces(f *testing.F) {
	for _, text := range []string{".", "a", "a.b", "a..b", "a.", ".a", `"a.b".c`, `"a"b`, "a[x=y]", "a.[x=y]", "[x=]", "[=y]", "a{b", "{b.c}.d", "a.{b}", "*", "a[x={p}].b", `a"b`, "a[b", "{}", ""} {
		f.Add(text)
	}
	check := schematest.Compile(f, spec.Schema())
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || r == '\'' }) {
			return // the schema of text in YAML is not what is tried here
		}
		_, err := spec.ParsePath(text)
		doc := withFile("    format: json\n    keys: {k: '" + text + "'}\n")
		if schemaErr := check([]byte(doc)); (err == nil) != (schemaErr == nil) {
			t.Errorf("%s: %v, and by the schema %v", text, err, schemaErr)
		}
	})
}

// Every group of the language is in the schema, and no other.
func TestSchemaGroups(t *testing.T) {
	check := schematest.Compile(t, spec.Schema())
	for _, g := range spec.Groups() {
		if err := check([]byte(minimal + "group: " + g.Name + "\n")); err != nil {
			t.Error(err)
		}
		if g.Title == "" {
			t.Errorf("%s has no title", g.Name)
		}
	}
}
