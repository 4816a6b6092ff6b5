package wall_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/sandbox/wall"
)

// This program is also the process behind the wall: what it is started with names the
// wall and what it tries, as native code of a module would that left the sandbox.
func TestMain(m *testing.M) {
	if walls := os.Getenv("BEHIND"); walls != "" {
		if err := behind(walls, os.Getenv("TRIES"), os.Getenv("DIR")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("done")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func behind(walls, tries, dir string) error {
	parent := os.Getppid()
	if strings.Contains(walls, "files") {
		if err := wall.Files(dir); err != nil {
			return fmt.Errorf("no wall: %w", err)
		}
	}
	if strings.Contains(walls, "calls") {
		if err := wall.Calls(); err != nil {
			return fmt.Errorf("no wall: %w", err)
		}
	}
	return attempts[tries](dir, parent)
}

// attempts are what a process might do. Each gives an error where it could not.
var attempts = map[string]func(dir string, parent int) error{
	"read a file":  func(string, int) error { _, err := os.ReadFile("/etc/passwd"); return err },
	"list /":       func(string, int) error { _, err := os.ReadDir("/"); return err },
	"write a file": func(string, int) error { return os.WriteFile(filepath.Join(os.TempDir(), "rhx-wall"), nil, 0o600) },
	"read in dir":  func(dir string, _ int) error { _, err := os.ReadFile(filepath.Join(dir, "there")); return err },
	"write in dir": func(dir string, _ int) error {
		name := filepath.Join(dir, "new")
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(name, "a"), []byte("x"), 0o600); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(name, "a"), filepath.Join(name, "b")); err != nil {
			return err
		}
		return os.RemoveAll(name)
	},
	"connect": func(string, int) error {
		c, err := net.DialTimeout("tcp", os.Getenv("LISTENS"), 5*time.Second)
		if err == nil {
			c.Close()
		}
		return err
	},
	"open a socket":     func(string, int) error { _, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0); return err },
	"start a program":   func(string, int) error { return exec.Command("/bin/true").Run() },
	"become a program":  func(string, int) error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
	"signal its parent": func(_ string, parent int) error { return syscall.Kill(parent, 0) },
	"trace its parent":  func(_ string, parent int) error { return syscall.PtraceAttach(parent) },
	"read its parent": func(_ string, parent int) error {
		b := make([]byte, 8)
		_, err := unix.ProcessVMReadv(parent, []unix.Iovec{{Base: &b[0], Len: 8}}, []unix.RemoteIovec{{Base: 0x1000, Len: 8}}, 0)
		return err
	},
	"fork": func(string, int) error {
		pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		if pid == 0 {
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
		return nil
	},
	"run new code": func(string, int) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	},
	"make code of data": func(string, int) error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return fmt.Errorf("mmap: %w", err)
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	},
	"raise a limit": func(string, int) error {
		return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 0, Max: 0})
	},
	// What running a module does take.
	"compute": func(string, int) error {
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				runtime.LockOSThread() // threads that were not there before
				var all [][]byte
				for range 64 {
					all = append(all, make([]byte, 1<<20))
				}
				time.Sleep(time.Millisecond)
				runtime.GC()
				runtime.KeepAlive(all)
			})
		}
		wait.Wait()
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		go func() { w.Write([]byte("x")); w.Close() }()
		_, err = r.Read(make([]byte, 1))
		return err
	},
}

func TestWalls(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{}
	for name := range attempts {
		all = append(all, name)
	}
	slices.Sort(all)
	// What each wall lets through. Behind none, all succeeds: the attempts are real.
	let := map[string][]string{
		"none":        all,
		"files":       {"read in dir", "write in dir", "compute", "open a socket", "fork", "run new code", "make code of data", "raise a limit"},
		"calls":       {"compute"},
		"files calls": {"compute"},
	}
	// What depends on more than the wall: who may trace whom, and what the kernel's
	// Landlock knows. What seccomp keeps out does not.
	unsure := map[string][]string{"none": {"trace its parent", "read its parent"}}
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		abi = 0
	}
	if abi < 1 {
		unsure["files"] = all
	}
	if abi < 4 {
		unsure["files"] = append(unsure["files"], "connect")
	}
	if abi < 6 {
		unsure["files"] = append(unsure["files"], "signal its parent")
	}
	for walls, passes := range let {
		for _, try := range all {
			if slices.Contains(unsure[walls], try) {
				continue
			}
			t.Run(walls+"/"+try, func(t *testing.T) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "there"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(exe)
				cmd.Env = append(os.Environ(), "BEHIND="+walls, "TRIES="+try, "DIR="+dir, "LISTENS="+listener.Addr().String())
				out, err := cmd.CombinedOutput()
				var ended *exec.ExitError
				switch want := slices.Contains(passes, try); {
				case err != nil && (!errors.As(err, &ended) || ended.ExitCode() != 1 || strings.Contains(string(out), "no wall")):
					t.Fatalf("%v: %s", err, out)
				case (err == nil) != want:
					t.Errorf("succeeded: %v, want %v: %s", err == nil, want, out)
				}
			})
		}
	}
}
