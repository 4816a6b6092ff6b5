package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxTries is how often a password is asked for, as in OpenSSH.
const maxTries = 3

// auth lets a user in at one host.
type auth struct {
	config *sshConfig
	named  string
	opts   *SSHOptions
	ctx    context.Context
	pause  func() func()

	agentConn io.ReadWriteCloser
	tried     []string // for the error: what was offered, and what could not be
}

// close ends the connection to the agent.
func (a *auth) close() {
	if a.agentConn != nil {
		a.agentConn.Close()
	}
}

// methods returns the ways in, in the order of OpenSSH.
func (a *auth) methods() []ssh.AuthMethod {
	var methods []ssh.AuthMethod
	if a.config.publicKey {
		methods = append(methods, ssh.PublicKeysCallback(a.signers))
	}
	if a.opts.Prompt == nil || a.config.batch {
		return methods
	}
	if a.config.kbdInt {
		methods = append(methods, ssh.RetryableAuthMethod(ssh.KeyboardInteractive(a.challenge), maxTries))
	}
	if a.config.password {
		methods = append(methods, ssh.RetryableAuthMethod(ssh.PasswordCallback(a.password), maxTries))
	}
	return methods
}

func (a *auth) ask(text string, echo bool) (string, error) {
	resume := a.pause()
	defer resume()
	return a.opts.Prompt(a.ctx, Question{Host: a.named, Text: text, Echo: echo})
}

func (a *auth) password() (string, error) {
	return a.ask(fmt.Sprintf("%s@%s's password:", a.config.user, a.config.host), false)
}

