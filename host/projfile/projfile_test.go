package projfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	for name, want := range map[string]bool{
		".env": true, ".env.local": true, ".env.production.local": true, ".dev.vars": true, ".dev.vars.staging": true, ".env.Exampled": true,
		"": false, "env": false, ".env.": false, ".env2": false, ".environment": false, ".envrc.x": false, "a.env": false, ".dev": false,
		".env.example": false, ".env.EXAMPLE": false, ".env.local.example": false, ".env.sample.local": false, ".env.template": false, ".env.dist": false,
		".env.vault": false, ".env.gpg": false, ".env.prod.age": false,
	} {
		if got := kindOf(name) != nil; got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestNotAValue(t *testing.T) {
	for _, text := range []string{
		"", " ", "xxx", "XXXXXXXX", "***", "...", "…", "???", "sk-xxxx", "ghp_xxxxxxxx", "changeme", "CHANGE_ME", "change-this!", "replace me",
		"your-key", "your_api_key_here", "Your API key", "yourtoken", "sk-your-key-here", "replace-with-your-key", "insert your token", "<token>", "{{ token }}", "[your key]",
		"todo", "TBD", "placeholder", "encrypted:BASE", "ENC[AES256_GCM,data:x]", "op://vault/item/field",
	} {
		if notAValue(text) == "" {
			t.Errorf("%q is taken for a value", text)
		}
	}
	for _, text := range []string{
		"0", "x", "xx", "1xxx", "test", "dummy", "secret", "password", "true", "3000", "changemenot", "you", "yours", "<a> <b>", "a.b", "..", "axxxx", "sk-xxx1", "http://your.example/", "op:/x",
		"mysecret", "sk-" + "FAKEfakeFAKEfakeFAKEfake", "insert coin",
	} {
		if why := notAValue(text); why != "" {
			t.Errorf("%q: %s", text, why)
		}
	}
}

func TestSecretName(t *testing.T) {
	for file, want := range map[string]string{
		".env": "api", ".env.local": "api.local", ".env.prod.local": "api.prod.local", ".dev.vars": "api.dev.vars", "prod.env": "api.prod", "settings": "api.settings", ".env.env": "api.env",
		".streamlit/secrets.toml": "api.secrets.toml", "docker/web.env": "api.docker.web", "web/.env": "api.web", "a/b/.env.prod": "api.a.b.prod",
	} {
		if got := SecretName("api", file); got != want {
			t.Errorf("%s: %s, not %s", file, got, want)
		}
	}
}

// text is what is in a file, with its values.
func text(f File) string {
	var b strings.Builder
	b.WriteString(f.Name + ":")
	for _, v := range f.Vars {
		fmt.Fprintf(&b, " %s=%s", v.Name, v.Value.Reveal())
	}
	for _, l := range f.Left {
		fmt.Fprintf(&b, " -%s (%s)", l.Name, l.Why)
	}
	if f.Err != nil {
		b.WriteString(" error: " + f.Err.Error())
	}
	return b.String()
}

func write(t *testing.T, dir, name, data string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// found is all that is found in a folder, with what could not be read.
func found(dir string) string {
	files, err := Find(dir)
	var texts []string
	for _, f := range files {
		texts = append(texts, text(f))
	}
	if err != nil {
		texts = append(texts, "error: "+err.Error())
	}
	return strings.Join(texts, "|")
}

func is(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, not %s", what, got, want)
	}
}

// Each of the files that are known is found by itself.
func TestFindEachKind(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{".env", "A_B=1", ".env: A_B=1"}, {".env.local", "A=1", ".env.local: A=1"}, {".dev.vars", "A=1", ".dev.vars: A=1"}, {".envrc", "export A=1", ".envrc: A=1"},
		{".streamlit/secrets.toml", "A = 'x'", ".streamlit/secrets.toml: A=x"}, {".streamlit/other.toml", "A = 'x'", ""}, {"secrets.toml", "A = 'x'", ""},
		{"local.settings.json", `{"Values": {"A": "x"}}`, "local.settings.json: A=x"}, {"sub/.env", "A=1", ""},
	} {
		dir := t.TempDir()
		write(t, dir, c.name, c.data)
		is(t, c.name, found(dir), c.want)
	}
	// A folder that is a link leads elsewhere.
	elsewhere, dir := t.TempDir(), t.TempDir()
	write(t, elsewhere, "secrets.toml", "A = 'x'")
	if err := os.Symlink(elsewhere, filepath.Join(dir, ".streamlit")); err != nil {
		t.Fatal(err)
	}
	is(t, "a link", found(dir), "")
}

