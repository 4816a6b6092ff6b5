// Package agent keeps an unlocked key of a local store in the memory of one small process
// of the user, so that its passphrase is typed once, and uses it for the user's other
// processes. The private key does not leave that process: it unwraps the keys of files,
// signs lines of the store's record, and derives the keys for other purposes.
//
// They speak over a Unix socket in a folder of the user's own. Each side looks whose process
// the other is before it sends anything. Whoever runs programs as the user can have an
// unlocked agent decrypt, as the user can; what they cannot is take the key along.
package agent

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"
)

// ErrNone is the error where no agent holds the key that is meant, for whatever reason: the
// passphrase is asked for then.
var ErrNone = errors.New("no agent holds the key")

// ErrForeign is the error where somebody else has the agent's place. It is no agent.
var ErrForeign = errors.New("it is not this user's alone")

// Key is a private key as the agent holds it.
type Key interface {
	// Public are the public keys as text.
	Public() []string
	// Signers are the public keys of those that Sign signs with, one for each private key.
	Signers() []string
	// Unwrap is that of [age.Identity].
	Unwrap(stanzas []*age.Stanza) ([]byte, error)
	// Derive returns a key for a purpose from each private key. It is an error for one that
	// would be as good as the private key, or as those of Sign.
	Derive(purpose string) ([][]byte, error)
	// Sign signs a message for a purpose with the first of them.
	Sign(purpose string, message []byte) ([]byte, error)
}

// Material is what an agent gets to hold a key.
type Material struct {
	// Digest is that of the file of the key, by which others name it: see [DigestOf].
	Digest string `json:"digest"`
	// Path is that file, for people.
	Path string `json:"path"`
	// Texts are the private keys as files have them.
	Texts [][]byte `json:"texts"`
	// For is how long the agent holds it at most, Idle how long after it was last used.
	For  time.Duration `json:"for"`
	Idle time.Duration `json:"idle"`
}

// Clear overwrites the private keys.
func (m *Material) Clear() {
	for _, text := range m.Texts {
		clear(text)
	}
}

// Longest is the longest time for which an agent holds a key.
const Longest = 30 * 24 * time.Hour

// Status is what an agent says of itself.
type Status struct {
	PID int `json:"pid"`
	// Locked reports whether the memory with the keys is kept from being swapped to a disk.
	Locked bool        `json:"memory_locked"`
	Keys   []KeyStatus `json:"keys"`
}

// KeyStatus is what an agent says of a key.
type KeyStatus struct {
	Path   string   `json:"path"`
	Public []string `json:"public"`
	// Until is when it is forgotten at the latest, IdleUntil when it is if it is not used.
	Until     time.Time `json:"until"`
	IdleUntil time.Time `json:"idle_until"`
}

// The files in the agents' folder are a socket and a lock for each agent.
const (
	agentName  = "agent"
	sshName    = "ssh"
	socketEnd  = ".sock"
	lockEnd    = ".lock"
	socketName = agentName + socketEnd
	lockName   = agentName + lockEnd
)

// Dir is the folder of the agent's socket: in XDG_RUNTIME_DIR where that is this user's, else
// in the folder of rhx's state, which also RHX_HOME says.
func Dir(getenv func(string) string, state string) string {
	if run := getenv("XDG_RUNTIME_DIR"); getenv("RHX_HOME") == "" && filepath.IsAbs(run) {
		if info, err := os.Stat(run); err == nil && private(run, info, 0o022) == nil {
			return filepath.Join(run, "rhx")
		}
	}
	return filepath.Join(state, "agent")
}

// Dirs are that folder and the one that it is without XDG_RUNTIME_DIR: what is to be
// locked may have been unlocked where that variable was not set.
func Dirs(getenv func(string) string, state string) []string {
	return slices.Compact([]string{Dir(getenv, state), filepath.Join(state, "agent")})
}
