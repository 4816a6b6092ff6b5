package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
		)
	}
	return out
}

// others are attempts on processes that could change them.
func others(t *target) (out []attempt) {
	for i, pid := range append([]int{1, os.Getppid()}, t.PIDs...) {
		of := fmt.Sprintf(" %d", i)
		out = append(out,
			attempt{"ptrace" + of, func() error {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				if err := unix.PtraceSeize(pid); err != nil {
					return err
				}
				return unix.PtraceDetach(pid)
			}},
			attempt{"limit" + of, func() error {
				if pid < 2 {
					return errEmpty // this process itself, or process 1, whose end is its own
				}
				var limit unix.Rlimit
				if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &limit); err != nil {
					return err
				}
				return unix.Prlimit(pid, unix.RLIMIT_CORE, &limit, nil)
			}},
			attempt{"pidfd_getfd" + of, func() error {
				p, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					return err
				}
				_, err = unix.PidfdGetfd(p, 0, 0)
				return err
			}},
			attempt{"process_vm_readv" + of, func() error {
				to, from := make([]byte, 8), []unix.RemoteIovec{{Base: 0x400000, Len: 8}}
				_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &to[0], Len: 8}}, from, 0)
				if errors.Is(err, unix.EFAULT) {
					return nil // it looked
				}
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
		{"request_key", func() error {
			_, err := unix.RequestKey("user", "x", "", unix.KEY_SPEC_SESSION_KEYRING)
			if errors.Is(err, unix.ENOKEY) {
				return nil // it looked
			}
			return err
		}},
		{"userfaultfd", func() error {
			fd, _, no := syscall.Syscall(unix.SYS_USERFAULTFD, 1, 0, 0) // of user mode alone
			if no != 0 {
				return no
			}
			return unix.Close(int(fd))
		}},
		{"perf_event_open", func() error {
			attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Bits: unix.PerfBitExcludeKernel}
			fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}},
		{"io_uring", func() error {
			var params [120]byte
			fd, _, no := syscall.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
			if no != 0 {
				return no
			}
			return unix.Close(int(fd))
		}},
		{"a program in memory", func() error {
			fd, err := unix.MemfdCreate("again", 0)
			if err != nil {
				return err
			}
			self, err := os.ReadFile("/proc/self/exe")
			if err != nil {
				return err
			}
			if _, err := unix.Write(fd, self); err != nil {
				return err
			}
			cmd := exec.Command("/proc/self/fd/"+strconv.Itoa(fd), "again", os.Args[1])
			cmd.Env = append(os.Environ(), "AGAIN=1", "CONTROL=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				return nil // it has to run
			}
			for line := range strings.Lines(string(out)) {
				if name, ok := strings.CutPrefix(line, "open: "); ok && !strings.HasPrefix(name, "descriptors") {
					again = append(again, strings.TrimSpace(name))
				}
			}
			return errEmpty
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
