package agestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func TestBegin(t *testing.T) {
	s := Open(Options{Dir: dataDir(t)})
	begin := func(text string) []string {
		names, err := s.Begin(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if names := begin(""); len(names) > 0 {
		t.Errorf("%q", names)
	}
	long := "aws/" + strings.Repeat("Long ", 60)
	for _, name := range []string{"aws", "aws/Prod", long, "awful", "gone", "x"} {
		sec := &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("fake")}}
		if _, err := s.Put(t.Context(), sec, store.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	// What is no secret, and one that cannot be read, hides none.
	for _, folder := range []string{"aws%zz", "AWS", "=00", "empty"} {
		if err := os.MkdirAll(filepath.Join(s.secrets(), folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string][]string{
		"": {"aws", "aws/Prod", long, "awful", "x"}, "aws": {"aws", "aws/Prod", long}, "aws/P": {"aws/Prod"}, "AW": nil, "g": nil,
	} {
		slices.Sort(want)
		if got := begin(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	// Of many it is not looked up which are deleted.
	for i := range fewNames {
		dir := filepath.Join(s.secrets(), fmt.Sprintf("m%02d", i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := begin("m"); len(got) != 0 {
		t.Errorf("%q", got)
	}
	if got := begin(""); len(got) != fewNames+7 || !slices.Contains(got, "gone") {
		t.Errorf("%d names: %q", len(got), got)
	}
}
