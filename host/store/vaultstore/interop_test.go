package vaultstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// shared opens a store in a fresh engine of the shared server.
func shared(t *testing.T, base string, version int, prefix string) (*vaulttest.Server, string, *Store) {
	t.Helper()
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, base, version, 0)
	return server, mount, open(t, mount+prefix, server.Getenv(t, server.RootToken))
}

// awsProd is a secret with everything that a secret can have.
func awsProd() *secret.Secret {
	return &secret.Secret{
		Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu",
		Values: secret.Values{"access_key": secret.NewValue("FAKE-ID"), "secret_key": secret.NewValue("fake/secret+key")},
		Sources: []secret.Source{
			{Kind: secret.SourceFile, Path: "~/.aws/credentials"}, {Kind: secret.SourceEnv, Var: "AWS_ACCESS_KEY_ID"},
		},
		Expires: time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC),
	}
}

func put(t *testing.T, s store.Store, sec *secret.Secret, expect int) int {
	t.Helper()
	n, err := s.Put(t.Context(), sec, expect)
	if err != nil {
		t.Fatalf("put %q: %v", sec.Name, err)
	}
	return n
}

func get(t *testing.T, s store.Store, name string, version int) *store.Record {
	t.Helper()
	r, err := s.Get(t.Context(), name, version)
	if err != nil {
		t.Fatalf("get %q: %v", name, err)
	}
	return r
}

func names(t *testing.T, s store.Store) []string {
	t.Helper()
	list, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

// reveal returns the values as plain texts, for comparisons in tests.
func reveal(v secret.Values) map[string]string {
	texts := map[string]string{}
	for k, v := range v {
		texts[k] = v.Reveal()
	}
	return texts
}

// RH-14: the values are in the entry, and none in what describes it.
func TestTheVaultCLISeesPlainFieldsAndCustomMetadata(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "/ml team")
	put(t, s, awsProd(), 0)
	var got struct {
		Data struct {
			Data     map[string]string `json:"data"`
			Metadata struct {
				Custom map[string]string `json:"custom_metadata"`
			} `json:"metadata"`
		} `json:"data"`
	}
	out := server.CLI(t, server.RootToken, "kv", "get", "-format=json", "-mount="+mount, "ml team/aws/prod%20eu")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if want := reveal(awsProd().Values); !maps.Equal(got.Data.Data, want) {
		t.Errorf("the fields are %v, want %v", slices.Sorted(maps.Keys(got.Data.Data)), slices.Sorted(maps.Keys(want)))
	}
	want := map[string]string{
		"provider": "aws", "profile": "prod eu", "expires.1": "2031-05-06T07:08:09Z",
		"locations": `[{"kind":"file","path":"~/.aws/credentials"},{"kind":"env","var":"AWS_ACCESS_KEY_ID"}]`,
	}
	if !maps.Equal(got.Data.Metadata.Custom, want) {
		t.Errorf("the custom metadata is %v, want %v", got.Data.Metadata.Custom, want)
	}
}

func TestTheVaultCLISeesPlainFieldsInVersion1(t *testing.T) {
	server, mount, s := shared(t, "kv", 1, "")
	put(t, s, awsProd(), 0)
	var got struct {
		Data map[string]string `json:"data"`
	}
	out := server.CLI(t, server.RootToken, "kv", "get", "-format=json", "-mount="+mount, "aws/prod%20eu")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if want := reveal(awsProd().Values); !maps.Equal(got.Data, want) {
		t.Error("the fields are not the values and nothing else")
	}
	out = server.CLI(t, server.RootToken, "kv", "get", "-field=provider", "-mount="+mount, "aws/.rhx/prod%20eu")
	if strings.TrimSpace(out) != "aws" {
		t.Errorf("the provider in its metadata is %q", out)
	}
}

