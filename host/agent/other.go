//go:build !linux && !darwin

package agent

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"runtime"
	"time"

	"golang.org/x/crypto/ssh"
)

// Supported reports whether this system has agents.
const Supported = false

var errUnsupported = errors.New("there is no agent on " + runtime.GOOS)

func private(string, fs.FileInfo, fs.FileMode) error { return errUnsupported }

func dial(string, time.Time) (*net.UnixConn, error) { return nil, ErrNone }

// Start fails: this system has no agents.
func (c *Client) Start(string, ...string) (bool, error) { return false, errUnsupported }

// Server is an agent; this system has none.
type Server struct {
	Parse   func(*Material) (Key, error)
	Environ []string
}

// SSHKey is a key of an SSH agent.
type SSHKey struct {
	Signer  ssh.Signer
	Comment string
}

// ParseSSHKey fails: this system has no agents.
func ParseSSHKey(string, []byte, []byte) ([]SSHKey, error) { return nil, errUnsupported }

// SSHServer is an SSH agent; this system has none of rhx.
type SSHServer struct {
	Load    func() (keys []SSHKey, still func(use bool) bool, err error)
	Confirm func(comment, fingerprint string) bool
	For     time.Duration
}

// Run fails: this system has no agents.
func (*SSHServer) Run(context.Context, string, []string, string, ...string) error {
	return errUnsupported
}

// Have does nothing: there are none.
func (*SSHServer) Have([]SSHKey, func(bool) bool) {}

// Serve fails: this system has no agents.
func (*SSHServer) Serve(context.Context, *net.UnixListener) error { return errUnsupported }

// SSHSocket is the path of the socket of the SSH agent in a folder.
func SSHSocket(dir string) string { return dir }

// StartSSH fails: this system has no agents.
func StartSSH(string, []string, string, ...string) (bool, error) { return false, errUnsupported }

// OwnSSH fails: this system has no agents.
func OwnSSH(string) (*net.UnixListener, string, func(), error) { return nil, "", nil, errUnsupported }

// LockSSH does nothing: there are none.
func LockSSH(string) (bool, error) { return false, nil }

// RenewSSH does nothing: there are none.
func RenewSSH(string) error { return nil }

// StopSSH does nothing: there are none.
func StopSSH(string) error { return nil }

// Run fails: this system has no agents.
func (s *Server) Run(context.Context, string, string, ...string) error { return errUnsupported }
