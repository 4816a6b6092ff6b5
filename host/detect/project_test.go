package detect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// inProject is what detect finds in a project's folder that is called api.
func inProject(t *testing.T, files map[string]string) string {
	t.Helper()
	home := t.TempDir()
	dir := filepath.Join(home, "api")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	d := &detect.Detector{Specs: spec.NewRegistry(specs.All(), "")}
	found, err := d.Project(context.Background(), machine.Local(home, func(string) string { return "" }), "")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range found {
		for _, s := range f.Secrets {
			line := s.Name + " " + s.Provider + "/" + s.Profile
			for _, k := range s.Values.Keys() {
				line += fmt.Sprintf(" %s=%s", k, s.Values[k].Reveal())
			}
			for _, src := range s.Sources {
				line += " (" + src.String() + ")"
				if !src.Own || src.Path != f.Path {
					t.Errorf("%s is not from %s", s.Name, f.Path)
				}
			}
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

func TestProject(t *testing.T) {
	sk := "sk-" + "FAKEfakeFAKEfakeFAKEfake"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none", map[string]string{"README": "x"}, ""},
		{"a provider's and others", map[string]string{".env": "PORT=1\nOPENAI_API_KEY=" + sk + "\n"},
			"openai/api openai/api api_key=" + sk + " ($OPENAI_API_KEY in ~/api/.env)\napi / PORT=1 (~/api/.env)"},
		{"each file has its own", map[string]string{".env": "A=1", ".env.prod": "OPENAI_API_KEY=" + sk},
			"api / A=1 (~/api/.env)\nopenai/api.prod openai/api.prod api_key=" + sk + " ($OPENAI_API_KEY in ~/api/.env.prod)"},
		{"a variable by its other name", map[string]string{".env": "GITHUB_TOKEN=t"}, "github/api github/api oauth_token=t ($GITHUB_TOKEN in ~/api/.env)"},
		{"by both names", map[string]string{".env": "GITHUB_TOKEN=t\nGH_TOKEN=t"}, "github/api github/api oauth_token=t ($GH_TOKEN in ~/api/.env) ($GITHUB_TOKEN in ~/api/.env)"},
		{"a second one differs", map[string]string{".env": "GITHUB_TOKEN=u\nGH_TOKEN=t"},
			"github/api github/api oauth_token=t ($GH_TOKEN in ~/api/.env)\napi / GITHUB_TOKEN=u (~/api/.env)"},
		{"half a key pair is no secret of the provider", map[string]string{".env": "AWS_ACCESS_KEY_ID=x"}, "api / AWS_ACCESS_KEY_ID=x (~/api/.env)"},
		{"nor are settings alone", map[string]string{".env": "SENTRY_ORG=x"}, "api / SENTRY_ORG=x (~/api/.env)"},
		{"nor what would come back as another text", map[string]string{".env": `GOOGLE_CREDENTIALS='{"type": "x"}'` + "\nOPENAI_API_KEY='" + sk + "\n'"},
			`api / GOOGLE_CREDENTIALS={"type": "x"} OPENAI_API_KEY=` + sk + "\n (~/api/.env)"},
		{"nor a pair of which one half would", map[string]string{".env": "AWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY='y\n'"}, "api / AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y\n (~/api/.env)"},
		{"a path of the project is no file of the provider's", map[string]string{".env": "KUBECONFIG=./config\nAWS_SHARED_CREDENTIALS_FILE=keys"},
			"api / AWS_SHARED_CREDENTIALS_FILE=keys KUBECONFIG=./config (~/api/.env)"},
		{"an empty variable is none", map[string]string{".env": "OPENAI_API_KEY=\nGH_TOKEN=changeme"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := inProject(t, c.files); got != c.want {
				t.Errorf("got\n%s\nnot\n%s", got, c.want)
			}
		})
	}
}

// A project may be called as a provider is, by its other name, too: the secret of the
// other variables must not be taken for that provider's.
func TestProjectCalledAsAProvider(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("A=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &detect.Detector{Specs: spec.NewRegistry(specs.All(), "")}
	for project, want := range map[string]string{"openai": "openai.env", "gcloud": "gcloud.env", "api": "api", "aws.x": "aws.x"} {
		f, err := d.ProjectFile(context.Background(), machine.NewMemory("local"), file, project)
		if err != nil || len(f.Secrets) != 1 || f.Secrets[0].Name != want {
			t.Errorf("%s: %+v, %v", project, f.Secrets, err)
		}
	}
}
