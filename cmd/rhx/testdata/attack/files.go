package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// looks are attempts that change nothing.
func looks(t *target) (out []attempt) {
	for _, f := range t.Files {
		out = append(out,
			attempt{"read " + f, func() error { return read(f) }},
			attempt{"read " + f + " by way of /proc/self/root", func() error { return read("/proc/self/root" + f) }},
			attempt{"read " + f + " by way of its place", func() error {
				fd, err := unix.Open(f, unix.O_PATH|unix.O_CLOEXEC, 0)
				if err != nil {
					return err
				}
				defer unix.Close(fd)
				return read("/proc/self/fd/" + strconv.Itoa(fd))
			}},
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
	for _, name := range t.Ways {
		// What is moved is found there by the next command, which is confined as well.
		out = append(out, attempt{"move " + name, func() error {
			if err := os.Rename(name, name+"-moved"); err != nil {
				return err
			}
			return os.Rename(name+"-moved", name)
		}})
		if to, err := os.Readlink(name); err == nil {
			out = append(out, attempt{"remove the link " + name, func() error {
				if err := os.Remove(name); err != nil {
					return err
				}
				return os.Symlink(to, name)
			}})
		}
	}
	if t.Closed != "" {
		out = append(out, attempt{"open the closed folder " + t.Closed, func() error {
			_ = os.Chmod(t.Closed, 0o700)
			l, err := os.ReadDir(t.Closed)
			for _, e := range l {
				if read(filepath.Join(t.Closed, e.Name())) == nil {
					return nil
				}
			}
			return errors.Join(err, errEmpty)
		}})
	}
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
			attempt{"hard link to the place of " + f, func() error {
				fd, err := unix.Open(f, unix.O_PATH|unix.O_CLOEXEC, 0)
				if err != nil {
					return err
				}
				defer unix.Close(fd)
				to := filepath.Join(filepath.Dir(t.Write), "hard")
				defer os.Remove(to)
				if err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, to, unix.AT_SYMLINK_FOLLOW); err != nil {
					return err
				}
				return read(to)
			}},
			attempt{"truncate " + f, func() error {
				var st unix.Stat_t
				if err := unix.Stat(f, &st); err != nil {
					return err
				}
				return unix.Truncate(f, st.Size)
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
