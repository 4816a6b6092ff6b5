//go:build !linux && !darwin && !windows

package machine

import "errors"

// renameNew would rename a file only where the new name is free.
func renameNew(string, string) error { return errors.ErrUnsupported }
