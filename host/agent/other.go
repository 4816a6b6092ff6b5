//go:build !linux && !darwin

package agent

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"runtime"
	"time"
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
	Parse func(*Material) (Key, error)
}

// Run fails: this system has no agents.
func (s *Server) Run(context.Context, string, string, ...string) error { return errUnsupported }
