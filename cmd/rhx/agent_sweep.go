package main

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

const (
	// sweepEvery is how often the agent looks whether something is to be taken out of this
	// machine, which is one look for a file.
	sweepEvery = 5 * time.Second
	// sweepAgain is how long after a sweep there is another one: what could not be taken
	// out is tried again then.
	sweepAgain = 20 * time.Second
	// sweepWithin is how long a sweep may take.
	sweepWithin = time.Minute
)

// sweepVariables say whose files and which key are meant. The agent has no other variables.
var sweepVariables = []string{"HOME", "RHX_HOME", "RHX_AGE_IDENTITY", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"}

func sweepEnviron(environ []string) []string {
	return slices.DeleteFunc(environ, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains(sweepVariables, name)
	})
}

// sweepNowAndThen takes out of this machine what was placed for a time that has passed. A
// process of its own does so: with the key that the agent holds, as any other.
func sweepNowAndThen(ctx context.Context, exe string) {
	home := os.Getenv("HOME")
	if home == "" {
		return
	}
	book := &session.Book{Dirs: config.NewDirs(home, os.Getenv)}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due, err := book.Due()
		if err != nil || time.Since(last) < sweepAgain || !slices.ContainsFunc(due, func(e session.Expiry) bool { return place.Parse(e.Machine) == place.Here }) {
			continue
		}
		last = time.Now()
		sweepOnce(ctx, exe)
	}
}

func sweepOnce(ctx context.Context, exe string) {
	ctx, cancel := context.WithTimeout(ctx, sweepWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "sweep", "--local", "--quiet", "--no-input")
	cmd.Dir, cmd.Env = "/", sweepEnviron(os.Environ())
	_ = cmd.Run() // the next rhx says what it could not do
}
