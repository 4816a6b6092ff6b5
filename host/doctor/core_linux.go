package doctor

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// coreCheck looks whether commands that rhx starts would leave their memory in a file. rhx
// itself never does.
var coreCheck = Check{Name: "core-dumps", Look: func(context.Context, *Doctor) ([]Finding, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur == 0 {
		return nil, err
	}
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		return nil, nil // a container may hide it
	}
	return coreDumps(strings.TrimSpace(string(pattern))), nil
}}

func coreDumps(pattern string) []Finding {
	if pattern == "" || strings.HasPrefix(pattern, "|") {
		return nil // the system's own program takes it
	}
	where := "its working folder"
	if filepath.IsAbs(pattern) {
		where = filepath.Dir(pattern)
	}
	return []Finding{{
		Level: Note, What: "a command that crashes leaves its memory in " + where, Why: "What rhx run gave it is in there.", Command: "ulimit -c 0",
	}}
}
