package child

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

type held struct{ got chan os.Signal }

// holdSignals has rhx outlive Ctrl-C, which the command gets as well.
func (r *Runner) holdSignals() *held {
	h := &held{make(chan os.Signal, 1)}
	signal.Notify(h.got, os.Interrupt)
	r.TakeOver()
	return h
}

func (h *held) end() { signal.Stop(h.got) }

func (*held) attr() *syscall.SysProcAttr { return nil }

func (*held) wait(cmd *exec.Cmd, _ int, _ func()) (int, error) {
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && cmd.ProcessState == nil {
		return 0, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// EndAs: Windows has no signals that end a process.
func EndAs(int) {}

// ownFolder: on Windows the folder for temporary files is the user's own.
func ownFolder(os.FileInfo) bool { return true }

// watch: on Windows what a killed rhx leaves, the next one removes.
func watch(string) (end func()) { return func() {} }

// plainFile: Windows has no such files without rights that a command has not.
const plainFile = 0
