package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

func registry(t *testing.T, users map[string]string) *spec.Registry {
	t.Helper()
	builtin := fstest.MapFS{
		"alpha.yaml": {Data: []byte("spec: 1\nname: alpha\naliases: [al]\nvalues: {k: {env: ALPHA}}\n")},
		"beta.yaml":  {Data: []byte("spec: 1\nname: beta\nvalues: {k: {env: BETA}}\n")},
	}
	dir := t.TempDir()
	for name, text := range users {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return spec.NewRegistry(builtin, []string{"beta", "alpha"}, dir)
}

func names(specs []*spec.Spec) []string {
	var out []string
	for _, s := range specs {
		out = append(out, s.Name)
	}
	return out
}

const userSpec = "spec: 1\nname: mine\naliases: [my, al]\nvalues: {k: {env: MINE}}\n"

func TestRegistry(t *testing.T) {
	r := registry(t, map[string]string{"mine.yaml": userSpec, "notes.txt": "x"})
	if got := r.Names(); !slices.Equal(got, []string{"beta", "alpha", "mine"}) {
		t.Error(got)
	}
	all, err := r.All()
	if err != nil || !slices.Equal(names(all), []string{"beta", "alpha", "mine"}) {
		t.Error(names(all), err)
	}
	for name, want := range map[string]string{
		"alpha": "alpha", "mine": "mine", "my": "mine",
		"al": "alpha", // a user's alias does not take that of a built-in provider
	} {
		s, err := r.Get(name)
		if err != nil || s.Name != want {
			t.Errorf("Get(%q): %v, %v", name, s, err)
		}
	}
	if s, err := r.Get("alpha"); err != nil || s.Origin != "specs/alpha.yaml" {
		t.Error(s, err)
	}
	for name, want := range map[string]bool{"alpha": true, "mine": true, "al": false, "nope": false, "notes": false} {
		if r.Known(name) != want {
			t.Errorf("Known(%q) is %v", name, !want)
		}
	}
}

func TestRegistryWithoutFolder(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "none")} {
		r := spec.NewRegistry(fstest.MapFS{}, nil, dir)
		if all, err := r.All(); err != nil || len(all) != 0 {
			t.Errorf("%q: %v %v", dir, all, err)
		}
	}
}

func TestRegistryUnknown(t *testing.T) {
	r := registry(t, map[string]string{"mine.yaml": userSpec, "broken.yaml": "spec: ["})
	for name, want := range map[string]string{
		"alhpa":   `unknown provider "alhpa"; did you mean "alpha"?`,
		"mien":    `unknown provider "mien"; did you mean "mine"?`,
		"quite":   `unknown provider "quite"`,
		"../mine": `unknown provider "../mine"`,
	} {
		_, err := r.Get(name)
		if err == nil || err.Error() != want || fault.KindOf(err) != fault.Usage || fault.Hint(err) == "" {
			t.Errorf("Get(%q): %v", name, err)
		}
	}
}

func TestRegistryReportsBrokenAndKeepsOthers(t *testing.T) {
	r := registry(t, map[string]string{
		"mine.yaml":   userSpec,
		"broken.yaml": "spec: 1\nname: broken\nvlaues: {}\n",
		"other.yaml":  userSpec,
		"alpha.yaml":  strings.ReplaceAll(userSpec, "mine", "alpha"),
		"guest.yaml":  "spec: 1\nname: guest\nvalues: {k: {}}\nfiles: [{path: ~/g, format: {wasm: g}}]\n",
	})
	all, err := r.All()
	if !slices.Equal(names(all), []string{"beta", "alpha", "mine"}) {
		t.Error(names(all))
	}
	if err == nil {
		t.Fatal("nothing is reported")
	}
	for _, want := range []string{
		`broken.yaml:3:1: a spec has no field "vlaues"; did you mean "values"?`,
		`other.yaml:1:1: the provider is named "mine", but its file "other"`,
		"alpha.yaml: the name alpha is that of a built-in provider; rename the file and the provider in it",
		"guest.yaml:1:1: a provider outside rhx itself cannot use a wasm module yet",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s\nin: %v", want, err)
		}
	}
	// Each is its own error when it is asked for; the others do not show.
	if _, err := r.Get("broken"); err == nil || strings.Contains(err.Error(), "other.yaml") {
		t.Error(err)
	}
	if s, err := r.Get("my"); err != nil || s.Name != "mine" {
		t.Error(s, err)
	}
	if s, err := r.Get("alpha"); err != nil || s.Origin != "specs/alpha.yaml" {
		t.Error("a user's file took the place of a built-in provider", s, err)
	}
}

func TestRegistryFolderThatCannotBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	if err := os.WriteFile(dir, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := spec.NewRegistry(fstest.MapFS{"a.yaml": {Data: []byte("spec: 1\nname: a\nvalues: {k: {env: A}}\n")}}, []string{"a"}, dir)
	all, err := r.All()
	if len(all) != 1 || err == nil || !strings.Contains(err.Error(), "read providers") {
		t.Error(names(all), err)
	}
	if _, err := r.Get("a"); err != nil {
		t.Error(err)
	}
	var pe *os.PathError
	if _, err := r.Get("b"); !errors.As(err, &pe) {
		t.Error(err)
	}
}

// However a spec is asked for, and how often, it is parsed once.
func TestRegistryParsesOnce(t *testing.T) {
	r := registry(t, map[string]string{"mine.yaml": "spec: 1\nname: mine\naliases: [my]\nvalues: {k: {env: MINE}}\n"})
	all, err := r.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			if again, err := r.Get(name); again != s || err != nil {
				t.Errorf("%s: parsed again, or %v", name, err)
			}
		}
	}
}