// RH-15: an entry that holds values and says nothing of itself.
func TestWhatTheVaultCLIWritesIsRead(t *testing.T) {
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprint("KV version ", version), func(t *testing.T) {
			server, mount, s := shared(t, "team/kv", version, "/ml")
			server.CLI(t, server.RootToken, "kv", "put", "-mount="+mount, "ml/db", "user=fake", "password=fake word=\n")
			server.API(t, http.MethodPost, apiPath(mount, version, "ml/odd"), wrapV2(version, map[string]any{
				"number": 8200, "float": 1.5, "yes": true, "none": nil, "list": []any{"a", 1}, "object": map[string]any{"b": "<&>", "a": nil}}))
			if got := names(t, s); !slices.Equal(got, []string{"db", "odd"}) {
				t.Errorf("listed %q", got)
			}
			r := get(t, s, "db", 0)
			if want := map[string]string{"user": "fake", "password": "fake word=\n"}; !maps.Equal(reveal(r.Secret.Values), want) {
				t.Error("the values differ from what was written")
			}
			if r.Version != 1 || r.Provider != "" || len(r.Secret.Sources) != 0 {
				t.Errorf("a secret written by hand is described as %+v", r.Info)
			}
			want := map[string]string{"number": "8200", "float": "1.5", "yes": "true", "none": "", "list": `["a",1]`, "object": `{"a":null,"b":"<&>"}`}
			if got := reveal(get(t, s, "odd", 0).Secret.Values); !maps.Equal(got, want) {
				t.Errorf("values that are no texts came as %v, want %v", got, want)
			}
		})
	}
}

func apiPath(mount string, version int, path string) string {
	if version == 2 {
		return mount + "/data/" + path
	}
	return mount + "/" + path
}

func wrapV2(version int, data map[string]any) map[string]any {
	if version == 2 {
		return map[string]any{"data": data}
	}
	return data
}

func TestCustomMetadataOfOthersIsKept(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "")
	server.CLI(t, server.RootToken, "kv", "put", "-mount="+mount, "aws", "access_key=fake")
	server.CLI(t, server.RootToken, "kv", "metadata", "put", "-mount="+mount, "-max-versions=7", "-custom-metadata=owner=fake team", "-custom-metadata=locations.x=mine", "aws")
	sec := awsProd()
	sec.Name, sec.Profile = "aws", ""
	for n := range 30 {
		sec.Sources = append(sec.Sources, secret.Source{Kind: secret.SourceFile, Path: fmt.Sprintf("~/fake/%d/\u00a0%s", n, strings.Repeat("x", 40))})
	}
	put(t, s, sec, 1)
	if r := get(t, s, "aws", 0); !slices.Equal(r.Secret.Sources, sec.Sources) || !r.Secret.Expires.Equal(sec.Expires) {
		t.Error("a long list of locations does not come back")
	}
	sec.Sources, sec.Expires = nil, time.Time{}
	put(t, s, sec, 2)
	if r := get(t, s, "aws", 0); len(r.Secret.Sources) != 0 || !r.Secret.Expires.IsZero() {
		t.Error("locations or expiry of the version before are left")
	}
	if r := get(t, s, "aws", 2); r.Secret.Expires.IsZero() {
		t.Error("the older version has lost its expiry")
	}
	var got struct {
		Data struct {
			Max    int               `json:"max_versions"`
			Custom map[string]string `json:"custom_metadata"`
		} `json:"data"`
	}
	if err := json.Unmarshal(server.API(t, http.MethodGet, mount+"/metadata/aws", nil), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"owner": "fake team", "locations.x": "mine", "provider": "aws", "expires.2": "2031-05-06T07:08:09Z"}
	if !maps.Equal(got.Data.Custom, want) || got.Data.Max != 7 {
		t.Errorf("custom metadata %v, max_versions %d; want %v, 7", got.Data.Custom, got.Data.Max, want)
	}
}

