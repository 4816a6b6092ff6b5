// Package confine starts a command that does not see what it must not use: files, folders,
// sockets and processes of the user's, and the network.
//
// On Linux there are two walls. Namespaces (user, mount, PID, IPC, and network where that is
// wanted) are the first: an empty folder is mounted over each hidden one, and /dev/null over
// each hidden file. Landlock is the second, on top of it or, where the system allows no
// namespaces, alone: [Check] says which. A seccomp filter and the loss of all capabilities
// keep the command from taking them down. Other systems have neither.
//
// A command is started by a chain of processes that are rhx itself, each with one step to
// do; see [Stage].
package confine

import (
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
)

// Plan is what a command does not see. All paths are absolute, and without links.
type Plan struct {
	// Hidden are files and folders. What is not there is left out.
	Hidden []string
	// Sockets are hidden where there are namespaces: Landlock has no hold on them.
	Sockets []string
	// Private are folders that the command finds empty, and may use. By Landlock alone it
	// may not use them.
	Private []string
	// Keep are folders that it sees all the same, in a hidden or private one.
	Keep []string
	// Pinned are folders and links on the way to what is hidden. They are as they were, but
	// cannot be moved or removed: what is hidden would be elsewhere then, and seen by the
	// next command. Links are those on the way to what Landlock alone hides. [Check] finds
	// both.
	Pinned, Links []string
	// Dir is its working folder.
	Dir string
	// Offline says that Ports of 127.0.0.1 are all that it reaches of the network.
	Offline bool
	Ports   []int
	// Namespaces says that they are used; else it is Landlock alone.
	Namespaces bool
	// ABI is the version of the kernel's Landlock.
	ABI int
}

// Failure is the error of a command that could not be confined, or not be started.
type Failure struct {
	// Command is that one, where the error is of starting it; Status is the exit status
	// that env(1) gives then.
	Command string
	Status  int
	Text    string
	Hint    string
	// Errno is the number of the system's error; 0 for none.
	Errno int `json:",omitempty"`
}

func (f *Failure) Error() string { return f.Text }

// ErrSystem is the error on systems that have no such walls.
var ErrSystem = errors.New("only Linux has what confines a command")

// Arg is the argument with which rhx starts itself as one of the processes of [Stage].
const Arg = "run-confined"

// Seen is an error where this process is in a confined command that does not see one of
// rhx's folders: what is in there is not known, which is another thing than nothing.
func Seen(dirs ...string) error {
	for _, dir := range dirs {
		if Hides(dir) {
			return fault.WithHint(fmt.Errorf("this command runs under rhx run --confine, which hides %s and rhx's other folders from it", dir),
				"the secrets that it may use are in its variables and files; for the others run rhx outside of it")
		}
	}
	return nil
}
