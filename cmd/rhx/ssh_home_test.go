package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// sshOfHome puts a program ssh before the real one in PATH that reads the
// configuration in HOME, which each test has of its own: ssh itself takes the home
// folder from the user database. It returns what to call at the end.
func sshOfHome() (remove func()) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "rhx") && !strings.HasSuffix(os.Args[0], ".test") {
		return func() {} // a rhx that a test has started: its PATH is set
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
	return func() { os.RemoveAll(dir) }
}

// afterwards is a test run that tidies up.
type afterwards struct {
	testscript.TestingM
	then func()
}

func (a afterwards) Run() int {
	defer a.then()
	return a.TestingM.Run()
}
