package confine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Beside what is hidden everything is allowed, and on the ways there nothing.
func TestComplement(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"home/.aws/credentials", "home/.aws/config", "home/work/a", "home/.config/rhx/key", "home/.config/gh/x", "run/kept/file", "run/other"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir+"/home/.aws", dir+"/home/link"); err != nil {
		t.Fatal(err)
	}
	p := Plan{Hidden: []string{dir + "/home/.aws/credentials", dir + "/home/.config/rhx"}, Private: []string{dir + "/run"}, Keep: []string{dir + "/run/kept"}, Dir: dir + "/home/work"}
	rules, err := p.complement(7, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rules {
		if rest, ok := strings.CutPrefix(r.path, dir+"/"); ok {
			if r.access == 3 {
				rest += " as a file"
			}
			got = append(got, rest)
		}
		if below(dir, r.path) {
			t.Errorf("%s is allowed, and all that is hidden below it", r.path)
		}
		if (r.path == "/proc" || r.path == "/sys") && r.access != reads {
			t.Errorf("%s may be written", r.path)
		}
		if strings.HasPrefix(r.path, "/dev/") && !device(filepath.Base(r.path), false) {
			t.Errorf("%s is allowed", r.path)
		}
	}
	slices.Sort(got)
	if want := []string{"home/.aws/config as a file", "home/.config/gh", "home/work", "run/kept"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
