//go:build !linux

package confine

import (
	"net"
	"os"
	"os/exec"
)

// Check says whether, and how, this system can confine a command.
func Check(p Plan) (checked Plan, why, err error) { return p, nil, ErrSystem }

// Hides is for Linux.
func Hides(string) bool { return false }

// Linked is for Linux.
func (*Plan) Linked() string { return "" }

// Left is for Linux.
func (*Plan) Left() string { return "" }

// Run is a command that is confined.
type Run struct{ Plan Plan }

// New is for Linux.
func New(Plan) (*Run, error) { return nil, ErrSystem }

// Listen is for Linux.
func (*Run) Listen() (net.Listener, error) { return nil, ErrSystem }

// Files is for Linux.
func (*Run) Files() ([]*os.File, error) { return nil, ErrSystem }

// End is for Linux.
func (*Run) End() {}

// Child is a command that was started.
type Child struct{ PID int }

// Start is for Linux.
func Start(*exec.Cmd, []*os.File, []string) (*Child, error) { return nil, ErrSystem }

// Reap is for Linux.
func (*Child) Reap() {}

// Sockets is for Linux.
func Sockets(...string) ([]string, error) { return nil, ErrSystem }

// Inherited is for Linux.
func Inherited() []*os.File { return nil }

// Whole is for Linux.
func (*Plan) Whole() bool { return false }

// OnWay is for Linux.
func (*Plan) OnWay() bool { return false }
