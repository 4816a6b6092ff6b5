package agestore

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/fault"
)

// The key of a store in an agent, see package agent: what the agent does with it, and how a
// store uses it from there.

// heldKey is a key with its private half, as the agent has it.
type heldKey struct{ *key }

// HeldKey makes a key of what an agent was given: [Store.Material].
func HeldKey(m *agent.Material) (agent.Key, error) {
	all := &key{path: m.Path}
	for _, text := range m.Texts {
		k, err := (&Store{}).parseKey(m.Path, text)
		if err != nil {
			return nil, err
		}
		if k.ids == nil {
			return nil, fmt.Errorf("%s has a passphrase", m.Path)
		}
		all.recipients, all.public = append(all.recipients, k.recipients...), append(all.public, k.public...)
		all.ids, all.roots = append(all.ids, k.ids...), append(all.roots, k.roots...)
	}
	// What a plugin has, it decrypts for the one who asks.
	all.ids = slices.DeleteFunc(all.ids, func(id age.Identity) bool { _, ok := id.(*pluginIdentity); return ok })
	if len(all.roots) == 0 {
		return nil, fmt.Errorf("%s has no key", m.Path)
	}
	return heldKey{all}, nil
}

// Public implements [agent.Key].
func (h heldKey) Public() []string { return h.public }

// Signers implements [agent.Key].
func (h heldKey) Signers() []string {
	all, err := h.signers()
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range all {
		out = append(out, s.public)
	}
	return out
}

// Unwrap implements [agent.Key].
func (h heldKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	return (&witness{ids: h.ids}).Unwrap(stanzas)
}

// Derive implements [agent.Key]. What signs the record is not given out.
func (h heldKey) Derive(purpose string) ([][]byte, error) {
	if purpose == signaturePurpose {
		return nil, errors.New("the key that signs the record stays in the agent")
	}
	return h.derive(purpose)
}

// Sign implements [agent.Key].
func (h heldKey) Sign(purpose string, message []byte) ([]byte, error) {
	if purpose != recordPurpose { // with whom a store is shared the user says, with the passphrase
		return nil, errors.New("the agent signs nothing but lines of the record")
	}
	all, err := h.signers()
	if err != nil {
		return nil, err
	}
	return all[0].sign(purpose, message), nil
}

// ErrNoPassphrase is the error for a key that an agent need not hold.
var ErrNoPassphrase = errors.New("it has no passphrase")

// Material returns the store's key for an agent to hold. It asks for its passphrase.
func (s *Store) Material() (*agent.Material, error) {
	s.withoutAgent()
	path, own := s.identityPath()
	data, err := s.readIdentity(path)
	if err != nil {
		return nil, s.noKey(own, err)
	}
	defer clear(data)
	k, err := s.unlocked()
	if err != nil {
		return nil, err
	}
	if !k.asks {
		return nil, fault.WithHint(fault.Mark(fmt.Errorf("the key %s has no passphrase: there is nothing to unlock", path), ErrNoPassphrase), "rhx store rekey with RHX_AGE_IDENTITY=passphrase gives it one")
	}
	if k.digest != hashFile(data) {
		return nil, fault.Mark(fmt.Errorf("another process has changed the key %s meanwhile", path), errKeyChanged)
	}
	m := &agent.Material{Digest: s.agentDigest(data), Path: path}
	for _, text := range k.texts {
		m.Texts = append(m.Texts, []byte(text))
	}
	return m, nil
}

// noKey is the error of Material for a key that is not there.
func (s *Store) noKey(own bool, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if held, e := s.holdsSecrets(); e != nil || held || !own {
		return errors.Join(e, s.keyGone(err))
	}
	return fault.WithHint(errors.New("there is no key yet: there is nothing to unlock"), "The first save makes it, and with RHX_AGE_IDENTITY=passphrase it has a passphrase.")
}

// KeyPath names the key for people.
func (s *Store) KeyPath() string {
	path, _ := s.identityPath()
	return path
}

// NeedsUnlock reports whether the key is there and waits for a passphrase, which no agent has.
func (s *Store) NeedsUnlock() bool {
	k, err := s.ready()
	return err == nil && k == nil
}

// Opens reports whether the key is there and decrypts without asking anybody: it has no
// passphrase or an agent holds it, and it is of no plugin.
func (s *Store) Opens() bool {
	k, err := s.ready()
	return err == nil && k != nil && k.plugins == nil
}

