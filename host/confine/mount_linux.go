package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const plainMount = unix.MS_NOSUID | unix.MS_NODEV

// mount hides what the plan says, in this process's mount namespace.
func (p *Plan) mount() error {
	// What is mounted outside from now on does not come in.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("a namespace of mounts: %w", err)
	}
	var keep []*os.File
	for _, dir := range p.Keep {
		f, err := hold(dir)
		if err != nil {
			return fmt.Errorf("open %s: %w", dir, err)
		}
		keep = append(keep, f)
	}
	for _, name := range p.Pinned {
		if err := pin(name); err != nil {
			return fmt.Errorf("keep %s where it is: %w", name, err)
		}
	}
	if err := devices(p.Offline); err != nil {
		return fmt.Errorf("/dev: %w", err)
	}
	empty, done, err := emptyFile()
	if err != nil {
		return fmt.Errorf("an empty file: %w", err)
	}
	for _, h := range append(append([]string{}, p.Hidden...), p.Sockets...) {
		if within(h, p.Private) {
			continue
		}
		if err := hide(h, empty); err != nil {
			return fmt.Errorf("hide %s: %w", h, err)
		}
	}
	if err := done(); err != nil {
		return fmt.Errorf("an empty file: %w", err)
	}
	for _, dir := range p.Private {
		if err := unix.Mount("tmpfs", dir, "tmpfs", plainMount, "mode=0700"); err != nil && !gone(err) {
			return fmt.Errorf("a folder in place of %s: %w", dir, err)
		}
	}
	for i, f := range keep {
		if err := os.MkdirAll(p.Keep[i], 0o700); err != nil {
			return err
		}
		if err := bind(f, p.Keep[i]); err != nil {
			return fmt.Errorf("keep %s: %w", p.Keep[i], err)
		}
	}
	// For root, files there are switches of the whole machine.
	if err := readOnly("/sys"); err != nil && !gone(err) {
		return fmt.Errorf("/sys: %w", err)
	}
	return onlyOurDevices()
}

// pin mounts a folder, or a link itself, on where it is: what is mounted on cannot be moved
// or removed.
func pin(name string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW|unix.AT_RECURSIVE)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer unix.Close(fd)
	return unix.MoveMount(fd, "", unix.AT_FDCWD, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// emptyFile opens a file that has nothing in it and cannot be written, for mounts of it. It
// is taken from /dev by done.
func emptyFile() (f *os.File, done func() error, err error) {
	const name = "/dev/rhx-empty"
	if err := os.WriteFile(name, nil, 0o400); err != nil {
		return nil, nil, err
	}
	if err := unix.Mount(name, name, "", unix.MS_BIND, ""); err != nil {
		return nil, nil, err
	}
	if err := readOnly(name); err != nil {
		return nil, nil, err
	}
	if f, err = hold(name); err != nil {
		return nil, nil, err
	}
	return f, func() error {
		_ = f.Close()
		if err := unix.Unmount(name, 0); err != nil {
			return err
		}
		return os.Remove(name)
	}, nil
}

// onlyOurDevices has no file be a device that is not in our /dev: root's could be disks.
func onlyOurDevices() error {
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV}); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/dev", unix.AT_RECURSIVE, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_NODEV}); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	return nil
}

func within(name string, dirs []string) bool {
	for _, dir := range dirs {
		if name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") {
			return true
		}
	}
	return false
}

// gone reports that a path is not there, or not for this user. EPERM is neither: a call was
// refused, and what it was to do is not done.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOTDIR)
}

// hiddenInodes is how many files a hidden folder could have, by which [Hides] knows it.
const hiddenInodes = 2

// hide mounts an empty folder over a folder, and the empty file over what is none. What is
// not there, or below one that is hidden already, needs neither.
func hide(name string, empty *os.File) error {
	info, err := os.Lstat(name)
	switch {
	case err != nil && gone(err):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return unix.Mount("tmpfs", name, "tmpfs", plainMount|unix.MS_NOEXEC|unix.MS_RDONLY, "mode=0500,size=4k,nr_inodes="+strconv.Itoa(hiddenInodes))
	}
	return bind(empty, name)
}

// hold opens a path for a mount of it elsewhere.
func hold(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func bind(f *os.File, at string) error {
	defer runtime.KeepAlive(f) // its number is used, and closed when it is collected
	return unix.Mount("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), at, "", unix.MS_BIND, "")
}

func readOnly(name string) error {
	return unix.MountSetattr(unix.AT_FDCWD, name, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// kept are the devices that a command has: those of every program, and those that compute.
// Others are disks, memory, keyboards, and the user's other terminals.
var kept = []string{"null", "zero", "full", "random", "urandom", "tty", "kvm", "kfd", "dri", "nvidia*", "dxg", "accel"}

// keptOnline are devices that reach a network by themselves.
const keptOnline = "infiniband"

// devices puts a folder with those in the place of /dev.
func devices(offline bool) error {
	var held []*os.File
	patterns := kept
	if !offline {
		patterns = append(slices.Clone(kept), keptOnline)
	}
	for _, pattern := range patterns {
		names, err := filepath.Glob("/dev/" + pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			f, err := hold(name)
			if err != nil {
				return err
			}
			held = append(held, f)
		}
	}
	own := ownTerminal()
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755"); err != nil {
		return err
	}
	place := func(f *os.File, at string) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = os.Mkdir(at, 0o755)
		} else {
			err = os.WriteFile(at, nil, 0o644)
		}
		if err != nil {
			return err
		}
		return bind(f, at)
	}
	for _, f := range held {
		if err := place(f, f.Name()); err != nil {
			return fmt.Errorf("%s: %w", path.Base(f.Name()), err)
		}
	}
	for _, dir := range []string{"pts", "shm", "mqueue"} {
		if err := os.Mkdir("/dev/"+dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("pts: %w", err)
	}
	if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", plainMount, "mode=01777"); err != nil {
		return fmt.Errorf("shm: %w", err)
	}
	if err := unix.Mount("mqueue", "/dev/mqueue", "mqueue", plainMount|unix.MS_NOEXEC, ""); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("mqueue: %w", err)
	}
	if own != nil {
		if err := place(own, "/dev/console"); err != nil { // where ttyname(3) finds it
			return fmt.Errorf("console: %w", err)
		}
	}
	for name, to := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, "/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

// ownTerminal is the terminal of the command's streams; nil for none.
func ownTerminal() *os.File {
	for fd := range 3 {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			continue
		}
		name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil || !strings.HasPrefix(name, "/dev/") {
			continue
		}
		var here, there unix.Stat_t
		f, err := hold(name)
		if err != nil {
			continue
		}
		if unix.Fstat(fd, &here) == nil && unix.Fstat(int(f.Fd()), &there) == nil && here.Dev == there.Dev && here.Ino == there.Ino {
			return f
		}
		_ = f.Close()
	}
	return nil
}

// mountProc mounts a /proc of the command's processes. Its caller is process 1 of them.
func (p *Plan) mountProc() error {
	if err := unix.Mount("proc", "/proc", "proc", plainMount|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("a /proc of its own: %w", err)
	}
	for _, name := range []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"} {
		name = "/proc/" + name
		if err := unix.Mount(name, name, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			if gone(err) {
				continue
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := readOnly(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	null, err := hold("/dev/null")
	if err != nil {
		return err
	}
	defer null.Close()
	for _, name := range []string{"keys", "key-users", "kcore", "kmsg", "timer_list", "sched_debug"} {
		if err := hide("/proc/"+name, null); err != nil {
			return fmt.Errorf("/proc/%s: %w", name, err)
		}
	}
	return nil
}
