//go:build !race

package main

import "github.com/rhx-dev/rhx/host/sandbox/abi"

// limits are those of a module's call: the defaults.
func limits() abi.Limits { return abi.Limits{} }
