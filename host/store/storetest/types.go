package storetest

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// typed is a secret as another program writes it.
func typed() map[string]any {
	return map[string]any{
		"port": 5432, "ratio": 1.5, "tls": true, "none": nil, "list": []any{1, "a", nil}, "object": map[string]any{"a": map[string]any{"b": false}},
		"empty list": []any{}, "number in a text": "5432", "bool in a text": "true", "user": "fake",
	}
}

// wantFields compares the JSON of what another client reads.
func wantFields(t *testing.T, r Raw, name string, want map[string]any) {
	t.Helper()
	got, err := json.Marshal(r.Read(name))
	if err != nil {
		t.Fatal(err)
	}
	if w, err := json.Marshal(want); err != nil || string(got) != string(w) {
		t.Errorf("%q is %s for others, want %s", name, got, w)
	}
}

// set puts the newest version again with another value of one key.
func set(t *testing.T, s store.Store, name, key, value string) {
	t.Helper()
	r := get(t, s, name, 0)
	r.Secret.Values[key] = secret.NewValue(value)
	put(t, s, &r.Secret, r.Version)
}

func testTypes(t *testing.T, c Config) {
	if c.Raw == nil {
		return // all that such a store holds are texts
	}
	open := c.New(t)
	s := open()
	raw := c.Raw(t, s)
	want := typed()
	raw.Write("a", want)

	set(t, s, "a", "user", "other")
	want["user"] = "other"
	wantFields(t, raw, "a", want)
	// Once more, by the handle that wrote and by another one.
	set(t, s, "a", "more", "fake")
	want["more"] = "fake"
	wantFields(t, raw, "a", want)
	s = open()
	set(t, s, "a", "user", "a third")
	want["user"] = "a third"
	wantFields(t, raw, "a", want)

	// A key that gets another value, and one that goes, are no longer theirs.
	r := get(t, s, "a", 0)
	delete(r.Secret.Values, "tls")
	r.Secret.Values["port"] = secret.NewValue("5433")
	put(t, s, &r.Secret, r.Version)
	delete(want, "tls")
	want["port"] = "5433"
	wantFields(t, raw, "a", want)
	set(t, s, "a", "port", "5432")
	want["port"] = "5432"
	wantFields(t, raw, "a", want)

	// Another secret with the same values is not theirs.
	other := get(t, s, "a", 0).Secret
	other.Name = "b"
	put(t, s, &other, 0)
	wantFields(t, raw, "b", textsOf(&other))
}

// testTypesOfVersions brings versions of others back, and texts that look like them.
func testTypesOfVersions(t *testing.T, c Config) {
	if c.Raw == nil || c.NewestOnly {
		return
	}
	open := c.New(t)
	s := open()
	raw := c.Raw(t, s)
	raw.Write("a", typed())
	raw.Write("a", map[string]any{"port": "5432", "user": "other"})

	// As a rollback does: the version that is wanted, then the newest.
	back := func(version int) {
		t.Helper()
		old := get(t, s, "a", version)
		put(t, s, &old.Secret, get(t, s, "a", 0).Version)
	}
	back(1)
	wantFields(t, raw, "a", typed())
	back(2)
	wantFields(t, raw, "a", map[string]any{"port": "5432", "user": "other"})
	// The version that is replaced says what the other keys are, not an older one.
	set(t, s, "a", "user", "a third")
	wantFields(t, raw, "a", map[string]any{"port": "5432", "user": "a third"})
	back(1)
	set(t, s, "a", "user", "a fourth")
	want := maps.Clone(typed())
	want["user"] = "a fourth"
	wantFields(t, raw, "a", want)
	// Many versions on, it is still so.
	for n := range 12 {
		set(t, s, "a", "user", fake(n))
	}
	back(1)
	wantFields(t, raw, "a", typed())
}

func textsOf(s *secret.Secret) map[string]any {
	texts := map[string]any{}
	for k, v := range s.Values {
		texts[k] = v.Reveal()
	}
	return texts
}
