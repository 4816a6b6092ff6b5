package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fullCheck looks for rhx-full, which is to be beside rhx and of its version.
var fullCheck = Check{Name: "rhx-full", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if !d.Slim {
		return nil, nil
	}
	path := filepath.Join(filepath.Dir(d.Program), "rhx-full"+filepath.Ext(d.Program))
	const why = "rhx goes on as rhx-full for Vault, for the broker and for modules of providers."
	if _, err := os.Stat(path); err != nil {
		return []Finding{{Level: Warning, What: fmt.Sprintf("%s is not there", d.short(path)), Why: why, Command: "make install"}}, nil
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

// versionOf asks another rhx for its version.
func versionOf(ctx context.Context, path string) (string, error) {
	out, err := output(ctx, path, "version")
	if err != nil {
		return "", err
	}
	words := strings.Fields(out)
	if len(words) < 2 || words[0] != "rhx" {
		return "", fmt.Errorf("it does not say its version")
	}
	return words[1], nil
}
