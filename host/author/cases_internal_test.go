package author

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A folder of cases that cannot be read is an error, not a package without cases; what is
// beside the cases, and a pattern in the package's own path, do not matter.
func TestCaseDirs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	if dirs, err := caseDirs(dir); err != nil || len(dirs) != 0 {
		t.Errorf("no cases: %q, %v", dirs, err)
	}
	for _, name := range []string{"one/expect.json", "two/expect.json", "notes/README", "file"} {
		path := filepath.Join(dir, "cases", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{filepath.Join(dir, "cases", "one"), filepath.Join(dir, "cases", "two")}
	if dirs, err := caseDirs(dir); err != nil || !slices.Equal(dirs, want) {
		t.Errorf("%q, %v", dirs, err)
	}
	loop := filepath.Join(dir, "cases", "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if dirs, err := caseDirs(dir); err == nil {
		t.Errorf("a case that cannot be read: %q", dirs)
	}
	if err := os.RemoveAll(filepath.Join(dir, "cases")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cases"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if dirs, err := caseDirs(dir); err == nil {
		t.Errorf("cases that are a file: %q", dirs)
	}
}
