package vaultstore

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// version decodes the fields of a secret.
func version(t *testing.T, text string) (secret.Values, fields) {
	t.Helper()
	var data map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&data); err != nil {
		t.Fatal(err)
	}
	return decodeValues(data)
}

func encoded(t *testing.T, values secret.Values, f fields) string {
	t.Helper()
	b, err := json.Marshal(encodeValues(values, f))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestForeignFieldsArePutAsTheyWere(t *testing.T) {
	for _, text := range []string{
		`{"a":1,"b":"x"}`, `{"a":null}`, `{"a":[],"b":{}}`, `{"a":1.50,"b":1e3,"c":-0}`, `{"a":true,"b":"true"}`,
		`{"a":["rhx:base64:"]}`, `{"a":["rhx:base64:",1]}`, `{"a":{"b":{"c":[null]}}}`,
		// Texts that look as if rhx had encoded them, and a key that does.
		`{"a":"rhx:base64:QQ=="}`, `{"a":"rhx:base64:no"}`, `{"rhx:base64:QQ==":"x"}`, `{"rhx:base64:QQ==":1}`, `{"A":"x","rhx:base64:QQ==":"y"}`,
	} {
		values, f := version(t, text)
		if got := encoded(t, values, f); got != text {
			t.Errorf("%s came back as %s", text, got)
		}
	}
	// What rhx writes itself is not foreign.
	for _, text := range []string{`{"a":"x","b":""}`, `{"a":"rhx:base64:/w=="}`, `{"a":["rhx:base64:","x","y"]}`, `{"rhx:base64:/w==":"x"}`} {
		if _, f := version(t, text); f != nil {
			t.Errorf("%s has the foreign fields %v", text, f)
		}
	}
}

func TestAKeyWithAnotherTextIsNotForeignAnyMore(t *testing.T) {
	values, f := version(t, `{"a":1,"b":true,"c":null}`)
	values["a"] = secret.NewValue("2")
	delete(values, "b")
	values["d"] = secret.NewValue("1")
	if got := encoded(t, values, f); got != `{"a":"2","c":null,"d":"1"}` {
		t.Error(got)
	}
	if still := f.of(values); len(still) != 1 || still["c"].key != "c" {
		t.Errorf("%v", still)
	}
}

func TestSeenVersions(t *testing.T) {
	var s seen
	add := func(path string, n int, text string) secret.Values {
		values, f := version(t, text)
		s.add(path, n, values, f)
		return values
	}
	check := func(what, path string, values secret.Values, expect int, want string) {
		t.Helper()
		if got := encoded(t, values, s.fields(path, values, expect)); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	one := add("p", 1, `{"a":1,"b":"x"}`)
	two := add("p", 2, `{"a":"1","b":"y"}`)
	changed := secret.Values{"a": secret.NewValue("1"), "b": secret.NewValue("z")}
	check("the values of a version", "p", one, 2, `{"a":1,"b":"x"}`)
	check("the values of a version of texts", "p", two, 2, `{"a":"1","b":"y"}`)
	check("the version that is replaced", "p", changed, 2, `{"a":"1","b":"z"}`)
	check("the older one is replaced", "p", changed, 1, `{"a":1,"b":"z"}`)
	check("any version is the newest", "p", changed, store.AnyVersion, `{"a":"1","b":"z"}`)
	check("a version that was not seen", "p", changed, 3, `{"a":"1","b":"z"}`)
	check("another entry", "q", one, 1, `{"a":"1","b":"x"}`)
	// Read again, a version is what it is now, and the later of two counts.
	again := add("p", 1, `{"a":true,"b":"x"}`)
	check("read again", "p", again, 2, `{"a":true,"b":"x"}`)
	add("p", 3, `{"a":[1],"b":"x"}`)
	add("p", 2, `{"a":"[1]","b":"x"}`)
	check("any version is the one with the highest number", "p", secret.Values{"a": secret.NewValue("[1]")}, store.AnyVersion, `{"a":[1]}`)

	// What the caller does with the values later does not count.
	mine := add("m", 1, `{"a":1}`)
	mine["a"] = secret.NewValue("2")
	check("changed later", "m", secret.Values{"a": secret.NewValue("1")}, 0, `{"a":1}`)

	// Texts alone are not remembered, and of an entry a bounded number.
	add("t", 1, `{"a":"x"}`)
	add("t", 2, `{"a":"y"}`)
	if _, ok := s.versions["t"]; ok {
		t.Error("versions of texts are remembered")
	}
	for n := range maxSeen + 5 {
		add("b", n+1, `{"a":1}`)
	}
	if l := s.versions["b"]; len(l) != maxSeen || l[0].number != 6 || l[maxSeen-1].number != maxSeen+5 {
		t.Errorf("%d versions, from %d", len(l), l[0].number)
	}
	s.clear()
	check("forgotten", "p", one, 1, `{"a":"1","b":"x"}`)
}
