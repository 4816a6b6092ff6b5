package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/rhx-dev/rhx/host/fault"
)

// Check returns the plan as this system can carry it out. Where that is by Landlock alone,
// why says what is wrong with namespaces. The error is for a system on which there is not
// even that, and for a plan that cannot be.
func Check(p Plan) (checked Plan, why, err error) {
	if audit[runtime.GOARCH] == 0 {
		return p, nil, fmt.Errorf("rhx knows the system calls of amd64 and arm64 processors, and this is %s", runtime.GOARCH)
	}
	if p.ABI, err = ll.LandlockGetABIVersion(); err != nil {
		return p, nil, fault.WithHint(fmt.Errorf("this kernel has no Landlock, or it is switched off: %w", err), "Linux 5.13 and later have it; the kernel's parameter lsm= has to name it")
	}
	if err := p.resolve(); err != nil {
		return p, nil, err
	}
	p.Namespaces = true
	if why = p.try(); why == nil {
		return p, nil, nil
	}
	// What is used up now says nothing of namespaces.
	if usedUp(why) {
		return p, nil, fmt.Errorf("try what this system allows: %w", why)
	}
	// Were what is hidden the reason, a command could bring about that the next one has
	// less around it.
	switch again := (Plan{Dir: "/", Offline: p.Offline, Namespaces: true, ABI: p.ABI}).try(); {
	case again == nil:
		return p, nil, why
	case usedUp(again):
		return p, nil, fmt.Errorf("try what this system allows: %w", again)
	}
	p.Namespaces = false
	if err := p.try(); err != nil { // before anybody says that Landlock holds
		return p, nil, fmt.Errorf("without namespaces (%w) there is Landlock, and that fails: %w", why, err)
	}
	return p, why, nil
}

// errKilled is that of a process that says nothing of the system.
var errKilled = errors.New("the process that tried it did not end as it should")

// usedUp reports whether an error says that the process, the user or the machine has no more
// files, processes or memory at the moment.
func usedUp(err error) bool {
	switch syscall.Errno(failure(err).Errno) {
	case unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.ENOMEM, unix.ENOBUFS:
		return true
	}
	return errors.Is(err, errKilled)
}

