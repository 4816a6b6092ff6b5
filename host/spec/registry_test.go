package spec_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

func parsed(t *testing.T, file, text string) spec.Builtin {
	t.Helper()
	s, err := spec.Parse(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec.Builtin{Name: s.Name, Make: func() *spec.Spec { return s }}
}

func registry(t *testing.T, users map[string]string) *spec.Registry {
	t.Helper()
	builtin := []spec.Builtin{
		parsed(t, "specs/beta.yaml", "spec: 1\nname: beta\nvalues: {k: {env: BETA}}\n"),
		parsed(t, "specs/alpha.yaml", "spec: 1\nname: alpha\naliases: [al]\nvalues: {k: {env: ALPHA}}\n"),
	}
	dir := t.TempDir()
	for name, text := range users {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return spec.NewRegistry(builtin, dir)
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

// What is certainly not on the machine is not even made; the user's own always is.
func TestRegistryPossible(t *testing.T) {
	made := ""
	builtin := func(name, vars, paths string) spec.Builtin {
		return spec.Builtin{Name: name, Vars: vars, Paths: paths, Make: func() *spec.Spec {
			made += name + " "
			return &spec.Spec{Name: name}
		}}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(userSpec), 0o600); err != nil {
		t.Fatal(err)
	}
	r := spec.NewRegistry([]spec.Builtin{builtin("a", "A A2", ""), builtin("b", "B", "~/b one\n~/b2"), builtin("c", "", "~/c")}, dir)
	if got := r.Paths(); !slices.Equal(got, []string{"~/b one", "~/b2", "~/c"}) {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ vars, paths, want string }{
		{"", "", "mine"}, {"A2", "", "a mine"}, {"", "~/b one", "b mine"}, {"B", "~/c", "b c mine"}, {"", "~/b", "mine"},
	} {
		made = ""
		is := func(list string) func(string) bool {
			return func(name string) bool { return name == list && list != "" }
		}
		got, err := r.Possible(is(c.vars), is(c.paths))
		if err != nil || strings.Join(names(got), " ") != c.want {
			t.Errorf("%q, %q: %q, %v", c.vars, c.paths, names(got), err)
		}
		if strings.Contains(made, "c") && !strings.Contains(c.want, "c") {
			t.Errorf("%q was made", made)
		}
	}
}

func TestRegistryWithoutFolder(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "none")} {
		r := spec.NewRegistry(nil, dir)
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
		"guest.yaml:1:1: a provider with a wasm module is a package: rhx provider add takes its folder",
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
	r := spec.NewRegistry([]spec.Builtin{parsed(t, "specs/a.yaml", "spec: 1\nname: a\nvalues: {k: {env: A}}\n")}, dir)
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

// packages are added packages: by name, a spec's text and whether it replaces a
// built-in provider.
type packages map[string]struct {
	text     string
	replaces bool
}

func (p packages) Names() ([]string, error)        { return slices.Sorted(maps.Keys(p)), nil }
func (p packages) Replaces(n string) (bool, error) { return p[n].replaces, nil }
func (p packages) Spec(n string) (*spec.Spec, error) {
	if p[n].text == "" {
		return nil, errors.New("provider " + n + " is not used")
	}
	return spec.Parse("added/"+n, []byte(p[n].text))
}

// counted counts how often its packages are listed.
type counted struct {
	packages
	lists *int
}

func (c counted) Names() ([]string, error) { *c.lists++; return c.packages.Names() }

// A command asks for the specs of a thousand secrets: the folders are read once.
func TestRegistryListsItsFoldersOnce(t *testing.T) {
	lists := 0
	r := registry(t, map[string]string{"mine.yaml": userSpec}).WithPackages(counted{packages{}, &lists})
	if lists != 0 {
		t.Error("listed before anything was asked")
	}
	for range 3 {
		for _, name := range []string{"alpha", "mine"} {
			if _, err := r.Get(name); err != nil || !r.Known(name) {
				t.Error(name, err)
			}
		}
	}
	if lists != 1 {
		t.Errorf("listed %d times", lists)
	}
}

// unlisted are packages whose folder cannot be read.
type unlisted struct{ packages }

func (unlisted) Names() ([]string, error) { return nil, errors.New("permission denied") }

// Where nobody can say which packages there are, one may replace a built-in provider.
func TestRegistryWithPackagesThatCannotBeListed(t *testing.T) {
	r := registry(t, nil).WithPackages(unlisted{})
	if s, err := r.Get("alpha"); err == nil || err.Error() != "permission denied" {
		t.Error(s, err)
	}
}

func TestRegistryWithPackages(t *testing.T) {
	text := func(name string) string {
		return "spec: 1\nname: " + name + "\naliases: [al, other]\nvalues: {k: {env: PACK}}\n"
	}
	r := registry(t, map[string]string{"mine.yaml": userSpec}).WithPackages(packages{
		"added":   {text("added"), false},
		"alpha":   {text("alpha"), true},
		"beta":    {text("beta"), false}, // nobody said that it may
		"changed": {"", false},
		"mine":    {text("mine"), false},
		"wrong":   {text("another"), false},
	})
	if got := r.Names(); !slices.Equal(got, []string{"beta", "alpha", "mine", "added", "changed", "wrong"}) {
		t.Error(got)
	}
	all, err := r.All()
	origins := map[string]string{}
	for _, s := range all {
		origins[s.Name] = filepath.Base(filepath.Dir(s.Origin))
	}
	if want := []string{"beta", "alpha", "mine", "added"}; !slices.Equal(names(all), want) ||
		origins["alpha"] != "added" || origins["added"] != "added" || origins["beta"] != "specs" || origins["mine"] == "added" {
		t.Error(names(all), origins)
	}
	for _, want := range []string{
		"provider changed is not used",
		"the added provider beta is not used: the name is that of a built-in one",
		"the added provider mine is not used: ",
		`the provider is named "another", but its folder "wrong"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("not reported: %s\nin: %v", want, err)
		}
	}
	for name, origin := range map[string]string{"alpha": "added", "beta": "specs", "added": "added", "other": "added"} {
		s, err := r.Get(name)
		if err != nil || filepath.Base(filepath.Dir(s.Origin)) != origin {
			t.Errorf("Get(%q): %v, %v", name, s, err)
		}
	}
	if one, _ := r.Get("added"); one != all[3] {
		t.Error("an added spec is parsed again")
	}
	if s, err := r.Get("changed"); err == nil || !strings.Contains(err.Error(), "not used") {
		t.Error(s, err)
	}
	if s, err := r.Get("mine"); err != nil || !strings.HasSuffix(s.Origin, "mine.yaml") {
		t.Error(s, err)
	}
	if r.UserFile("mine") == "" || r.UserFile("added") != "" || r.UserFile("alpha") != "" || !r.Builtin("alpha") || r.Builtin("mine") {
		t.Error("whose provider is whose")
	}
}
