package author_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A module needs neither rhx nor an SDK's host side: any WASI runtime runs it
// from a shell. This one is wazero's own command.
func TestAModuleRunsInAnyRuntimeFromAShell(t *testing.T) {
	dir := t.TempDir()
	wazero, module := filepath.Join(dir, "wazero"), filepath.Join(dir, "acme.wasm")
	sdk := filepath.Join("..", "..", "guest-sdk", "c")
	for _, c := range [][]string{
		{"go", "build", "-o", wazero, "github.com/tetratelabs/wazero/cmd/wazero"},
		{"clang", "--target=wasm32-wasi", "-mcpu=mvp", "-Os", "-I" + sdk, "-o", module,
			filepath.Join(sdk, "example", "acme.c"), filepath.Join(sdk, "rhx.c")},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c[0], err, out)
		}
	}
	content := base64.StdEncoding.EncodeToString([]byte("[work]\ntoken = fake-token\n"))
	request := filepath.Join(dir, "request.json")
	text := `{"abi":1,"op":"extract","provider":"acme","files":[{"path":"~/.acme/credentials","content":"` + content + `","exists":true}]}`
	if err := os.WriteFile(request, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `"$1" run "$2" <"$3"`, "sh", wazero, module, request)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var resp struct {
		ABI     int
		Secrets []struct {
			Profile string
			Values  map[string]string
		}
	}
	if err := json.Unmarshal(out, &resp); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if resp.ABI != 1 || len(resp.Secrets) != 1 || resp.Secrets[0].Profile != "work" || resp.Secrets[0].Values["token"] != "fake-token" {
		t.Errorf("answered %s", out)
	}
}
