//go:build unix

package child

import (
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restrict has the system hold the process to its job: no core file, which would
// hold secrets; twice the time of all processors, then SIGKILL (hard and soft
// limit are equal, since Go lives on after SIGXCPU); and on Linux no more data
// than half beyond what confine allows, for one allocation that is too large.
func restrict(job *Job) {
	set := func(what int, most uint64) {
		// The user's own limit may be lower, and then stays.
		_ = syscall.Setrlimit(what, &syscall.Rlimit{Cur: most, Max: most})
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_CPU, uint64(2*(job.most()+slack)/time.Second)*uint64(runtime.NumCPU()))
	if runtime.GOOS == "linux" && !raceDetector {
		set(unix.RLIMIT_DATA, uint64(job.Memory+job.Memory/2))
	}
}
