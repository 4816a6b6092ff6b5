package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A path is short where it is in this folder, whatever its name begins with.
func TestShortPath(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(here, "rhx.yaml"):               "rhx.yaml",
		filepath.Join(here, "..app", "rhx.yaml"):      filepath.Join("..app", "rhx.yaml"),
		filepath.Join(filepath.Dir(here), "rhx.yaml"): filepath.Join(filepath.Dir(here), "rhx.yaml"),
	} {
		if got := (&app{}).shortPath(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
