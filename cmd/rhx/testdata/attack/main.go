// Command attack tries every way that it knows to what rhx run --confine hides, and prints
// the names of those by which it got there. It is for a test: see confine_linux_test.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	Abstract                string
	TCP, UDP                []string
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
	if len(os.Args) > 2 && os.Args[1] == "behind" { // in namespaces of its own
		report(behind(os.Args[2:]))
		return
	}
	var t target
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
	if why := powerful(); why != "" {
		fmt.Println("open: this process", why)
	} else {
		all = slices.Concat(all, changes(&t), ways(&t), rights(&t))
	}
	fmt.Println("tried:", report(all))
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

// looks are attempts that change nothing.
func looks(t *target) (out []attempt) {
	for _, f := range t.Files {
		out = append(out,
			attempt{"read " + f, func() error { return read(f) }},
			attempt{"read " + f + " by way of /proc/self/root", func() error { return read("/proc/self/root" + f) }},
		)
	}
	for _, d := range t.Folders {
		out = append(out, attempt{"list " + d, func() error { return list(d) }})
	}
	for i, tty := range t.Terminals {
		out = append(out, attempt{"another terminal " + strconv.Itoa(i), func() error {
			f, err := os.OpenFile(tty, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
			if err == nil {
				f.Close()
			}
			return err
		}})
	}
	return append(out, attempt{"a folder that was open", func() error {
		fd, err := unix.Openat(t.Descriptor, t.File, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		n, err := unix.Read(fd, make([]byte, 1))
		if n == 0 && err == nil {
			err = errEmpty
		}
		return err
	}})
}

// changes make, move and link files of the test's.
func changes(t *target) (out []attempt) {
	for _, f := range t.Files {
		out = append(out,
			attempt{"hard link to " + f, func() error {
				to := filepath.Join(filepath.Dir(t.Write), "hard")
				defer os.Remove(to)
				if err := os.Link(f, to); err != nil {
					return err
				}
				return read(to)
			}},
			attempt{"move what is above " + f, func() error {
				dir := filepath.Dir(f)
				if err := os.Rename(dir, dir+"-moved"); err != nil {
					return err
				}
				defer os.Rename(dir+"-moved", dir)
				return read(filepath.Join(dir+"-moved", filepath.Base(f)))
			}},
			attempt{"remove " + f, func() error {
				if err := os.Rename(f, f+"-moved"); err != nil {
					return err
				}
				defer os.Rename(f+"-moved", f)
				return read(f + "-moved")
			}},
			attempt{"symbolic link to " + f, func() error {
				to := filepath.Join(filepath.Dir(t.Write), "soft")
				defer os.Remove(to)
				if err := os.Symlink(f, to); err != nil {
					return err
				}
				return read(to)
			}},
			attempt{"handle of " + f, func() error {
				h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, f, 0)
				if err != nil {
					return err
				}
				dir, err := os.Open("/")
				if err != nil {
					return err
				}
				fd, err := unix.OpenByHandleAt(int(dir.Fd()), h, unix.O_RDONLY)
				if err != nil {
					return err
				}
				n, err := unix.Read(fd, make([]byte, 1))
				if n == 0 && err == nil {
					err = errEmpty
				}
				return err
			}},
		)
	}
	for _, d := range t.Folders {
		out = append(out, attempt{"write into " + d, func() error {
			name := filepath.Join(d, "planted")
			defer os.Remove(name)
			return os.WriteFile(name, []byte("x"), 0o600)
		}})
	}
	return out
}

// ways are those around the mounts.
func ways(t *target) []attempt {
	inner := func(flags uintptr) func() error {
		return func() error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			cmd := exec.Command(self, append([]string{"behind"}, append(slices.Clone(t.Files), t.Folders...)...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			if flags&syscall.CLONE_NEWUSER != 0 {
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			}
			out, err := cmd.CombinedOutput()
			if err == nil && bytes.Contains(out, []byte("open:")) {
				return nil
			}
			return errors.Join(err, errEmpty)
		}
	}
	call := func(name string, number uintptr, args ...uintptr) attempt {
		return attempt{name, func() error {
			var a [6]uintptr
			copy(a[:], args)
			if _, _, no := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); no != 0 {
				return no
			}
			return nil
		}}
	}
	str := func(s string) uintptr {
		b := append([]byte(s), 0)
		pinned = append(pinned, b)
		return uintptr(unsafe.Pointer(&b[0]))
	}
	out := []attempt{
		{"a user namespace", inner(syscall.CLONE_NEWUSER)},
		{"user and mount namespaces", inner(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS)},
		{"a mount namespace", inner(syscall.CLONE_NEWNS)},
		{"a PID namespace", inner(syscall.CLONE_NEWPID)},
		{"unshare", func() error {
			runtime.LockOSThread()
			return unix.Unshare(unix.CLONE_NEWUSER | unix.CLONE_NEWNS)
		}},
		{"clone3", func() error {
			args := [11]uint64{0: unix.CLONE_NEWUSER, 4: uint64(unix.SIGCHLD)}
			pid, _, no := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 88, 0)
			if no != 0 {
				return no
			}
			if pid == 0 {
				syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
			}
			return nil
		}},
		{"mount", func() error { return unix.Mount("tmpfs", filepath.Dir(t.Write), "tmpfs", 0, "") }},
		{"mount /proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"bind mount", func() error { return unix.Mount("/", filepath.Dir(t.Write), "", unix.MS_BIND|unix.MS_REC, "") }},
		{"chroot", func() error { return unix.Chroot("/") }},
		call("open_tree", unix.SYS_OPEN_TREE, ^uintptr(99), str("/"), 1),
		call("fsopen", unix.SYS_FSOPEN, str("tmpfs"), 0),
		{"core pattern", func() error { return write("/proc/sys/kernel/core_pattern") }},
		{"sysrq", func() error { return write("/proc/sysrq-trigger") }},
		{"uevent helper", func() error { return write("/sys/kernel/uevent_helper") }},
		{"/proc/kcore", func() error { return read("/proc/kcore") }},
		{"/dev/mem", func() error { return read("/dev/mem") }},
		{"a disk", func() error {
			name := filepath.Join(filepath.Dir(t.Write), "disk")
			defer os.Remove(name)
			if err := unix.Mknod(name, unix.S_IFBLK|0o600, int(t.Device)); err != nil {
				return err
			}
			f, err := os.Open(name)
			if err == nil {
				f.Close()
			}
			return err
		}},
		{"disks in /dev", func() error {
			var open error = errEmpty
			_ = filepath.WalkDir("/dev", func(name string, d os.DirEntry, err error) error {
				if err == nil && d.Type()&os.ModeDevice != 0 && d.Type()&os.ModeCharDevice == 0 {
					if f, err := os.Open(name); err == nil {
						f.Close()
						open = nil
					}
				}
				return nil
			})
			return open
		}},
	}
	for _, f := range append(slices.Clone(t.Files), t.Folders...) {
		out = append(out, attempt{"unmount " + f, func() error { return unix.Unmount(f, unix.MNT_DETACH) }})
	}
	for _, ns := range []string{"mnt", "user", "net", "pid", "ipc"} {
		out = append(out, attempt{"setns " + ns, func() error {
			for _, pid := range append([]int{1, os.Getppid()}, t.PIDs...) {
				f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
				if err != nil {
					continue
				}
				mine, _ := os.Readlink("/proc/self/ns/" + ns)
				other, _ := os.Readlink(f.Name())
				err = unix.Setns(int(f.Fd()), 0)
				f.Close()
				if err == nil && mine != other {
					return nil
				}
			}
			return errEmpty
		}})
	}
	return out
}

var pinned [][]byte

func write(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		f.Close()
	}
	return err
}