// The two states that a crash between the two requests of a Put can leave.
func TestACrashBetweenValuesAndMetadataIsHarmless(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "")
	sec := awsProd()
	put(t, s, sec, 0)
	server.API(t, http.MethodPost, mount+"/data/aws/prod%2520eu", map[string]any{"data": map[string]any{"access_key": "FAKE-NEW"}})
	r := get(t, s, sec.Name, 0)
	if r.Version != 2 || r.Secret.Values["access_key"].Reveal() != "FAKE-NEW" || len(r.Secret.Values) != 1 {
		t.Error("the new version is not whole")
	}
	if r.Provider != "aws" || r.Secret.Profile != "prod eu" || len(r.Secret.Sources) != 2 {
		t.Errorf("the provider, profile or locations are lost: %+v", r.Info)
	}
	if !r.Secret.Expires.IsZero() {
		t.Error("the new version has the expiry of the old one")
	}

	server, mount, s = shared(t, "kv", 1, "")
	put(t, s, sec, 0)
	server.API(t, http.MethodPost, mount+"/aws/prod%2520eu", map[string]any{"access_key": "FAKE-NEW"})
	r = get(t, s, sec.Name, 0)
	if r.Version != 2 || r.Provider != "aws" || !r.Updated.IsZero() || !r.Secret.Expires.IsZero() {
		t.Errorf("after values written by hand: %+v", r.Info)
	}
	if _, err := s.Put(t.Context(), sec, 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("put over values written by hand: %v, want a conflict", err)
	}
	put(t, s, sec, 2)
	if r = get(t, s, sec.Name, 0); r.Version != 3 || r.Updated.IsZero() {
		t.Errorf("after the next put: %+v", r.Info)
	}
}

