package confine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The stages of [Stage].
const (
	stageBegin  = "begin"
	stageSpaces = "spaces"
	stageInit   = "init"
	stageIdle   = "idle"
	stageExec   = "exec"
)

// The descriptors that each stage has.
const (
	fdControl = 3 + iota
	fdPlan
	fdReport
)

// Stage is one of the processes that start a confined command. It needs nothing that the
// user does not have, and gives nothing that they have not: who starts it by hand confines
// a command of their own.
//
// "begin" starts "spaces" in new namespaces: the one before it cannot, since a process
// whose memory is closed to others cannot have a user namespace made for its child.
// "spaces" mounts, makes the listeners, and starts "init", which is process 1 of the PID
// namespace and goes on, without capabilities, as "idle" until the run ends, and "exec",
// which becomes the command. It gives
// them its own parent: so the command is a child of the process that called [Start], with
// its session and group, and signals, stops and the exit status are as for any other.
//
// exec replaces the process by a command; it returns where that fails.
func Stage(args []string, exec func(argv []string) *Failure) int {
	runtime.LockOSThread() // what follows is of one thread: the one that becomes the command
	// A Ctrl-Z before the command is there would stop a process that nobody looks after.
	for _, s := range []os.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU} {
		if !signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	for _, fd := range []int{fdControl, fdPlan, fdReport} {
		unix.CloseOnExec(fd)
	}
	plan, err := readPlan()
	if err != nil {
		return failed(failure(err))
	}
	argv := args[1:]
	switch args[0] {
	case stageBegin:
		if !plan.Namespaces {
			return become(plan, argv, exec)
		}
		err = begin(plan, argv)
	case stageSpaces:
		err = spaces(plan, argv)
	case stageInit:
		err = initProcess(plan)
	case stageIdle:
		return idle()
	case stageExec:
		return become(plan, argv, exec)
	}
	if err != nil {
		return failed(failure(err))
	}
	return 0
}

// descriptor is one that the next stages need: an [os.File] of it would close it when it
// is collected.
type descriptor int

func (d descriptor) ReadAt(p []byte, off int64) (int, error) {
	n, err := unix.Pread(int(d), p, off)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func readPlan() (*Plan, error) {
	data, err := io.ReadAll(io.NewSectionReader(descriptor(fdPlan), 0, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read what is to be hidden: %w", err)
	}
	p := &Plan{}
	return p, json.Unmarshal(data, p)
}

func say(r report) {
	data, err := json.Marshal(r)
	if err == nil {
		_, _ = unix.Write(fdReport, append(data, '\n'))
	}
}

// failure is an error that has to be told to another process.
func failure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	var no syscall.Errno
	_ = errors.As(err, &no)
	return &Failure{Text: err.Error(), Errno: int(no)}
}

func failed(f *Failure) int {
	say(report{Error: f})
	return 1
}

// next starts the next stage as a child of this process's parent.
func next(stage string, argv []string, files []uintptr, attr *syscall.SysProcAttr) (int, error) {
	attr.Cloneflags |= unix.CLONE_PARENT
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"rhx", Arg, stage}, argv...), &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: attr})
	if err != nil {
		return 0, fmt.Errorf("start a process: %w", err)
	}
	return pid, nil
}

func allFiles() []uintptr { return []uintptr{0, 1, 2, fdControl, fdPlan, fdReport} }

func begin(p *Plan, argv []string) error {
	attr := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
		// Of the namespace alone, for the steps until the command is started.
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP},
	}
	if p.Offline {
		attr.Cloneflags |= unix.CLONE_NEWNET
	}
	pid, err := next(stageSpaces, argv, allFiles(), attr)
	if err != nil {
		return fmt.Errorf("namespaces: %w", err)
	}
	say(report{Helper: pid})
	return nil
}

func spaces(p *Plan, argv []string) error {
	if err := p.mount(); err != nil {
		return err
	}
	if p.Offline {
		if err := p.network(); err != nil {
			return fmt.Errorf("the command's network: %w", err)
		}
	}
	if err := unix.Unshare(unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("a namespace of processes: %w", err)
	}
	var ready [2]int
	if err := unix.Pipe2(ready[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// Not with the command's streams: who reads those would wait for their end.
	nothing := uintptr(null)
	pid, err := next(stageInit, nil, []uintptr{nothing, nothing, nothing, fdControl, fdPlan, uintptr(ready[1])}, &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		return err
	}
	say(report{Helper: pid})
	_ = unix.Close(ready[1])
	answer, err := io.ReadAll(os.NewFile(uintptr(ready[0]), "ready"))
	if err != nil || len(answer) > 0 {
		var r report
		if json.Unmarshal(answer, &r) == nil && r.Error != nil {
			return r.Error
		}
		return fmt.Errorf("the first process did not start: %w", err)
	}
	pid, err = next(stageExec, argv, allFiles(), &syscall.SysProcAttr{})
	if err != nil {
		return err
	}
	say(report{PID: pid})
	return nil
}

// network brings the loopback up, and hands the listeners out.
func (p *Plan) network() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo)
	}
	if err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return err
	}
	var fds []int
	for _, port := range p.Ports {
		l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return err
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		defer f.Close()
		fds = append(fds, int(f.Fd()))
	}
	if len(fds) == 0 {
		return nil
	}
	return unix.Sendmsg(fdControl, []byte{0}, unix.UnixRights(fds...), nil, 0)
}

// initProcess makes the /proc of the command's namespace, of which it is process 1. Giving
// capabilities up is of one thread, and the Go runtime has several: so it goes on as another
// program, which has none in any.
func initProcess(p *Plan) error {
	if err := p.mountProc(); err != nil {
		return err
	}
	if err := dropAll(true); err != nil {
		return err
	}
	for _, fd := range []uintptr{fdControl, fdPlan, fdReport} { // which it needs as well
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	return syscall.Exec("/proc/self/exe", []string{"rhx", Arg, stageIdle}, os.Environ())
}

// idle is process 1, whose end is that of all others.
func idle() int {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM} {
		signal.Ignore(s)
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_, _ = unix.Close(fdPlan), unix.Close(fdReport)
	go func() {
		for {
			n, err := unix.Read(fdControl, make([]byte, 1))
			if err == nil && n == 0 || err != nil && err != unix.EINTR {
				os.Exit(0)
			}
		}
	}()
	for range children {
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 && err != unix.EINTR {
				break
			}
		}
	}
	return 0
}

// become makes the command of this process.
func become(p *Plan, argv []string, exec func([]string) *Failure) int {
	if err := p.lock(); err != nil {
		return failed(failure(err))
	}
	if len(argv) == 0 {
		return 0 // it was to be tried whether it can be done
	}
	// Where there is no process 1 that ends with the run.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return failed(failure(err))
	}
	if over() {
		return failed(&Failure{Text: "the run has ended before its command was started"})
	}
	return failed(exec(argv))
}

// over reports whether the run has ended: nobody has the other end of the control socket.
func over() bool {
	fds := []unix.PollFd{{Fd: fdControl}}
	_, err := unix.Poll(fds, 0)
	return err != nil || fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
}
