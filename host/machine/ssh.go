package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// SSHOptions are how machines are reached over SSH. The zero value asks nothing.
// The user's home folder, for ~/.ssh, is the one that the user database names, as
// for ssh itself: HOME does not count.
type SSHOptions struct {
	// Getenv gives this machine's environment (SSH_AUTH_SOCK, SSH_ASKPASS, and what
	// ssh_config refers to); nil is an empty one. Environ lists it, as os.Environ
	// does, for the patterns of SendEnv; nil is an empty list.
	Getenv  func(string) string
	Environ func() []string
	// ConfigFile is read instead of the user's and the system's ssh_config.
	ConfigFile string
	// SSH is the ssh program, asked for what ssh_config says; "" is the one on
	// the PATH, if any.
	SSH string
	// ConnectTimeout bounds connecting, for hosts whose ConnectTimeout ssh_config
	// does not set; 0 is 15 s. The time that a person takes to answer is not counted.
	ConnectTimeout time.Duration
	// AcceptNew adds the keys of unknown hosts to known_hosts without a question.
	AcceptNew bool
	// Confirm decides about the key of an unknown host; nil refuses it.
	Confirm func(ctx context.Context, key HostKey) (bool, error)
	// Prompt asks a person for a passphrase or a password; nil means that nobody
	// can be asked. An empty answer to a passphrase skips that key.
	Prompt func(ctx context.Context, q Question) (string, error)
	// Keys, when several machines share it, asks for each passphrase only once.
	Keys *Keys
	// Contexts, when several machines share it, has all containers be in the same context
	// of docker, and of kubectl.
	Contexts *Contexts

	aliveEvery, deadAfter, askWithin, answerWithin time.Duration // 0: the constants
}

// HostKey is the key of an unknown host.
type HostKey struct {
	// Host is the host as the user named it, Address what known_hosts calls it.
	Host, Address string
	// Type is the key's type, such as ssh-ed25519; Fingerprint is SHA256:….
	Type, Fingerprint string
	// File is the known_hosts file that a yes adds the key to.
	File string
}

// Question is what a person is asked.
type Question struct {
	// Host is the host as the user named it; Text ends in a colon or is the
	// server's own.
	Host, Text string
	// Echo says that the answer may be seen.
	Echo bool
}

// ErrHostKeyChanged, ErrHostKeyUnknown and ErrHostKeyRevoked are why a host was
// not trusted; ErrDenied is a host that let the user in by no method.
var (
	ErrHostKeyChanged = errors.New("the host key has changed")
	ErrHostKeyUnknown = errors.New("the host key is not known")
	ErrHostKeyRevoked = errors.New("the host key is revoked")
	ErrDenied         = errors.New("permission denied")
)

const defaultConnectTimeout = 15 * time.Second

// sshMachine is a machine over SSH, or a container. It needs a POSIX sh there and nothing else:
// no sftp, no rhx, whatever the login shell.
type sshMachine struct {
	target string
	opts   SSHOptions

	// dialing is held while connecting; a channel, so that a context ends waiting.
	dialing chan struct{}
	mu      sync.Mutex
	conn    *sshConn
	closed  bool
}

// SSH returns the machine at target, [user@]host[:port] or a name from
// ssh_config, or a container: docker:NAME, k8s:NAMESPACE/POD[/CONTAINER]. It connects when it is first used, and again after the connection
// was lost. It is a Runner.
//
// ssh_config is followed as OpenSSH does, except that host keys are always
// verified (StrictHostKeyChecking=no is as "ask") and that nothing is ever
// forwarded to the host but what [RunSpec.Reach] says. A setting that cannot be followed, and that says whom to
// trust or how to get to the host, is an error that names it.
func SSH(target string, opts SSHOptions) Machine {
	if opts.Getenv == nil {
		opts.Getenv = func(string) string { return "" }
	}
	if opts.Environ == nil {
		opts.Environ = func() []string { return nil }
	}
	opts = opts.asking()
	if opts.Keys == nil {
		opts.Keys = new(Keys)
	}
	return &sshMachine{target: target, opts: opts, dialing: make(chan struct{}, 1)}
}

func (m *sshMachine) Name() string { return m.target }

func (m *sshMachine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.conn != nil {
		m.conn.close(nil)
		m.conn = nil
	}
	return nil
}

// current returns the connection, if there is one that lives.
func (m *sshMachine) current() (*sshConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("%s: the connection is closed", m.target)
	}
	if m.conn != nil && m.conn.lost() {
		m.conn = nil
	}
	return m.conn, nil
}

// connect returns the connection, making it first where there is none.
func (m *sshMachine) connect(ctx context.Context) (*sshConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if conn, err := m.current(); conn != nil || err != nil {
		return conn, err
	}
	select {
	case m.dialing <- struct{}{}:
		defer func() { <-m.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if conn, err := m.current(); conn != nil || err != nil {
		return conn, err
	}
	client, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		client.close(nil)
		return nil, fmt.Errorf("%s: the connection is closed", m.target)
	}
	m.conn = client
	return client, nil
}

// dial makes a connection.
func (m *sshMachine) dial(ctx context.Context) (*sshConn, error) {
	if c, ok, err := parseContainer(m.target); err != nil {
		return nil, err
	} else if ok {
		return c.dial(ctx, m.target, m.opts.Contexts)
	}
	d := &dialer{opts: &m.opts, named: m.target}
	client, err := d.dial(ctx, m.target, nil, 0)
	if ctx.Err() != nil && err != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.target, err)
	}
	return client, nil
}

// usage marks an error as one of the command line.
func usage(format string, args ...any) error {
	return fault.WithKind(fmt.Errorf(format, args...), fault.Usage)
}

// posixQuote returns s as one word of a POSIX shell.
func posixQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
