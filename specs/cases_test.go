package specs_test

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// Each provider whose file a codec reads has three cases: the file as the client
// writes it, one with comments and other profiles, a broken one. Each secret in them
// is found, loaded into an empty home folder and into the case's, and found again; a
// second load changes nothing, and a load of another value only the lines that hold
// it (package author does all that). Secret values in cases begin with "fake-", and
// nothing else has that.
func TestCases(t *testing.T) {
	for _, b := range specs.All() {
		sp := b.Make()
		if len(sp.Files) == 0 || hasModule(sp) || sp.Files[0].Format == "keypair" || sp.Name == "kubernetes" {
			continue // variables alone, or with cases of their own in providers-wasm and host/provider
		}
		t.Run(sp.Name, func(t *testing.T) {
			cases, err := filepath.Abs(filepath.Join("cases", sp.Name))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"written", "messy", "broken"} {
				if _, err := os.Stat(filepath.Join(cases, name, "expect.json")); err != nil {
					t.Error(err)
				}
			}
			results, err := (&author.Tester{}).Cases(t.Context(), packageOf(t, sp.Name, cases))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if r.Err != nil {
					t.Errorf("%s: %v", r.Name, r.Err)
				}
			}
			for _, name := range []string{"written", "messy"} {
				found := find(t, sp, homeOf(t, filepath.Join(cases, name, "home")), nil)
				if len(found) == 0 {
					t.Errorf("%s: nothing is found", name)
				}
				for _, f := range found {
					nothingShown(t, sp, f)
				}
			}
		})
	}
}

// A provider's variables give its secret: all of them, and those alone that a secret
// needs. Values come back from the variables that they are exported to.
func TestEnvironments(t *testing.T) {
	for _, b := range specs.All() {
		sp := b.Make()
		env := map[string]string{}
		want := map[string]string{}
		for _, v := range sp.Values {
			if len(v.Env) == 0 {
				if !v.Optional && sp.Document == "" {
					env = nil // the others are settings
					break
				}
				continue
			}
			text := "fake-" + v.Name
			if v.Public {
				text = "shown-" + v.Name
			}
			env[v.Env[0]], want[v.Name] = text, text
		}
		if len(env) == 0 {
			continue
		}
		t.Run(sp.Name, func(t *testing.T) {
			found := find(t, sp, nil, env)
			if len(found) != 1 || found[0].State != provider.HasValue || found[0].Name != sp.Name {
				t.Fatalf("found %v", found)
			}
			for k, text := range want {
				if got := found[0].Values[k]; got.Reveal() != text {
					t.Errorf("%s is not what its variable holds", k)
				}
			}
			if len(found[0].Values) != len(want) {
				t.Errorf("%d values, not %d", len(found[0].Values), len(want))
			}
			nothingShown(t, sp, found[0])
			// Other spellings of a variable are read, too.
			for _, v := range sp.Values {
				for _, name := range v.Env {
					other := maps.Clone(env)
					delete(other, v.Env[0])
					other[name] = env[v.Env[0]]
					if f := find(t, sp, nil, other); len(f) != 1 || f[0].Values[v.Name].Reveal() != want[v.Name] {
						t.Errorf("%s is not read", name)
					}
				}
			}
		})
	}
}

// Settings alone, such as the address of a server, are no secret and no broken one.
func TestSettingsAlone(t *testing.T) {
	for _, b := range specs.All() {
		sp := b.Make()
		env := map[string]string{}
		secrets := false
		for _, v := range sp.Values {
			secrets = secrets || !v.Public && len(v.Env) > 0
			if v.Public && v.Optional && len(v.Env) > 0 {
				env[v.Env[0]] = "shown-" + v.Name
			}
		}
		if !secrets || sp.Name == "azure" { // whose subscription is one by itself, as in clouds.config
			continue
		}
		if found := find(t, sp, nil, env); len(found) > 0 {
			t.Errorf("%s: %s, %s", sp.Name, found[0].State, found[0].Err)
		}
	}
}

// What a machine has leads to each provider that has something there, without a look
// into the others' specs.
func TestPossible(t *testing.T) {
	registry := spec.NewRegistry(specs.All(), "")
	possible := func(t *testing.T, home string, env map[string]string) []string {
		t.Helper()
		m, ok := machine.Local(home, func(name string) string { return env[name] }).(machine.Looker)
		if !ok {
			t.Fatal("this machine cannot be looked at")
		}
		found, err := registry.Possible(m.Look(registry.Paths()))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, sp := range found {
			names = append(names, sp.Name)
		}
		return names
	}
	if got := possible(t, t.TempDir(), nil); len(got) > 0 {
		t.Errorf("on an empty machine: %q", got)
	}
	for _, b := range specs.All() {
		sp := b.Make()
		for _, name := range sp.Vars() {
			if !slices.Contains(possible(t, t.TempDir(), map[string]string{name: "x"}), sp.Name) {
				t.Errorf("%s does not lead to %s", name, sp.Name)
			}
		}
		for i := range sp.Files {
			home := t.TempDir()
			p := filepath.Join(home, strings.Replace(strings.TrimPrefix(sp.Files[i].Path(runtime.GOOS), "~/"), "{profile}", "x", 1))
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			got := possible(t, home, nil)
			if !slices.Contains(got, sp.Name) {
				t.Errorf("%s does not lead to %s", p, sp.Name)
			}
			if len(got) > 60 { // those whose files are in the same folder, at most
				t.Errorf("%s leads to %d providers", p, len(got))
			}
		}
	}
}

// packageOf is a built-in provider as the package that package author checks.
func packageOf(t *testing.T, name, cases string) *author.Package {
	t.Helper()
	dir := t.TempDir()
	data, err := os.ReadFile(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "provider.yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "cases"), os.DirFS(cases)); err != nil {
		t.Fatal(err)
	}
	p, err := author.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func homeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func find(t *testing.T, sp *spec.Spec, home, env map[string]string) []provider.Found {
	t.Helper()
	m := machine.NewMemory("case")
	for name, text := range home {
		m.PutFile("/home/u/"+name, []byte(text), 0o600)
	}
	for k, v := range env {
		m.SetEnv(k, v)
	}
	snap, err := provider.Take(t.Context(), m, nil, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	return snap.Extract(t.Context(), sp)
}

// nothingShown reports a secret value in what may be shown: names and public values.
func nothingShown(t *testing.T, sp *spec.Spec, f provider.Found) {
	t.Helper()
	shown := []string{f.Name, f.Profile}
	for _, s := range f.Sources {
		shown = append(shown, s.String())
	}
	for k, v := range f.Values {
		if sp.Public(k) {
			shown = append(shown, v.Reveal())
		} else if f.Sources[0].Kind == secret.SourceFile && !strings.Contains(v.Reveal(), "fake-") {
			t.Errorf("%s of %s is not marked as fake", k, f.Name)
		}
	}
	if i := slices.IndexFunc(shown, func(s string) bool { return strings.Contains(s, "fake-") }); i >= 0 {
		t.Errorf("%s: a secret value is shown", f.Name)
	}
}

func hasModule(sp *spec.Spec) bool {
	return slices.ContainsFunc(sp.Files, func(f spec.File) bool { return f.Wasm != "" })
}