// Held returns what reports whether the agent still holds the key that the store has used, see
// [agent.Remote.Held]; nil where that is not the agent's.
func (s *Store) Held() func(use bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == nil || s.key.remote == nil {
		return nil
	}
	return s.key.remote.agent.Held
}

// withoutAgent has the store open its key itself from now on.
func (s *Store) withoutAgent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Agent = nil
	if s.key != nil && s.key.remote != nil {
		s.key = nil
	}
}

// remote is a key that an agent holds. Where the agent is gone, the key is opened here, with
// its passphrase, as it would be without one.
type remote struct {
	agent *agent.Remote
	open  func() (*key, error)

	mu   sync.Mutex
	here *key
	err  error
}

// held returns the key of a file from the agent; nil where that does not hold it.
func (s *Store) held(path string, file []byte) *key {
	if s.opt.Agent == nil {
		return nil
	}
	digest := s.agentDigest(file)
	a, err := s.opt.Agent.Find(digest)
	if err != nil {
		return nil
	}
	k := &key{path: path, asks: true, digest: hashFile(file)}
	for _, public := range a.Public() {
		r, err := ParseRecipient(public)
		if err != nil {
			return nil
		}
		k.add(r, public)
	}
	// It may be one from before, where a command prints another one by now.
	if known, err := s.recorded(); err != nil || len(known) > 0 && !k.oneOf(known) {
		return nil
	}
	k.remote = &remote{agent: a, open: func() (*key, error) { return s.openHere(path, digest) }}
	k.ids = []age.Identity{k.remote}
	return k
}

// printedHeld is held of a key that a command prints, which need not run then.
func (s *Store) printedHeld() *key {
	if s.opt.Command == nil {
		return nil
	}
	return s.held(s.opt.Command.Name, nil)
}

// agentDigest is how the agent knows the key in a file, or by a command.
func (s *Store) agentDigest(file []byte) string {
	if s.opt.Command != nil {
		return agent.DigestOf([]byte("command\n" + s.opt.Command.Text))
	}
	return agent.DigestOf(file)
}

// openHere reads a key that an agent held, and asks for its passphrase.
func (s *Store) openHere(path, digest string) (*key, error) {
	data, err := s.readIdentity(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if s.agentDigest(data) != digest {
		return nil, s.changed(&key{path: path})
	}
	k, err := s.parseKey(path, data)
	if err == nil && k.ids == nil {
		err = k.open(k)
	}
	return k, err
}

// local returns the key opened here.
func (r *remote) local() (*key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.here == nil && r.err == nil {
		r.here, r.err = r.open()
	}
	return r.here, r.err
}

// Unwrap implements [age.Identity].
func (r *remote) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	fileKey, err := r.agent.Unwrap(stanzas)
	if !errors.Is(err, agent.ErrNone) {
		return fileKey, ofKey(err)
	}
	k, err := r.local()
	if err != nil {
		return nil, ofKey(err)
	}
	return (&witness{ids: k.ids}).Unwrap(stanzas)
}

// derive is that of a key.
func (r *remote) derive(purpose string) ([][]byte, error) {
	keys, err := r.agent.Derive(purpose)
	if !errors.Is(err, agent.ErrNone) {
		return keys, err
	}
	k, err := r.local()
	if err != nil {
		return nil, err
	}
	return k.derive(purpose)
}

// sign is that of a signer. It asks for nothing: the store is locked meanwhile. What cannot
// be signed has no proof, as where the key waits for its passphrase.
func (r *remote) sign(purpose string, message []byte) []byte {
	sig, err := r.agent.Sign(purpose, message)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return nil
	}
	return sig
}

// derive returns a key for a purpose from each private key.
func (k *key) derive(purpose string) ([][]byte, error) {
	if k.remote != nil {
		return k.remote.derive(purpose)
	}
	var out [][]byte
	for _, root := range k.roots {
		derived, err := derive(root, purpose)
		if err != nil {
			return nil, err
		}
		out = append(out, derived)
	}
	return out, nil
}

// signers are those of the key in the agent.
func (r *remote) signers() []*signer {
	var out []*signer
	for _, public := range r.agent.Signers() {
		out = append(out, &signer{public: public, sign: r.sign})
	}
	return out
}

// fits reports whether a key that an agent holds has the public keys of the file.
func (k *key) fits(file *key) bool { return k != nil && slices.Equal(k.public, file.public) }
