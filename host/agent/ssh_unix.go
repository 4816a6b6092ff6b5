//go:build linux || darwin

package agent

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/crypto/ssh"
	sshagent "golang.org/x/crypto/ssh/agent"

	"github.com/rhx-dev/rhx/host/ownfile"
)

const (
	// maxSSHConns is how many connections an SSH agent has; more are closed at once.
	maxSSHConns = 256
	// maxSSHRequest is how long a request may be, as OpenSSH has it.
	maxSSHRequest = 256 << 10
	// sshTimeout is how long a request may take to arrive once it has begun, and an answer to
	// be taken. Between requests a connection may wait as long as it likes.
	sshTimeout = 10 * time.Second
	// fresh is for how long keys are listed without a look into the store.
	fresh = time.Minute
	// lockExtension, renewExtension and stopExtension are requests of rhx's own: to forget the
	// keys, to read them anew, and to end. The word of the agent's lock is in each: a host to
	// which the agent is forwarded can send requests, too.
	lockExtension  = "lock@rhx"
	renewExtension = "renew@rhx"
	stopExtension  = "stop@rhx"
	// sshSuccess is SSH_AGENT_SUCCESS.
	sshSuccess = 6
)

// SSHKey is a key of an SSH agent.
type SSHKey struct {
	// Signer signs; its public key may be a certificate.
	Signer  ssh.Signer
	Comment string
}

// ParseSSHKey returns a private key, and behind it the same with its certificate, "" for none.
// Its errors show nothing of either.
func ParseSSHKey(comment string, private, certificate []byte) ([]SSHKey, error) {
	signer, err := ssh.ParsePrivateKey(private)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, errors.New("it has a passphrase of its own")
	}
	if err != nil {
		return nil, errors.New("it is no private key that rhx can read")
	}
	out := []SSHKey{{signer, comment}}
	if len(bytes.TrimSpace(certificate)) == 0 {
		return out, nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(certificate)
	cert, ok := public.(*ssh.Certificate)
	if err != nil || !ok {
		return nil, errors.New("its certificate is none")
	}
	with, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		return nil, errors.New("its certificate is one of another key")
	}
	return append(out, SSHKey{with, comment}), nil
}

// SSHServer is an SSH agent.
type SSHServer struct {
	// Load reads the keys, and asks nobody. still reports whether they may still be used, and
	// is told whether they are; nil: they may.
	Load func() (keys []SSHKey, still func(use bool) bool, err error)
	// Confirm asks the user whether a key may be used; nil: it may.
	Confirm func(comment, fingerprint string) bool
	// For is how long it serves; 0: until it is ended. A lock ends it, too, then.
	For time.Duration

	again func()
	stop  func()
	path  string
	began instant
	clock func() instant

	mu      sync.Mutex
	loaded  bool
	at      instant
	keys    []SSHKey
	still   func(use bool) bool
	removed map[string]bool // by clients
	bare    bool            // all were removed
}

var _ sshagent.ExtendedAgent = (*SSHServer)(nil)

var (
	errLocked = errors.New("the keys are locked")
	errOwn    = errors.New("the keys are those of rhx's store: rhx save puts one there")
)

// current returns the keys that may be used. anew has them read if that was not just done.
func (s *SSHServer) current(anew bool) ([]SSHKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() || s.loaded && s.still != nil && !s.still(true) {
		s.forget()
	}
	if s.over() {
		return nil, errLocked
	}
	if !s.loaded || anew && s.clock().since(s.at) >= fresh {
		keys, still, err := s.Load()
		switch {
		case err == nil:
			s.loaded, s.at, s.keys, s.still = true, s.clock(), keys, still
			lockMemory(unsafe.Pointer(s))
		case !s.loaded:
			return nil, errLocked
		}
	}
	return slices.DeleteFunc(slices.Clone(s.keys), func(k SSHKey) bool { return s.bare || s.removed[blob(k)] }), nil
}

func blob(k SSHKey) string { return string(k.Signer.PublicKey().Marshal()) }

// forget has the keys out of reach, and out of memory where the process can begin anew.
// Callers hold s.mu.
func (s *SSHServer) forget() {
	s.loaded, s.keys, s.still = false, nil, nil
	switch {
	case s.For > 0:
		s.stop()
	case s.again != nil:
		s.again()
	}
}

// over reports whether the time of the agent is over.
func (s *SSHServer) over() bool { return s.For > 0 && s.clock().since(s.began) >= s.For }

// look forgets keys that may not be used any more.
func (s *SSHServer) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over() || s.loaded && s.still != nil && !s.still(false) {
		s.forget()
	}
}

// List implements [sshagent.Agent].
func (s *SSHServer) List() ([]*sshagent.Key, error) {
	keys, err := s.current(true)
	if err != nil {
		return nil, err
	}
	var out []*sshagent.Key
	for _, k := range keys {
		public := k.Signer.PublicKey()
		out = append(out, &sshagent.Key{Format: public.Type(), Blob: public.Marshal(), Comment: k.Comment})
	}
	return out, nil
}

