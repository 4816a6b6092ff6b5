package author

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// Build compiles a package's source to its module with the language's own
// toolchain, and returns the module's path. The language is told by what is in
// the folder: see [toolchains]. Nothing is downloaded. A module that was there
// stays where that fails.
func Build(ctx context.Context, dir string) (string, error) {
	p, err := readSpec(dir)
	if err != nil {
		return "", err
	}
	abs, err := filepath.Abs(dir) // so that no name looks like an option
	if err != nil {
		return "", err
	}
	compile := toolchainFor(abs)
	if compile == nil {
		return "", fault.WithHint(fmt.Errorf("there is no source in %s that rhx knows how to build", dir),
			"rhx builds go.mod, Cargo.toml, asconfig.json, *.zig and *.c; build other languages with their own tools, to "+p.Module.Name+".wasm")
	}
	// In the package, so that the rename stays on one file system.
	work, err := os.MkdirTemp(abs, ".rhx-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	b := &build{dir: abs, name: p.Module.Name, work: work, out: filepath.Join(work, p.Module.Name+".wasm")}
	if err := compile(ctx, b); err != nil {
		return "", err
	}
	if err := isModule(b.out); err != nil {
		return "", err
	}
	module := filepath.Join(dir, p.Module.Name+".wasm")
	return module, os.Rename(b.out, module)
}

// build is one run of a toolchain.
type build struct {
	// dir is the package's folder, absolute.
	dir string
	// name is the module's.
	name string
	// work is an empty folder for what is not to stay, out where the module goes.
	work, out string
}

// run runs a tool in the package's folder and returns its standard output. What
// the tool says is part of the error.
func (b *build) run(ctx context.Context, env []string, argv ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = b.dir
	cmd.Env = append(toolEnv(), env...)
	cmd.WaitDelay = 5 * time.Second // for those that it started itself
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		text := strings.TrimSpace(stderr.String())
		if text == "" {
			text = strings.TrimSpace(stdout.String())
		}
		return nil, fmt.Errorf("%s: %w\n%s", strings.TrimSuffix(filepath.Base(argv[0]), ".exe"), err, text)
	}
	return stdout.Bytes(), nil
}

// toolEnv is what a toolchain sees of the environment. A package may have its
// compiler run code (a build script, a plugin), which is nobody to be shown the
// keys that are in an environment.
func toolEnv() []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "XDG_CACHE_HOME", "XDG_DATA_HOME",
		"USERPROFILE", "LOCALAPPDATA", "APPDATA", "PROGRAMDATA", "SYSTEMROOT", "COMSPEC", "PATHEXT", "TEMP", "TMP",
		"GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE",
		"CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN",
		"ZIG_GLOBAL_CACHE_DIR", "ZIG_LIB_DIR",
	} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// isModule returns an error where a file is not wasm.
func isModule(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the compiler succeeded and wrote no module")
	}
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(data, []byte("\x00asm\x01\x00\x00\x00")) {
		return errors.New("what the compiler wrote is no wasm module")
	}
	return nil
}

func exists(elem ...string) bool {
	_, err := os.Stat(filepath.Join(elem...))
	return err == nil
}
