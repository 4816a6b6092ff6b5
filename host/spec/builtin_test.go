package spec_test

import (
	"io/fs"
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

func TestBuiltinSpecs(t *testing.T) {
	files, err := fs.Glob(specs.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(specs.Names()) {
		t.Errorf("%d files, but specs.Names lists %d", len(files), len(specs.Names()))
	}
	r := spec.NewRegistry(specs.FS, specs.Names(), "")
	all, err := r.All()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, s := range all {
		for _, name := range append(slices.Clone(s.Aliases), s.Name) {
			if seen[name] != "" {
				t.Errorf("%s and %s both claim the name %s", seen[name], s.Name, name)
			}
			seen[name] = s.Name
		}
		if s.Docs == "" || s.Title == "" {
			t.Errorf("%s: docs or title is missing", s.Name)
		}
	}
}