func (a *auth) challenge(_, instruction string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, q := range questions {
		if instruction != "" && i == 0 {
			q = instruction + "\n" + q
		}
		// What the server says is shown on a terminal: no control characters.
		var err error
		if answers[i], err = a.ask(printable(q, 1000), echos[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// signers returns the keys to offer, in the order of OpenSSH: those of the
// agent that IdentityFile names, the agent's other ones unless IdentitiesOnly,
// then the remaining files. Each key's certificate comes before the key.
func (a *auth) signers() ([]ssh.Signer, error) {
	fromAgent := a.agentSigners()
	var files []*identity
	for _, p := range a.config.identities {
		if id := a.identity(p); id != nil && !slices.ContainsFunc(files, func(x *identity) bool { return equalKeys(x.public, id.public) }) {
			files = append(files, id)
		}
	}
	certs := a.certificates()
	var named, other, rest []ssh.Signer
	used := make(map[string]bool)
	for _, id := range files {
		key := string(id.public.Marshal())
		if i := slices.IndexFunc(fromAgent, func(s ssh.Signer) bool { return string(s.PublicKey().Marshal()) == key }); i >= 0 {
			used[key] = true
			named = append(named, withCertificates(fromAgent[i], certs)...)
			a.tried = append(a.tried, id.path+" (agent)")
		} else if id.signer != nil {
			rest = append(rest, withCertificates(id.signer, certs)...)
			a.tried = append(a.tried, id.path)
		} else if id.why != "" {
			a.tried = append(a.tried, id.path+" ("+id.why+")")
		}
	}
	for _, s := range fromAgent {
		if !used[string(s.PublicKey().Marshal())] && !a.config.identitiesOnly {
			other = append(other, withCertificates(s, certs)...)
		}
	}
	if len(other) > 0 {
		a.tried = append(a.tried, fmt.Sprintf("%d other keys of the agent", len(other)))
	}
	return slices.Concat(named, other, rest), nil
}

// withCertificates returns s, after the certificates for its key.
func withCertificates(s ssh.Signer, certs []*ssh.Certificate) []ssh.Signer {
	var all []ssh.Signer
	for _, c := range certs {
		if equalKeys(c.Key, s.PublicKey()) {
			if cs, err := ssh.NewCertSigner(c, s); err == nil {
				all = append(all, cs)
			}
		}
	}
	return append(all, s)
}

// agentSigners returns the agent's keys; none where no agent answers, which
// must not keep key files from being used.
func (a *auth) agentSigners() []ssh.Signer {
	if a.config.agent == "" {
		return nil
	}
	conn, err := dialAgent(a.ctx, a.config.agent)
	if err != nil {
		a.tried = append(a.tried, "no agent answers at "+a.config.agent)
		return nil
	}
	a.agentConn = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		a.tried = append(a.tried, "the agent at "+a.config.agent+" gives no keys")
		return nil
	}
	return signers
}

// dialAgent connects to an agent's socket or, on Windows, named pipe.
func dialAgent(ctx context.Context, p string) (io.ReadWriteCloser, error) {
	if strings.HasPrefix(p, `\\.\pipe\`) {
		return os.OpenFile(p, os.O_RDWR, 0)
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", p)
}

// certificates returns those of CertificateFile, and KEY-cert.pub of every key.
func (a *auth) certificates() []*ssh.Certificate {
	paths := slices.Clone(a.config.certificates)
	for _, p := range a.config.identities {
		paths = append(paths, strings.TrimSuffix(p, ".pub")+"-cert.pub")
	}
	var certs []*ssh.Certificate
	for _, p := range paths {
		if c, ok := readPublic(p).(*ssh.Certificate); ok {
			certs = append(certs, c)
		}
	}
	return certs
}

// readPublic reads a public key file, or returns nil.
func readPublic(p string) ssh.PublicKey {
	data, _, err := readRegular(p)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil
	}
	return key
}

// identity is what an IdentityFile holds.
type identity struct {
	path   string
	public ssh.PublicKey
	signer ssh.Signer // nil where only an agent can sign
	why    string     // there is no signer
}

// identity reads a private key file, or returns nil where there is none. An
// encrypted one is decrypted only when the host asks for its signature, so that
// nobody is asked for the passphrase of a key that the host does not take.
func (a *auth) identity(p string) *identity {
	data, _, err := readRegular(p)
	if err != nil {
		if public := readPublic(p + ".pub"); public != nil {
			return &identity{path: p, public: public}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			a.tried = append(a.tried, fmt.Sprintf("%s (%v)", p, err))
		}
		return nil
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err == nil {
		return &identity{path: p, public: signer.PublicKey(), signer: signer}
	}
	public := readPublic(p + ".pub")
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		if encrypted.PublicKey != nil {
			public = encrypted.PublicKey
		}
		canAsk := a.opts.Prompt != nil && !a.config.batch
		decrypt := func() (ssh.Signer, error) {
			signer, err := a.opts.Keys.decrypt(a.ctx, p, data, a.ask)
			if err != nil {
				a.tried = append(a.tried, p+" (needs its passphrase)")
			}
			return signer, err
		}
		switch {
		case public != nil && canAsk:
			return &identity{path: p, public: public, signer: &lockedSigner{public: public, unlock: decrypt}}
		case public != nil:
			return &identity{path: p, public: public, why: "needs its passphrase"}
		case canAsk:
			// Old formats do not tell the public key without the passphrase.
			if signer, err := decrypt(); err == nil {
				return &identity{path: p, public: signer.PublicKey(), signer: signer}
			}
		default:
			a.tried = append(a.tried, p+" (needs its passphrase)")
		}
		return nil
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		return &identity{path: p, public: key} // IdentityFile may be a public key
	}
	if public != nil {
		return &identity{path: p, public: public, why: "not a key of a kind that can be read"}
	}
	a.tried = append(a.tried, p+" (not a private key)")
	return nil
}

// Keys holds decrypted private keys in memory, so that each passphrase is asked
// for once, also by machines that connect at the same time. The zero value is
// ready to use.
type Keys struct {
	mu   sync.Mutex
	keys map[string]*unlocked
}

type unlocked struct {
	once   sync.Mutex
	done   bool
	signer ssh.Signer
	err    error
}

var errLocked = errors.New("the key needs its passphrase")

// decrypt returns the key in the file at p, asking for its passphrase if that
// has not been done. A wrong one can be corrected; giving none is remembered.
func (k *Keys) decrypt(ctx context.Context, p string, data []byte, ask func(string, bool) (string, error)) (ssh.Signer, error) {
	k.mu.Lock()
	if k.keys == nil {
		k.keys = make(map[string]*unlocked)
	}
	u := k.keys[p]
	if u == nil {
		u = new(unlocked)
		k.keys[p] = u
	}
	k.mu.Unlock()
	u.once.Lock()
	defer u.once.Unlock()
	if u.done {
		return u.signer, u.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.err = errLocked
	for range maxTries {
		passphrase, err := ask(fmt.Sprintf("Passphrase for %s:", p), false)
		if err != nil {
			return nil, err
		}
		if passphrase == "" {
			break
		}
		if u.signer, err = ssh.ParsePrivateKeyWithPassphrase(data, []byte(passphrase)); err == nil {
			u.err = nil
			break
		}
	}
	u.done = true
	return u.signer, u.err
}

// lockedSigner is an encrypted key.
type lockedSigner struct {
	public ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.public }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm makes this an ssh.AlgorithmSigner: RSA keys sign with SHA-2.
func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.unlock()
	if err != nil {
		return nil, err
	}
	if as, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return as.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}
