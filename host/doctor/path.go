package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// pathCheck looks for other programs that are called rhx.
var pathCheck = Check{Name: "path", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	name := "rhx"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	seen := []string{real(d.Program)}
	var out []Finding
	for _, dir := range filepath.SplitList(d.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 && runtime.GOOS != "windows" || slices.Contains(seen, real(path)) {
			continue
		}
		seen = append(seen, real(path))
		version, err := versionOf(ctx, path)
		if err == nil && version == d.Version {
			continue
		}
		what := fmt.Sprintf("another rhx is in PATH: %s is %s, and this one, %s, is %s", d.short(path), version, d.short(d.Program), d.Version)
		if err != nil {
			what = fmt.Sprintf("another program in PATH is called rhx: %s", d.short(path))
		}
		out = append(out, Finding{Level: Warning, What: what, Why: "Which one runs depends on the order in PATH; an older one may refuse what a newer one wrote.", Command: "rm " + d.short(path)})
	}
	return out, nil
}}

// real is a path without links, or as it is where that cannot be told.
func real(path string) string {
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	return path
}
