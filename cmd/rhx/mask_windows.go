package main

import (
	"errors"
	"os"

	"github.com/rhx-dev/rhx/host/mask"
)

// hasPTY: on Windows a command whose output is masked writes to pipes.
const hasPTY = false

func (a *app) onPTY(string, []string, []string, *mask.Masker, *os.File) error {
	return errors.ErrUnsupported
}

func ignorePipeSignal() (stop func()) { return func() {} }

// monitorArg is not used on Windows, which has no sessions of terminals.
const monitorArg = "run-monitor"

func serveMonitor([]string) int { return 2 }
