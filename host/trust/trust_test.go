package trust

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// What the summary says of a module is what the sandbox holds it to.
func TestLimitsAreThoseOfTheSandbox(t *testing.T) {
	l := abi.DefaultLimits()
	if maxModule != l.Module || moduleMemory != fmt.Sprintf("%d MiB", l.Memory>>20) || moduleSeconds*time.Second != l.Call {
		t.Errorf("a module may use %+v", l)
	}
}

func TestPermissionsNameAllThatASpecDoes(t *testing.T) {
	s, err := spec.Parse("x.yaml", []byte(`
spec: 1
name: x
document: X_ALL
ambient: X_ROLE
values:
  user: {env: X_USER, public: true}
  key: {env: [X_KEY, X_OLD]}
  cert: {optional: true}
files:
  - path: {default: ~/.x/c.json, macos: ~/Library/x.json}
    override: [X_FILE, X_HOME/c.json, {list: X_LIST}]
    format: json
    keys: {key: key, cert: {at: tls, tree: true, inline: {cert-file: cert-data, ca-file: ca-data}}}
    add: {type: user}
    mode: 0700
  - path: ~/.x/old
    format: text
    keys: {key: .}
    read_only: true
  - path: ~/.x/m.cnf
    format: {wasm: xm, random: true}
use: {hosts: [api.x.example, "*.y.example"], header: {Authorization: "Bearer {key}"}}
helper:
  git: {for: ["https://x.example", "https://{profile}"], username: "*", password: "{key}"}
  aws: {access_key: "{user}", secret_key: "{key}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"read and write ~/.x/c.json, on darwin ~/Library/x.json, or the file that $X_FILE names, or $X_HOME/c.json, or the files that $X_LIST lists, as json, mode 0700",
		`write type = "user" into ~/.x/c.json`,
		"read the certificates and keys that ~/.x/c.json names in ca-file, cert-file",
		"read ~/.x/old, as text",
		"read and write ~/.x/m.cnf, by xm.wasm, mode 0600",
		"read and set $X_USER, for user (public)",
		"read and set $X_KEY, for key (secret)",
		"read $X_OLD, for key (secret)",
		"read and set $X_ALL, for all values",
		"see whether $X_ROLE is set",
		"run xm.wasm in the sandbox, with at most 64 MiB of memory and 2 s a call",
		"give xm.wasm this machine's randomness",
		"have it sent to api.x.example, *.y.example (header Authorization: Bearer {key})",
		"have rhx answer git with it, for https://x.example, https://{profile}",
		"have rhx answer aws with it",
		"reach hosts: none",
	}
	if got := permissions(s); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func testPackage(t *testing.T, name string) *Package {
	t.Helper()
	dir := t.TempDir()
	text := "spec: 1\nname: " + name + "\nvalues: {k: {env: K}}\nfiles: [{path: ~/.k, format: {wasm: m}}]\n"
	for file, data := range map[string]string{specFile: text, "m.wasm": "module of " + name} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pkg, err := ReadFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}

func install(t *testing.T, p *Providers, pkg *Package) {
	t.Helper()
	pr, err := p.Propose(pkg, Options{Builtin: func(string) bool { return false }})
	if err == nil {
		err = p.Install(pr)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestCommandsAtOnceLoseNoEntry(t *testing.T) {
	data := t.TempDir()
	var packages []*Package
	for i := range 8 {
		packages = append(packages, testPackage(t, fmt.Sprintf("p%d", i)))
	}
	var wg sync.WaitGroup
	for _, pkg := range packages {
		wg.Go(func() { install(t, Open(data, ""), pkg) })
	}
	wg.Wait()
	list, err := Open(data, "").List()
	if err != nil || len(list) != len(packages) {
		t.Fatal(list, err)
	}
	for _, s := range list {
		if len(s.Problems) > 0 {
			t.Error(s.Name, s.Problems)
		}
	}
}

// A command that is killed between the files and the lock leaves a provider that
// is refused, and that adding it again heals.
func TestFilesWithoutTheirLockAreRefusedAndHealed(t *testing.T) {
	data := t.TempDir()
	p := Open(data, "")
	pkg := testPackage(t, "p")
	install(t, p, pkg)
	before, err := os.ReadFile(p.lockPath())
	if err != nil {
		t.Fatal(err)
	}
	newer := testPackage(t, "p")
	newer.Files["m.wasm"] = []byte("the next version")
	install(t, p, newer)
	if err := os.WriteFile(p.lockPath(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{".new-1", ".old-p"} {
		if err := os.MkdirAll(filepath.Join(p.folder(), left, "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p = Open(data, "")
	if _, err := p.Module("p", "m"); err == nil || !strings.Contains(err.Error(), "not what you approved") {
		t.Fatal(err)
	}
	if _, err := p.Spec("p"); err != nil {
		t.Error("the spec is as approved", err)
	}
	install(t, p, newer)
	if code, err := p.Module("p", "m"); err != nil || string(code) != "the next version" {
		t.Error(string(code), err)
	}
	entries, err := os.ReadDir(p.folder())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "p" && e.Name() != ".lock" {
			t.Error("left behind:", e.Name())
		}
	}
}

func TestOnlyFilesOfTheLockAreRead(t *testing.T) {
	p := Open(t.TempDir(), "")
	install(t, p, testPackage(t, "p"))
	if err := os.WriteFile(filepath.Join(filepath.Join(p.folder(), "p"), "other.wasm"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"other", "../p/m", "none", ""} {
		if _, err := p.Module("p", m); err == nil || !strings.Contains(err.Error(), "not part of what you approved") {
			t.Error(m, err)
		}
	}
	for _, name := range []string{"q", "../providers/p", "", "."} {
		if _, err := p.Spec(name); err == nil || !strings.Contains(err.Error(), "not added by") {
			t.Error(name, err)
		}
	}
}

func TestLockOfAnotherVersionIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"version": 2}`: "it is of version 2, and this rhx reads version 1 at most",
		`{"version": 1, "providers": {"p": null}}`: "p has no entry",
		`[]`:                            "rhx.lock",
		`{"version": 1, "keys": ["x"]}`: "not a minisign public key",
	} {
		p := Open(t.TempDir(), "")
		if err := os.WriteFile(p.lockPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Keys(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	p := Open(t.TempDir(), "")
	if err := os.WriteFile(p.lockPath(), []byte(`{"version": 1, "providers": null}`), 0o600); err != nil {
		t.Fatal(err)
	}
	install(t, p, testPackage(t, "p"))
}

// A lock that cannot be written leaves the provider as it was.
func TestFailedLockLeavesTheOldVersion(t *testing.T) {
	p := Open(t.TempDir(), "")
	install(t, p, testPackage(t, "p"))
	newer := testPackage(t, "p")
	newer.Files["m.wasm"] = []byte("the next version")
	pr, err := p.Propose(newer, Options{Builtin: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	// A folder in the lock's place cannot be replaced by a file; it is put there
	// once the lock is read.
	saved := p.lockPath() + ".saved"
	err = p.change(func(l *lock) error {
		if err := os.Rename(p.lockPath(), saved); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(p.lockPath(), "x"), 0o700); err != nil {
			return err
		}
		return p.install(l, pr)
	})
	if err == nil {
		t.Fatal("the lock was written")
	}
	if err := os.RemoveAll(p.lockPath()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(saved, p.lockPath()); err != nil {
		t.Fatal(err)
	}
	if code, err := Open(p.data, "").Module("p", "m"); err != nil || string(code) != "module of p" {
		t.Error(string(code), err)
	}
}

func TestSumsMustListEveryFile(t *testing.T) {
	files := func(sums string) map[string][]byte {
		return map[string][]byte{specFile: []byte("a"), "m.wasm": []byte("b"), sumsFile: []byte(sums)}
	}
	a, b := strings.TrimPrefix(digest([]byte("a")), "sha256:"), strings.TrimPrefix(digest([]byte("b")), "sha256:")
	for sums, want := range map[string]string{
		a + "  provider.yaml\n" + b + "  m.wasm\n":                           "",
		a + " *./provider.yaml\r\n" + strings.ToUpper(b) + " *m.wasm":        "",
		a + "  provider.yaml\n" + b + "  m.wasm\n" + a + "  cases/x\n":       "",
		a + "  provider.yaml\n":                                              "does not list m.wasm",
		b + "  provider.yaml\n" + b + "  m.wasm\n":                           "provider.yaml is not the file",
		a + "  provider.yaml\n" + b + "  m.wasm\n" + a + "  provider.yaml\n": "lists provider.yaml twice",
		"":            "does not list",
		"hello":       "a line that sha256sum does not write",
		a[:63] + " x": "a line that sha256sum does not write",
	} {
		err := checkSums(files(sums))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", sums, err)
		}
	}
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(strings.TrimPrefix(digest([]byte("a")), "sha256:") + "  provider.yaml\n"))
	f.Add([]byte("x *./y\n\n"))
	f.Fuzz(func(t *testing.T, sums []byte) {
		if checkSums(map[string][]byte{specFile: []byte("a"), sumsFile: sums}) != nil {
			return
		}
		// What passes for one file does not for other bytes of it.
		if checkSums(map[string][]byte{specFile: []byte("b"), sumsFile: sums}) == nil {
			t.Errorf("%q holds for two files", sums)
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("untrusted comment: x\nRWQ=\ntrusted comment: y\nZZ==\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = signerID([]byte(text))
		if k, err := ParseKey(text); err == nil {
			again, err := ParseKey(k.String())
			if err != nil || again.String() != k.String() {
				t.Errorf("%q: %v", text, err)
			}
			if k.signed([]byte("x"), []byte(text)) {
				t.Error("a key is no signature")
			}
		}
	})
}

func TestDigestsOfAProposalAreTheFiles(t *testing.T) {
	pkg := testPackage(t, "p")
	if got := slices.Sorted(maps.Keys(pkg.Digests())); !slices.Equal(got, []string{"m.wasm", specFile}) {
		t.Error(got)
	}
}

// An addition that fails leaves nothing behind.
func TestFailedAdditionLeavesNothing(t *testing.T) {
	p := Open(t.TempDir(), "")
	install(t, p, testPackage(t, "p"))
	newer := testPackage(t, "p")
	newer.Files["m.wasm"] = []byte("the next version")
	pr, err := p.Propose(newer, Options{Builtin: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	err = p.change(func(l *lock) error {
		// What is in the way comes once the folder is tidied up.
		if err := os.MkdirAll(filepath.Join(p.folder(), oldPrefix+"p", "x"), 0o700); err != nil {
			return err
		}
		return p.install(l, pr)
	})
	if err == nil {
		t.Fatal("it was added")
	}
	if left, err := filepath.Glob(filepath.Join(p.folder(), newPrefix+"*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if code, err := Open(p.data, "").Module("p", "m"); err != nil || string(code) != "module of p" {
		t.Error(string(code), err)
	}
}
