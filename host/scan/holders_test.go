package scan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Of each version the values count that are secret, and of a document the texts in it. Of
// those only the ones are searched for that no other document has.
func TestHoldersOfRecords(t *testing.T) {
	record := func(name string, version int, values map[string]string) *store.Record {
		r := &store.Record{Info: store.Info{Name: name, Version: version}, Secret: secret.Secret{Values: secret.Values{}}}
		for k, v := range values {
			r.Secret.Values[k] = secret.NewValue(v)
		}
		return r
	}
	document := `{"type":"service_account","id":"FAKE0123456789abcdefghi","list":[{"k":"FAKE9876543210abcdefghi"}]}`
	var got []string
	var all []Holder
	for _, h := range Holders([]*store.Record{
		record("a", 3, map[string]string{"user": "me", "pass": "new"}), record("a", 1, map[string]string{"pass": "old"}), record("b", 1, map[string]string{"json": document}),
	}, func(r *store.Record) func(string) bool {
		return func(key string) bool { return r.Name == "a" && key == "user" }
	}) {
		got = append(got, fmt.Sprintf("%s %d %v %.25s", h.Name(), h.Version, h.Current, h.Value.Reveal()))
		all = append(all, h)
	}
	want := []string{"a pass 3 true new", "a pass 1 false old", "b json 1 true " + document[:25], "b json 1 true service_account", "b json 1 true FAKE0123456789abcdefghi", "b json 1 true FAKE9876543210abcdefghi"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s, _ := New(all)
	mustText(t, s, "x", strings.NewReader("service_account\nFAKE9876543210abcdefghi"))
	if got := lines(s); !slices.Equal(got, []string{"x:2:1 b plain"}) {
		t.Error(got)
	}
}

// An item of a password manager has who logs in and where, which many texts have. A token is
// none of that, whatever its key.
func TestWhoAndWhereAreNotLookedFor(t *testing.T) {
	token := "FAKE0123456789abcdefghi"
	for value, keys := range map[string]map[string]bool{
		"https://github.com/login":                   {"url": true, "url2": true, "anything": true},
		"https://user:fake@example.com/":             {"url": false},
		"https://example.com/?key=fake":              {"url": false},
		"https://hooks.example.com/T0/" + token:      {"url": false},
		"https://x.example.com/aBcDeFgHiJkLmNoPqRsT": {"url": false},
		"postgres://db.example.com/main":             {"url": false},
		"jane.doe@example.com":                       {"username": true, "email": true, "password": false},
		token:                                        {"username": false},
		"jane\n" + token:                             {"user": false},
	} {
		for key, want := range keys {
			if got := wellKnown(key, value); got != want {
				t.Errorf("%s=%q: %v", key, value, got)
			}
		}
	}
	own := &store.Record{Info: store.Info{Name: "site", Version: 1}, Secret: secret.Secret{Values: secret.Values{"url": secret.NewValue("https://github.com"), "password": secret.NewValue("fake-password-1")}}}
	provider := &store.Record{Info: store.Info{Name: "x", Version: 1}, Secret: secret.Secret{Provider: "x", Values: secret.Values{"url": secret.NewValue("https://github.com")}}}
	var got []string
	for _, h := range Holders([]*store.Record{own, provider}, func(*store.Record) func(string) bool { return func(string) bool { return false } }) {
		got = append(got, h.Name())
	}
	if want := []string{"site password", "x url"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
