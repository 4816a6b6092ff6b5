package machine

import (
	"testing"

	"golang.org/x/crypto/ssh"
)

// unread is a channel whose host reads no answer.
type unread struct {
	ssh.NewChannel
	over <-chan struct{}
}

func (c unread) ExtraData() []byte { return ssh.Marshal(forwardedMsg{Address: loopback, Port: 1}) }

func (c unread) Reject(ssh.RejectionReason, string) error {
	<-c.over
	return nil
}

// A host that opens channels, and reads no answer, loses the connection.
func TestUnreadRejections(t *testing.T) {
	cut, over, in, done := make(chan struct{}, 2), make(chan struct{}), make(chan ssh.NewChannel), make(chan struct{})
	defer close(over)
	s := &forwards{ports: map[uint32]*forwarded{}, cut: func() error { cut <- struct{}{}; return nil }}
	go func() { defer close(done); s.accept(in) }()
	for range maxRejections { // some are with the goroutine, or wait for it
		in <- unread{over: over}
	}
	select {
	case <-cut:
		t.Error("cut too early")
	default:
	}
	for range maxRejections {
		in <- unread{over: over}
	}
	close(in)
	<-done
	<-cut
}
