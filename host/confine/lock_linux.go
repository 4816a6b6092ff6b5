package confine

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

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
	if err := loadFilter(filter()); err != nil {
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
	if abi >= 3 {
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
	abiTCP    = 4
	abiScopes = 6 // abstract sockets and signals
	abiUnix   = 9
	abiUDP    = 10
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
	if p.Port != 0 && !p.Namespaces {
		if p.ABI >= abiTCP {
			attr.HandledAccessNet = ll.AccessNetConnectTCP
		}
		if p.ABI >= abiUDP {
			attr.HandledAccessNet |= ll.AccessNetBindUDP | ll.AccessNetConnectSendUDP
		}
	}
	set, err := ll.LandlockCreateRuleset(&attr, 0)
	if err != nil {
		return err
	}
	defer unix.Close(set)
	if attr.HandledAccessNet != 0 {
		if err := ll.LandlockAddNetPortRule(set, &ll.NetPortAttr{AllowedAccess: ll.AccessNetConnectTCP, Port: uint64(p.Port)}, 0); err != nil {
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

// What a filter answers, in the kernel's words.
const (
	allow    = unix.SECCOMP_RET_ALLOW
	kill     = unix.SECCOMP_RET_KILL_PROCESS
	refuse   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	notThere = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
)

// refused are the calls that would change what is mounted, or lead around it: new mounts,
// files by handle, keyrings, and parts of the kernel that ordinary programs do not use and
// whose faults are how a command would get out.
var refused = []uint32{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_SETNS,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
}

// spacesFlags ask for new namespaces.
const spacesFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// The processors whose numbers of system calls the filter has.
var audit = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filter is the seccomp program. It looks at the lower halves of arguments, as the kernel
// does for those flags and requests.
func filter() []unix.SockFilter {
	const number, arch, first, second = 0, 4, 16, 24 // in struct seccomp_data
	stmt := func(code int, k uint32) unix.SockFilter { return unix.SockFilter{Code: uint16(code), K: k} }
	load := func(at uint32) unix.SockFilter { return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at) }
	ret := func(k uint32) unix.SockFilter { return stmt(unix.BPF_RET|unix.BPF_K, k) }
	// jump goes on where the comparison holds, and else over skip instructions.
	jump := func(code int, k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: uint16(unix.BPF_JMP | code | unix.BPF_K), K: k, Jf: skip}
	}
	prog := []unix.SockFilter{load(arch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: audit[runtime.GOARCH], Jt: 1}, ret(kill), load(number)}
	if runtime.GOARCH == "amd64" {
		prog = append(prog, jump(unix.BPF_JGE, 0x40000000, 1), ret(notThere)) // x32
	}
	for _, call := range refused {
		prog = append(prog, jump(unix.BPF_JEQ, call, 1), ret(refuse))
	}
	prog = append(prog, jump(unix.BPF_JEQ, unix.SYS_CLONE3, 1), ret(notThere)) // its flags are out of sight: libraries take clone then
	for _, call := range []uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
		prog = append(prog, jump(unix.BPF_JEQ, call, 4), load(first), jump(unix.BPF_JSET, spacesFlags, 1), ret(refuse), ret(allow))
	}
	// Both would type into the terminal that the command shares with the user's shell.
	prog = append(prog, jump(unix.BPF_JEQ, unix.SYS_IOCTL, 5), load(second), jump(unix.BPF_JEQ, unix.TIOCSTI, 1), ret(refuse), jump(unix.BPF_JEQ, unix.TIOCLINUX, 1), ret(refuse))
	return append(prog, ret(allow))
}

func loadFilter(prog []unix.SockFilter) error {
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if _, _, no := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); no != 0 {
		return no
	}
	return nil
}
