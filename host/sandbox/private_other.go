//go:build !unix

package sandbox

import "io/fs"

// private accepts the folder: on Windows the user's profile, in which it lies,
// is closed to other users by its access list, and modes say nothing.
func private(string, fs.FileInfo) error { return nil }
