package detect_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// dotenv writes a file .env in a new folder, and returns its path.
func dotenv(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A file that is named has the name of its folder's project, and its path is short
// where it is in the home folder.
func TestProjectFile(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"api/.streamlit", "api", "other"} {
		if err := os.MkdirAll(filepath.Join(home, filepath.FromSlash(name)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := filepath.ToSlash(home)
	for _, c := range []struct{ what, home, file, text, path, name, own string }{
		{"of the home folder", home, "api/.env", "A=1", "~/api/.env", "api", "true"},
		{"with another end of its path", home + "/", "api/.env", "A=1", "~/api/.env", "api", "true"},
		{"of another name", home, "api/settings", "A=1", "~/api/settings", "api.settings", "true"},
		{"in a folder of the project", home, "api/.streamlit/secrets.toml", "A = '1'", "~/api/.streamlit/secrets.toml", "api.secrets.toml", "true"},
		{"a program, into which nothing goes back", home, "api/.envrc", "export A=1", "~/api/.envrc", "api.envrc", "false"},
		{"elsewhere", home + "/other", "api/.env", "A=1", long + "/api/.env", "api", "true"},
		{"beside a folder whose name begins so", home + "/ap", "api/.env", "A=1", long + "/api/.env", "api", "true"},
		{"of a user whose home folder is the root", "/", "api/.env", "A=1", long + "/api/.env", "api", "true"},
	} {
		file := filepath.Join(home, filepath.FromSlash(c.file))
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := detector("").ProjectFile(t.Context(), machine.Local(c.home, func(string) string { return "" }), file, "")
		if err != nil || len(f.Secrets) != 1 || len(f.Secrets[0].Sources) != 1 {
			t.Errorf("%s: %+v, %v", c.what, f, err)
			continue
		}
		src := f.Secrets[0].Sources[0]
		if f.Path != c.path || src.Path != c.path || f.Secrets[0].Name != c.name || fmt.Sprint(src.Own) != c.own {
			t.Errorf("%s: %s is from %s, %+v", c.what, f.Secrets[0].Name, f.Path, src)
		}
	}
}

// A file that is named and cannot be read is an error that names it.
func TestProjectFileFails(t *testing.T) {
	m := machine.NewMemory("local")
	broken := dotenv(t, "A=1\nbroken line\n")
	dir := filepath.Dir(broken)
	for file, why := range map[string]string{broken: "line 2: not NAME=value", dir: "not a regular file", filepath.Join(dir, "none"): syscall.ENOENT.Error()} {
		if f, err := detector("").ProjectFile(t.Context(), m, file, "x"); err == nil || err.Error() != "read "+file+": "+why || f.Secrets != nil {
			t.Errorf("%s: %+v, %v", file, f, err)
		}
	}
	lost := errors.New("no route to host")
	m.Fail(lost)
	if _, err := detector("").ProjectFile(t.Context(), m, dotenv(t, "A=1"), "x"); !errors.Is(err, lost) {
		t.Errorf("a machine that does not answer: %v", err)
	}
	if files, err := detector("").Project(t.Context(), m, "x"); files != nil || !errors.Is(err, lost) {
		t.Errorf("a machine that does not answer: %+v, %v", files, err)
	}
}

// Without a working folder there are no files; of one with very many, those that were
// read are there, and that there are more is said.
func TestProjectFolders(t *testing.T) {
	m := machine.NewMemory("local")
	if files, err := detector("").Project(t.Context(), m, ""); len(files) != 0 || err != nil {
		t.Errorf("a folder that is gone: %+v, %v", files, err)
	}
	dir := filepath.Dir(dotenv(t, "A=1"))
	m.SetEnv("PWD", filepath.Join(dir, "none"))
	if files, err := detector("").Project(t.Context(), m, ""); len(files) != 0 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %+v, %v", files, err)
	}
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".env.%02d", i)), []byte("A=1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m.SetEnv("PWD", dir)
	files, err := detector("").Project(t.Context(), m, "")
	if len(files) != 50 || err == nil || !strings.Contains(err.Error(), "more than 50 project files") {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// A spec of the user's that is broken does not hide what others know. A project that
// is called as it is has another name, and without any other spec it is the error.
func TestProjectWithABrokenSpec(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte("spec: 1\nname: mine\nvalues: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := machine.NewMemory("local")
	file := dotenv(t, "HF_TOKEN=hf_fake\nA=1\n")
	f, err := detector(dir).ProjectFile(t.Context(), m, file, "mine")
	if err != nil || names(f.Secrets) != "huggingface/mine mine.env" {
		t.Errorf("%s, %v", names(f.Secrets), err)
	}
	m.SetEnv("PWD", filepath.Dir(file))
	d := &detect.Detector{Specs: spec.NewRegistry(nil, dir)}
	if f, err := d.ProjectFile(t.Context(), m, file, "x"); err == nil || !strings.Contains(err.Error(), "mine.yaml") || f.Secrets != nil {
		t.Errorf("%s, %v", names(f.Secrets), err)
	}
	if files, err := d.Project(t.Context(), m, "x"); err == nil || len(files) != 0 {
		t.Errorf("%+v, %v", files, err)
	}
}

// quitting is a machine whose user ends rhx once it has been asked.
type quitting struct {
	machine.Machine
	quit func()
}

func (q quitting) Info(ctx context.Context, names []string) (machine.Info, error) {
	defer q.quit()
	return q.Machine.Info(ctx, names)
}

// A file that was not read to the end is never one of which nothing is known.
func TestProjectThatIsInterrupted(t *testing.T) {
	file := dotenv(t, "HF_TOKEN=hf_fake\n")
	m := machine.NewMemory("local")
	m.SetEnv("PWD", filepath.Dir(file))
	ctx, cancel := context.WithCancel(t.Context())
	if f, err := detector("").ProjectFile(ctx, quitting{m, cancel}, file, "x"); !errors.Is(err, context.Canceled) || f.Secrets != nil {
		t.Errorf("%s, %v", names(f.Secrets), err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if files, err := detector("").Project(ctx, quitting{m, cancel}, "x"); !errors.Is(err, context.Canceled) || len(files) != 0 {
		t.Errorf("%+v, %v", files, err)
	}
}

// Secrets are in the order of their providers' names, and only those providers are
// made of which the file has a variable.
func TestProjectProviders(t *testing.T) {
	var made []string
	builtin := func(name, env, paths string) spec.Builtin {
		return spec.Builtin{Name: name, Vars: env, Paths: paths, Make: func() *spec.Spec {
			made = append(made, name)
			return &spec.Spec{Name: name, Values: []spec.Value{{Name: "k", Env: []string{env}}}}
		}}
	}
	d := &detect.Detector{Specs: spec.NewRegistry([]spec.Builtin{builtin("b", "B", ""), builtin("none", "NONE", ""), builtin("path", "P", "~/.path\n"), builtin("a", "A", "")}, "")}
	f, err := d.ProjectFile(t.Context(), machine.NewMemory("local"), dotenv(t, "B=2\nA=1\n"), "x")
	if err != nil || names(f.Secrets) != "a/x b/x" {
		t.Errorf("%s, %v", names(f.Secrets), err)
	}
	if got := strings.Join(made, " "); got != "b a" {
		t.Errorf("made: %s", got)
	}
}
