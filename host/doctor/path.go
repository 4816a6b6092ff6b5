package doctor

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"

	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/paths"
)

// pathCheck looks for other programs that are called rhx.
var pathCheck = Check{Name: "path", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	name := "rhx"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	seen := []string{paths.Real(d.Program)}
	var out []Finding
	for _, dir := range filepath.SplitList(d.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 && runtime.GOOS != "windows" || slices.Contains(seen, paths.Real(path)) {
			continue
		}
		seen = append(seen, paths.Real(path))
		// It is not run: anybody may have put it there.
		version := builtAs(path)
		if version != "" && version == builtAs(d.Program) {
			continue
		}
		what := fmt.Sprintf("another program in PATH is called rhx: %s", d.short(path))
		if version != "" {
			what = fmt.Sprintf("another rhx is in PATH: %s was built from %s; this one is %s", d.short(path), version, d.short(d.Program))
		}
		out = append(out, Finding{Level: Warning, What: what, Why: "Which one runs depends on the order in PATH; an older one may refuse what a newer one wrote.", Command: "rm " + d.short(path)})
	}
	return out, nil
}}

// builtAs is the version of the source of a program, as Go wrote it there; "" where that is
// not told, or others can write the program.
func builtAs(path string) string {
	if ownfile.Check(path) != nil {
		return ""
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Path != "github.com/rhx-dev/rhx/cmd/rhx" || info.Main.Version == "(devel)" || strings.ContainsFunc(info.Main.Version, unicode.IsControl) {
		return ""
	}
	return info.Main.Version
}