// Sign implements [sshagent.Agent].
func (s *SSHServer) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return s.SignWithFlags(key, data, 0)
}

// SignWithFlags implements [sshagent.ExtendedAgent].
func (s *SSHServer) SignWithFlags(key ssh.PublicKey, data []byte, flags sshagent.SignatureFlags) (*ssh.Signature, error) {
	keys, err := s.current(false)
	if err != nil {
		return nil, err
	}
	wanted := string(key.Marshal())
	i := slices.IndexFunc(keys, func(k SSHKey) bool { return blob(k) == wanted })
	if i < 0 {
		return nil, errors.New("there is no such key")
	}
	k := keys[i]
	if s.Confirm != nil && !s.Confirm(k.Comment, ssh.FingerprintSHA256(k.Signer.PublicKey())) {
		return nil, errors.New("the user has not confirmed it")
	}
	algorithm := ""
	switch {
	case flags&sshagent.SignatureFlagRsaSha512 != 0:
		algorithm = ssh.KeyAlgoRSASHA512
	case flags&sshagent.SignatureFlagRsaSha256 != 0:
		algorithm = ssh.KeyAlgoRSASHA256
	}
	kind := key.Type()
	if cert, ok := k.Signer.PublicKey().(*ssh.Certificate); ok {
		kind = cert.Key.Type()
	}
	with, ok := k.Signer.(ssh.AlgorithmSigner)
	if kind != ssh.KeyAlgoRSA || algorithm == "" || !ok {
		return k.Signer.Sign(nil, data)
	}
	return with.SignWithAlgorithm(nil, data, algorithm)
}

// Extension implements [sshagent.ExtendedAgent]. session-bind@openssh.com is unknown, as to
// agents before OpenSSH 8.9: it limits keys that were added with limits, and there are none.
func (s *SSHServer) Extension(name string, contents []byte) ([]byte, error) {
	word, err := wordOf(s.path)
	if err != nil || subtle.ConstantTimeCompare(word, contents) != 1 {
		return nil, sshagent.ErrExtensionUnsupported
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case lockExtension:
		s.forget()
	case stopExtension:
		s.keys = nil
		s.stop()
	case renewExtension:
		s.loaded, s.keys, s.still, s.removed, s.bare = false, nil, nil, nil, false
	default:
		return nil, sshagent.ErrExtensionUnsupported
	}
	return []byte{sshSuccess}, nil
}

// Add implements [sshagent.Agent].
func (*SSHServer) Add(sshagent.AddedKey) error { return errOwn }

// Remove implements [sshagent.Agent]. It stays in the store.
func (s *SSHServer) Remove(key ssh.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed == nil {
		s.removed = map[string]bool{}
	}
	wanted := string(key.Marshal())
	if !slices.ContainsFunc(s.keys, func(k SSHKey) bool { return blob(k) == wanted }) {
		return errors.New("there is no such key")
	}
	s.removed[wanted] = true
	return nil
}

// RemoveAll implements [sshagent.Agent].
func (s *SSHServer) RemoveAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bare = true
	return nil
}

// Lock implements [sshagent.Agent].
func (*SSHServer) Lock([]byte) error { return errors.New("rhx lock does that") }

// Unlock implements [sshagent.Agent].
func (*SSHServer) Unlock([]byte) error { return errors.New("rhx unlock does that") }

// Signers implements [sshagent.Agent].
func (*SSHServer) Signers() ([]ssh.Signer, error) { return nil, errors.ErrUnsupported }

// Have has the server begin with keys that were read by somebody who could be asked.
func (s *SSHServer) Have(keys []SSHKey, still func(use bool) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.at, s.keys, s.still = true, now(), keys, still
}

// Serve answers at a listener until ctx ends.
func (s *SSHServer) Serve(ctx context.Context, l *net.UnixListener) error {
	if s.clock == nil {
		s.clock = now
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.stop, s.began, s.path = stop, s.clock(), l.Addr().String()
	log.SetOutput(io.Discard) // where the package of the protocol says what was refused
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	go whileMine(ctx, l.Addr().String(), stop, s.look)
	slots := make(chan struct{}, maxSSHConns)
	for {
		c, err := l.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // there are too many open files
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		go func() {
			ended := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer func() { ended(); _ = c.Close(); <-slots }()
			if uid, err := peer(c); err == nil && uid == os.Geteuid() {
				s.serve(c)
			}
		}()
	}
}

// serve answers the requests of one connection.
func (s *SSHServer) serve(c *net.UnixConn) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(head[:])
		if n == 0 || n > maxSSHRequest || c.SetDeadline(time.Now().Add(sshTimeout)) != nil {
			return
		}
		frame := make([]byte, 4+n)
		copy(frame, head[:])
		if _, err := io.ReadFull(c, frame[4:]); err != nil {
			return
		}
		// The user may take time to confirm.
		_ = c.SetDeadline(time.Time{})
		var out bytes.Buffer
		_ = sshagent.ServeAgent(s, struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(frame), &out}) // until the frame ends
		_ = c.SetDeadline(time.Now().Add(sshTimeout))
		if _, err := c.Write(out.Bytes()); err != nil || out.Len() == 0 {
			return
		}
		_ = c.SetDeadline(time.Time{})
	}
}

