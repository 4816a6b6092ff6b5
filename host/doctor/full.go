package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// Full is the rhx-full beside an rhx.
type Full struct {
	Path    string `json:"path"`
	Version string `json:"version,omitempty"`
	Agrees  bool   `json:"agrees"`          // it is of the version of rhx
	Error   string `json:"error,omitempty"` // why its version is not known
}

// FullOf asks the rhx-full beside program, an rhx of a version, for its own.
func FullOf(ctx context.Context, program, version string) Full {
	f := Full{Path: filepath.Join(filepath.Dir(program), "rhx-full"+filepath.Ext(program))}
	_, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		f.Error = "is not there"
		return f
	}
	if err == nil {
		err = ownfile.Check(f.Path) // it is to be run
	}
	if err != nil {
		f.Error = "was not run: " + err.Error()
		return f
	}
	if f.Version, err = versionOf(ctx, f.Path); err != nil {
		f.Error = "does not run: " + err.Error()
	}
	f.Agrees = f.Version == version
	return f
}

// fullCheck looks for rhx-full, which is to be beside rhx and of its version.
var fullCheck = Check{Name: "rhx-full", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if !d.Slim {
		return nil, nil
	}
	f := FullOf(ctx, d.Program, d.Version)
	finding := Finding{Level: Warning, Why: "rhx goes on as rhx-full for Vault, for the broker and for modules of providers.", Command: "make install"}
	switch {
	case f.Error != "":
		finding.What = d.short(f.Path) + " " + f.Error
	case !f.Agrees:
		finding.What = fmt.Sprintf("%s is %s, and rhx is %s", d.short(f.Path), f.Version, d.Version)
		finding.Why += " The two are made for each other."
	default:
		return nil, nil
	}
	return []Finding{finding}, nil
}}

// versionOf asks rhx-full for its version. It needs nothing of the environment for that,
// which may have passphrases and tokens.
func versionOf(ctx context.Context, path string) (string, error) {
	env := []string{"LC_ALL=C"}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		env = append(env, "SYSTEMROOT="+root) // Windows starts nothing without
	}
	out, err := output(ctx, env, path, "version")
	if err != nil {
		return "", err
	}
	words := strings.Fields(out)
	if len(words) < 2 || words[0] != "rhx" {
		return "", fmt.Errorf("it does not say its version")
	}
	return words[1], nil
}
