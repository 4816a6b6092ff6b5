package vaultstore

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

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
		})
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
