package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// offer is a key that the host can be shown.
type offer struct {
	ssh.AlgorithmSigner
	auth       *auth
	algorithms []string
	sign       bool // it was asked to sign, and could not
}

// Algorithms makes this an ssh.MultiAlgorithmSigner.
func (o *offer) Algorithms() []string { return o.algorithms }

// SignWithAlgorithm signs. The host has taken this key, so those before it were
// refused: where it cannot sign, those after it are left.
func (o *offer) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signature, err := o.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		i := slices.Index(o.auth.offers, o)
		o.auth.offers = o.auth.offers[i+1:]
		if len(o.auth.offers) > 0 {
			o.auth.offers[0].sign = true
		}
	}
	return signature, err
}

// signers returns the keys that are left to offer.
func (a *auth) signers() ([]ssh.Signer, error) {
	signers := make([]ssh.Signer, len(a.offers))
	for i, o := range a.offers {
		o.sign = false
		signers[i] = o
	}
	return signers, nil
}

// findKeys returns the keys to offer, in the order of OpenSSH: those of the
// agent that IdentityFile names, the agent's other ones unless IdentitiesOnly,
// then the remaining files. Each key's certificate comes before the key.
func (a *auth) findKeys() []*offer {
	fromAgent := a.agentSigners()
	var files []*identity
	for _, p := range a.config.identities {
		if id := a.identity(p); id != nil && !slices.ContainsFunc(files, func(x *identity) bool { return equalKeys(x.public, id.public) }) {
			files = append(files, id)
		}
	}
	certs := a.certificates()
	var named, other, rest []*offer
	used := make(map[string]bool)
	for _, id := range files {
		key := string(id.public.Marshal())
		if i := slices.IndexFunc(fromAgent, func(s ssh.AlgorithmSigner) bool { return string(s.PublicKey().Marshal()) == key }); i >= 0 {
			used[key] = true
			named = append(named, a.offer(fromAgent[i], certs, id.path+" (agent)")...)
		} else if id.signer != nil {
			rest = append(rest, a.offer(id.signer, certs, id.path)...)
		} else if id.why != "" {
			a.tried = append(a.tried, id.path+" ("+id.why+")")
		}
	}
	for _, s := range fromAgent {
		if !used[string(s.PublicKey().Marshal())] && !a.config.identitiesOnly {
			other = append(other, a.offer(s, certs, "")...)
		}
	}
	if len(other) > 0 {
		a.tried = append(a.tried, fmt.Sprintf("%d other keys of the agent", len(other)))
	}
	offers := slices.Concat(named, other, rest)
	a.offered += len(offers)
	if offers == nil {
		offers = []*offer{}
	}
	return offers
}

// offer returns what the host is shown of a key: the certificates for it, then
// the key itself, as far as ssh_config allows them.
func (a *auth) offer(s ssh.AlgorithmSigner, certs []*ssh.Certificate, name string) []*offer {
	if bits := rsaBits(s.PublicKey()); bits > 0 && bits < a.config.rsaBits {
		a.note(name, fmt.Sprintf("%d bits, fewer than RequiredRSASize", bits))
		return nil
	}
	var offers []*offer
	add := func(s ssh.AlgorithmSigner) {
		if algorithms := signatures(s.PublicKey().Type(), a.config.keyAlgorithms); len(algorithms) > 0 {
			offers = append(offers, &offer{AlgorithmSigner: s, auth: a, algorithms: algorithms})
		}
	}
	for _, c := range certs {
		if !equalKeys(c.Key, s.PublicKey()) {
			continue
		}
		if signer, err := ssh.NewCertSigner(c, s); err == nil {
			add(signer.(ssh.AlgorithmSigner))
		}
	}
	add(s)
	if len(offers) == 0 {
		a.note(name, "not in PubkeyAcceptedAlgorithms")
	} else if name != "" {
		a.tried = append(a.tried, name)
	}
	return offers
}

// note says why a key that ssh_config names is not offered.
func (a *auth) note(name, why string) {
	if name != "" {
		a.tried = append(a.tried, name+" ("+why+")")
	}
}

