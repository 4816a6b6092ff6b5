package confine

import (
	"fmt"
	"os"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// lock takes from this thread, for good, what the command must not have.
func (p *Plan) lock() error {
	// A folder that is open leads behind what is mounted over others.
	if err := unix.CloseRange(fdReport+1, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close what else is open: %w", err)
	}
	for fd := range 3 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return fmt.Errorf("a standard stream (%d) is a folder, from which hidden files could be opened", fd)
		}
	}
	// By its name: the one that is open is that from before the mounts.
	if err := os.Chdir(p.Dir); err != nil {
		return fmt.Errorf("the working folder: %w", err)
	}
	// An empty keyring of its own: that of the session has keys of the user's.
	if _, _, no := unix.RawSyscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0); no != 0 && no != unix.ENOSYS && no != unix.EPERM {
		return fmt.Errorf("a keyring of its own: %w", no)
	}
	if err := dropAll(p.Namespaces); err != nil {
		return err
	}
	if err := p.landlock(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	if err := loadFilter(p.filter()); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// dropAll leaves this thread no capability, and no way to get one. bounded says that the
// bounding set has to be empty, too: an ordinary user outside of a namespace may not change
// it, and has nothing that it would bound.
func dropAll(bounded bool) error {
	for c := uintptr(0); c < 64; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if err == unix.EINVAL {
			break // the kernel has no more
		}
		if err != nil && (bounded || os.Geteuid() == 0) {
			return fmt.Errorf("give up capabilities: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return nil
}

// The rights that Landlock knows, by the version of its ABI.
func rights(abi int) (fs, files uint64) {
	fs = 1<<13 - 1
	if abi >= 2 {
		fs |= ll.AccessFSRefer
	}
	if abi >= abiTruncate {
		fs |= ll.AccessFSTruncate
	}
	if abi >= 5 {
		fs |= ll.AccessFSIoctlDev
	}
	files = fs & (ll.AccessFSExecute | ll.AccessFSWriteFile | ll.AccessFSReadFile | ll.AccessFSTruncate | ll.AccessFSIoctlDev)
	return fs, files
}

const reads = ll.AccessFSExecute | ll.AccessFSReadFile | ll.AccessFSReadDir

// The versions of Landlock's ABI from which on it has a hold on what namespaces hide as well.
const (
	abiTruncate = 3
	abiTCP      = 4
	abiScopes   = 6 // abstract sockets and signals
	abiUnix     = 9
)

// landlock lays Landlock on this thread: with namespaces, against mounts, and sockets and
// processes outside; without them, against everything that is hidden.
func (p *Plan) landlock() error {
	fs, files := rights(p.ABI)
	attr := ll.RulesetAttr{HandledAccessFS: fs}
	if p.ABI >= abiScopes {
		attr.Scoped = ll.ScopeAbstractUnixSocket | ll.ScopeSignal
	}
	if p.ABI >= abiUnix {
		attr.HandledAccessFS |= ll.AccessFSResolveUnix // and no rule grants it: sockets from outside
	}
	if p.Offline && !p.Namespaces && p.ABI >= abiTCP {
		attr.HandledAccessNet = ll.AccessNetConnectTCP
	}
	set, err := ll.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return err
	}
	defer unix.Close(set)
	for _, port := range p.Ports {
		if attr.HandledAccessNet == 0 {
			break
		}
		if err := ll.LandlockAddNetPortRule(set, &ll.NetPortAttr{AllowedAccess: ll.AccessNetConnectTCP, Port: uint64(port)}, 0); err != nil {
			return err
		}
	}
	allowed := []rule{{path: "/", access: fs}}
	if !p.Namespaces {
		if allowed, err = p.complement(fs, files); err != nil {
			return err
		}
	}
	for _, r := range allowed {
		if err := r.add(set); err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
	}
	return ll.LandlockRestrictSelf(set, 0)
}

func (r rule) add(set int) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // gone: nothing is allowed then
	}
	defer unix.Close(fd)
	return ll.LandlockAddPathBeneathRule(set, &ll.PathBeneathAttr{AllowedAccess: r.access, ParentFd: fd}, 0)
}
