package spec_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/spec"
)

func TestParsePath(t *testing.T) {
	key := func(k string) spec.PathStep { return spec.PathStep{Key: k} }
	for _, c := range []struct {
		text, str string
		want      spec.Path
	}{
		{".", ".", spec.Path{}},
		{"a", "a", spec.Path{key("a")}},
		{"a.b-c.d_e", "a.b-c.d_e", spec.Path{key("a"), key("b-c"), key("d_e")}},
		{`"a.b".c`, `"a.b".c`, spec.Path{key("a.b"), key("c")}},
		{`"a"`, "a", spec.Path{key("a")}},
		{`""`, `""`, spec.Path{key("")}},
		{`"."`, `"."`, spec.Path{key(".")}},
		{`"*"`, `"*"`, spec.Path{key("*")}},
		{"a.*.b", "a.*.b", spec.Path{key("a"), {Key: "*", Any: true}, key("b")}},
		{"l[name=x].y", "l[name=x].y", spec.Path{key("l"), {Field: "name", Equals: "x"}, key("y")}},
		{"l.[name=]", "l[name=]", spec.Path{key("l"), {Field: "name"}}},
		{"[n=a=b][m=c]", "[n=a=b][m=c]", spec.Path{{Field: "n", Equals: "a=b"}, {Field: "m", Equals: "c"}}},
		{"u[name={c.user}].t", "u[name={c.user}].t", spec.Path{key("u"), {Field: "name", Equals: "{c.user}"}, key("t")}},
		{"a.{c.user}.b", "a.{c.user}.b", spec.Path{key("a"), key("{c.user}"), key("b")}},
		{`"x.{profile}"`, `"x.{profile}"`, spec.Path{key("x.{profile}")}},
		{`a"b`, `a"b`, spec.Path{key(`a"b`)}},
		{`a]b`, `a]b`, spec.Path{key(`a]b`)}},
		{"https://x", "https://x", spec.Path{key("https://x")}},
		{"ü ber", "ü ber", spec.Path{key("ü ber")}},
	} {
		p, err := spec.ParsePath(c.text)
		if err != nil || !reflect.DeepEqual(p, c.want) {
			t.Errorf("ParsePath(%q) = %#v, %v", c.text, p, err)
			continue
		}
		if p.String() != c.str {
			t.Errorf("ParsePath(%q).String() = %q, not %q", c.text, p.String(), c.str)
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":           `a path is empty; the whole document is "."`,
		".a":         `path ".a": a step is empty`,
		"a..b":       `path "a..b": a step is empty`,
		"a.":         `path "a.": steps are separated by one dot`,
		`"a`:         `path "\"a": a quote is not closed`,
		`"a"b`:       `path "\"a\"b": steps are separated by one dot`,
		"a[":         `path "a[": a list step is [FIELD=TEXT]`,
		"a[b]":       `path "a[b]": a list step is [FIELD=TEXT]`,
		"a[=b]":      `path "a[=b]": a list step is [FIELD=TEXT]`,
		"a[b=c]d":    `path "a[b=c]d": steps are separated by one dot`,
		"a{b":        `path "a{b": a hole is {NAME}, in a key or behind the = of a list step`,
		"a.{}":       `path "a.{}": a hole is {NAME}, in a key or behind the = of a list step`,
		"{a{b}}":     `path "{a{b}}": a hole is {NAME}, in a key or behind the = of a list step`,
		"l[{x}=y]":   `path "l[{x}=y]": a hole is {NAME}, in a key or behind the = of a list step`,
		`"a{b".c`:    `path "\"a{b\".c": a hole is {NAME}, in a key or behind the = of a list step`,
		"l[n={x].a}": `path "l[n={x].a}": a hole is {NAME}, in a key or behind the = of a list step`,
	} {
		if p, err := spec.ParsePath(text); err == nil || err.Error() != want {
			t.Errorf("ParsePath(%q) = %#v, %v; not %s", text, p, err, want)
		}
	}
}

func TestPathHolesAndExpand(t *testing.T) {
	p, err := spec.ParsePath(`u[name={c.user}]."{profile}.x".z`)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Holes(); !slices.Equal(got, []string{"c.user", "profile"}) {
		t.Error(got)
	}
	at, ok := p.Expand(func(hole string) (string, bool) { return "<" + hole + ">", true })
	want := codec.Path{{Key: "u"}, {Field: "name", Equals: "<c.user>"}, {Key: "<profile>.x"}, {Key: "z"}}
	if !ok || !slices.Equal(at, want) {
		t.Errorf("%v %v", at, ok)
	}
	// What a value holds is not looked through for holes again.
	if text, ok := spec.Fill("a{x}b}", func(string) (string, bool) { return "{x}", true }); !ok || text != "a{x}b}" {
		t.Errorf("%q %v", text, ok)
	}
	if _, ok := p.Expand(func(string) (string, bool) { return "", false }); ok {
		t.Error("a hole that nothing fills was expanded")
	}
	any, err := spec.ParsePath("a.*")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := any.Expand(func(string) (string, bool) { return "", true }); ok {
		t.Error(`"*" was expanded`)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{".", "a.b", `"a.b".*.c`, `l[n={x.y}].""`, "{a.b}", `"*"`, "a}.b", `a"b.c`, "[a=b].c", `"a{b}"`, "{a}.{b}[c={d}]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := spec.ParsePath(text)
		if err != nil {
			if p != nil {
				t.Fatalf("%q: a path and an error", text)
			}
			return
		}
		q, err := spec.ParsePath(p.String())
		if err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%q: %#v is written %q, read as %#v, %v", text, p, p.String(), q, err)
		}
		// With its holes filled by text without braces, a path without "*" expands.
		any := slices.ContainsFunc(p, func(s spec.PathStep) bool { return s.Any })
		if _, ok := p.Expand(func(string) (string, bool) { return "v", true }); ok == any {
			t.Fatalf("%q: expands: %v", text, ok)
		}
	})
}
