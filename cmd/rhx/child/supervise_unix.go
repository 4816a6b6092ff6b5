//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"
)

// holdSignals has rhx outlive the signals that the terminal also gives the
// command. pass gives a process those that only rhx gets, until stop is called.
func holdSignals(takeOver func()) (pass func(*os.Process), stop func()) {
	got := make(chan os.Signal, 4)
	done := make(chan struct{})
	signal.Notify(got, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	takeOver()
	pass = func(p *os.Process) {
		for {
			select {
			case s := <-got:
				// Ctrl-C and Ctrl-\ reach the whole process group.
				if s != syscall.SIGINT && s != syscall.SIGQUIT {
					_ = p.Signal(s)
				}
			case <-done:
				return
			}
		}
	}
	return pass, func() { signal.Stop(got); close(done) }
}

func statusOf(p *os.ProcessState) int {
	if ws, ok := p.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return p.ExitCode()
}

// ownFolder reports whether a folder is the user's, and nobody else's to write to.
func ownFolder(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && info.Mode().Perm() == 0o700
}
