package eventlog

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/rhx-dev/rhx/host/ownfile"
)

const (
	// purpose is what the key of the proofs is derived for.
	purpose = "log"
	// digest is how many bytes of a hash or a proof are kept.
	digest = 16
	// proofField begins the proof, which ends a line.
	proofField = `,"proof":"`
	// headSize is that of the head's file in bytes, so that one write replaces it.
	headSize = 512
)

// head says how far the log is.
type head struct {
	// Seq and Hash are those of the last line; Size is that of the file that it is in.
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
	Size int64  `json:"size"`
	// Start is the number of the first line of the log, First that of the one before.
	Start int64 `json:"start"`
	First int64 `json:"first"`
}

func (l *Log) headPath() string { return l.Path + ".head" }

func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:digest])
}

func proofOf(key []byte, text []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil)[:digest])
}

// prove returns JSON of v with a proof at its end, by the first key; without one where
// there is none.
func prove(v any, keys [][]byte) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil || len(keys) == 0 {
		return text, err
	}
	return append(text[:len(text)-1:len(text)-1], proofField+proofOf(keys[0], text)+`"}`...), nil
}

// proven reports whether a line has a proof, and whether it is by one of the keys.
func proven(line []byte, keys [][]byte) (has, good bool) {
	i := bytes.LastIndex(line, []byte(proofField))
	if i < 0 || len(line) != i+len(proofField)+2*digest+len(`"}`) {
		return false, false
	}
	text := append(bytes.Clone(line[:i]), '}')
	proof := line[i+len(proofField) : len(line)-len(`"}`)]
	for _, key := range keys {
		if hmac.Equal(proof, []byte(proofOf(key, text))) {
			return true, true
		}
	}
	return true, false
}

// readHead returns the head and its line; nil where there is none that can be read.
func (l *Log) readHead() (*head, []byte, error) {
	line, err := ownfile.Read(l.headPath(), headSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	line = bytes.TrimSpace(line)
	h := &head{}
	if ok := json.Unmarshal(line, h) == nil; !ok || h.Seq < 0 || h.Size < 0 {
		h = nil
	}
	return h, line, nil
}

// writeHead replaces the head, in one write: whoever is killed leaves the old one or
// the new one.
func (l *Log) writeHead(h *head, keys [][]byte) error {
	line, err := prove(h, keys)
	if err != nil {
		return err
	}
	if len(line) >= headSize {
		return fmt.Errorf("write %s: it is too long", l.headPath())
	}
	line = append(line, bytes.Repeat([]byte(" "), headSize-1-len(line))...)
	l.step()
	return ownfile.Overwrite(l.headPath(), append(line, '\n'))
}

// headFor returns the head to go on from, and the size of the log. Where there is none
// that this rhx can have written, a chain begins anew, which Verify says. open reports
// that it has no proof, though there is a key.
func (l *Log) headFor(f *os.File, keys [][]byte) (h *head, open bool, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, false, 0, err
	}
	size = info.Size()
	h, line, err := l.readHead()
	if err != nil {
		return nil, false, 0, err
	}
	has, good := false, false
	if h != nil {
		has, good = proven(line, keys)
	}
	if h == nil || len(keys) > 0 && has && !good {
		h = &head{Size: size, Start: 1}
		// Before the first line: whoever is killed after that leaves both.
		return h, false, size, l.writeHead(h, keys)
	}
	if size > h.Size {
		err = l.catchUp(f, h, size, keys)
	}
	return h, len(keys) > 0 && !has, size, err
}

// catchUp finds lines that the head does not know yet, as a command that was killed
// leaves them. What does not follow the last line is passed over: Verify names it.
func (l *Log) catchUp(f *os.File, h *head, size int64, keys [][]byte) error {
	data, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, h.Size, size-h.Size), maxRead))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		var e Event
		if json.Unmarshal(line, &e) != nil || e.Seq != h.Seq+1 || e.Prev != h.Hash {
			continue
		}
		if has, good := proven(line, keys); len(keys) == 0 || !has || good {
			h.Seq, h.Hash = e.Seq, hashOf(line)
		}
	}
	return nil
}
