package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

func (c *versionCmd) Help() string {
	return `Examples:
  rhx version`
}

// version is set by the Makefile from git.
var version = ""

func (c *versionCmd) Run(a *app) error {
	v := versionText()
	if done, err := a.data(map[string]string{"version": v, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}); done {
		return err
	}
	_, err := fmt.Fprintf(a.Out, "rhx %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionText is the version as people read it.
func versionText() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); v == "" && ok {
		v = info.Main.Version
	}
	if v == "" || v == "(devel)" {
		v = "devel"
	}
	return v
}

func goos() string { return runtime.GOOS }
