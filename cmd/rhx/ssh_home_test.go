package main

import (
	"os"
	"path/filepath"
	"strings"
)

// sshOfHome puts a program ssh before the real one in PATH that reads the
// configuration in HOME, which each test has of its own: ssh itself takes the home
// folder from the user database.
func sshOfHome() {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "rhx") && !strings.HasSuffix(os.Args[0], ".test") {
		return // a rhx that a test has started: its PATH is set
	}
	dir, err := os.MkdirTemp("", "rhx-ssh")
	if err != nil {
		panic(err)
	}
	script := `#!/bin/sh
PATH=${PATH#*` + dir + `:}
[ ! -f "$HOME/.ssh/config" ] || set -- -F "$HOME/.ssh/config" "$@"
exec ssh "$@"
`
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o755); err != nil {
		panic(err)
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		panic(err)
	}
	afterTests = append(afterTests, func() { _ = os.RemoveAll(dir) })
}
