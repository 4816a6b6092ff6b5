package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
		{"a child of rhx's", func() error {
			// The kernel has no child that shares signal handlers and not its memory.
			if _, _, no := syscall.RawSyscall(syscall.SYS_CLONE, unix.CLONE_PARENT|unix.CLONE_SIGHAND|uintptr(unix.SIGCHLD), 0, 0); no == syscall.EPERM {
				return no
			}
			return nil
		}},
		{"mount", func() error { return unix.Mount("tmpfs", filepath.Dir(t.Write), "tmpfs", 0, "") }},
		{"mount /proc", func() error { return unix.Mount("proc", "/proc", "proc", 0, "") }},
		{"bind mount", func() error { return unix.Mount("/", filepath.Dir(t.Write), "", unix.MS_BIND|unix.MS_REC, "") }},
		{"chroot", func() error { return unix.Chroot("/") }},
		call("open_tree", unix.SYS_OPEN_TREE, ^uintptr(99), str("/"), 1),
		call("fsopen", unix.SYS_FSOPEN, str("tmpfs"), 0),
		call("open_tree_attr", 467, ^uintptr(99), str("/"), 1, 0, 0),
		call("fspick", unix.SYS_FSPICK, ^uintptr(99), str("/"), 0),
		call("mount_setattr", unix.SYS_MOUNT_SETATTR, ^uintptr(99), str(filepath.Dir(t.Write)), 0, str(string(make([]byte, 32))), 32),
		call("move_mount", unix.SYS_MOVE_MOUNT, ^uintptr(99), str(filepath.Dir(t.Write)), ^uintptr(99), str(filepath.Dir(t.Write)), 0),
		call("pivot_root", unix.SYS_PIVOT_ROOT, str(filepath.Dir(t.Write)), str(filepath.Dir(t.Write))),
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
	for name, request := range map[string]uintptr{"btrfs": 0x50009401, "btrfs, of version 2": 0x50009417, "bcachefs": 0x4020bc10} {
		out = append(out, attempt{"a snapshot of " + name, func() error {
			dir, err := os.Open("/usr")
			if err != nil {
				return err
			}
			defer dir.Close()
			var args [4096]byte
			if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), request, uintptr(unsafe.Pointer(&args))); no == syscall.EPERM {
				return no
			}
			return nil // another file system was asked
		}})
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
