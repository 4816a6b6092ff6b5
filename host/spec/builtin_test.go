package spec_test

import (
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

func TestBuiltinSpecs(t *testing.T) {
	r := spec.NewRegistry(specs.All(), "")
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