// behind looks again from namespaces in which this program is root.
func behind(names []string) (out []attempt) {
	for _, name := range names {
		_ = unix.Unmount(name, unix.MNT_DETACH)
		out = append(out, attempt{"unmount and read " + name, func() error {
			if read(name) == nil {
				return nil
			}
			return list(name)
		}})
	}
	return out
}

func network(t *target) (out []attempt) {
	dial := func(network, address string) func() error {
		return func() error {
			c, err := net.DialTimeout(network, address, 5*time.Second)
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	for _, s := range t.Sockets {
		out = append(out, attempt{"socket " + s, dial("unix", s)})
	}
	out = append(out, attempt{"abstract socket", dial("unix", "@"+t.Abstract)})
	for _, a := range t.TCP {
		out = append(out, attempt{"TCP " + a, dial("tcp", a)})
	}
	for i, a := range t.UDP {
		out = append(out, attempt{"UDP " + strconv.Itoa(i), func() error {
			c, err := net.Dial("udp", a)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := c.Write([]byte("x")); err != nil {
				return err
			}
			_, err = c.Read(make([]byte, 1))
			return err
		}})
	}
	return append(out, attempt{"interfaces", func() error {
		all, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range all {
			if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
				return nil
			}
		}
		return errEmpty
	}}, attempt{"raw socket", func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}})
}

