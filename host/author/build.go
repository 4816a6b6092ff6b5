package author

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
)

// Build compiles the C sources (*.c) in a package's folder to its module, with
// clang, and returns the module's path. A module that was there stays where
// that fails.
func Build(ctx context.Context, dir string) (string, error) {
	p, err := readSpec(dir)
	if err != nil {
		return "", err
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.c"))
	if err != nil {
		return "", err
	}
	if len(sources) == 0 {
		return "", fault.WithHint(fmt.Errorf("there is no C source (*.c) in %s", dir), "rhx builds C; build other languages with their own tools, to "+p.Module.Name+".wasm")
	}
	clang, err := exec.LookPath("clang")
	if err != nil {
		return "", fault.WithHint(errors.New("clang, which builds C to wasm, is not installed"), "on Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32")
	}
	module := filepath.Join(dir, p.Module.Name+".wasm")
	part := module + ".part"
	defer os.Remove(part)
	args := []string{"--target=wasm32-wasi", "-mcpu=mvp", "-std=gnu11", "-Os", "-Wall", "-fno-ident", "-Wl,--strip-all", "-Wl,--gc-sections", "-o", part}
	for _, s := range sources {
		abs, err := filepath.Abs(s) // so that no name looks like an option
		if err != nil {
			return "", err
		}
		args = append(args, abs)
	}
	if out, err := exec.CommandContext(ctx, clang, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("clang: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return module, os.Rename(part, module)
}