func TestVersionsDeletedOrDestroyedByHand(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "/p")
	for n := range 3 {
		sec := awsProd()
		sec.Name = "a"
		put(t, s, sec, n)
	}
	server.CLI(t, server.RootToken, "kv", "destroy", "-mount="+mount, "-versions=1", "p/a")
	server.CLI(t, server.RootToken, "kv", "delete", "-mount="+mount, "p/a")
	server.CLI(t, server.RootToken, "kv", "metadata", "put", "-mount="+mount, "-custom-metadata=owner=me", "p/only-metadata")
	if got := names(t, s); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	h, err := s.History(t.Context(), "a")
	if err != nil || len(h) != 3 || !h[0].Deleted || h[1].Deleted || !h[2].Deleted {
		t.Errorf("history %+v, %v", h, err)
	}
	for _, name := range []string{"a", "only-metadata"} {
		if _, err := s.Get(t.Context(), name, 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("get %s: %v", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if _, err := s.History(t.Context(), "only-metadata"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("history of metadata alone: %v", err)
	}
	server.CLI(t, server.RootToken, "kv", "undelete", "-mount="+mount, "-versions=3", "p/a")
	if got := names(t, s); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after undelete, listed %q", got)
	}
	sec := awsProd()
	sec.Name = "only-metadata"
	if n := put(t, s, sec, 0); n != 1 {
		t.Errorf("put over metadata alone made version %d", n)
	}
}

// What rhx deletes the vault command brings back, and the other way round; what
// is destroyed nobody does.
func TestUndeleteIsThatOfTheVaultCLI(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "/p")
	vault := func(args ...string) {
		t.Helper()
		server.CLI(t, server.RootToken, append([]string{"kv", args[0], "-mount=" + mount}, args[1:]...)...)
	}
	sec := awsProd()
	sec.Name = "a"
	put(t, s, sec, 0)
	put(t, s, sec, 1)
	vault("delete", "p/a")
	if err := s.Undelete(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	vault("get", "p/a")
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	vault("undelete", "-versions=2", "p/a")
	get(t, s, "a", 2)
	vault("delete", "-versions=1", "p/a")
	if err := s.Undelete(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	get(t, s, "a", 1)

	vault("destroy", "-versions=2", "p/a")
	for _, version := range []int{0, 2} {
		err := s.Undelete(t.Context(), "a", version)
		wantFault(t, err, store.ErrNotFound, "destroyed", "")
	}
	h, err := s.History(t.Context(), "a")
	if err != nil || !h[0].Destroyed || !h[0].Deleted || h[1].Destroyed || h[1].Deleted {
		t.Errorf("history %+v, %v", h, err)
	}
	server.CLI(t, server.RootToken, "kv", "metadata", "put", "-mount="+mount, "-custom-metadata=owner=me", "p/only-metadata")
	if err := s.Undelete(t.Context(), "only-metadata", 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("metadata alone: %v", err)
	}
}

// A version that is to be deleted later is not deleted now.
func TestDeleteVersionAfter(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "")
	server.API(t, http.MethodPost, mount+"/config", map[string]any{"delete_version_after": "1h"})
	put(t, s, awsProd(), 0)
	if got := names(t, s); !slices.Equal(got, []string{"aws/prod%20eu"}) {
		t.Errorf("listed %q", got)
	}
	if h, err := s.History(t.Context(), "aws/prod%20eu"); err != nil || h[0].Deleted {
		t.Errorf("history %+v, %v", h, err)
	}
	if err := s.Delete(t.Context(), "aws/prod%20eu"); err != nil {
		t.Fatal(err)
	}
	put(t, s, awsProd(), 0)
}

func TestAnEngineThatRequiresCheckAndSet(t *testing.T) {
	server, mount, s := shared(t, "kv", 2, "")
	server.API(t, http.MethodPost, mount+"/config", map[string]any{"cas_required": true})
	for n := 1; n <= 3; n++ {
		if got := put(t, s, awsProd(), store.AnyVersion); got != n {
			t.Errorf("put made version %d, want %d", got, n)
		}
	}
	if err := s.Delete(t.Context(), "aws/prod%20eu"); err != nil {
		t.Fatal(err)
	}
	if got := put(t, s, awsProd(), 0); got != 4 {
		t.Errorf("put after delete made version %d, want 4", got)
	}
}

// The entries with the metadata stay out of sight when the engine is upgraded.
func TestAnEngineUpgradedToVersion2(t *testing.T) {
	server, mount, old := shared(t, "kv", 1, "/p")
	put(t, old, awsProd(), 0)
	server.CLI(t, server.RootToken, "kv", "enable-versioning", mount)
	s := open(t, mount+"/p", server.Getenv(t, server.RootToken))
	if got := names(t, s); !slices.Equal(got, []string{"aws/prod%20eu"}) {
		t.Errorf("listed %q", got)
	}
	put(t, s, awsProd(), 1)
	if r := get(t, s, "aws/prod%20eu", 0); r.Version != 2 || r.Provider != "aws" {
		t.Errorf("got %+v", r.Info)
	}
}

func TestValuesOfAMebibyteOfAnyBytes(t *testing.T) {
	for version := 1; version <= 2; version++ {
		_, _, s := shared(t, "kv", version, "")
		for what, text := range map[string]string{
			"bytes":       strings.Repeat("\x00\xff\x01\x80", 1<<18),
			"text":        strings.Repeat("é\n\x01<", 1<<18),
			"longer text": "rhx:base64:" + strings.Repeat("fake ", 1<<20),
		} {
			sec := &secret.Secret{Name: what, Values: secret.Values{"k": secret.NewValue(text)}}
			put(t, s, sec, 0)
			if !get(t, s, what, 0).Secret.Values.Equal(sec.Values) {
				t.Errorf("KV version %d: %s came back changed", version, what)
			}
		}
	}
}

func TestNamesThatTheStoreNeedsItselfAreRefused(t *testing.T) {
	_, _, s := shared(t, "kv", 2, "")
	sec := awsProd()
	sec.Name = "aws/.rhx/prod"
	if _, err := s.Put(t.Context(), sec, 0); err == nil || !strings.Contains(err.Error(), ".rhx") {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Get(t.Context(), sec.Name, 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
}

func TestLocationsThatDoNotFitFailBeforeAnythingIsWritten(t *testing.T) {
	for version := 1; version <= 2; version++ {
		_, _, s := shared(t, "kv", version, "")
		sec := awsProd()
		sec.Sources = []secret.Source{{Kind: secret.SourceFile, Path: "/" + strings.Repeat("x", maxParts*maxFieldLen)}}
		if n, err := s.Put(t.Context(), sec, 0); err == nil || n != 0 || !strings.Contains(err.Error(), "locations") {
			t.Errorf("put made version %d, %v", n, err)
		}
		if got := names(t, s); len(got) != 0 {
			t.Errorf("listed %q", got)
		}
	}
}
