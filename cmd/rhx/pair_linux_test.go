package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// What "make install" installs: rhx without the Vault client and the wasm
// runtime, and rhx-full with them.
func TestTwoPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rhx := filepath.Join(dir, "rhx")
	if err := os.Link(slimRhx(t), rhx); err != nil {
		t.Fatal(err)
	}
	s := vaulttest.Shared(t)
	url := "vault://" + s.MountKV(t, "team", 2, 0)
	run := func(stdin string, args ...string) (string, error) {
		cmd := exec.Command(rhx, append([]string{"--store", url}, args...)...)
		cmd.Env = environ(dir, "VAULT_ADDR="+s.Addr, "VAULT_TOKEN="+s.RootToken)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("", "list"); err == nil || !strings.Contains(out, "make install puts it beside rhx") {
		t.Fatalf("without rhx-full: %v\n%s", err, out)
	}
	if out, err := run("", "doctor"); err == nil || !strings.Contains(out, "warning: rhx-full: ~/rhx-full is not there\n") || !strings.Contains(out, "warning: store: ") {
		t.Fatalf("doctor without rhx-full: %v\n%s", err, out)
	}
	if out, err := run("", "version", "-o", "json"); err != nil || !strings.Contains(out, `"agrees": false`) || !strings.Contains(out, `"error": "is not there"`) {
		t.Fatalf("version without rhx-full: %v\n%s", err, out)
	}
	// A provider package that is a spec alone is made and tried without it.
	file, pkg := filepath.Join(dir, ".acme.yml"), filepath.Join(dir, "acme")
	if err := os.WriteFile(file, []byte("token: FAKE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("", "provider", "new", "acme", "--from-file", file, "--dir", pkg, "-q"); err != nil || out != "" {
		t.Fatalf("provider new: %v\n%s", err, out)
	}
	if out, err := run("", "provider", "test", pkg); err != nil || !strings.HasPrefix(out, "ok    case example\n") {
		t.Fatalf("provider test: %v\n%s", err, out)
	}
	if err := os.Symlink(plainProgram(t), filepath.Join(dir, "rhx-full")); err != nil {
		t.Fatal(err)
	}
	if out, err := run("", "version", "-o", "json"); err != nil || !strings.Contains(out, `"path": "`+filepath.Join(dir, "rhx-full")+`",`) || !strings.Contains(out, `"agrees": true`) {
		t.Fatalf("version beside rhx-full: %v\n%s", err, out)
	}
	if out, err := run("FAKE", "save", "openai", "api_key=-"); err != nil || out != "openai: saved\n" {
		t.Fatalf("save: %v\n%s", err, out)
	}
	if out, err := run("", "run", "-s", "openai", "--", "printenv", "OPENAI_API_KEY"); err != nil || out != "FAKE\n" {
		t.Fatalf("run: %v\n%s", err, out)
	}
	if out, err := run(`{"a": "FAKE"}`, "save", "base", "--values", "-"); err != nil || out != "base: saved\n" {
		t.Fatalf("save --values -: %v\n%s", err, out)
	}
	// A login, which reads its secret from stdin after rhx went on as rhx-full.
	if out, err := run(s.TokenWith(t, map[string]any{"ttl": "1h"}), "login"); err != nil || !strings.Contains(out, "Store: "+url) {
		t.Fatalf("login: %v\n%s", err, out)
	}
	if out, err := run("", "logout", "--yes"); err != nil || !strings.Contains(out, "The token is revoked") {
		t.Fatalf("logout: %v\n%s", err, out)
	}
	// The exit status passes through both.
	if _, err := run("", "run", "-s", "openai", "--", "sh", "-c", "exit 9"); err == nil || err.Error() != "exit status 9" {
		t.Fatalf("exit status: %v", err)
	}
	// Only rhx-full unpacks zstd: of an image without a value rhx could say nothing.
	image := filepath.Join(dir, "image.zst")
	if err := os.WriteFile(image, []byte("\x28\xb5\x2f\xfd\x04\x00\x21\x00\x00FAKE\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("", "scan", image); err != nil {
		t.Fatalf("scan: %v\n%s", err, out)
	}
	// A wasm module is run by rhx-full too.
	sample, err := os.ReadFile("../../providers-wasm/mylogin/cases/by-hand/home/.mylogin.cnf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".mylogin.cnf"), sample, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("", "detect", "mysql"); err != nil || !strings.Contains(out, "password=********") {
		t.Fatalf("detect mysql: %v\n%s", err, out)
	}
	// So is that of a package from somebody else.
	kit := filepath.Join(dir, "kit")
	if err := os.Mkdir(filepath.Join(dir, ".kit"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".kit", "credentials"), []byte("[default]\ntoken = FAKE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"provider", "new", "kit", "--lang", "c", "--dir", kit}, "kit: a module in c"},
		{[]string{"provider", "build", kit}, "kit.wasm\n"},
		{[]string{"provider", "test", kit}, "ok    hostile 4 MiB\n"},
		{[]string{"provider", "add", kit, "--yes"}, "kit: added\n"},
		{[]string{"detect", "kit"}, "token=********\n"},
		{[]string{"provider", "verify"}, "kit: as approved\n"},
	} {
		if out, err := run("", step.args...); err != nil || !strings.Contains(out, step.want) {
			t.Fatalf("rhx %s: %v\n%s", strings.Join(step.args, " "), err, out)
		}
	}
	out, err := exec.Command("go", "version", "-m", rhx).Output()
	if err != nil || strings.Contains(string(out), "hashicorp/vault") || strings.Contains(string(out), "wazero") || strings.Contains(string(out), "klauspost") {
		t.Fatalf("rhx links what only rhx-full needs: %v\n%s", err, out)
	}
}
