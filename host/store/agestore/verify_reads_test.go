package agestore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// Who reads a secret that is not as rhx left it is told so, and no other.
func TestReadsSayWhatIsWrong(t *testing.T) {
	move := func(from, to string) func(*testing.T, *Store) {
		return func(t *testing.T, s *Store) {
			noError(t, os.Rename(filepath.Join(s.secrets(), from), filepath.Join(s.secrets(), to)))
		}
	}
	for name, c := range map[string]struct {
		do      func(t *testing.T, s *Store)
		name    string
		version int
		want    string
	}{
		"the newest is taken away":    {move("a/3.age", "x"), "a", 0, "version 3 was taken away"},
		"it is asked for":             {move("a/3.age", "x"), "a", 3, "version 3 was taken away, or marked as deleted"},
		"another one is asked for":    {move("a/3.age", "x"), "a", 2, ""},
		"all are taken away":          {move("a", "../x"), "a", 0, "version 3 was taken away, or marked as deleted"},
		"one is marked":               {func(t *testing.T, s *Store) { write(t, filepath.Join(s.folder("a"), "3.deleted"), nil, 0o600) }, "a", 0, "version 3 was taken away, or marked as deleted"},
		"a mark is taken away":        {move("b/2.deleted", "x"), "b", 0, "version 2 was deleted"},
		"a deleted one is taken away": {func(t *testing.T, s *Store) { move("b/2.deleted", "x")(t, s); move("b/2.age", "y")(t, s) }, "b", 0, "version 2 was taken away"},
		"one is added":                {func(t *testing.T, s *Store) { forge(t, s, "a", 4) }, "a", 0, "version 4 was added by somebody else"},
		"one is replaced":             {func(t *testing.T, s *Store) { forge(t, s, "a", 3) }, "a", 0, "version 3 was replaced"},
		"an older one is replaced":    {func(t *testing.T, s *Store) { forge(t, s, "a", 1) }, "a", 1, "version 1 was replaced"},
		"another secret is added":     {func(t *testing.T, s *Store) { forge(t, s, "evil", 1) }, "evil", 0, "version 1 was added by somebody else"},
		"another secret is read":      {func(t *testing.T, s *Store) { forge(t, s, "evil", 1) }, "a", 0, ""},
		"a deleted one is asked for":  {func(*testing.T, *Store) {}, "b", 0, ""},
		"a deleted version":           {func(*testing.T, *Store) {}, "b", 2, ""},
		"one that never was":          {func(*testing.T, *Store) {}, "no", 0, ""},
		"a version that never was":    {func(*testing.T, *Store) {}, "a", 9, ""},
		"one that came back":          {func(*testing.T, *Store) {}, "c", 0, ""},
		"a destroyed one":             {func(*testing.T, *Store) {}, "d", 0, ""},
		"the record is changed": {func(t *testing.T, s *Store) {
			editRecord(t, s, func(l []string) []string { return slices.Delete(l, 4, 6) })
		}, "a", 0, "it was changed, or another key wrote it"},
		"the record is removed": {func(t *testing.T, s *Store) { noError(t, os.RemoveAll(s.recordDir())) }, "a", 0, ".log was removed"},
		"a change in it may be pending": {func(t *testing.T, s *Store) {
			forge(t, s, "a", 4)
			r, err := s.openRecord()
			noError(t, err, r.add(change{op: opPut, folder: "a", version: 4, hash: "x"}, true))
			r.close()
		}, "a", 0, ""},
		"a change in it has no proof": {func(t *testing.T, s *Store) {
			forge(t, s, "a", 4)
			editRecord(t, s, func(l []string) []string { return append(l, "99 put a 4 x -\n") })
		}, "a", 0, "its last lines have no proof"},
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(t)
			c.do(t, s)
			var said []string
			s.opt.Warn = func(m string) { said = append(said, m) }
			for i := range 5 { // the first looks read a part of the record, later ones all
				if i == 3 { // another one has looked at the record already
					s = Open(s.opt)
					defer s.Together()()
					_, _ = s.Get(t.Context(), "c", 0)
				}
				said = nil
				_, _ = s.Get(t.Context(), c.name, c.version)
				want := ""
				if c.want != "" {
					want = c.want + ". rhx store verify says more"
				}
				if got := strings.Join(said, "\n"); !strings.HasSuffix(got, want) || want == "" && got != "" || want != "" && !strings.HasPrefix(got, c.name+" is not as rhx left it in the store: ") {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

// Secrets that are read together are compared with one record, and with a newer one where that
// leaves a doubt.
func TestOneLookForManySecrets(t *testing.T) {
	s := recorded(t)
	var said []string
	s.opt.Warn = func(m string) { said = append(said, m) }
	get := func(name, want string, warned bool) {
		t.Helper()
		said = nil
		rec, err := s.Get(t.Context(), name, 0)
		if err != nil || rec.Secret.Values["k"].Reveal() != want || (len(said) > 0) != warned {
			t.Errorf("%s: %+v, %v; %q", name, rec, err, said)
		}
	}
	outer, end := s.Together(), s.Together()
	get("c", "FAKE", false)
	putFake(t, Open(s.opt), "a", "FAKE 4")
	get("a", "FAKE 4", false) // which the first look did not know
	noError(t, os.RemoveAll(s.recordDir()))
	get("c", "FAKE", false)
	end()
	end()
	get("c", "FAKE", false)
	outer()
	get("c", "FAKE", true)
	get("a", "FAKE 4", true)
}

// Readers and writers at once are no attack.
func TestReadsWhileOthersWrite(t *testing.T) {
	dir := dataDir(t)
	putFake(t, Open(Options{Dir: dir}), "a", "x")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s := Open(Options{Dir: dir})
			for i := range 30 {
				if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, store.AnyVersion); err != nil {
					t.Error(err)
				}
				if i%7 == 0 {
					_ = s.Delete(t.Context(), "a")
				}
				if i%11 == 0 {
					noErr := s.Destroy(t.Context(), "a")
					if noErr != nil {
						t.Error(noErr)
					}
				}
			}
		})
		wg.Go(func() {
			s := Open(Options{Dir: dir, Warn: func(m string) { t.Error(m) }})
			for range 100 {
				_, _ = s.Get(t.Context(), "a", 0)
			}
		})
	}
	wg.Wait()
	if got := problems(t, Open(Options{Dir: dir})); got != "" {
		t.Error(got)
	}
}
