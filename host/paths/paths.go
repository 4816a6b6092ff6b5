// Package paths answers questions about the names of files on this machine.
package paths

import (
	"os"
	"path/filepath"
	"strings"
)

// Below reports whether a path is a folder or in it, going by the names alone, and returns
// the path from there. Symbolic links are the caller's to resolve, with [Real].
func Below(folder, path string) (rel string, ok bool) {
	rel, err := filepath.Rel(folder, path)
	// A name such as ..old begins with two dots and leads nowhere up.
	return rel, err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Real is a path without symbolic links, or as it is where that cannot be told.
func Real(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// Same reports whether two paths lead to one file or folder.
func Same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}
