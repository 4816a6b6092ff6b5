package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/specs"
)

// Each provider has evidence, of one kind; what is said to be a test is one, and
// is about the provider.
func TestEvidence(t *testing.T) {
	dec := yaml.NewDecoder(bytes.NewReader(list))
	dec.KnownFields(true)
	var all map[string]Evidence
	if err := dec.Decode(&all); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, b := range specs.All() {
		known[b.Name] = true
		e, ok := all[b.Name]
		kinds := 0
		for _, text := range []string{e.Client, e.Source, e.Documentation} {
			if text != "" {
				kinds++
			}
		}
		if !ok || kinds != 1 {
			t.Errorf("%s has %d kinds of evidence", b.Name, kinds)
		}
		for _, at := range []string{e.Source, e.Documentation} {
			if at != "" && !strings.HasPrefix(at, "https://") {
				t.Errorf("%s: %s is no address", b.Name, at)
			}
		}
		if e.Client == "" {
			continue
		}
		script, err := os.ReadFile(filepath.Join("../../cmd/rhx/testdata/script", e.Client))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(script), " "+b.Name) {
			t.Errorf("%s does nothing with %s", e.Client, b.Name)
		}
	}
	for name := range all {
		if !known[name] {
			t.Errorf("there is no provider %s", name)
		}
	}
}
