package storetest

import (
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func testEmpty(t *testing.T, c Config) {
	s := c.New(t)()
	wantList(t, s)
	if s.URL() == "" {
		t.Error("URL is empty")
	}
}

func testPutGetList(t *testing.T, c Config) {
	s := c.New(t)()
	// Clocks of servers differ from ours by some seconds, not by days.
	before := time.Now().Add(-time.Hour)
	sec := one("aws/prod", fake(1))
	if n := put(t, s, sec, 0); n != 1 {
		t.Errorf("Put returned version %d, want 1", n)
	}
	r := get(t, s, "aws/prod", 0)
	wantSecret(t, &r.Secret, sec)
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 {
		t.Fatalf("List = %v, %v; want one secret", infos, err)
	}
	for what, i := range map[string]store.Info{"Get": r.Info, "List": infos[0]} {
		if i.Name != "aws/prod" || i.Provider != "aws" || i.Version != 1 || i.Deleted {
			t.Errorf("%s: got %+v", what, i)
		}
		if i.Updated.Before(before) || i.Updated.After(time.Now().Add(time.Hour)) || i.Updated.Location() != time.UTC {
			t.Errorf("%s: updated %v, want now in UTC", what, i.Updated)
		}
	}
	if !r.Updated.Equal(infos[0].Updated) {
		t.Errorf("Get says updated %v, List %v", r.Updated, infos[0].Updated)
	}
}

func testReopen(t *testing.T, c Config) {
	open := c.New(t)
	first, second := open(), open()
	put(t, first, one("a", fake(1)), 0)
	if got := text(t, second, "a", 0); got != fake(1) {
		t.Error("the second handle reads another value than the first wrote")
	}
	put(t, second, one("a", fake(2)), 1)
	if got := text(t, first, "a", 0); got != fake(2) {
		t.Error("the first handle reads another value than the second wrote")
	}
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	third := open()
	wantList(t, third, "a")
	if got := text(t, third, "a", 0); got != fake(2) {
		t.Error("a handle opened later reads another value")
	}
}

func testVersions(t *testing.T, c Config) {
	s := c.New(t)()
	// More than ten: versions are numbers, not text.
	const last = 12
	for n := 1; n <= last; n++ {
		if got := put(t, s, one("a", fake(n)), store.AnyVersion); got != n {
			t.Fatalf("put %d returned version %d", n, got)
		}
	}
	if r := get(t, s, "a", 0); r.Version != last || r.Secret.Values["key"].Reveal() != fake(last) {
		t.Errorf("version 0 is version %d, want %d", r.Version, last)
	}
	if got := text(t, s, "a", last); got != fake(last) {
		t.Errorf("the newest version by its number has another value")
	}
	for n := 1; n < last; n++ {
		r, err := s.Get(t.Context(), "a", n)
		switch {
		case c.NewestOnly:
			wantErr(t, "an older version", err, store.ErrNotFound)
		case err != nil:
			t.Errorf("version %d: %v", n, err)
		case r.Version != n || r.Secret.Values["key"].Reveal() != fake(n):
			t.Errorf("Get of version %d returned version %d or another value", n, r.Version)
		}
	}
	infos, err := s.List(t.Context())
	if err != nil || len(infos) != 1 || infos[0].Version != last {
		t.Errorf("List = %+v, %v; want version %d", infos, err, last)
	}
}

func testCheckAndSet(t *testing.T, c Config) {
	s := c.New(t)()
	refused := func(expect, newest int) {
		t.Helper()
		n, err := s.Put(t.Context(), one("a", "must not be written"), expect)
		if n != 0 {
			t.Errorf("a refused Put returned version %d", n)
		}
		wantErr(t, "Put", err, store.ErrConflict)
		if newest == 0 {
			wantList(t, s)
			return
		}
		if r := get(t, s, "a", 0); r.Version != newest || r.Secret.Values["key"].Reveal() != fake(newest) {
			t.Errorf("a refused Put changed the secret")
		}
	}
	refused(1, 0)
	put(t, s, one("a", fake(1)), 0)
	refused(0, 1)
	refused(2, 1)
	put(t, s, one("a", fake(2)), 1)
	refused(0, 2)
	refused(1, 2)
	refused(3, 2)
	put(t, s, one("a", fake(3)), store.AnyVersion)
	put(t, s, one("a", fake(4)), 3)
	refused(3, 4)
}

func testDelete(t *testing.T, c Config) {
	s := c.New(t)()
	put(t, s, one("a", fake(1)), 0)
	put(t, s, one("a", fake(2)), 1)
	put(t, s, one("b", fake(3)), 0)
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "b")
	for _, version := range []int{0, 2} {
		_, err := s.Get(t.Context(), "a", version)
		wantErr(t, "Get after Delete", err, store.ErrNotFound)
	}
	wantErr(t, "a second Delete", s.Delete(t.Context(), "a"), store.ErrNotFound)
	if !c.NewestOnly {
		if got := text(t, s, "a", 1); got != fake(1) {
			t.Error("the version before the deleted one has another value")
		}
	}
	if got := text(t, s, "b", 0); got != fake(3) {
		t.Error("another secret has changed")
	}
}

