package sshtest

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Namespace is a network of its own: a loopback interface, and what Link adds.
// Processes that are started and sockets that are opened in Do belong to it. It
// has no name, so nothing of it outlives the test. A nil Namespace is the
// network that the test itself is in.
type Namespace struct {
	path string // for ip and setns
	work chan func()
}

// NewNamespace makes a network that lasts as long as the test. Its error is that
// of a kernel, or of a user, that can have none.
func NewNamespace(t testing.TB) (*Namespace, error) {
	n := &Namespace{work: make(chan func())}
	made := make(chan error)
	go func() {
		// The thread stays in the namespace, and so is never given back.
		runtime.LockOSThread()
		err := syscall.Unshare(syscall.CLONE_NEWNET)
		n.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), syscall.Gettid())
		made <- err
		for f := range n.work {
			f()
		}
	}()
	err := <-made
	t.Cleanup(func() { close(n.work) })
	if err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", err)
	}
	return n, n.ip("link", "set", "lo", "up")
}

// Do calls f on a thread that is in the namespace. One f at a time.
func (n *Namespace) Do(f func()) {
	if n == nil {
		f()
		return
	}
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

func (n *Namespace) ip(args ...string) (err error) {
	var out []byte
	n.Do(func() { out, err = exec.Command("ip", args...).CombinedOutput() })
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Link joins two namespaces by a cable: a has the address NET.1 of the network
// NET.0/24, b has NET.2.
func Link(a, b *Namespace, net string) error {
	name := func(side string) string { return "v" + side + net[max(0, len(net)-10):] }
	near, far := name("a"), name("b")
	if err := a.ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", b.path); err != nil {
		return err
	}
	for _, end := range []struct {
		n          *Namespace
		name, last string
	}{{a, near, ".1"}, {b, far, ".2"}} {
		if err := end.n.ip("addr", "add", net+end.last+"/24", "dev", end.name); err != nil {
			return err
		}
		if err := end.n.ip("link", "set", end.name, "up"); err != nil {
			return err
		}
	}
	return nil
}
