//go:build !slim

package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/rhx-dev/rhx/host/childenv"
)

// browse shows a person the address to log in at, and opens it in a browser
// where there is one. The address is printed always: the browser may be on
// another machine, or not open.
func (a *app) browse(url string, open bool) {
	fmt.Fprintf(a.Err, "Log in with your browser at:\n\n    %s\n\nWaiting for it. Ctrl-C gives up.\n", url)
	if !open {
		return
	}
	var argv []string
	switch b := a.Getenv("BROWSER"); {
	case b != "" && !strings.ContainsAny(b, "%: "):
		argv = []string{b, url}
	case runtime.GOOS == "darwin":
		argv = []string{"open", url}
	case runtime.GOOS == "windows":
		argv = []string{"rundll32", "url.dll,FileProtocolHandler", url}
	case a.Getenv("DISPLAY") != "" || a.Getenv("WAYLAND_DISPLAY") != "":
		argv = []string{"xdg-open", url}
	default:
		return
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = childenv.Environ()
	if err := cmd.Start(); err != nil {
		a.note("no browser was opened: %v", err)
		return
	}
	go func() { _ = cmd.Wait() }()
}
