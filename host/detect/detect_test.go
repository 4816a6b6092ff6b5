package detect_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

const home = "/home/u/"

// Fake keys, joined here so that nothing scans as a key.
const akia = "AKIA" + "IOSFODNN7EXAMPLE"

func profile(name string) string {
	return "[" + name + "]\naws_access_key_id = " + akia + "\naws_secret_access_key = fake\n"
}

// newMachine has two profiles of aws, a half one, and a token of github.
func newMachine() *machine.Memory {
	m := machine.NewMemory("gpu")
	m.PutFile(home+".aws/credentials", []byte(profile("prod")+profile("default")+"[half]\naws_access_key_id = "+akia+"\n"), 0o600)
	m.PutFile(home+".config/gh/hosts.yml", []byte("github.com: {oauth_token: fake}\n"), 0o600)
	m.PutFile(home+".lambda_cloud/lambda_keys", []byte("[broken\n"), 0o600)
	m.SetEnv("HF_TOKEN", "hf_fake")
	return m
}

func detector(dir string) *detect.Detector {
	return &detect.Detector{Specs: spec.NewRegistry(specs.All(), dir)}
}

func names(found []provider.Found) string {
	var out []string
	for _, f := range found {
		name := f.Name
		if f.State == provider.Invalid {
			name += "!"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// Everything, in the order of the providers' names; or of providers and secrets that are
// named, by aliases too. What is broken of them is among it.
func TestOn(t *testing.T) {
	for asked, want := range map[string]string{
		"":                    "aws aws/prod aws/half! github huggingface lambda!",
		"github aws":          "aws aws/prod aws/half! github",
		"aws/prod":            "aws/prod",
		"aws/half":            "aws/half!",
		"gh":                  "github",
		"aws/prod github":     "aws/prod github",
		"aws/prod aws":        "aws aws/prod aws/half!",
		"hf github/nobody hf": "",
		"gh/github.com":       "",
		"lambda/x":            "lambda!",
		"openai":              "",
	} {
		found, err := detector("").On(t.Context(), newMachine(), strings.Fields(asked)...)
		if strings.Contains(asked, "nobody") || asked == "gh/github.com" {
			if err == nil || found != nil {
				t.Errorf("%q: %s", asked, names(found))
			}
			continue
		}
		if got := names(found); err != nil || got != want {
			t.Errorf("%q: %s, not %s; %v", asked, got, want, err)
		}
	}
	// Nothing is a list without elements, and not nil.
	if found, err := detector("").On(t.Context(), machine.NewMemory("empty")); found == nil || len(found) != 0 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// A secret that is not there is an error that says which there are.
func TestNoSuchSecret(t *testing.T) {
	found, err := detector("").On(t.Context(), newMachine(), "aws/prdo")
	if found != nil || !errors.Is(err, detect.ErrNone) || err.Error() != `no aws/prdo on this machine; did you mean "aws/prod"?` || fault.Hint(err) != "rhx detect aws lists what there is of it" {
		t.Errorf("%v, %v, %q", names(found), err, fault.Hint(err))
	}
	for _, name := range []string{"awss", "awss/x"} {
		if found, err := detector("").On(t.Context(), newMachine(), name); found != nil || err == nil || !strings.Contains(err.Error(), `did you mean "aws"?`) {
			t.Errorf("%v, %v", names(found), err)
		}
	}
	m := newMachine()
	m.Fail(errors.New("no route to host"))
	if found, err := detector("").On(t.Context(), m); found != nil || err == nil {
		t.Errorf("%v, %v", names(found), err)
	}
}

// A spec of the user's that is broken is said beside what was found; asked for by name
// it is the error.
func TestBrokenSpec(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte("spec: 1\nname: mine\nvalues: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte(profile("default")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []machine.Machine{newMachine(), machine.Local(home, func(string) string { return "" })} {
		found, err := detector(dir).On(t.Context(), m)
		if err == nil || !strings.Contains(err.Error(), "mine.yaml") || !strings.HasPrefix(names(found), "aws") {
			t.Errorf("%s, %v", names(found), err)
		}
		if found, err := detector(dir).On(t.Context(), m, "mine"); found != nil || err == nil {
			t.Errorf("%s, %v", names(found), err)
		}
		if found, err := detector(dir).On(t.Context(), m, "aws"); err != nil || !strings.HasPrefix(names(found), "aws") {
			t.Errorf("%s, %v", names(found), err)
		}
	}
	if found, err := (&detect.Detector{Specs: spec.NewRegistry(nil, dir)}).On(t.Context(), newMachine()); found != nil || err == nil {
		t.Errorf("%s, %v", names(found), err)
	}
}

// counting counts what is read of this machine.
type counting struct {
	machine.Machine
	read []string
}

func (c *counting) Read(ctx context.Context, paths []string) ([]machine.File, error) {
	c.read = append(c.read, paths...)
	return c.Machine.Read(ctx, paths)
}

func (c *counting) Look(paths []string) (set, there func(string) bool) {
	return c.Machine.(machine.Looker).Look(paths)
}

// On this machine only those providers are asked of which something may be there.
func TestOnlyWhatMayBeThere(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := &counting{Machine: machine.Local(home, func(name string) string { return map[string]string{"HF_TOKEN": "hf_fake"}[name] })}
	found, err := detector("").On(t.Context(), c)
	if err != nil || names(found) != "huggingface" {
		t.Errorf("%s, %v", names(found), err)
	}
	for _, path := range c.read {
		if strings.Contains(path, ".kube") || strings.Contains(path, "gcloud") {
			t.Errorf("%s was read", path)
		}
	}
	// One that is named is asked for.
	if found, err := detector("").On(t.Context(), c, "kubernetes"); err != nil || len(found) != 0 || !strings.Contains(strings.Join(c.read, " "), ".kube") {
		t.Errorf("%s, %v", names(found), err)
	}
}
