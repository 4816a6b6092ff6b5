package projfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnvFiles(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"none", "services: {web: {image: x}}\n", ""},
		{"no services", "volumes: {}\n", ""},
		{"one, a list, and in full", "services:\n  a: {env_file: web.env}\n  b: {env_file: [./db.env, sub/x]}\n  c: {env_file: [{path: opt.env, required: false}]}\n", "web.env db.env sub/x opt.env"},
		{"each once", "services: {a: {env_file: .env}, b: {env_file: ./.env}}\n", ".env"},
		{"a list by its anchor", "x: &e [a.env]\nservices: {a: {env_file: *e}}\n", "a.env"},
		{"elsewhere", "services: {a: {env_file: [../x.env, /etc/passwd, ~/x, ., '', a/../../b]}}\n", "~/x"},
		{"made of variables", "services: {a: {env_file: ['${X}.env', $X]}}\n", ""},
		{"another format", "services: {a: {env_file: [{path: a.env, format: raw}]}}\n", ""},
		{"a format that is dotenv's", "services: {a: {env_file: [{path: a.env, format: dotenv}]}}\n", "a.env"},
		{"without a path", "services: {a: {env_file: [{required: false}, b.env]}}\n", "b.env"},
		{"examples", "services: {a: {env_file: [a.env.example, .env.sample]}}\n", ""},
		{"other shapes", "services: {a: {env_file: 1}, b: {env_file: {path: [x]}}, c: x, d: {env_file: [[x]]}}\n", ""},
	} {
		names, err := envFiles([]byte(c.data))
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s: %q, not %q (%v)", c.name, got, c.want, err)
		}
	}
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "f%d, ", i)
	}
	if names, err := envFiles([]byte("services: {a: {env_file: [" + many.String() + "]}}\n")); err != nil || len(names) != maxFiles+1 {
		t.Errorf("%d files are read, %v", len(names), err)
	}
	if _, err := envFiles([]byte("a: [\n")); err == nil {
		t.Error("a broken file is none")
	}
}

func TestPreferred(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"", "x", ""}, {"", "compose.yml", "compose.yml"}, {"compose.yaml", "compose.yml", "compose.yaml"}, {"docker-compose.yml", "compose.yml", "compose.yml"},
		{"docker-compose.yaml", "docker-compose.yml", "docker-compose.yml"}, {"compose.yml", "x", "compose.yml"},
	} {
		if got := preferred(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %q", c.a, c.b, got)
		}
	}
}

func TestFindByCompose(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(outside, "api")
	for name, data := range map[string]string{
		"secret.env": "A=outside", "api/.env": "A=1", "api/web.env": "B=2", "api/sub/x": "C=3", "api/other.env": "D=4",
		"api/docker-compose.yml": "services: {a: {env_file: other.env}}",
		"api/compose.yaml":       "services: {a: {env_file: [.env, web.env, sub/x, missing.env, link.env, far/x, ../secret.env]}}",
	} {
		file := filepath.Join(outside, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link.env": "../secret.env", "far": "sub"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	find := func(want string) {
		t.Helper()
		files, err := Find(dir)
		var texts []string
		for _, f := range files {
			texts = append(texts, text(f))
		}
		if got := strings.Join(texts, "|"); err != nil || got != want {
			t.Errorf("%s, not %s (%v)", got, want, err)
		}
	}
	find(".env: A=1|sub/x: C=3|web.env: B=2")
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := Find(dir)
	if err != nil || len(files) != 2 || files[0].Name != "compose.yaml" || files[0].Err == nil {
		t.Errorf("with a broken compose file: %+v, %v", files, err)
	}
	if err := os.Remove(filepath.Join(dir, "compose.yaml")); err != nil {
		t.Fatal(err)
	}
	find(".env: A=1|other.env: D=4")
}

// Whatever a compose file says, the files are below the project's folder.
func FuzzEnvFiles(f *testing.F) {
	for _, s := range []string{"services: {a: {env_file: [./db.env, ../x, /y]}}", "services: {a: {env_file: {path: 'a/../../b'}}}", "x: &a [*a]", "services: [env_file]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names, _ := envFiles(data)
		for _, name := range names {
			if !filepath.IsLocal(name) || strings.Contains("/"+name+"/", "/../") || strings.HasPrefix(name, "/") {
				t.Fatalf("%q", name)
			}
		}
	})
}

// A compose file is reason enough to look, also where no file has a known name; what it
// names and is not there, or is no file, is passed over.
func TestFindByComposeAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "compose.yaml", "services: {a: {env_file: [none/x, web.env, sub]}}")
	write(t, dir, "web.env", "A=1")
	write(t, dir, "sub/x", "B=2")
	is(t, "web.env", found(dir), "web.env: A=1")

	write(t, dir, ".env", "C=3")
	write(t, dir, "compose.yaml", strings.Repeat("#", 64<<10)+"\n")
	is(t, "a large compose file", found(dir), "compose.yaml: error: it is larger than 64 KiB|.env: C=3")

	// A link leads elsewhere: it is no file of the project's, and nothing to say.
	if err := os.Remove(filepath.Join(dir, "compose.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "linked", "services: {a: {env_file: web.env}}")
	if err := os.Symlink("linked", filepath.Join(dir, "compose.yaml")); err != nil {
		t.Fatal(err)
	}
	is(t, "a link", found(dir), ".env: C=3")
}