// Run is an SSH agent for the sessions of a user, as [Server.Run]. environ is the environment
// with which it begins anew.
func (s *SSHServer) Run(ctx context.Context, dir string, environ []string, program string, args ...string) error {
	return run(ctx, dir, sshName, func(ctx context.Context, l *net.UnixListener, again func([]string)) error {
		s.again = func() { again(environ) }
		return s.Serve(ctx, l)
	}, program, args)
}

// SSHSocket is the path of the socket of the SSH agent in a folder.
func SSHSocket(dir string) string { return filepath.Join(dir, sshName+socketEnd) }

// StartSSH makes sure that an SSH agent runs in a folder: program, with args and environ, has
// to call Run. It reports whether it was started.
func StartSSH(dir string, environ []string, program string, args ...string) (started bool, err error) {
	until := time.Now().Add(startWithin)
	for {
		c, err := dialName(dir, sshName+socketEnd, until)
		if err == nil {
			return false, c.Close()
		}
		if !errors.Is(err, ErrNone) {
			return false, err
		}
		socket, lock, err := listen(dir, sshName)
		if err == nil {
			return true, detach(socket, lock, environ, program, args)
		}
		if !errors.Is(err, errTaken) || time.Now().After(until) {
			return false, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// OwnSSH makes the socket of an SSH agent for one command. end removes it.
func OwnSSH(dir string) (l *net.UnixListener, path string, end func(), err error) {
	name := fmt.Sprintf("%s-%d", sshName, os.Getpid())
	socket, lock, err := listen(dir, name)
	if err != nil {
		return nil, "", nil, err
	}
	defer func() { _ = socket.Close() }()
	path = filepath.Join(dir, name+socketEnd)
	end = func() {
		_, _ = os.Remove(path), os.Remove(filepath.Join(dir, name+lockEnd))
		_ = lock.Close()
	}
	listener, err := net.FileListener(socket)
	if err != nil {
		end()
		return nil, "", nil, err
	}
	l = listener.(*net.UnixListener)
	l.SetUnlinkOnClose(false)
	return l, path, end, nil
}

// LockSSH has all SSH agents in a folder forget their keys, and reports whether there are any.
// One whose store needs no passphrase reads them again when it is asked for them.
func LockSSH(dir string) (told bool, err error) { return tellSSH(dir, lockExtension) }

// RenewSSH has all SSH agents in a folder read their keys anew.
func RenewSSH(dir string) error {
	_, err := tellSSH(dir, renewExtension)
	return err
}

// StopSSH ends the SSH agent of a user.
func StopSSH(dir string) error {
	_, err := tellSSH(dir, stopExtension)
	return err
}

func tellSSH(dir, extension string) (told bool, err error) {
	entries, err := os.ReadDir(dir) // not a glob, to which a folder that cannot be read is an empty one
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), sshName) || !strings.HasSuffix(e.Name(), socketEnd) {
			continue
		}
		c, err := dialName(dir, e.Name(), time.Now().Add(answerWithin))
		if errors.Is(err, ErrNone) {
			continue
		}
		if err == nil {
			word, _ := wordOf(filepath.Join(dir, e.Name())) // without it, who listens is not rhx, and says so
			err = tell(c, extension, word)
			_ = c.Close()
		}
		told, errs = true, append(errs, err)
	}
	return told, errors.Join(errs...)
}

// maxWord is how long the word in an agent's lock may be.
const maxWord = 256

// wordOf reads what is in the lock beside an agent's socket.
func wordOf(socket string) ([]byte, error) {
	word, err := ownfile.ReadNoLink(strings.TrimSuffix(socket, socketEnd)+lockEnd, maxWord)
	if err == nil && len(word) == 0 {
		err = errors.New("the SSH agent's lock is empty")
	}
	return word, err
}

// tell sends a request of rhx's own. Who begins anew does not answer it.
func tell(c io.ReadWriter, extension string, word []byte) error {
	body := ssh.Marshal(struct {
		Name string `sshtype:"27"` // SSH_AGENTC_EXTENSION
		Word []byte `ssh:"rest"`
	}{extension, word})
	var reply [5]byte
	_, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	if err == nil {
		_, err = io.ReadFull(c, reply[:])
	}
	if err == nil && reply[4] != sshSuccess {
		err = errors.New("an SSH agent that is not rhx's has the socket")
	}
	if gone(err) {
		return nil
	}
	return err
}
