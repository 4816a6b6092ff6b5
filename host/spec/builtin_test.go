package spec_test

import (
	"slices"
	"strings"
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
	if len(all) < 200 {
		t.Errorf("%d providers", len(all))
	}
	names, vars := map[string]string{}, map[string]string{}
	for _, s := range all {
		for _, name := range append(slices.Clone(s.Aliases), s.Name) {
			if names[name] != "" {
				t.Errorf("%s and %s both claim the name %s", names[name], s.Name, name)
			}
			names[name] = s.Name
		}
		if !strings.HasPrefix(s.Docs, "https://") || s.Title == "" || s.Group == "" {
			t.Errorf("%s: docs, title or group is missing", s.Name)
		}
		// A variable is one provider's: whoever sets it gets one secret.
		for _, v := range s.Values {
			for _, name := range v.Env {
				if vars[name] != "" {
					t.Errorf("%s and %s both claim the variable %s", vars[name], s.Name, name)
				}
				vars[name] = s.Name
			}
		}
		for i := range s.Files {
			for _, p := range s.Files[i].Paths.All() {
				if strings.Contains(p, "/rhx/") || strings.HasSuffix(p, "/rhx") {
					t.Errorf("%s: %s is a file of rhx's own", s.Name, p)
				}
			}
		}
	}
}

// A file has one provider, but for files that many tools share by their format.
func TestBuiltinFilesAreOneProviders(t *testing.T) {
	owners := map[string]string{}
	for _, b := range specs.All() {
		s := b.Make()
		for i := range s.Files {
			for _, p := range s.Files[i].Paths.All() {
				owner, ok := owners[p]
				shared := strings.HasSuffix(p, "netrc") || strings.HasSuffix(p, "gradle.properties") || p == "~/.ssh/sky-key"
				if ok && owner != s.Name && !shared {
					t.Errorf("%s and %s both claim %s", owner, s.Name, p)
				}
				owners[p] = s.Name
			}
		}
	}
}