func testPutAfterDelete(t *testing.T, c Config) {
	s := c.New(t)()
	put(t, s, one("a", fake(1)), 0)
	put(t, s, one("a", fake(2)), 1)
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), one("a", "must not be written"), 1); err == nil {
		t.Error("Put wrote though the version it expected is not the newest")
	} else {
		wantErr(t, "Put", err, store.ErrConflict)
	}
	n := put(t, s, one("a", fake(3)), 0)
	if !c.NewestOnly && n != 3 {
		t.Errorf("put after delete returned version %d, want 3", n)
	}
	if got := text(t, s, "a", 0); got != fake(3) {
		t.Error("the newest version has another value")
	}
	wantList(t, s, "a")

	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	n = put(t, s, one("a", fake(5)), store.AnyVersion)
	if !c.NewestOnly && n != 4 {
		t.Errorf("put of any version after delete returned version %d, want 4", n)
	}
	if c.NewestOnly {
		return
	}
	for version, deleted := range map[int]bool{1: false, 2: true, 3: true, 4: false} {
		_, err := s.Get(t.Context(), "a", version)
		if deleted {
			wantErr(t, "a deleted version", err, store.ErrNotFound)
		} else if err != nil {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func testUndelete(t *testing.T, c Config) {
	if c.NewestOnly {
		return // testUndeleteNothing says what such a store does
	}
	open := c.New(t)
	s := open()
	undelete := func(version int) {
		t.Helper()
		if err := s.Undelete(t.Context(), "a", version); err != nil {
			t.Errorf("Undelete version %d: %v", version, err)
		}
	}
	sec := one("a", fake(2))
	sec.Profile, sec.Sources = "fake profile", []secret.Source{{Kind: secret.SourceEnv, Var: "FAKE"}}
	put(t, s, one("a", fake(1)), 0)
	put(t, s, sec, 1)
	put(t, s, one("b", fake(9)), 0)
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	before, err := s.History(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}

	// The newest version, and another handle sees it.
	undelete(0)
	r := get(t, open(), "a", 0)
	wantSecret(t, &r.Secret, sec)
	if r.Version != 2 || r.Deleted {
		t.Errorf("after Undelete, the newest version is %+v", r.Info)
	}
	wantList(t, s, "a", "b")
	after, err := s.History(t.Context(), "a")
	if err != nil || len(after) != 2 || after[0].Deleted || !after[0].Updated.Equal(before[0].Updated) {
		t.Errorf("after Undelete, History = %+v, %v", after, err)
	}
	// What is not deleted stays as it is.
	undelete(0)
	undelete(1)
	if got := text(t, s, "a", 0); got != fake(2) {
		t.Error("Undelete of what is not deleted changed the newest version")
	}
	// It can be deleted and brought back again, by its number as well.
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	undelete(2)
	if n := put(t, s, one("a", fake(3)), 2); n != 3 {
		t.Errorf("put over a version that was brought back returned version %d, want 3", n)
	}

	// An older version, of a secret that is deleted or not, does not become the newest.
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	put(t, s, one("a", fake(4)), 0)
	undelete(3)
	if got := text(t, s, "a", 3); got != fake(3) {
		t.Error("an older version that was brought back has another value")
	}
	if got := text(t, s, "a", 0); got != fake(4) {
		t.Error("bringing an older version back changed the newest")
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	undelete(3)
	_, err = s.Get(t.Context(), "a", 0)
	wantErr(t, "Get of the newest version, which is still deleted", err, store.ErrNotFound)
	wantList(t, s, "b")
}

func testUndeleteNothing(t *testing.T, c Config) {
	s := c.New(t)()
	want := store.ErrNotFound
	if c.NewestOnly {
		want = store.ErrUnsupported
	}
	undelete := func(what, name string, version int) {
		t.Helper()
		wantErr(t, "Undelete of "+what, s.Undelete(t.Context(), name, version), want)
	}
	undelete("what never was", "a", 0)
	undelete("what never was", "a", 1)
	put(t, s, one("a/b", fake(1)), 0)
	undelete("a folder", "a", 0)
	undelete("a version that never was", "a/b", 2)
	undelete("a version that cannot be", "a/b", -1)
	if err := s.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Destroy(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	undelete("what is destroyed", "a/b", 0)
	undelete("what is destroyed", "a/b", 1)
	wantList(t, s)
}

func testDestroy(t *testing.T, c Config) {
	s := c.New(t)()
	for _, name := range []string{"a", "a/b", "ab"} {
		put(t, s, one(name, fake(1)), 0)
		put(t, s, one(name, fake(2)), 1)
	}
	if err := s.Destroy(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "a/b", "ab")
	for version := range 3 {
		_, err := s.Get(t.Context(), "a", version)
		wantErr(t, "Get after Destroy", err, store.ErrNotFound)
	}
	_, err := s.History(t.Context(), "a")
	wantErr(t, "History after Destroy", err, store.ErrNotFound)
	wantErr(t, "Delete after Destroy", s.Delete(t.Context(), "a"), store.ErrNotFound)
	if err := s.Destroy(t.Context(), "a"); err != nil {
		t.Errorf("destroying what is gone must be harmless: %v", err)
	}
	if n := put(t, s, one("a", fake(7)), 0); n != 1 {
		t.Errorf("put after destroy returned version %d, want 1", n)
	}
	if got := text(t, s, "a/b", 0); got != fake(2) {
		t.Error("another secret has changed")
	}
	// A deleted secret can be destroyed as well.
	if err := s.Delete(t.Context(), "ab"); err != nil {
		t.Fatal(err)
	}
	if err := s.Destroy(t.Context(), "ab"); err != nil {
		t.Fatal(err)
	}
	_, err = s.History(t.Context(), "ab")
	wantErr(t, "History after Delete and Destroy", err, store.ErrNotFound)
}

func testHistory(t *testing.T, c Config) {
	s := c.New(t)()
	for n := 1; n <= 11; n++ {
		put(t, s, one("a", fake(n)), n-1)
	}
	put(t, s, one("a/b", fake(1)), 0)
	want := 11
	if c.NewestOnly {
		want = 1
	}
	infos, err := s.History(t.Context(), "a")
	if err != nil || len(infos) != want {
		t.Fatalf("History has %d versions, %v; want %d", len(infos), err, want)
	}
	for k, i := range infos {
		if i.Name != "a" || i.Provider != "a" || i.Version != 11-k || i.Deleted {
			t.Errorf("entry %d is %+v", k, i)
		}
		if i.Updated.IsZero() || k > 0 && i.Updated.After(infos[k-1].Updated) {
			t.Errorf("version %d was updated at %v, after the next one", i.Version, i.Updated)
		}
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	infos, err = s.History(t.Context(), "a")
	if c.NewestOnly {
		wantErr(t, "History after Delete", err, store.ErrNotFound)
		return
	}
	if err != nil || len(infos) != want {
		t.Fatalf("History after Delete has %d versions, %v; want %d", len(infos), err, want)
	}
	for k, i := range infos {
		if i.Version != 11-k || i.Deleted != (k == 0) {
			t.Errorf("after Delete, entry %d is %+v", k, i)
		}
	}
}

func testNotFound(t *testing.T, c Config) {
	s := c.New(t)()
	check := func(name string, versions ...int) {
		t.Helper()
		for _, v := range versions {
			_, err := s.Get(t.Context(), name, v)
			wantErr(t, "Get", err, store.ErrNotFound)
		}
	}
	missing := func(name string) {
		t.Helper()
		check(name, 0, 1)
		_, err := s.History(t.Context(), name)
		wantErr(t, "History", err, store.ErrNotFound)
		wantErr(t, "Delete", s.Delete(t.Context(), name), store.ErrNotFound)
	}
	missing("a")
	put(t, s, one("a/b", fake(1)), 0)
	missing("a")
	missing("a/b/c")
	check("a/b", 2, 99, -1)
	wantList(t, s, "a/b")
}
