// Command attack tries every way that it knows to what rhx run --confine hides, and prints
// the names of those by which it got there. It is for a test: see confine_linux_test.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// target is what there is to get at.
type target struct {
	Files, Folders, Sockets []string
	// Closed is a folder of the user's that has no permissions now, and one of Files in it.
	Closed string
	// Ways are folders and links above the hidden files.
	Ways     []string
	Abstract string
	TCP, UDP []string
	// PIDs are processes outside, the first one with Mark in its environment.
	PIDs []int
	Mark string
	// Descriptor is a folder that was open before; File a path in it.
	Descriptor int
	File       string
	SUID       string
	Write      string // a file in the working folder, to be made
	Device     uint64
	Terminals  []string
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "without-namespaces" {
		fmt.Fprintln(os.Stderr, withoutNamespaces(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 3 && os.Args[1] == "without-call" {
		n, err := strconv.ParseUint(os.Args[2], 10, 32)
		if err == nil {
			err = withoutCall(uint32(n), os.Args[3:])
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 2 && os.Args[1] == "behind" { // in namespaces of its own
		report(behind(os.Args[2:]))
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "without-capabilities" {
		fmt.Fprintln(os.Stderr, withoutCapabilities(os.Args[2:]))
		os.Exit(1)
	}
	leaked := opened() // before this program opens anything
	var t target
	if len(os.Args) > 2 && os.Args[1] == "again" { // as a child, from memory
		os.Args = os.Args[1:]
	}
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// What looks, and changes nothing. The rest is tried by a process alone that has no
	// power over this machine: if the walls are not there, that is what the test has to
	// say, and not what becomes of the machine.
	all := slices.Concat(looks(&t), network(&t), processes(&t))
	if len(leaked) > 0 {
		fmt.Printf("open: descriptors %q\n", leaked)
	}
	if os.Getenv("AGAIN") != "" {
		report(all)
		return
	}
	if why := powerful(); why != "" {
		fmt.Println("open: this process", why)
	} else {
		all = slices.Concat(all, others(&t), changes(&t), ways(&t), rights(&t))
	}
	tried := report(all)
	for _, name := range again {
		fmt.Println("open:", name)
	}
	fmt.Println("tried:", tried)
	// What has to work all the same.
	if err := os.WriteFile(t.Write, []byte("x"), 0o600); err == nil {
		fmt.Println("works: working folder")
	}
	if proxy := os.Getenv("HTTPS_PROXY"); proxy != "" {
		if c, err := net.DialTimeout("tcp", proxy[strings.LastIndex(proxy, "@")+1:], 5*time.Second); err == nil {
			c.Close()
			fmt.Println("works: broker")
		}
	}
	if out, err := exec.Command("sh", "-c", "echo a child | cat").Output(); err == nil && string(out) == "a child\n" {
		fmt.Println("works: children")
	}
	if f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		f.Close()
		fmt.Println("works: terminals")
	}
}

// powerful says why this process must not try what could change the machine; "" where it may.
func powerful() string {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "cannot tell what it may do"
	}
	is := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		is[name] = strings.TrimSpace(value)
	}
	for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
		if strings.Trim(is[name], "0") != "" || is[name] == "" {
			return "has capabilities"
		}
	}
	switch {
	case is["NoNewPrivs"] != "1":
		return "may get new privileges"
	case is["Seccomp"] != "2":
		return "has no filter of system calls"
	}
	return ""
}

// opened are the descriptors that this process was given, beside the three streams, and
// what they are.
func opened() (out []string) {
	for fd := 3; fd < 1024; fd++ {
		// Those that the Go runtime opens by itself, such as the limits of its cgroup, are
		// closed for other programs.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			out = append(out, fmt.Sprintf("%d %s", fd, to))
		}
	}
	return out
}

type attempt struct {
	name string
	// do is nil where it got there.
	do func() error
}

func report(all []attempt) int {
	for _, a := range all {
		if a.do() == nil {
			fmt.Println("open:", a.name)
		}
	}
	return len(all)
}

var errEmpty = errors.New("nothing is there")

// again is what was open to a child that runs from memory.
var again []string

// read reads a byte: some files have no end.
func read(name string) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, make([]byte, 1))
	if err == nil && n == 0 {
		err = errEmpty
	}
	return err
}

func list(name string) error {
	l, err := os.ReadDir(name)
	if err == nil && len(l) == 0 {
		err = errEmpty
	}
	return err
}

const no = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)

// withoutNamespaces starts a program that can make no user namespace, as some systems have it.
func withoutNamespaces(argv []string) error {
	return filtered([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_NEWUSER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: no},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}, argv)
}

// withoutCall starts a program that one system call is refused to, as containers do.
func withoutCall(call uint32, argv []string) error {
	return filtered([]unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: no},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}, argv)
}

func filtered(prog []unix.SockFilter, argv []string) error {
	runtime.LockOSThread()
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, no := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); no != 0 {
		return no
	}
	return syscall.Exec(argv[0], argv, os.Environ())
}

// withoutCapabilities starts a program that has none of this one's.
func withoutCapabilities(argv []string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	return syscall.Exec(argv[0], argv, os.Environ())
}
