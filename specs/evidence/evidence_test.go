package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
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
	installed := clients(t)
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
		if (e.Client == "") != (e.By == "") {
			t.Errorf("%s: a test has a client, and a client a test", b.Name)
		}
		if e.Client == "" {
			continue
		}
		for by := range strings.SplitSeq(e.By, ", ") {
			if !slices.Contains(installed, by) {
				t.Errorf("%s: .ci/tools installs no %s", b.Name, by)
			}
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

// clients returns the clients that .ci/tools installs, with their versions.
func clients(t *testing.T) []string {
	t.Helper()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("../../.ci/tools", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	var all []string
	for line := range strings.Lines(read("requirements.txt")) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			all = append(all, name+" "+version)
		}
	}
	for _, name := range []string{"gh", "vault"} {
		_, rest, _ := strings.Cut(read(name+".sh"), "\nversion=")
		version, _, _ := strings.Cut(rest, "\n")
		all = append(all, name+" "+version)
	}
	_, rest, _ := strings.Cut(read("node.sh"), "\nupstash=")
	version, _, _ := strings.Cut(rest, "\n")
	all = append(all, "@upstash/cli "+version)
	for name := range strings.FieldsFuncSeq(read("deps.sh"), func(r rune) bool { return strings.ContainsRune(" \n:\"", r) }) {
		all = append(all, name+" (Debian 12)")
	}
	return all
}
