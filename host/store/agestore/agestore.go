// Package agestore keeps secrets as files on this machine, each encrypted with
// age (https://age-encryption.org/v1): the store that users call "local".
//
// Under the data folder are
//
//	identity.txt                the key, made on first use, mode 0600
//	store/recipients.txt        the public keys that the secrets are encrypted to
//	store/secrets/NAME/3.age    version 3 of a secret
//	store/secrets/NAME/3.deleted  an empty file: version 3 is deleted
//	store/record/ID.log         what a machine has changed, see record.go
//	store.seen                  how far the record was when this machine last wrote
//	store/members               with whom it is shared, see roster.go
//	store.members               the same as this machine has seen it last, see pin.go
//	retired.age                 the keys from before a rekey, see retire
//	store/tmp/                  what is being written or destroyed
//	store/lock                  held by the process that writes
//
// Every version is a complete age file; `age -d -i identity.txt 3.age` prints
// it. Name, provider, version and time of the secret stand in its age header, in
// a stanza of a type of our own, which the age format allows and other
// programs skip. The header can be read without a key, so List and History
// need none, and age authenticates it with the key of the file, so Get notices
// when a file was altered, renamed or put in place of another.
//
// What this does not do: age proves nothing about who encrypted a file. Who can
// write to the folder and knows the public key can add a version with values
// of their own choice, or take files away; they cannot read or move values. Verify
// finds that.
package agestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"filippo.io/age/plugin"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/store"
)

// Options says where a store is and how to reach its key.
type Options struct {
	// Dir is the data folder. It is made by the first Put.
	Dir string
	// Identity is the file with the key: an age identity file, one that is
	// encrypted with a passphrase, or an SSH private key (Ed25519 or RSA). ""
	// is identity.txt in Dir, which the first Put makes.
	Identity string
	// Command prints the key, in the place of a file; nil for none.
	Command *Command
	// Plugin is how plugins of age speak with the user; nil: not at all.
	Plugin *plugin.ClientUI
	// Passphrase asks for the passphrase of the key when it has one. prompt
	// says what for, without a colon at its end. nil: there is nobody to ask.
	Passphrase func(prompt string) (string, error)
	// NewPassphrase protects the identity.txt that the first Put makes with a
	// passphrase, for which Passphrase is called twice.
	NewPassphrase bool
	// Weak takes a passphrase for a new key that is guessed easily.
	Weak bool
	// Warn is told what is not an error but ought to be put right, such as a
	// key that others can read. nil: nobody is told.
	Warn func(message string)
	// Made is told the path of a key that was made. nil: nobody is told.
	Made func(path string)
	// Checking is called before a passphrase is checked, which takes a second and
	// does not end with a context, and end after it. nil is for nothing.
	Checking func() (end func())
	// Agent may hold a key that has a passphrase. nil: there is none.
	Agent *agent.Client
}

// Command is a program that prints the key.
type Command struct {
	// Name is what people know it by, and Text what tells it from others.
	Name, Text string
	// Run runs it.
	Run func() ([]byte, error)
}

// Store is the store in one folder. It implements [store.Store].
type Store struct {
	opt Options
	// workFactor is the scrypt work factor of a new passphrase-protected key,
	// as the logarithm of its cost; 0 is that of age. Tests lower it.
	workFactor int
	// onStep is called before every change on the disk, for tests that end the
	// process there.
	onStep func()

	mu   sync.Mutex
	key  *key   // once it was read
	said []byte // what Command has printed
	deny error  // once the passphrase was wrong: it is not asked for again

	warned sync.Map // what was said

	// unsure: something was read while nobody could tell whether a member had saved it.
	unsure atomic.Bool

	viewing sync.Mutex
	view    *view  // of all of the record, once it was looked at twice
	stamp   string // of the files of the record at the last look

	reading  sync.Mutex
	together int   // how many read many secrets
	recent   *view // of all of the record, at a look since then
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Sharer   = (*Store)(nil)
	_ store.Together = (*Store)(nil)
)

// Open returns the store that o describes. It touches no file.
func Open(o Options) *Store { return &Store{opt: o} }

// URL returns "local".
func (s *Store) URL() string { return "local" }

// Close forgets the key.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.said)
	s.key, s.deny, s.said = nil, nil, nil
	return nil
}

// Folder is that of the store, which goes around where it is shared.
func (s *Store) Folder() string { return s.root() }

func (s *Store) root() string           { return filepath.Join(s.opt.Dir, "store") }
func (s *Store) secrets() string        { return filepath.Join(s.root(), "secrets") }
func (s *Store) temp() string           { return filepath.Join(s.root(), "tmp") }
func (s *Store) lockPath() string       { return filepath.Join(s.root(), "lock") }
func (s *Store) recipientsPath() string { return filepath.Join(s.root(), "recipients.txt") }

// folder is where the versions of a secret are.
func (s *Store) folder(name string) string { return filepath.Join(s.secrets(), folderName(name)) }

// identityPath is the file of the key; own says that it is ours to make.
func (s *Store) identityPath() (path string, own bool) {
	if s.opt.Command != nil {
		return s.opt.Command.Name, false
	}
	if s.opt.Identity != "" {
		return s.opt.Identity, false
	}
	return filepath.Join(s.opt.Dir, "identity.txt"), true
}

// hasKey reports whether the key is there.
func (s *Store) hasKey() (bool, error) {
	if s.opt.Command != nil {
		return true, nil
	}
	path, _ := s.identityPath()
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) warn(format string, args ...any) {
	if s.opt.Warn != nil {
		s.opt.Warn(fmt.Sprintf(format, args...))
	}
}

// warnOnce is warn of what the same store does not say again.
func (s *Store) warnOnce(format string, args ...any) {
	if _, said := s.warned.LoadOrStore(fmt.Sprintf(format, args...), true); !said {
		s.warn(format, args...)
	}
}

func (s *Store) step() {
	if s.onStep != nil {
		s.onStep()
	}
}

// begin is what every method does first.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.opt.Dir == "" {
		return fmt.Errorf("the local store has no data folder: %w", os.ErrInvalid)
	}
	return nil
}
