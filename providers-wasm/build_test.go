package wasm_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed modules are what the committed sources give: built again, in
// another folder and from a copy of the tree, they have the same digests.
func TestModulesAreReproducible(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("clang"); err != nil {
		t.Fatal("clang is missing; on Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32")
	}
	tree := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(filepath.Join(tree, "guest-sdk"), os.DirFS("../guest-sdk")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(tree, "providers-wasm"), os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	build := exec.Command("sh", filepath.Join(tree, "providers-wasm", "build.sh"), out)
	if msg, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, msg)
	}
	want, got := read(t, "SHA256SUMS"), read(t, filepath.Join(out, "SHA256SUMS"))
	if !bytes.Equal(got, want) {
		t.Errorf("the sources give\n%s, the committed digests are\n%s\nrun sh providers-wasm/build.sh, or use the packages it names", got, want)
	}
	check := exec.Command("sha256sum", "--check", "--quiet", "SHA256SUMS")
	if msg, err := check.CombinedOutput(); err != nil {
		t.Errorf("the committed modules are not those of SHA256SUMS: %s", msg)
	}
	modules, err := filepath.Glob("*/*.wasm")
	if err != nil || len(modules) != bytes.Count(want, []byte("\n")) {
		t.Errorf("%d modules, %d digests: %v", len(modules), bytes.Count(want, []byte("\n")), err)
	}
}
