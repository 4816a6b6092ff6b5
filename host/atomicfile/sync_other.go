//go:build !unix

package atomicfile

func notForFolders(error) bool { return false }