func processes(t *target) (out []attempt) {
	out = append(out, attempt{"names of processes", func() error {
		list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range list {
			if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte("rhx-victim")) {
				return nil
			}
		}
		return errEmpty
	}}, attempt{"environments of processes", func() error {
		list, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, name := range list {
			if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(t.Mark)) {
				return nil
			}
		}
		return errEmpty
	}})
	for i, pid := range append([]int{1, os.Getppid()}, t.PIDs...) {
		of := fmt.Sprintf(" %d", i)
		proc := fmt.Sprintf("/proc/%d/", pid)
		if i < 2 && os.Getenv("CONTROL") != "" {
			continue
		}
		if i >= 2 {
			// Of process 1, which is rhx's, the numbers say nothing.
			out = append(out, attempt{"numbers of descriptors" + of, func() error { return list(proc + "fd") }}, attempt{"signal" + of, func() error {
				data, err := os.ReadFile(proc + "cmdline")
				if err == nil && !bytes.Contains(data, []byte("rhx")) {
					return errEmpty // another process of that number
				}
				return unix.Kill(pid, 0)
			}})
		}
		out = append(out,
			attempt{"memory" + of, func() error {
				maps, err := os.Open(proc + "maps")
				if err != nil {
					return err
				}
				defer maps.Close()
				line, err := bufio.NewReader(maps).ReadString('\n')
				if err != nil {
					return err
				}
				at, err := strconv.ParseInt(strings.Split(line, "-")[0], 16, 64)
				if err != nil {
					return err
				}
				mem, err := os.Open(proc + "mem")
				if err != nil {
					return err
				}
				defer mem.Close()
				_, err = mem.ReadAt(make([]byte, 8), at)
				return err
			}},
			attempt{"ptrace" + of, func() error {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				if err := unix.PtraceSeize(pid); err != nil {
					return err
				}
				return unix.PtraceDetach(pid)
			}},
			attempt{"root" + of, func() error {
				for _, f := range t.Files {
					if read(proc+"root"+f) == nil || read(proc+"cwd/"+f) == nil {
						return nil
					}
				}
				return errEmpty
			}},
			attempt{"a descriptor" + of, func() error {
				all, err := os.ReadDir(proc + "fd")
				for _, d := range all {
					var fd int
					if fd, err = unix.Open(proc+"fd/"+d.Name(), unix.O_PATH, 0); err == nil {
						return unix.Close(fd)
					}
				}
				return errors.Join(err, errEmpty)
			}},
			attempt{"pidfd_getfd" + of, func() error {
				p, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					return err
				}
				_, err = unix.PidfdGetfd(p, 0, 0)
				return err
			}},
		)
	}
	return out
}

func rights(t *target) []attempt {
	return []attempt{
		{"keyctl", func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }},
		{"add_key", func() error {
			_, err := unix.AddKey("user", "x", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
			return err
		}},
		{"a set-user-ID program", func() error {
			if t.SUID == "" {
				return errEmpty
			}
			out, err := exec.Command(t.SUID, "-u").Output()
			if err == nil && strings.TrimSpace(string(out)) == strconv.Itoa(os.Getuid()) {
				err = errEmpty
			}
			return err
		}},
		{"capabilities", func() error {
			data, err := os.ReadFile("/proc/self/status")
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(data)) {
				name, v, _ := strings.Cut(line, ":")
				if n, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64); strings.HasPrefix(name, "Cap") && name != "CapBnd" && err == nil && n != 0 {
					return nil
				}
			}
			return errEmpty
		}},
		{"bounding set", func() error {
			if n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil || n == 0 {
				return errEmpty
			}
			return nil
		}},
		{"new privileges", func() error {
			if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n == 1 {
				return errEmpty
			}
			return nil
		}},
		{"bpf", func() error {
			if _, _, no := syscall.Syscall(unix.SYS_BPF, 0, 0, 0); no == syscall.EPERM || no == syscall.ENOSYS {
				return no
			}
			return nil
		}},
		{"typing into the terminal", func() error {
			c := byte('x')
			_, _, no := syscall.Syscall(syscall.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(unsafe.Pointer(&c)))
			if no == syscall.EPERM {
				return no
			}
			return nil
		}},
	}
}

// withoutNamespaces starts a program that can make no user namespace, as some systems have it.
func withoutNamespaces(argv []string) error {
	runtime.LockOSThread()
	no := uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	prog := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLONE, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 16},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.CLONE_NEWUSER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: no},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, no := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); no != 0 {
		return no
	}
	return syscall.Exec(argv[0], argv, os.Environ())
}
