package wall

import (
	"fmt"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

// Files leaves this process no file but those in dir ("" for none at all), no network
// and no way to other processes, as far as the kernel has Landlock. It holds for all
// threads and cannot be undone. What is open stays open.
func Files(dir string) error {
	var rules []landlock.Rule
	if dir != "" {
		rules = append(rules, landlock.RWDirs(dir))
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return nil
}

// Calls leaves this process the system calls that a Go program makes which computes and
// writes to what it has open: it opens nothing, connects to nothing, starts nothing,
// signals nobody but itself, and makes no memory executable. Each other call fails with
// EPERM. It holds for all threads and cannot be undone.
func Calls() error {
	if !seccomp.Supported() {
		return nil
	}
	policy, err := policy()
	if err != nil {
		return err
	}
	err = seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy})
	if err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// allowed are calls that reach nothing outside of the process but through what is open.
var allowed = []string{
	"read", "readv", "pread64", "write", "writev", "close", "lseek", "fcntl", "fstat", "newfstatat",
	"brk", "munmap", "mremap", "madvise", "mincore",
	"futex", "sched_yield", "sched_getaffinity", "membarrier", "rseq", "set_robust_list", "get_robust_list",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"timer_create", "timer_settime", "timer_gettime", "timer_delete", "setitimer", "getitimer",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getrusage", "getrlimit", "getrandom", "uname",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2", "pipe2", "poll", "ppoll",
	"exit", "exit_group",
}

func policy() (seccomp.Policy, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Policy{}, fmt.Errorf("seccomp: %w", err)
	}
	group := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, name := range allowed {
		if _, ok := info.SyscallNames[name]; ok { // not every processor has each
			group.Names = append(group.Names, name)
		}
	}
	when := func(name string, argument uint32, is seccomp.Operation, value uint64) {
		group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{
			Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: is, Value: value}},
		})
	}
	when("clone", 0, seccomp.BitsSet, unix.CLONE_THREAD) // a thread, not a process
	when("tgkill", 0, seccomp.Equal, uint64(unix.Getpid()))
	when("prlimit64", 2, seccomp.Equal, 0) // reads a limit, sets none
	for _, name := range []string{"mmap", "mprotect"} {
		when(name, 2, seccomp.BitsNotSet, unix.PROT_EXEC)
	}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			group,
			// The C library then takes clone, whose flags a filter can see.
			{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
		},
	}, nil
}
