//go:build !linux

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The servers of the tests are Linux programs; scripts that start them begin
// with [linux].
func serverCommands(*testing.T) map[string]func(*testscript.TestScript, bool, []string) { return nil }
