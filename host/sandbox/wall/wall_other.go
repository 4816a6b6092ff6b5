//go:build !linux

package wall

// Files does nothing here.
func Files(string) error { return nil }

// Calls does nothing here.
func Calls() error { return nil }
