package author

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
)

// toolchain compiles the package to b.out.
type toolchain func(ctx context.Context, b *build) error

// toolchains are the languages that rhx builds, with how a package of each is
// known. The first one that fits counts.
func toolchains() []struct {
	fits    func(dir string) bool
	compile toolchain
} {
	return []struct {
		fits    func(dir string) bool
		compile toolchain
	}{
		{func(dir string) bool { return exists(dir, "go.mod") }, buildGo},
		{func(dir string) bool { return exists(dir, "Cargo.toml") }, buildRust},
		{isAssemblyScript, buildAssemblyScript},
		{func(dir string) bool { return len(sources(dir, "*.zig")) > 0 }, buildZig},
		{func(dir string) bool { return len(sources(dir, "*.c")) > 0 }, buildC},
	}
}

// toolchainFor returns nil where there is nothing to build.
func toolchainFor(dir string) toolchain {
	for _, t := range toolchains() {
		if t.fits(dir) {
			return t.compile
		}
	}
	return nil
}

func sources(dir, pattern string) []string {
	// Not filepath.Glob: a folder's own name may have a star in it.
	entries, _ := os.ReadDir(dir)
	var out []string
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok && !e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// missing is the error for a tool that is not installed.
func missing(what, install string) error {
	return fault.WithHint(errors.New(what+" is not installed"), install)
}

func buildC(ctx context.Context, b *build) error {
	clang, err := exec.LookPath("clang")
	if err != nil {
		return missing("clang, which builds C to wasm,", "on Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32")
	}
	argv := []string{clang, "--target=wasm32-wasi", "-mcpu=mvp", "-std=gnu11", "-Os", "-Wall", "-fno-ident",
		"-Wl,--strip-all", "-Wl,--gc-sections", "-o", b.out}
	_, err = b.run(ctx, nil, append(argv, sources(b.dir, "*.c")...)...)
	return err
}

func buildGo(ctx context.Context, b *build) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return missing("go, which builds Go to wasm,", "install Go 1.24 or later")
	}
	env := []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS="}
	_, err = b.run(ctx, env, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", b.out, ".")
	return err
}

func buildRust(ctx context.Context, b *build) error {
	cargo, rustc, target, err := rust(ctx, b)
	if err != nil {
		return err
	}
	// Cargo says in JSON where it put what; people read what it says on stderr.
	out, err := b.run(ctx, []string{"RUSTC=" + rustc, "CARGO_NET_OFFLINE=true"},
		cargo, "build", "--offline", "--release", "--target", target, "--message-format=json-render-diagnostics")
	if err != nil {
		return err
	}
	module := ""
	for line := range strings.Lines(string(out)) {
		var m struct{ Executable string }
		if json.Unmarshal([]byte(line), &m) != nil || m.Executable == "" {
			continue
		}
		if module != "" {
			return fmt.Errorf("the package has two programs, %s and %s; a provider has one", filepath.Base(module), filepath.Base(m.Executable))
		}
		module = m.Executable
	}
	if module == "" {
		return errors.New("the package has no program: there is no src/main.rs")
	}
	// The one in target/ stays, for cargo to find it.
	data, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	return os.WriteFile(b.out, data, 0o644)
}

// rust finds cargo and a rustc that has a target for WASI. The first in PATH is
// often rustup's, without one, and the system's has it.
func rust(ctx context.Context, b *build) (cargo, rustc, target string, err error) {
	found := false
	for _, name := range []string{"rustc", "/usr/bin/rustc"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		// Cargo of the same installation: rustup's does not start without rustup's settings.
		cargo, err := exec.LookPath(filepath.Join(filepath.Dir(path), "cargo"))
		if err != nil {
			continue
		}
		found = true
		out, err := b.run(ctx, nil, path, "--print", "sysroot")
		if ctx.Err() != nil {
			return "", "", "", ctx.Err()
		}
		if err != nil {
			continue
		}
		for _, target := range []string{"wasm32-wasip1", "wasm32-wasi"} { // its name before Rust 1.78
			if exists(strings.TrimSpace(string(out)), "lib", "rustlib", target, "lib") {
				return cargo, path, target, nil
			}
		}
	}
	hint := "rustup target add wasm32-wasip1, or on Debian: apt-get install cargo libstd-rust-dev-wasm32"
	if found {
		return "", "", "", missing("Rust's target wasm32-wasip1", hint)
	}
	return "", "", "", missing("cargo, which builds Rust,", hint)
}

// isAssemblyScript reports whether a folder has a compiler's settings, or a
// package.json that names the compiler.
func isAssemblyScript(dir string) bool {
	if exists(dir, "asconfig.json") {
		return true
	}
	data, err := os.ReadFile(filepath.Join(dir, "package.json"))
	return err == nil && strings.Contains(string(data), `"assemblyscript"`)
}

func buildAssemblyScript(ctx context.Context, b *build) error {
	if !exists(b.dir, "asconfig.json") {
		return fault.WithHint(errors.New("there is no asconfig.json"), `it says what to compile: {"entries": ["assembly/`+b.name+`.ts"], "options": {"exportStart": "_start"}}`)
	}
	asc, err := findAsc(b.dir)
	if err != nil {
		return err
	}
	_, err = b.run(ctx, nil, asc, "--config", "asconfig.json", "--outFile", b.out)
	return err
}

// findAsc finds the compiler where npm puts it, for this package or one around
// it, and then in PATH. npx would do so too, and would go to the network for one
// that is not there.
func findAsc(dir string) (string, error) {
	install := "in the package's folder: npm install assemblyscript"
	if _, err := exec.LookPath("node"); err != nil {
		return "", missing("node, which runs the AssemblyScript compiler,", "install Node.js 18 or later, then "+install)
	}
	for d := dir; ; d = filepath.Dir(d) {
		if path, err := exec.LookPath(filepath.Join(d, "node_modules", ".bin", "asc")); err == nil {
			return path, nil
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	path, err := exec.LookPath("asc")
	if err != nil {
		return "", missing("asc, the AssemblyScript compiler,", install)
	}
	return path, nil
}

func buildZig(ctx context.Context, b *build) error {
	root := ""
	for _, name := range []string{b.name + ".zig", "main.zig"} {
		if root == "" && exists(b.dir, name) {
			root = "./" + name
		}
	}
	if root == "" {
		return fmt.Errorf("there is neither %s.zig nor main.zig to begin with", b.name)
	}
	zig, err := findZig(ctx, b)
	if err != nil {
		return err
	}
	_, err = b.run(ctx, safePath(), append(zig, "build-exe", "-target", "wasm32-wasi", "-O", "ReleaseSafe", "-fstrip", "--stack", "1048576", "-femit-bin="+b.out, root)...)
	return err
}

// safePath keeps Python from taking a file of the package for one of its modules.
func safePath() []string { return []string{"PYTHONSAFEPATH=1"} }

// findZig finds zig in PATH, or in the package of Python's index that has it.
func findZig(ctx context.Context, b *build) ([]string, error) {
	if path, err := exec.LookPath("zig"); err == nil {
		return []string{path}, nil
	}
	pythons := []string{"python3"}
	if runtime.GOOS == "windows" {
		pythons = append(pythons, "python")
	}
	for _, name := range pythons {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if _, err := b.run(ctx, safePath(), path, "-c", "import ziglang"); err == nil {
			return []string{path, "-m", "ziglang"}, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, missing("zig", "install Zig 0.14 or later, or: pip install ziglang")
}
