package machine

import (
	"context"
	"io"
	"io/fs"
)

// Runner is a machine that runs commands.
type Runner interface {
	// Run runs a command and returns its exit status: 128+n where signal n ended
	// it, 126 or 127 where it could not be started, as in env(1). The error is
	// for a command that was not started or whose end is not known.
	Run(ctx context.Context, spec RunSpec) (int, error)
}

// RunSpec is a command to run.
type RunSpec struct {
	// Argv is the command and its arguments. They are seen by every user of the
	// machine, in its list of processes; what is secret belongs in Env.
	Argv []string
	// Env holds variables to add to the environment that the machine gives; Unset
	// names those to take out of it.
	Env   []Var
	Unset []string
	// Files are there for this command alone: in a folder of its own, in memory, that
	// only its user can read. It is gone when Run returns, and soon after the connection
	// or this process is, however they end. FileVars are variables to add as Env is,
	// whose values are paths in that folder.
	Files    []RunFile
	FileVars []Var
	// Disk lets them be on a disk where the machine has no such place in memory: nothing in
	// them is secret.
	Disk bool
	// Reach has the command reach a server of this machine; nil for none.
	Reach *Reach
	// Warn is told what went wrong beside the command once it had started, which does not
	// end it; it may be nil.
	Warn func(error)
	// Stdin, Stdout and Stderr may be nil. Run can return while a read of Stdin
	// is still waiting.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// TTY gives the command a terminal of the type Term (default xterm) and of
	// Size (default 80 by 24); what it writes then all comes to Stdout.
	TTY  bool
	Term string
	Size Size
	// Resize gives the terminal's new sizes; it may be nil.
	Resize <-chan Size
	// Signals gives signals for the command, by name without SIG, such as INT and
	// TERM; it may be nil. Some SSH servers ignore them; to end the command in
	// any case, cancel the context.
	Signals <-chan string
	// Started is called when the command has started there, before any of its output
	// is passed on; it may be nil. With a terminal nothing of Stdin is read before it
	// returns.
	Started func()
}

// RunFile is a file for one command.
type RunFile struct {
	// Path is in the folder of the command's files, with slashes, such as "aws/credentials".
	Path string
	// Data is at most MaxFile bytes.
	Data []byte
	// Mode is that of the file; what it gives to others than the user is left out, and 0
	// means 0600.
	Mode fs.FileMode
}

// Size is that of a terminal, in characters.
type Size struct{ Columns, Rows int }

// Var is a variable of an environment.
type Var struct{ Name, Value string }
