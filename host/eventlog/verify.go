package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

// Check is what Verify found.
type Check struct {
	// Entries are the lines of the chain.
	Entries int `json:"entries"`
	// Unproven are those that have no proof of their own.
	Unproven int `json:"unproven"`
	// Older are the lines of before there was a chain.
	Older int `json:"older"`
	// Problems say what was changed, added or cut, and where.
	Problems []string `json:"problems"`
	// Notes say what need not be anybody's doing.
	Notes []string `json:"notes"`
}

// verifier goes through the lines.
type verifier struct {
	Check
	keys [][]byte
	// locked reports that the key waits for a passphrase where rhx does not ask.
	locked bool
	seq    int64
	hash   string
	sealed bool // the last line had a proof
	first  int64
	any    bool // line had a good proof
	noKey  bool // to check a proof by
}

// Verify reads all of the log and says where it is not as rhx wrote it. It may ask for
// the passphrase of the key.
func (l *Log) Verify(ctx context.Context) (*Check, error) {
	ready, err := l.Keys.DeriveAll(ctx, purpose, false)
	if err != nil {
		return nil, err
	}
	v := &verifier{locked: len(ready) == 0, Check: Check{Problems: []string{}, Notes: []string{}}}
	if v.keys, err = l.Keys.DeriveAll(ctx, purpose, true); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Dir(l.Path)); errors.Is(err, fs.ErrNotExist) {
		return &v.Check, nil
	}
	unlock, err := ownfile.Lock(ctx, l.lock())
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if err := l.lines(v.line); err != nil {
		return nil, err
	}
	if v.noKey {
		return nil, fault.WithHint(errors.New("the log cannot be verified: the key that proves it is not there"), "put the key file back from its copy: see the docs on the local store")
	}
	h, line, err := l.readHead()
	if err != nil {
		return nil, err
	}
	v.end(l.headPath(), h, line)
	return &v.Check, nil
}

func (v *verifier) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

// line checks one line against those before.
func (v *verifier) line(at string, line []byte) error {
	e, err := parse(at, line)
	switch {
	case fault.KindOf(err) == fault.Partial:
		v.Notes = append(v.Notes, err.Error()+"; a command that is killed leaves such a line")
		return nil
	case err != nil:
		return err
	case e.Seq == 0:
		v.older(at)
		return nil
	}
	v.Entries++
	v.follows(at, &e)
	has, good := proven(line, v.keys)
	switch {
	case has && len(v.keys) == 0:
		v.noKey = true
	case has && !good:
		v.problem("%s: it was changed, or another key wrote it", at)
	case has:
		v.any = true
	default:
		v.Unproven++
		if v.any && !v.locked {
			v.problem("%s: it has no proof: it was added or changed, or written while there was no key", at)
		}
	}
	v.seq, v.hash, v.sealed = e.Seq, hashOf(line), has
	return nil
}

// older takes a line without a number.
func (v *verifier) older(at string) {
	if v.Older++; v.Entries > 0 {
		v.problem("%s: it is not in the chain: it was added, or a rhx from before there was one wrote it", at)
	}
}

// follows checks that a line follows the one before.
func (v *verifier) follows(at string, e *Event) {
	switch {
	case v.Entries == 1:
		v.first = e.Seq
	case e.Seq == v.seq+1 && e.Prev == v.hash:
	case e.Seq == 1:
		v.problem("%s: the chain begins anew here: log.jsonl.head was removed or changed before, and lines may have been cut", at)
	case e.Seq > v.seq+1:
		v.problem("%s: %s before it", at, cut(v.seq+1, e.Seq-1))
	case e.Seq == v.seq+1:
		v.problem("%s: the line before it was changed or replaced", at)
	default:
		v.problem("%s: it is number %d and follows number %d: it was put here again, or moved", at, e.Seq, v.seq)
	}
	if e.Open && v.sealed {
		v.problem("%s: log.jsonl.head was replaced before it, and lines may have been cut", at)
	}
}

func cut(from, to int64) string {
	if from == to {
		return fmt.Sprintf("number %d is gone", from)
	}
	return fmt.Sprintf("numbers %d to %d are gone", from, to)
}

// end compares the last line with the head.
func (v *verifier) end(path string, h *head, line []byte) {
	if h == nil {
		if v.Entries > 0 || line != nil {
			v.problem("%s is missing or damaged: lines may have been cut at the end", path)
		}
		return
	}
	has, good := proven(line, v.keys)
	switch {
	case has && !good:
		v.problem("%s was changed, or another key wrote it", path)
	case !has && v.sealed && h.Seq == v.seq:
		v.problem("%s was replaced: lines may have been cut at the end", path)
	}
	if want := max(h.First, 1); v.Entries > 0 && v.first > want {
		v.problem("at the beginning, %s", cut(want, v.first-1))
	}
	switch {
	case h.Seq > v.seq:
		v.problem("at the end, %s (a machine that lost power can lose the last ones, too)", cut(v.seq+1, h.Seq))
	case h.Seq == v.seq && h.Hash != v.hash:
		v.problem("the last line was changed")
	}
}
