package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/doctor"
)

type versionCmd struct{}

func (c *versionCmd) Help() string {
	return `With -o json also the commit and its date, whether the sources had changes that were not committed, and whether rhx-full, beside rhx, is of the same version.

Examples:
  rhx version
  rhx version -o json`
}

// What the Makefile and the release know from git, and Go itself does not where it is
// given no repository: a tag, a commit, and the commit's date.
var version, commit, date string

// build is what a program was built from.
type build struct {
	Version  string       `json:"version"`
	Commit   string       `json:"commit,omitempty"` // of a version of the module proxy, 12 digits
	Date     string       `json:"date,omitempty"`   // of the commit: the time of a build would differ at each
	Modified bool         `json:"modified"`
	Go       string       `json:"go"`
	OS       string       `json:"os"`
	Arch     string       `json:"arch"`
	Full     *doctor.Full `json:"full,omitempty"`
}

func (c *versionCmd) Run(ctx context.Context, a *app) error {
	b := builtNow()
	if a.Output == "table" { // in which nothing is started
		_, err := fmt.Fprintf(a.Out, "rhx %s (%s, %s/%s)\n", b.Version, b.Go, b.OS, b.Arch)
		return err
	}
	if slimProgram {
		exe, err := os.Executable()
		if err == nil {
			exe, err = filepath.EvalSymlinks(exe)
		}
		if err != nil {
			return err
		}
		full := doctor.FullOf(ctx, exe, b.Version)
		b.Full = &full
	}
	_, err := a.data(b)
	return err
}

// builtNow is what this program was built from.
func builtNow() build {
	info, _ := debug.ReadBuildInfo()
	return builtFrom(build{Version: version, Commit: commit, Date: date}, info)
}

// builtFrom completes what the linker was told by what Go notes in a program.
func builtFrom(b build, info *debug.BuildInfo) build {
	b.Go, b.OS, b.Arch = runtime.Version(), runtime.GOOS, runtime.GOARCH
	if info != nil {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && b.Commit == "":
				b.Commit = s.Value
			case s.Key == "vcs.time" && b.Date == "":
				b.Date = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				b.Modified = true
			}
		}
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	if strings.HasSuffix(b.Version, "dirty") { // -dirty of git, +dirty of Go
		b.Modified = true
	}
	if at, digits := commitOf(b.Version); b.Commit == "" && b.Date == "" {
		b.Commit, b.Date = digits, at
	}
	if at, err := time.Parse(time.RFC3339, b.Date); err == nil {
		b.Date = at.UTC().Format(time.RFC3339)
	}
	return b
}

// commitOf is the date and the commit that Go writes at the end of the version of a
// commit without a tag: v0.0.0-20261130032121-3ce3cd440a5a.
func commitOf(version string) (at, digits string) {
	version, _, _ = strings.Cut(version, "+")
	rest, digits := cutLast(version, "-")
	_, stamp := cutLast(strings.ReplaceAll(rest, ".", "-"), "-")
	t, err := time.Parse("20060102150405", stamp)
	if err != nil || len(digits) != 12 {
		return "", ""
	}
	return t.Format(time.RFC3339), digits
}

// cutLast cuts text at the last sep.
func cutLast(text, sep string) (before, after string) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):]
	}
	return text, ""
}

// versionText is the version as people read it.
func versionText() string { return builtNow().Version }

func goos() string { return runtime.GOOS }
