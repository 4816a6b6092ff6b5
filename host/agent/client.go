package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
)

// answerWithin bounds the time that a command waits for the agent.
const answerWithin = 3 * time.Second

// Client speaks to the agent of this user. It may be used by several goroutines.
type Client struct {
	// Environ is the environment of an agent that Start starts: no more than says where
	// things are, since what is in an environment stays there.
	Environ []string

	dir    func() string
	warn   func(string)
	within time.Duration

	mu   sync.Mutex
	conn *net.UnixConn
	dead error // why the agent is not asked again
}

// NewClient returns a client for the agent in the folder that dir returns, see [Dir]. It does
// nothing yet. warn is told what is wrong with one that is there.
func NewClient(dir func() string, warn func(string)) *Client {
	return &Client{dir: sync.OnceValue(dir), warn: warn, within: answerWithin}
}

// Find returns the key in a file of a digest. Its error is ErrNone for whatever reason the
// agent has it not: it is one to do without.
func (c *Client) Find(digest string) (*Remote, error) {
	a, err := c.use(&request{Op: opKey, Digest: digest})
	if err != nil {
		return nil, err
	}
	if len(a.Public) == 0 || len(a.Signers) == 0 {
		return nil, ErrNone
	}
	return &Remote{client: c, digest: digest, public: a.Public, signers: a.Signers}, nil
}

// Status asks the agent what it holds. Its error is ErrNone where none is there.
func (c *Client) Status() (*Status, error) {
	a, err := c.ask(&request{Op: opStatus})
	if err == nil && a.Status == nil {
		err = errors.New("the agent does not say what it holds")
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(a.Status.Keys, func(a, b KeyStatus) int { return a.Until.Compare(b.Until) })
	return a.Status, nil
}

// Add has the agent hold a key.
func (c *Client) Add(m *Material) error {
	_, err := c.ask(&request{Op: opAdd, Add: m})
	return err
}

// Lock has the agent forget all keys.
func (c *Client) Lock() error {
	_, err := c.ask(&request{Op: opLock})
	c.Close()
	return err
}

// Stop ends the agent.
func (c *Client) Stop() error {
	_, err := c.ask(&request{Op: opStop})
	c.Close()
	return err
}

// Close ends the connection. The next request makes another.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
}

func (c *Client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// use is ask for a command that can do without the agent: once that was no good, it is not
// asked again.
func (c *Client) use(q *request) (*answer, error) {
	c.mu.Lock()
	dead := c.dead
	c.mu.Unlock()
	if dead != nil {
		return nil, dead
	}
	a, err := c.ask(q)
	if err == nil || errors.Is(err, age.ErrIncorrectIdentity) || errors.Is(err, errRefused) {
		return a, err
	}
	if !errors.Is(err, ErrNone) && c.warn != nil {
		c.warn(fmt.Sprintf("the agent is not used: %v", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = ErrNone
	c.close()
	return nil, ErrNone
}

// errRefused is the error for what the agent does not do.
var errRefused = errors.New("the agent refused")

// ask sends a request and returns the answer.
func (c *Client) ask(q *request) (*answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.Version = protocol
	until := time.Now().Add(c.within)
	a, err := c.once(q, until)
	// The agent closes connections that say nothing for a while.
	if gone(err) {
		a, err = c.once(q, until)
	}
	if err != nil {
		c.close()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fault.WithHint(fmt.Errorf("no answer within %s", c.within), "The agent is stopped or hangs, and what it holds it still has. pkill -KILL -f 'rhx run-agent' ends it.")
		} else if gone(err) {
			err = ErrNone
		}
		return nil, err
	}
	switch a.Fail {
	case "":
		return a, nil
	case failUnknown:
		return nil, ErrNone
	case failIncorrect:
		return nil, age.ErrIncorrectIdentity
	}
	return nil, fmt.Errorf("%w: %s", errRefused, a.Error)
}

// gone reports that the agent has closed the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed)
}

func (c *Client) once(q *request, until time.Time) (*answer, error) {
	if c.conn == nil {
		conn, err := dial(c.dir(), until)
		if err != nil {
			return nil, err
		}
		c.conn = conn
	} else if err := c.conn.SetDeadline(until); err != nil {
		c.close()
		return nil, net.ErrClosed
	}
	a := &answer{}
	err := send(c.conn, q)
	if err == nil {
		err = receive(c.conn, a, func(int) (func(), error) { return func() {}, nil })
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return a, nil
}

// Remote is a key that the agent holds.
type Remote struct {
	client          *Client
	digest          string
	public, signers []string
}

var _ Key = (*Remote)(nil)

// Public implements [Key].
func (r *Remote) Public() []string { return r.public }

// Signers implements [Key].
func (r *Remote) Signers() []string { return r.signers }

// Held reports whether the agent holds the key still. use says that it is used now, though
// for nothing that the agent does.
func (r *Remote) Held(use bool) bool {
	op := opKey
	if use {
		op = opUse
	}
	_, err := r.client.use(&request{Op: op, Digest: r.digest})
	return err == nil
}

// Unwrap implements [Key].
func (r *Remote) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	a, err := r.client.use(&request{Op: opUnwrap, Digest: r.digest, Stanzas: stanzas})
	if err != nil {
		return nil, err
	}
	return a.FileKey, nil
}

// Derive implements [Key].
func (r *Remote) Derive(purpose string) ([][]byte, error) {
	a, err := r.client.use(&request{Op: opDerive, Digest: r.digest, Purpose: purpose})
	if err != nil {
		return nil, err
	}
	if len(a.Keys) != len(r.signers) {
		return nil, fmt.Errorf("%w: it gave %d keys of %d", errRefused, len(a.Keys), len(r.signers))
	}
	return a.Keys, nil
}

// Sign implements [Key].
func (r *Remote) Sign(purpose string, message []byte) ([]byte, error) {
	a, err := r.client.use(&request{Op: opSign, Digest: r.digest, Purpose: purpose, Message: message})
	if err != nil {
		return nil, err
	}
	return a.Sig, nil
}
