package vaultstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// fakeV1 is an engine of version 1 at secret/, in which the values and the metadata
// of "a" are what the functions return; "" is nothing. It returns what was asked for.
func fakeV1(t *testing.T, values, meta func(n int) string) (*Store, *[]string) {
	t.Helper()
	var asked []string
	counts := map[string]int{}
	s := fake(t, func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/v1/secret/ml/")
		asked = append(asked, r.Method+" "+path)
		counts[path]++
		body := ""
		switch {
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusNoContent)
			return
		case path == "a":
			body = values(counts[path])
		case path == ".rhx/a":
			body = meta(counts[path])
		}
		if body == "" {
			answerWith(w, 404, `{"errors":[]}`)
			return
		}
		answerWith(w, 200, body)
	}, EnvKV, "secret=1")
	return s, &asked
}

// metaFor is the metadata that is written with the values.
func metaFor(t *testing.T, text string, version int) string {
	t.Helper()
	d, err := describe(&secret.Secret{Name: "a", Provider: fmt.Sprint("p", version), Values: secret.Values{"k": secret.NewValue(text)}}, version)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"data": d})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func kText(text string) string { return fmt.Sprintf(`{"data":{"k":%q}}`, text) }

// Values and metadata are two reads, between which others can write.
func TestMetadataOfOtherValues(t *testing.T) {
	one, two := metaFor(t, "one", 1), metaFor(t, "two", 2)
	always := func(s string) func(int) string { return func(int) string { return s } }
	steps := func(s ...string) func(int) string { return func(n int) string { return s[min(n, len(s))-1] } }
	for what, c := range map[string]struct {
		values, meta func(int) string
		text         string // "" for not found
		version      int
		timed        bool
		reads        int
	}{
		"they fit":                        {always(kText("one")), always(one), "one", 1, true, 2},
		"no metadata":                     {always(kText("one")), always(""), "one", 1, false, 2},
		"values by hand":                  {always(kText("by hand")), always(one), "by hand", 2, false, 3},
		"both were written in between":    {steps(kText("one"), kText("two")), always(two), "two", 2, true, 4},
		"the values were written by hand": {steps(kText("one"), kText("by hand")), always(two), "by hand", 3, false, 5},
		"the secret went away in between": {steps(kText("one"), ""), always(two), "", 0, false, 3},
		"nothing there":                   {always(""), always(one), "", 0, false, 1},
		"somebody writes without an end":  {func(n int) string { return kText(fmt.Sprint("x", n)) }, always(one), "x5", 2, false, 10},
	} {
		s, asked := fakeV1(t, c.values, c.meta)
		r, err := s.Get(t.Context(), "a", 0)
		if len(*asked) != c.reads {
			t.Errorf("%s: asked for %q", what, *asked)
		}
		if c.text == "" {
			if !errors.Is(err, store.ErrNotFound) || r != nil {
				t.Errorf("%s: %v, %v", what, r, err)
			}
			continue
		}
		if err != nil || r.Secret.Values["k"].Reveal() != c.text || r.Version != c.version || r.Updated.IsZero() == c.timed {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

func TestAnEntryOfVersion1ThatIsNoEntry(t *testing.T) {
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":[]}`, `<html>`} {
		s, _ := fakeV1(t, func(int) string { return body }, func(int) string { return "" })
		r, err := s.Get(t.Context(), "a", 0)
		if err == nil || r != nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, %v", body, r, err)
		}
		if _, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err == nil {
			t.Errorf("%s: it was written over", body)
		}
		if err := s.Delete(t.Context(), "a"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestTheOrderOfWritesInVersion1(t *testing.T) {
	s, asked := fakeV1(t, func(int) string { return kText("one") }, func(int) string { return metaFor(t, "one", 4) })
	if n, err := s.Put(t.Context(), &secret.Secret{Name: "a", Values: secret.Values{"k": secret.NewValue("two")}}, 4); n != 5 || err != nil {
		t.Errorf("version %d, %v", n, err)
	}
	if want := []string{"GET a", "GET .rhx/a", "PUT a", "PUT .rhx/a"}; !slices.Equal(*asked, want) && !slices.Equal(*asked, []string{"GET a", "GET .rhx/a", "POST a", "POST .rhx/a"}) {
		t.Errorf("a Put asks for %q", *asked)
	}
	*asked = nil
	n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 3)
	if n != 0 || !errors.Is(err, store.ErrConflict) || len(*asked) != 2 {
		t.Errorf("version %d, %v; asked for %q", n, err, *asked)
	}
	*asked = nil
	if err := s.Destroy(t.Context(), "a"); err != nil || !slices.Equal(*asked, []string{"DELETE a", "DELETE .rhx/a"}) {
		t.Errorf("a Destroy asks for %q, %v", *asked, err)
	}
	// An entry without values is one.
	s, _ = fakeV1(t, func(int) string { return `{"data":{"rhx:base64:":""}}` }, func(int) string { return "" })
	if r, err := s.Get(t.Context(), "a", 0); err != nil || len(r.Secret.Values) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	s, _ = fakeV1(t, func(int) string { return `{"data":{"rhx:base64:":"","k":"v"}}` }, func(int) string { return "" })
	if r, err := s.Get(t.Context(), "a", 0); err != nil || len(r.Secret.Values) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}
