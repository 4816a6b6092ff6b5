package vaultstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/store"
)

// listing answers every request for a list with keys.
func listing(t *testing.T, keys string, env ...string) *Store {
	return fake(t, func(w http.ResponseWriter, _ *http.Request) { answerWith(w, 200, `{"data":{"keys":`+keys+`}}`) }, env...)
}

func TestListsHaveAnEnd(t *testing.T) {
	t.Run("millions of names", func(t *testing.T) {
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
			b := bufio.NewWriter(w)
			_, _ = b.WriteString(`{"data":{"keys":["first"`)
			for n := range 2_500_000 {
				fmt.Fprintf(b, `,"n%d"`, n)
			}
			_, _ = b.WriteString("]}}")
			_ = b.Flush()
		}, "VAULT_CLIENT_TIMEOUT", "10m") // on a busy machine, too, the number is what ends it
		_, err := s.List(t.Context())
		wantFault(t, err, nil, "more than 200000 names", "longer prefix")
	})
	t.Run("folders in folders", func(t *testing.T) {
		_, err := listing(t, `["a/"]`).Names(t.Context())
		wantFault(t, err, nil, "without an end", "")
	})
	t.Run("more and more folders", func(t *testing.T) {
		var names []string
		for n := range 500 {
			names = append(names, fmt.Sprintf(`"%d/"`, n))
		}
		_, err := listing(t, "["+strings.Join(names, ",")+"]").Names(t.Context())
		wantFault(t, err, nil, "more than 200000 names", "longer prefix")
	})
	t.Run("answers that take their time", func(t *testing.T) {
		s := fake(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Count(r.URL.Path, "/a") > 5 {
				<-r.Context().Done()
			}
			answerWith(w, 200, `{"data":{"keys":["a/"]}}`)
		}, "VAULT_CLIENT_TIMEOUT", "10s")
		// The sum of the answers is bounded, not only each of them.
		_, err := walk(t.Context(), mustEngine(t, s), "ml/", 50_000_000)
		wantFault(t, err, nil, "took longer than 50ms", "")
	})
}

func mustEngine(t *testing.T, s *Store) engine {
	t.Helper()
	e, _, err := s.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestListsThatAreNotVaults(t *testing.T) {
	for _, keys := range []string{`null`, `"a"`, `{}`, `[1]`, `[null]`, `["a/b"]`, `["../x/"]`, `[".."]`, `["../"]`, `["./"]`, `["a",["b"]]`} {
		_, err := listing(t, keys).Names(t.Context())
		wantFault(t, err, nil, "not one of Vault's", "")
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s passes for an empty store", keys)
		}
	}
	names, err := readKeys([]byte(`{"data":{"keys":["a","b/","","/","..c","d.e/"]}}`))
	if err != nil || strings.Join(names, " ") != "a b/ ..c d.e/" {
		t.Errorf("%q, %v", names, err)
	}
}

func TestAnswersHaveAnEnd(t *testing.T) {
	for status, size := range map[int]int{200: maxAnswer, 400: maxError, 404: maxError} {
		var sent atomic.Int64
		s := fake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			for chunk := []byte(strings.Repeat(" ", 1<<20)); ; {
				n, err := w.Write(chunk)
				if sent.Add(int64(n)); err != nil || sent.Load() > 1<<30 {
					return
				}
			}
		}, "VAULT_MAX_RETRIES", "0")
		_, err := s.Get(t.Context(), "a", 0)
		wantFault(t, err, nil, "the answer is too long", "")
		if errors.Is(err, store.ErrNotFound) {
			t.Errorf("HTTP %d: %v", status, err)
		}
		if n := sent.Load(); n > int64(size)+32<<20 {
			t.Errorf("HTTP %d: %d MB were read", status, n>>20)
		}
	}
}

func FuzzReadKeys(f *testing.F) {
	for _, s := range []string{`{"data":{"keys":["a","b/"]}}`, `{"data":{"keys":["a`, `{"data":null}`, `[]`, `{"data":{"keys":["\ud800/"]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		names, err := readKeys(body)
		if err != nil && names != nil {
			t.Errorf("%q with an error", names)
		}
		for _, n := range names {
			if step := strings.TrimSuffix(n, "/"); step == "" || step == "." || step == ".." || strings.Contains(step, "/") {
				t.Errorf("the name %q", n)
			}
		}
	})
}

// folders is an engine that has lists only.
type folders struct {
	engine
	has func(dir string) ([]string, error)
}

func (f folders) list(_ context.Context, dir string) ([]string, error) { return f.has(dir) }

func TestWalkFolders(t *testing.T) {
	tree := map[string][]string{"p/": {"a", "b/", ".rhx/", "c"}, "p/b/": {"d/", "e", ".rhx"}, "p/b/d/": {"f"}, "p/.rhx/": {"never"}}
	paths, err := walk(t.Context(), folders{has: func(dir string) ([]string, error) { return tree[dir], nil }}, "p/", time.Minute)
	if err != nil || strings.Join(paths, " ") != "p/a p/c p/b/e p/b/.rhx p/b/d/f" {
		t.Errorf("%q, %v", paths, err)
	}
	full := make([]string, maxNames)
	for i := range full {
		full[i] = "x"
	}
	if paths, err := walk(t.Context(), folders{has: func(string) ([]string, error) { return full, nil }}, "", time.Minute); err != nil || len(paths) != maxNames {
		t.Errorf("just as many as there may be: %d, %v", len(paths), err)
	}
	full[0] = "more/"
	_, err = walk(t.Context(), folders{has: func(dir string) ([]string, error) {
		if dir != "" {
			return []string{"one"}, nil
		}
		return full, nil
	}}, "", time.Minute)
	wantFault(t, err, errTooMany, "more than 200000", "longer prefix")
	long := strings.Repeat("x", maxPath-1)
	for name, ok := range map[string]bool{long: true, long + "y": false} {
		_, err := walk(t.Context(), folders{has: func(string) ([]string, error) { return []string{name}, nil }}, "p", time.Minute)
		if (err == nil) != ok {
			t.Errorf("a path of %d bytes: %v", len(name)+1, err)
		}
	}
	broken := errors.New("fake trouble")
	if paths, err := walk(t.Context(), folders{has: func(string) ([]string, error) { return nil, broken }}, "", time.Minute); !errors.Is(err, broken) || paths != nil {
		t.Errorf("%q, %v", paths, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := walk(ended, folders{has: func(string) ([]string, error) { return nil, ended.Err() }}, "", time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestReadKeysIsBounded(t *testing.T) {
	list := func(n int) []byte { return []byte(`{"data":{"keys":["a"` + strings.Repeat(`,"a"`, n-1) + `]}}`) }
	if names, err := readKeys(list(maxNames)); err != nil || len(names) != maxNames {
		t.Errorf("%d names, %v", len(names), err)
	}
	if names, err := readKeys(list(maxNames + 1)); !errors.Is(err, errTooMany) || names != nil {
		t.Errorf("%d names, %v", len(names), err)
	}
}

func TestNamesAreSorted(t *testing.T) {
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		answerWith(w, 200, map[bool]string{true: `{"data":{"keys":["z","b/","a"]}}`, false: `{"data":{"keys":["x"]}}`}[strings.HasSuffix(r.URL.Path, "/ml") || strings.HasSuffix(r.URL.Path, "/ml/")])
	})
	if names, err := s.Names(t.Context()); err != nil || strings.Join(names, " ") != "a b/x z" {
		t.Errorf("%q, %v", names, err)
	}
}
