package confine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/fault"
)

// Sockets are the paths of the Unix sockets that programs of this machine have made. The
// kernel knows them by the names that they got first: a master of ssh, for one, gives its
// own another one then, and some are made by a relative path. So sockets are also looked for
// in the folders of those names, in those of the system, and in home folders.
func Sockets(homes ...string) ([]string, error) {
	data, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("which sockets there are: %w", err), "--confine needs /proc: mount -t proc proc /proc")
	}
	out := socketsIn(data)
	depths := map[string]int{"/run": 3, "/tmp": 1, "/var/tmp": 1}
	for _, home := range homes {
		depths[home] = 1
	}
	for _, name := range out {
		depths[path.Dir(name)] = max(depths[path.Dir(name)], 0)
	}
	for dir, depth := range depths {
		found, err := socketFiles(dir, depth)
		if err != nil {
			return nil, fmt.Errorf("which sockets there are: %w", err)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// socketFiles are the sockets in a folder, and in those below it down to a depth. What
// cannot be listed has none.
func socketFiles(dir string, depth int) (out []string, err error) {
	d, err := os.Open(dir)
	if err != nil {
		if gone(err) {
			err = nil
		}
		return nil, err
	}
	defer d.Close()
	for {
		some, err := d.ReadDir(1024)
		for _, e := range some {
			name := path.Join(dir, e.Name())
			switch {
			case e.Type()&fs.ModeSocket != 0:
				out = append(out, name)
			case e.IsDir() && depth > 0:
				found, err := socketFiles(name, depth-1)
				if err != nil {
					return nil, err
				}
				out = append(out, found...)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
	}
}

func socketsIn(data []byte) []string {
	var out []string
	for line := range bytes.Lines(data) {
		// Num: RefCount Protocol Flags Type St Inode Path; a path may have spaces, and an
		// abstract name begins with "@".
		if i := bytes.Index(line, []byte(" /")); i >= 0 {
			out = append(out, path.Clean(strings.TrimSuffix(string(line[i+1:]), "\n")))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mountPoint is a line of mountinfo.
type mountPoint struct{ id, device, root, at, kind string }

func mounts() ([]mountPoint, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("what is mounted where: %w", err)
	}
	return mountsIn(data), nil
}

func mountsIn(data []byte) []mountPoint {
	var out []mountPoint
	for line := range bytes.Lines(data) {
		f := strings.Fields(string(line))
		if len(f) >= 5 {
			m := mountPoint{id: f[0], device: f[2], root: unescape(f[3]), at: unescape(f[4])}
			if i := slices.Index(f, "-"); i >= 5 && i+1 < len(f) { // after optional fields
				m.kind = f[i+1]
			}
			out = append(out, m)
		}
	}
	return out
}

// unescape reads the \040 of mountinfo.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			n, ok := 0, true
			for _, c := range []byte(text[i+1 : i+4]) {
				ok = ok && c >= '0' && c <= '7'
				n = n<<3 | int(c-'0')
			}
			if ok {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// aliases are the other paths at which a file or folder can be reached, because the file
// system that it is on, or a part of it, is mounted elsewhere, too.
func aliases(name string, all []mountPoint) []string {
	on := holding(name, mountID(name), all)
	if on == nil {
		return nil
	}
	real := path.Join(on.root, strings.TrimPrefix(name, on.at))
	var out []string
	for _, m := range all {
		if m.device != on.device {
			continue
		}
		switch {
		case below(real, m.root):
			out = append(out, path.Join(m.at, strings.TrimPrefix(real, m.root)))
		case below(m.root, real):
			out = append(out, m.at)
		}
	}
	return slices.DeleteFunc(out, func(p string) bool { return p == name })
}

// holding is the mount that a path is on, by its number. Where that is not known, it is the
// last one at the longest path: another one above it may have been mounted later.
func holding(name, id string, all []mountPoint) *mountPoint {
	var on *mountPoint
	for i, m := range all {
		switch {
		case !below(name, m.at):
		case m.id == id:
			return &all[i]
		case on == nil || len(m.at) >= len(on.at):
			on = &all[i]
		}
	}
	return on
}

// mountID is the number of the mount that a path is on; "" where the kernel does not say.
func mountID(name string) string {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return ""
	}
	return strconv.FormatUint(st.Mnt_id, 10)
}

// ofKernel are the file systems in which the kernel shows processes, devices and switches of
// the machine.
var ofKernel = []string{"proc", "sysfs", "devtmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "bpf", "efivarfs", "binfmt_misc", "nsfs"}

// kernelMounts are those of them that are mounted beside the usual places, for a chroot or a
// container: in the usual ones the command gets others.
func kernelMounts(all []mountPoint) []string {
	var out []string
	for _, m := range all {
		if slices.Contains(ofKernel, m.kind) && !within(m.at, []string{"/proc", "/sys", "/dev"}) {
			out = append(out, m.at)
		}
	}
	return out
}

// step is a folder or a link on the way to a file.
type step struct {
	path string
	link bool
}

// maxLinks is how many links the kernel follows.
const maxLinks = 40

// lookUp follows a path as the kernel does, and returns it without links, and the folders
// and links on the way. Of one in a folder that this user may not search it returns that
// folder: its owner could change that.
func lookUp(name string) (real string, way []step, err error) {
	at, rest := "/", strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrPermission) && at != "/":
			if len(way) > 0 && way[len(way)-1].path == at {
				way = way[:len(way)-1]
			}
			return at, way, nil
		case err != nil:
			return "", nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(next)
			if err != nil {
				return "", nil, err
			}
			if links++; links > maxLinks {
				return "", nil, fs.ErrNotExist // for everybody
			}
			way = append(way, step{next, true})
			if strings.HasPrefix(to, "/") {
				at = "/"
			}
			rest = append(strings.Split(to, "/"), rest...)
		default:
			at = next
			if slices.ContainsFunc(rest, func(s string) bool { return s != "" && s != "." }) {
				way = append(way, step{next, false})
			}
		}
	}
	return at, way, nil
}

// below reports whether a path is another one, or lies in it.
func below(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}
