package main

import "golang.org/x/sys/unix"

// keepMemoryPrivate has the kernel write no core dump of this process, in which keys
// would be, and let no other program of the user read its memory or environment. A
// program that rhx starts, or that takes its place, does not inherit that. Where the
// kernel refuses, rhx works as it would without.
func keepMemoryPrivate() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
