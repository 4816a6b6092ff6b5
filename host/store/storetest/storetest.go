// Package storetest is the conformance suite that every [store.Store] passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Config tells the suite which store to test and what it can do.
type Config struct {
	// New makes an empty store for one test and returns a function that opens
	// a handle on it. Every call of that function returns a new handle on the
	// same data, as a second process would have; it fails t if it cannot, and
	// closes the handle when t ends. Closing twice must be harmless.
	New func(t *testing.T) (open func() store.Store)

	// NewestOnly says that the store keeps only the newest version of a secret
	// and cannot compare and write in one step, as KV version 1 of Vault. Then
	//
	//   - Put goes on counting while the secret is there, and may start again
	//     at 1 when it was deleted;
	//   - Get of an older version is ErrNotFound, and History holds the newest
	//     version alone, or is ErrNotFound when it was deleted;
	//   - Undelete is ErrUnsupported, whatever the secret is;
	//   - expect is compared before the write, so that a writer that comes in
	//     between is not noticed: what two writers at once end with is not tested.
	NewestOnly bool

	// Raw returns what another client of the same server, which knows nothing of
	// rhx, does with the secrets of a store; nil where there is no such client.
	Raw func(t *testing.T, s store.Store) Raw

	// MaxValue is the longest value the store can hold in bytes, if that is
	// less than the 1 MiB that the suite writes otherwise.
	MaxValue int

	// Names is how many names are written and listed at once; 0 means 1,000.
	Names int
}

// Raw reads and writes the newest version of a secret as JSON, whose values may
// be of any type. An error ends the test.
type Raw struct {
	Read  func(name string) map[string]any
	Write func(name string, fields map[string]any)
}

// Run runs the suite, as subtests of t.
func Run(t *testing.T, c Config) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, Config)
	}{
		{"an empty store lists nothing", testEmpty},
		{"what is put can be got and listed", testPutGetList},
		{"a second handle sees what the first wrote", testReopen},
		{"every put is a new version", testVersions},
		{"put writes only if the version is the expected one", testCheckAndSet},
		{"delete hides the secret and keeps older versions", testDelete},
		{"put after delete goes on counting", testPutAfterDelete},
		{"undelete brings a deleted version back", testUndelete},
		{"undelete finds nothing to bring back", testUndeleteNothing},
		{"destroy leaves nothing", testDestroy},
		{"history has every version, newest first", testHistory},
		{"what is not there is ErrNotFound", testNotFound},
		{"names may have any character", testNames},
		{"names that differ are different secrets", testNamesApart},
		{"invalid names are refused", testInvalidNames},
		{"many names are listed in order", testManyNames},
		{"values may hold any bytes", testBytes},
		{"values may be long", testLongValue},
		{"a secret may have no values or many", testKeys},
		{"profile, sources and expiry come back", testMetadata},
		{"what is no text stays what it is", testTypes},
		{"what is no text comes back with its version", testTypesOfVersions},
		{"the store shares no memory with its caller", testNoAliasing},
		{"of two writers with one expectation one wins", testOneWins},
		{"two writers at once lose no version", testNothingLost},
		{"a reader sees whole versions only", testWholeVersions},
		{"a cancelled context stops every method", testCancelled},
		{"no error shows a value", testErrorsShowNoValue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
}

// one returns a secret with one value.
func one(name, text string) *secret.Secret {
	provider, _ := secret.SplitName(name)
	return &secret.Secret{Name: name, Provider: provider, Values: secret.Values{"key": secret.NewValue(text)}}
}

// put writes s and returns its version; an error ends the test.
func put(t *testing.T, s store.Store, sec *secret.Secret, expect int) int {
	t.Helper()
	n, err := s.Put(t.Context(), sec, expect)
	if err != nil {
		t.Fatalf("Put %q, expecting version %d: %v", sec.Name, expect, err)
	}
	return n
}

// get returns a version; an error ends the test.
func get(t *testing.T, s store.Store, name string, version int) *store.Record {
	t.Helper()
	r, err := s.Get(t.Context(), name, version)
	if err != nil {
		t.Fatalf("Get %q version %d: %v", name, version, err)
	}
	return r
}

// text returns the text that [one] put into the newest version.
func text(t *testing.T, s store.Store, name string, version int) string {
	t.Helper()
	return get(t, s, name, version).Secret.Values["key"].Reveal()
}

// list returns the names that List returns, in its order.
func list(t *testing.T, s store.Store) []string {
	t.Helper()
	infos, err := s.List(t.Context())
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	var names []string
	for _, i := range infos {
		names = append(names, i.Name)
	}
	return names
}

// wantList compares what List returns with names, which it sorts.
func wantList(t *testing.T, s store.Store, names ...string) {
	t.Helper()
	want := slices.Clone(names)
	slices.Sort(want)
	if got := list(t, s); !slices.Equal(got, want) {
		t.Fatalf("List = %q, want %q", got, want)
	}
}

// wantErr fails the test unless err is or wraps want.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one that is %q", what, err, want)
	}
}

// wantSecret compares all of a secret. It shows names and keys, never values:
// a conformance run against a real store may fail in somebody's CI log.
func wantSecret(t *testing.T, got, want *secret.Secret) {
	t.Helper()
	if got.Name != want.Name || got.Provider != want.Provider || got.Profile != want.Profile {
		t.Errorf("got name %q provider %q profile %q, want %q %q %q", got.Name, got.Provider, got.Profile, want.Name, want.Provider, want.Profile)
	}
	if d := want.Values.Diff(got.Values); len(d) != 0 {
		if len(d) > 5 {
			d = append(d[:5], "…")
		}
		t.Errorf("%q: the values differ in %s", want.Name, strings.Join(d, ", "))
	}
	if !slices.Equal(got.Sources, want.Sources) {
		t.Errorf("%q: sources %+v, want %+v", want.Name, got.Sources, want.Sources)
	}
	if !got.Expires.Equal(want.Expires) {
		t.Errorf("%q: expires %v, want %v", want.Name, got.Expires, want.Expires)
	}
}

// all calls every method of the interface once and returns the errors.
func all(ctx context.Context, s store.Store, sec *secret.Secret, expect int) map[string]error {
	errs := map[string]error{}
	_, errs["List"] = s.List(ctx)
	_, errs["Get"] = s.Get(ctx, sec.Name, 0)
	_, errs["Put"] = s.Put(ctx, sec, expect)
	_, errs["History"] = s.History(ctx, sec.Name)
	errs["Delete"] = s.Delete(ctx, sec.Name)
	errs["Undelete"] = s.Undelete(ctx, sec.Name, 0)
	errs["Destroy"] = s.Destroy(ctx, sec.Name)
	return errs
}

// fake returns an obviously fake value that differs for every n.
func fake(n int) string { return fmt.Sprintf("fake-value-%d-of-the-suite", n) }