// try starts a command that does nothing, with all that the plan says.
func (p Plan) try() error {
	run, err := New(p)
	if err != nil {
		return err
	}
	files, err := run.Files()
	if err != nil {
		run.End()
		return err
	}
	c, err := Start(&exec.Cmd{Env: []string{}}, files, nil)
	for _, f := range files[1:] {
		_ = f.Close()
	}
	var ws unix.WaitStatus
	if err == nil {
		for {
			if _, err = unix.Wait4(c.PID, &ws, 0, nil); !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	run.End()
	if c != nil {
		c.Reap()
	}
	if err == nil && (!ws.Exited() || ws.ExitStatus() != 0) {
		err = errKilled
	}
	return err
}

const elsewhere = "start the command in another folder"

// resolve follows the links of the paths, leaves out what is not there, and adds what is
// the same by another path.
func (p *Plan) resolve() error {
	all, err := mounts()
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(p.Dir)
	if err != nil {
		return fmt.Errorf("the working folder: %w", err)
	}
	p.Dir = dir
	p.Hidden = append(p.Hidden, kernelMounts(all)...)
	ways := map[string][]step{}
	for _, list := range []*[]string{&p.Hidden, &p.Sockets, &p.Private} {
		var out []string
		for _, name := range *list {
			name, way, err := lookUp(name)
			if err != nil {
				if gone(err) {
					continue
				}
				return fmt.Errorf("hide what others must not use: %w", err)
			}
			ways[name] = append(ways[name], way...)
			out = append(append(out, name), aliases(name, all)...)
		}
		slices.Sort(out)
		*list = slices.Compact(out)
	}
	// What a variable leads to there is of the kernel's, and the command has its own.
	p.Hidden = slices.DeleteFunc(outermost(p.Hidden), func(name string) bool { return within(name, []string{"/proc", "/sys"}) })
	p.Sockets = slices.DeleteFunc(p.Sockets, func(name string) bool {
		info, err := os.Lstat(name)
		return err != nil || info.Mode()&fs.ModeSocket == 0 || within(name, p.Hidden)
	})
	p.Private = slices.DeleteFunc(p.Private, func(name string) bool { return within(name, p.Hidden) || within(name, []string{"/dev"}) })
	for _, own := range []string{"/dev", "/proc"} {
		if below(p.Dir, own) {
			return fault.WithHint(fmt.Errorf("the working folder is in %s, of which the command has its own", own), elsewhere)
		}
	}
	for _, h := range p.Hidden {
		if below(p.Dir, h) {
			return fault.WithHint(fmt.Errorf("the working folder %s is in %s, which the command must not see", p.Dir, h), elsewhere)
		}
	}
	for _, h := range p.Private {
		if below(p.Dir, h) {
			return fault.WithHint(fmt.Errorf("the working folder %s is in %s, which the command has empty", p.Dir, h), elsewhere+", or have XDG_RUNTIME_DIR name the one that the system made")
		}
	}
	for i, list := range [][]string{p.Hidden, p.Private, p.Sockets} {
		for _, name := range list {
			p.pinned(ways[name], i < 2)
		}
	}
	for _, list := range []*[]string{&p.Pinned, &p.Links} {
		slices.Sort(*list) // a folder before what is in it
		*list = slices.Compact(*list)
	}
	return nil
}

// pinned notes what must not be moved on a way.
func (p *Plan) pinned(way []step, byLandlock bool) {
	for _, s := range way {
		if within(s.path, []string{"/dev", "/proc", "/sys"}) || !movable(s.path) {
			continue
		}
		p.Pinned = append(p.Pinned, s.path)
		if s.link && byLandlock {
			p.Links = append(p.Links, s.path)
		}
	}
}

// movable reports whether this user can move or remove what a path names: who can write the
// folder that it is in, or make that writable.
func movable(name string) bool {
	dir := path.Dir(name)
	var st unix.Stat_t
	return unix.Stat(dir, &st) != nil || int(st.Uid) == os.Geteuid() || unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS) == nil
}

// outermost leaves out what lies in another of the paths, which are sorted.
func outermost(names []string) []string {
	var out []string
	for _, name := range names {
		if !within(name, out) {
			out = append(out, name)
		}
	}
	return out
}

// Linked is a hidden file, or one in a hidden folder, that has another name (a hard link), by
// which it can still be read; "" where there is none.
func (p *Plan) Linked() string {
	all, _ := mounts() // they were read a moment ago
	ofKernel, found := kernelMounts(all), ""
	for _, h := range p.Hidden {
		if slices.Contains(ofKernel, h) {
			continue
		}
		// What this user cannot look into, the command cannot either.
		_ = filepath.WalkDir(h, func(name string, _ fs.DirEntry, err error) error {
			var st unix.Stat_t
			if err == nil && unix.Lstat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 {
				found = name
				return fs.SkipAll
			}
			return nil
		})
	}
	return found
}

// Left says what the walls leave open, on this kernel; "" for nothing.
func (p *Plan) Left() string {
	var left []string
	if p.Namespaces {
		if p.ABI < abiScopes {
			left = append(left, "signals to the command's process group")
			if !p.Offline {
				left = append(left, "abstract sockets")
			}
		}
		return strings.Join(left, ", ")
	}
	left = append(left, "the names and shared memory of your processes", "your other terminals")
	if p.ABI < abiUnix {
		left = append(left, "Unix sockets by their path (ssh-agent, docker, D-Bus)")
	}
	if p.ABI < abiScopes {
		left = append(left, "abstract sockets and signals")
	}
	if p.Offline {
		if p.ABI < abiTCP {
			left = append(left, "TCP")
		} else {
			left = append(left, "connections from outside")
		}
	}
	return strings.Join(left, ", ")
}

// Whole reports that both walls are there, with nothing of this machine open between them.
func (p *Plan) Whole() bool { return p.Namespaces && (p.Offline || p.ABI >= abiScopes) }

// OnWay reports that something in the working folder is hidden: Landlock alone lets nothing
// be made there.
func (p *Plan) OnWay() bool {
	return slices.ContainsFunc(p.Hidden, func(h string) bool { return below(h, p.Dir) })
}