// certificates returns those of CertificateFile, and KEY-cert.pub of every key.
func (a *auth) certificates() []*ssh.Certificate {
	paths := slices.Clone(a.config.certificates)
	for _, p := range a.config.identities {
		paths = append(paths, strings.TrimSuffix(p, ".pub")+"-cert.pub")
	}
	var certs []*ssh.Certificate
	for _, p := range paths {
		if c, ok := readPublic(p).(*ssh.Certificate); ok && c.CertType == ssh.UserCert {
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
	signer ssh.AlgorithmSigner // nil where only an agent can sign
	why    string              // there is no signer
}

const needsPassphrase = "needs its passphrase"

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
			a.note(p, err.Error())
		}
		return nil
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		return &identity{path: p, public: key} // IdentityFile may be a public key
	}
	public := readPublic(p + ".pub")
	raw, err := ssh.ParseRawPrivateKey(data)
	var encrypted *ssh.PassphraseMissingError
	var why string
	switch {
	case openToOthers(p):
		why = "others can read it, so it is not used: chmod 600"
	case err == nil:
		if signer := signerOf(raw); signer != nil {
			use := func() (ssh.AlgorithmSigner, error) {
				a.learn(p, raw)
				return signer, nil
			}
			return &identity{path: p, public: signer.PublicKey(), signer: &lazySigner{signer.PublicKey(), use}}
		}
		why = "not a key of a kind that can be read"
	case errors.As(err, &encrypted):
		if encrypted.PublicKey != nil {
			public = encrypted.PublicKey
		}
		return a.encrypted(p, data, public)
	case bytes.Contains(data, []byte("BEGIN ENCRYPTED "+"PRIVATE KEY")):
		why = "an encrypted PKCS#8 key, which only ssh can read; ssh-keygen -p -f FILE makes an OpenSSH key of it"
	case bytes.Contains(data, []byte("PRIVATE KEY")) && public != nil && strings.HasPrefix(public.Type(), "sk-"):
		why = "a hardware key, which is used through the agent: ssh-add"
	case bytes.Contains(data, []byte("PRIVATE KEY")):
		why = "not a key of a kind that can be read"
	default:
		why = "not a private key"
	}
	if public != nil {
		return &identity{path: p, public: public, why: why}
	}
	a.note(p, why)
	return nil
}

// signerOf returns nil for a key that cannot sign.
func signerOf(raw any) ssh.AlgorithmSigner {
	signer, err := ssh.NewSignerFromKey(raw)
	if err != nil {
		return nil
	}
	s, _ := signer.(ssh.AlgorithmSigner)
	return s
}

// encrypted is identity for an encrypted key; public may be nil.
func (a *auth) encrypted(p string, data []byte, public ssh.PublicKey) *identity {
	decrypt := func() (ssh.AlgorithmSigner, error) {
		defer a.pause()() // another host's connection may be asking for it
		raw, err := a.opts.Keys.decrypt(a.ctx, p, data, a.config.prompts, a.ask)
		if err != nil {
			a.lock(p)
			return nil, err
		}
		a.learn(p, raw)
		return signerOf(raw), nil
	}
	canAsk := a.opts.Prompt != nil && !a.config.batch
	switch {
	case public != nil && canAsk:
		return &identity{path: p, public: public, signer: &lazySigner{public, decrypt}}
	case public != nil:
		a.locked = true
		return &identity{path: p, public: public, why: needsPassphrase}
	case canAsk:
		// Old formats do not tell the public key without the passphrase.
		if signer, err := decrypt(); err == nil {
			return &identity{path: p, public: signer.PublicKey(), signer: signer}
		}
	default:
		a.lock(p)
	}
	return nil
}

func (a *auth) lock(p string) {
	a.locked = true
	a.note(p, needsPassphrase)
}

// Keys holds decrypted private keys in memory, so that each passphrase is asked
// for once, also by machines that connect at the same time. The zero value is
// ready to use.
type Keys struct {
	mu   sync.Mutex
	keys map[string]*unlocked
}

// unlocked is a key that was decrypted, or that nobody had the passphrase of.
type unlocked struct {
	turn chan struct{} // held while asking; a channel, so that a context ends waiting
	done bool
	raw  any
	err  error
}

var errLocked = errors.New("the key needs its passphrase")

// decrypt returns the key in the file at p, asking for its passphrase if that
// has not been done. A wrong one can be corrected; giving none is remembered.
func (k *Keys) decrypt(ctx context.Context, p string, data []byte, tries int, ask func(string, bool) (string, error)) (any, error) {
	k.mu.Lock()
	if k.keys == nil {
		k.keys = make(map[string]*unlocked)
	}
	u := k.keys[p]
	if u == nil {
		u = &unlocked{turn: make(chan struct{}, 1)}
		k.keys[p] = u
	}
	k.mu.Unlock()
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if u.done {
		return u.raw, u.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u.err = errLocked
	for range tries {
		passphrase, err := ask(fmt.Sprintf("Passphrase for %s:", p), false)
		if err != nil {
			return nil, err
		}
		if passphrase == "" {
			break
		}
		if u.raw, err = ssh.ParseRawPrivateKeyWithPassphrase(data, []byte(passphrase)); err == nil {
			u.err = nil
			break
		}
	}
	u.done = true
	return u.raw, u.err
}

// lazySigner is a key that is made ready when it is to sign.
type lazySigner struct {
	public ssh.PublicKey
	ready  func() (ssh.AlgorithmSigner, error)
}

func (s *lazySigner) PublicKey() ssh.PublicKey { return s.public }

func (s *lazySigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *lazySigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.ready()
	if err != nil {
		return nil, err
	}
	return signer.SignWithAlgorithm(rand, data, algorithm)
}
