package scan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is accepted is not told again: at its place, whatever its line, and nowhere else.
func TestBaseline(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	key := []byte("fake key of fingerprints")
	one := Finding{Place: Place{Path: "a/file"}, Line: 3, Holder: holder("s", value)}
	in := func(change func(*Finding)) Finding {
		f := one
		change(&f)
		return f
	}
	open := func(key []byte) *Baseline {
		t.Helper()
		b, err := OpenBaseline(filepath.Join(dir, "known.json"), key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	history := in(func(f *Finding) { f.Object, f.Path = "0123", "old" })
	if err := open(key).Accept([]Finding{one, history, one}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("known.json")
	if err != nil || strings.Contains(string(text), "FAKE") || strings.Count(string(text), "fingerprint") != 2 || !strings.Contains(string(text), `"git:old"`) {
		t.Errorf("%s, %v", text, err)
	}
	for name, c := range map[string]struct {
		f    Finding
		want int
	}{
		"the same": {one, 0}, "another line": {in(func(f *Finding) { f.Line = 9 }), 0}, "by its whole path": {in(func(f *Finding) { f.Path = filepath.Join(dir, "a", "file") }), 0},
		"another file": {in(func(f *Finding) { f.Path = "b" }), 1}, "another value": {in(func(f *Finding) { f.Holder = holder("s", "another fake value") }), 1}, "another secret": {in(func(f *Finding) { f.Secret = "t" }), 1},
		"the same in git": {history, 0}, "in git, and not in a file": {in(func(f *Finding) { f.Path = "old" }), 1}, "in a file, and not in git": {in(func(f *Finding) { f.Object = "1" }), 1},
	} {
		if got := open(key).Without([]Finding{c.f}); len(got) != c.want {
			t.Errorf("%s: %d are left", name, len(got))
		}
	}
	if got := open([]byte("another")).Without([]Finding{one}); len(got) != 1 {
		t.Error("with another key it is known")
	}
	for _, text := range []string{"", "{", `{"version":1,"other":1}`, `{"version":2}`} {
		if err := os.WriteFile("bad.json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBaseline("bad.json", key); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
