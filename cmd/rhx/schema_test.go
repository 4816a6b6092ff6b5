package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/strictyaml/schematest"
	"github.com/rhx-dev/rhx/specs"
)

// Every manifest and spec of the documentation and of the scripts that rhx reads
// without a complaint, the schemas accept.
func TestTheSchemasAcceptWhatIsWritten(t *testing.T) {
	documents := map[string][]byte{}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/*/*.md", "../../README.md", "../../guest-sdk/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range yamlBlocks(data) {
				documents[file+": "+firstLine(b)] = b
			}
		}
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		a, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			documents[script+": "+f.Name] = f.Data
		}
	}
	ofManifest, ofSpec := schematest.Compile(t, manifest.Schema()), schematest.Compile(t, spec.Schema())
	opts := builtIn().ManifestOptions("")
	manifests, read := 0, 0
	for name, data := range documents {
		switch {
		case bytes.HasPrefix(data, []byte("version: 1\n")):
			if _, err := manifest.Parse(name, data, opts); err == nil {
				manifests++
				if err := ofManifest(data); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		case bytes.HasPrefix(data, []byte("spec: 1\n")):
			if _, err := spec.Parse(name, data); err == nil {
				read++
				if err := ofSpec(data); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if manifests < 2 || read < 5 {
		t.Errorf("only %d manifests and %d specs found", manifests, read)
	}
}

// Every example in docs/manifest.md is a manifest.
func TestTheManifestsOfTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile("../../docs/manifest.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlocks(doc)
	if len(blocks) < 4 {
		t.Errorf("only %d examples found", len(blocks))
	}
	for _, b := range blocks {
		m, err := manifest.Parse("docs/manifest.md", b, builtIn().ManifestOptions(""))
		if err != nil {
			t.Errorf("%v in\n%s", err, b)
			continue
		}
		for _, profile := range m.Profiles {
			if _, err := manifest.Parse("docs/manifest.md", b, builtIn().ManifestOptions(profile)); err != nil {
				t.Errorf("profile %s: %v", profile, err)
			}
		}
	}
}

// builtIn knows the built-in providers.
func builtIn() *project.Project {
	return &project.Project{Specs: spec.NewRegistry(specs.All(), "")}
}

// yamlBlocks are the blocks of YAML in a text in Markdown.
func yamlBlocks(doc []byte) [][]byte {
	var out [][]byte
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(doc, -1) {
		out = append(out, m[1])
	}
	return out
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
