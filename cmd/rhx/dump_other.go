//go:build !linux

package main

// keepMemoryPrivate does nothing: there is no such setting that the programs that rhx
// starts would not inherit.
func keepMemoryPrivate() {}
