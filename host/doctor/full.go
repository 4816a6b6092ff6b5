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

// fullCheck looks for rhx-full, which is to be beside rhx and of its version.
var fullCheck = Check{Name: "rhx-full", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if !d.Slim {
		return nil, nil
	}
	path := filepath.Join(filepath.Dir(d.Program), "rhx-full"+filepath.Ext(d.Program))
	const why = "rhx goes on as rhx-full for Vault, for the broker and for modules of providers."
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Level: Warning, What: fmt.Sprintf("%s is not there", d.short(path)), Why: why, Command: "make install"}}, nil
	}
	if err == nil {
		err = ownfile.Check(path) // it is to be run
	}
	if err != nil {
		return []Finding{{Level: Warning, What: fmt.Sprintf("%s was not run: %v", d.short(path), err), Why: why, Command: "make install"}}, nil
	}
	version, err := versionOf(ctx, path)
	if err != nil {
		return []Finding{{Level: Warning, What: fmt.Sprintf("%s does not run: %v", d.short(path), err), Why: why, Command: "make install"}}, nil
	}
	if version != d.Version {
		return []Finding{{
			Level: Warning, What: fmt.Sprintf("%s is %s, and rhx is %s", d.short(path), version, d.Version), Why: why + " The two are made for each other.", Command: "make install",
		}}, nil
	}
	return nil, nil
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
