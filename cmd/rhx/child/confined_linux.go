package child

import (
	"errors"
	"os"
	"syscall"

	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/fault"
)

// Stage is [confine.Stage], which starts the command as others are started.
func Stage(args []string) int {
	return confine.Stage(args, func(argv []string) *confine.Failure {
		err := start(argv, os.Environ(), func(path string, argv []string) error { return syscall.Exec(path, argv, os.Environ()) })
		f := &confine.Failure{Command: argv[0], Status: 126, Text: err.Error(), Hint: fault.Hint(err)}
		var not *StartError
		if errors.As(err, &not) {
			f.Status, f.Text = not.Status, not.Err.Error()
		}
		return f
	})
}