// What cannot be read is never taken for nothing, and the cause is said.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "file", "A=1")
	none, file := filepath.Join(dir, "none"), filepath.Join(dir, "file")
	if _, err := Find(none); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "look for project files: ") {
		t.Errorf("a folder that is not there: %v", err)
	}
	if files, err := Find(file); files != nil || err == nil || !strings.HasPrefix(err.Error(), "look for project files: ") {
		t.Errorf("a file for a folder: %v, %v", files, err)
	}
	if f, err := Read(none); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) || f.Vars != nil {
		t.Errorf("a file that is not there: %v", err)
	}
	closed := func(name string) (*os.File, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	if data, err := read(os.Stat, closed, file); data != nil || !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), dir) {
		t.Errorf("a file that does not open: %q, %v", data, err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	put := func(name, data string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := func() string {
		t.Helper()
		files, err := Find(dir)
		var texts []string
		for _, f := range files {
			texts = append(texts, text(f))
		}
		if err != nil {
			texts = append(texts, "error: "+err.Error())
		}
		return strings.Join(texts, "\n")
	}
	if got := files(); got != "" {
		t.Errorf("of an empty folder: %s", got)
	}
	put(".env", "B=2\nA=1\nB=3\nE=\nR=${A}\nD=a$b\nK=changeme\nx.y=1\n9=1\n")
	put(".env.sub/.env", "A=1\n")
	put(".env.example", "A=1\n")
	put("other", "A=1\n")
	put(".env.bad", "A=1\nfoo bar\n")
	put(".env.large", strings.Repeat("#", 64<<10)+"\n")
	put(".env.size", strings.Repeat("#", 64<<10-4)+"\nA=1")
	want := `.env: A=1 B=3 -E (it is empty) -R (it refers to another variable) -D (it has a $ or ` + "`" + ` that a shell replaces; in single quotes it would be a value) -K (it is a placeholder) -x.y (no variable can have the name) -9 (no variable can have the name)
.env.bad: error: line 2: not NAME=value
.env.large: error: it is larger than 64 KiB
.env.size: A=1`
	if got := files(); got != want {
		t.Errorf("got\n%s\nnot\n%s", got, want)
	}
	if _, err := Find(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there has no files")
	}

	if err := os.Symlink(filepath.Join(dir, "other"), filepath.Join(dir, ".env.link")); err != nil {
		t.Fatal(err)
	}
	if got := files(); got != want {
		t.Errorf("with a link: %s", got)
	}
	f, err := Read(filepath.Join(dir, ".env.link"))
	if err != nil || text(f) != ".env.link: A=1" {
		t.Errorf("a link that is named: %s, %v", text(f), err)
	}
	if _, err := Read(filepath.Join(dir, ".env.sub")); err == nil || err.Error() != "not a regular file" {
		t.Errorf("a folder: %v", err)
	}
}

// A folder or a file with very many is not read whole.
func TestFindBounds(t *testing.T) {
	dir := t.TempDir()
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, "V%d=x\n", i)
	}
	for i := range 51 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".env.%02d", i)), []byte(many.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Find(dir)
	if len(files) != 50 || err == nil || !strings.Contains(err.Error(), "more than 50 project files") || len(files[49].Vars) != 1000 {
		t.Errorf("%d files, %v", len(files), err)
	}
	many.WriteString("one=more\n")
	name := filepath.Join(dir, "many")
	if err := os.WriteFile(name, []byte(many.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Read(name); err != nil || f.Err == nil || f.Err.Error() != "it has more than 1000 variables" || f.Vars != nil {
		t.Errorf("%v, %v", err, f.Err)
	}
}

// As many variables as a file can have are read in some milliseconds, and never end
// where the cost grows with the square of their number.
func TestHostileFiles(t *testing.T) {
	for _, c := range []struct{ name, unit string }{
		{".env", "A=1\n"}, {".env", "A%d=\n"}, {".env", "A='\n'\n"}, {".env", "A=${${${\n"},
		{".envrc", "export A=1\n"}, {".envrc", "export A%d=1\n"}, {".envrc", "a b c d e f\n"}, {".envrc", "export A='a'b\n"},
		{".streamlit/secrets.toml", "A%d=''\n"}, {".streamlit/secrets.toml", "[A%d]\n"},
		{"terraform.tfvars", "A%d=\"\"\n"}, {"terraform.tfvars", "A {\n}\n"}, {"terraform.tfvars", "a=[[[[[[\n"},
	} {
		var b strings.Builder
		for i := 0; b.Len() < maxSize-20; i++ {
			b.WriteString(strings.ReplaceAll(c.unit, "%d", strconv.Itoa(i)))
		}
		if f := parsed(c.name, []byte(b.String()), nil); len(f.Vars) > 1 {
			t.Errorf("%s of %q: %d variables", c.name, c.unit, len(f.Vars))
		}
	}
}
