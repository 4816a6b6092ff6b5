package confine

import (
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a filter answers, in the kernel's words.
const (
	allow    = unix.SECCOMP_RET_ALLOW
	kill     = unix.SECCOMP_RET_KILL_PROCESS
	refuse   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	notThere = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	noFamily = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
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

// absent are the calls that programs do without where a kernel has them not. The flags of
// clone3 are out of a filter's sight; io_uring does what a filter refuses.
var absent = []uint32{unix.SYS_CLONE3, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// newest is the last call that rhx knows: what a later kernel adds is not there for the
// command. Since 424 the numbers are the same for all processors.
const newest = unix.SYS_REMOVEXATTRAT

// families are the kinds of sockets that a command may make. Others, such as those between
// a virtual machine and its host, belong to no namespace.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// snapshots are the requests of file systems that show a folder of the user's once more,
// without what is mounted in it: snapshots of btrfs, in both forms, and of bcachefs.
var snapshots = []uint32{0x50009401, 0x50009417, 0x4020bc10}

// spacesFlags ask for new namespaces.
const spacesFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// The processors whose numbers of system calls the filter has.
var audit = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// The parts of struct seccomp_data that a filter loads: of arguments the lower halves, as
// the kernel does for those flags, requests and numbers.
const (
	callNumber = 4 * iota
	callArch
	_
	_
	arg0
	_
	arg1
	_
	arg2
	arg2High
	arg3
)

type code []unix.SockFilter

func statement(op int, k uint32) code { return code{{Code: uint16(op), K: k}} }
func load(at uint32) code             { return statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, at) }
func ret(k uint32) code               { return statement(unix.BPF_RET|unix.BPF_K, k) }

// when compares what was loaded with k: where the comparison holds, then is executed, and
// skipped where it does not.
func when(op int, k uint32, then ...code) code {
	all := slices.Concat(then...)
	return append(code{{Code: uint16(unix.BPF_JMP | op | unix.BPF_K), K: k, Jf: uint8(len(all))}}, all...)
}

// filter is the seccomp program of a plan.
func (p *Plan) filter() code {
	// The machine's network, from which Landlock keeps it, which knows of TCP alone.
	onlyTCP := p.Offline && !p.Namespaces
	prog := load(callArch)
	add := func(c ...code) { prog = append(prog, slices.Concat(c...)...) }
	known := when(unix.BPF_JEQ, audit[runtime.GOARCH])
	known[0].Jt = 1
	add(known, ret(kill), load(callNumber))
	add(when(unix.BPF_JGT, newest, ret(notThere))) // those of x32, too
	for _, call := range refused {
		add(when(unix.BPF_JEQ, call, ret(refuse)))
	}
	for _, call := range absent {
		add(when(unix.BPF_JEQ, call, ret(notThere)))
	}
	add(when(unix.BPF_JEQ, unix.SYS_UNSHARE, load(arg0), when(unix.BPF_JSET, spacesFlags, ret(refuse)), ret(allow)))
	// A child of rhx's, of which it does not know, would never be waited for, and nor would the
	// end of their namespace.
	add(when(unix.BPF_JEQ, unix.SYS_CLONE, load(arg0), when(unix.BPF_JSET, spacesFlags|unix.CLONE_PARENT, ret(refuse)), ret(allow)))
	// The first two would type into the terminal that the command shares with the user's shell.
	requests := load(arg1)
	for _, request := range append([]uint32{unix.TIOCSTI, unix.TIOCLINUX}, snapshots...) {
		requests = append(requests, when(unix.BPF_JEQ, request, ret(refuse))...)
	}
	add(when(unix.BPF_JEQ, unix.SYS_IOCTL, requests, ret(allow)))
	add(when(unix.BPF_JEQ, unix.SYS_SOCKET, sockets(onlyTCP)))
	add(when(unix.BPF_JEQ, unix.SYS_SOCKETPAIR, load(arg0), when(unix.BPF_JEQ, unix.AF_UNIX, ret(allow)), ret(noFamily)))
	if !p.Namespaces {
		// A limit of the processor's time ends another process of the user's, as a signal does.
		set := slices.Concat(load(arg2), when(unix.BPF_JEQ, 0, load(arg2High), when(unix.BPF_JEQ, 0, ret(allow))), ret(refuse))
		add(when(unix.BPF_JEQ, unix.SYS_PRLIMIT64, load(arg0), when(unix.BPF_JEQ, 0, ret(allow)), set))
		if p.ABI < abiTruncate {
			add(when(unix.BPF_JEQ, unix.SYS_TRUNCATE, ret(refuse)))
		}
	}
	if onlyTCP {
		// A connection that begins with data is none that Landlock sees.
		for call, flags := range map[uint32]uint32{unix.SYS_SENDTO: arg3, unix.SYS_SENDMSG: arg2, unix.SYS_SENDMMSG: arg3} {
			add(when(unix.BPF_JEQ, call, load(flags), when(unix.BPF_JSET, unix.MSG_FASTOPEN, ret(refuse)), ret(allow)))
		}
	}
	add(ret(allow))
	return prog
}

// sockets is what becomes of the call that makes a socket.
func sockets(onlyTCP bool) code {
	const kindOfSocket = 0xf // what else is in the argument are flags
	inet := ret(allow)
	if onlyTCP {
		// The other protocols of streams, such as MPTCP, are not TCP to Landlock.
		tcp := when(unix.BPF_JEQ, unix.SOCK_STREAM, load(arg2), when(unix.BPF_JEQ, 0, ret(allow)), when(unix.BPF_JEQ, unix.IPPROTO_TCP, ret(allow)))
		inet = slices.Concat(load(arg1), statement(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, kindOfSocket), tcp, ret(refuse))
	}
	prog := load(arg0)
	for _, f := range families {
		then := ret(allow)
		if f == unix.AF_INET || f == unix.AF_INET6 {
			then = inet
		}
		prog = append(prog, when(unix.BPF_JEQ, f, then)...)
	}
	return append(prog, ret(noFamily)...)
}

func loadFilter(prog code) error {
	p := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if _, _, no := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&p))); no != 0 {
		return no
	}
	return nil
}
