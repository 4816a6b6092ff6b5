package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// What a host can make this process keep is bounded by what it was asked for.
const (
	// maxPiece is a file and what belongs to it; the script sends no more of one.
	maxPiece = MaxFile + 128<<10
	// maxMatches is for all files that one pattern matches.
	maxMatches = 16 << 20
	// maxAnswer is for any answer.
	maxAnswer = 64 << 20
	// smallAnswer is what one without files may have, and what the login shell may
	// say before any.
	smallAnswer = 1 << 20
	// pieceCost stands for the bytes beside the data of a piece.
	pieceCost = 256
	// maxAnswers is for the answers of all hosts together, as long as they are in memory.
	maxAnswers = 256 << 20
)

// infoSize and readSize are how large the answer to such a request may be.
func infoSize(names []string) int { return smallAnswer + len(names)*(128<<10) }

func readSize(paths []string) int {
	size := smallAnswer
	for _, p := range paths {
		if IsPattern(path.Base(p)) {
			size += maxMatches
		} else {
			size += maxPiece
		}
	}
	return min(size, maxAnswer)
}

// budget is memory that several hosts share.
type budget struct {
	mu   sync.Mutex
	free int
}

// answers is the memory for what hosts answer. What the caller keeps of an answer
// counts until it is garbage.
var answers = &budget{free: maxAnswers}

func (b *budget) take(n int) bool {
	if b.tryTake(n) {
		return true
	}
	runtime.GC() // what is not kept any more comes back
	return b.tryTake(n)
}

func (b *budget) tryTake(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free < n {
		return false
	}
	b.free -= n
	return true
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
}

// piece is a part of the answer: a line of words, then bytes.
type piece struct {
	words []string
	data  []byte
}

// newPiece takes a part of an answer apart. No piece that the scripts send has
// more than a few short words.
func newPiece(part []byte) piece {
	line, data, _ := bytes.Cut(part, []byte("\n"))
	words := strings.Fields(string(line[:min(len(line), 1000)]))
	return piece{words[:min(len(words), 8)], data}
}

// answer takes what a host sends apart while it comes.
type answer struct {
	mark    []byte
	limit   int
	started chan<- struct{} // closed at the piece "start"

	noise  []byte // what the login shell said first
	pieces []piece
	cur    []byte // the piece that is coming
	inside bool   // the first mark has come
	size   int    // of all that has come, with pieceCost
	taken  int    // of the budget, for cur
	done   bool   // the piece "done" has come
}

// read reads until the piece "done" or the end.
func (a *answer) read(r io.Reader) error {
	defer func() { answers.give(a.taken) }()
	buf := make([]byte, 32<<10)
	for !a.done {
		n, err := r.Read(buf)
		if err := a.add(buf[:n]); err != nil {
			return err
		}
		switch {
		case a.done || err == nil:
		case errors.Is(err, io.EOF):
			return a.end(a.cur)
		default:
			return err
		}
	}
	return nil
}

func (a *answer) add(b []byte) error {
	from := max(0, len(a.cur)-len(a.mark)) // a mark may have come in part
	if a.size += len(b); a.size > a.limit {
		return fmt.Errorf("the host's answer is larger than what it was asked for: more than %d MiB", a.limit>>20)
	}
	if err := a.grow(len(b)); err != nil {
		return err
	}
	a.cur = append(a.cur, b...)
	rest := a.cur
	for a.watch(rest); !a.done; a.watch(rest) {
		i := bytes.Index(rest[from:], a.mark)
		if i < 0 {
			break
		}
		if err := a.end(rest[:from+i]); err != nil {
			return err
		}
		rest = rest[from+i+len(a.mark):]
		a.inside, from = true, 0
		if a.size += pieceCost; a.size > a.limit {
			return errors.New("the host's answer has more parts than it was asked for")
		}
	}
	a.cur = append(a.cur[:0], rest...)
	switch {
	case a.done:
		return a.end(a.cur[:len("done\n")])
	case !a.inside && len(a.cur) > maxNoise:
		return errors.New("the host sends too much before its answer")
	case a.inside && len(a.cur) > maxPiece:
		return errors.New("the host sends more of a file than it was asked for")
	}
	return nil
}

// watch looks for the pieces that say how far the script is.
func (a *answer) watch(part []byte) {
	a.done = a.inside && bytes.HasPrefix(part, []byte("done\n"))
	if a.inside && a.started != nil && bytes.HasPrefix(part, []byte("start\n")) {
		close(a.started)
		a.started = nil
	}
}

// end adds a part to the answer. A large one counts until nobody has it any more.
func (a *answer) end(part []byte) error {
	if !a.inside {
		a.noise = bytes.Clone(part[:min(len(part), 4<<10)])
		return nil
	}
	n := len(part)
	large := n > smallAnswer/16
	if large && !answers.take(n) {
		return errTogether
	}
	whole := bytes.Clone(part)
	if large {
		runtime.AddCleanup(&whole[0], answers.give, n)
	}
	a.pieces = append(a.pieces, newPiece(whole))
	return nil
}

var errTogether = fmt.Errorf("the answers of all hosts together are larger than %d MiB", maxAnswers>>20)

// grow makes room for n more bytes, of the budget where the piece is a large one.
func (a *answer) grow(n int) error {
	need := len(a.cur) + n
	if need <= cap(a.cur) {
		return nil
	}
	size := max(need, min(2*cap(a.cur), maxPiece+64<<10))
	if size > smallAnswer {
		if !answers.take(size - a.taken) {
			return errTogether
		}
		a.taken = size
	}
	a.cur = slices.Grow(a.cur, size-len(a.cur))
	return nil
}
