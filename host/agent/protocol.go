package agent

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"filippo.io/age"
)

// Requests and answers are JSON, each behind its length in four bytes. One answer follows one
// request.

// protocol is the version that both sides must have.
const protocol = 1

// maxFrame is how long a request or an answer may be.
const maxFrame = 1 << 20

const (
	opStatus = "status"
	opAdd    = "add"
	opKey    = "key" // which is no use of it
	opUse    = "use"
	opUnwrap = "unwrap"
	opDerive = "derive"
	opSign   = "sign"
	opLock   = "lock"
	opStop   = "stop"
)

type request struct {
	Version int           `json:"v"`
	Op      string        `json:"op"`
	Digest  string        `json:"digest,omitempty"`
	Add     *Material     `json:"add,omitempty"`
	Stanzas []*age.Stanza `json:"stanzas,omitempty"`
	Purpose string        `json:"purpose,omitempty"`
	Message []byte        `json:"message,omitempty"`
}

// The kinds of failures of an answer.
const (
	failUnknown   = "unknown"   // the key is not held
	failIncorrect = "incorrect" // the key does not open it
	failOther     = "other"
)

type answer struct {
	Fail    string   `json:"fail,omitempty"`
	Error   string   `json:"error,omitempty"`
	Status  *Status  `json:"status,omitempty"`
	Public  []string `json:"public,omitempty"`
	Signers []string `json:"signers,omitempty"`
	FileKey []byte   `json:"file_key,omitempty"`
	Keys    [][]byte `json:"keys,omitempty"`
	Sig     []byte   `json:"sig,omitempty"`
}

// clear overwrites what is secret in it.
func (a *answer) clear() {
	clear(a.FileKey)
	for _, k := range a.Keys {
		clear(k)
	}
}

// DigestOf returns the digest of a key file, by which requests say which key they mean.
func DigestOf(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// send writes one message, in one write.
func send(w io.Writer, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	defer clear(data)
	if len(data) > maxFrame {
		return fmt.Errorf("a message to or from the agent of %d KiB, and it may have %d", len(data)>>10, maxFrame>>10)
	}
	frame := make([]byte, 0, 4+len(data))
	frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(data))), data...)
	defer clear(frame)
	_, err = w.Write(frame)
	return err
}

// receive reads one message. reserve is asked for the memory that it takes, and may refuse.
func receive(r io.Reader, message any, reserve func(int) (release func(), err error)) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return fmt.Errorf("a message of %d bytes, and it may have %d", n, maxFrame)
	}
	release, err := reserve(int(n))
	if err != nil {
		return err
	}
	defer release()
	data := make([]byte, n)
	defer clear(data)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, message); err != nil {
		return fmt.Errorf("a message that is no message of the agent's") // its text may be secret
	}
	return nil
}
