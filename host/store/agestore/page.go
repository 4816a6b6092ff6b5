package agestore

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// page is a file of the record of a shared store.
type page struct {
	by *Member
	// lines are those that count, and size is where they end: nothing behind a line that is
	// not proven does. hash is that of the file up to there.
	lines []change
	size  int64
	hash  string
	// cut reports that there is something behind that, and bad says what is wrong.
	cut bool
	bad []string
	// behind reports that it was shorter, or another one, when this machine saw it last.
	behind bool
	// fresh counts the lines that were not proven to this machine before.
	fresh int
}

// former is the name of whoever is not a member any more.
const former = "(former)"

const (
	// maxBad bounds what is said of one file.
	maxBad = 10
	// maxFiles is how many files of the record a member may have, and maxEach how long they may be together in
	// bytes: some hundred thousand changes.
	maxFiles = 100
	maxEach  = 32 << 20
	// maxLine is how long a line may be in bytes.
	maxLine = 1 << 10
	// maxJump is by how much the number of a version may be higher than that of any before it. A
	// member who could say any number could say the highest, and nobody would save that secret.
	maxJump = 100
	// highClock is a clock that nobody gets to by saving. Those up to maxClock/2 count; a store
	// that has one this high waits for its owner.
	highClock = maxClock / 4
)

func (p *page) say(format string, args ...any) {
	if len(p.bad) < maxBad {
		p.bad = append(p.bad, fmt.Sprintf(format, args...))
	}
}

// page is readFrom of what a file has.
func (r *roster) page(id string, data []byte, was *seen) *page {
	if r.whose(id) == nil {
		return nil
	}
	p, _ := r.readFrom(id, bytes.NewReader(data), int64(len(data)), was) // it never fails
	return p
}

// readFrom says which lines of a file of the record count, which is that of somebody of the
// store, by its name. Nothing else says so. It reads no further than that: behind it there may
// be anything.
func (r *roster) readFrom(id string, f io.Reader, size int64, was *seen) (*page, error) {
	m := r.whose(id)
	p := &page{by: m}
	// What this machine has looked at line by line, and is the same, is proven already.
	limit := int64(maxEach)
	if m == &r.Owner { // who says again what others have said
		limit = math.MaxInt64
	}
	known := min(was.Sizes[id], size, limit)
	before := make([]byte, known)
	if _, err := io.ReadFull(f, before); err != nil {
		return nil, err
	}
	sum := r.newSum(id)
	sum.Write(before)
	if known < was.Sizes[id] || known > 0 && hashText(sum) != was.Hashes[id] {
		p.behind, known, sum = true, 0, r.newSum(id)
	}
	lines := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(before), f), maxLine)
	by := author{key: id[:sharedID/2], name: m.Name}
	for n := 1; ; n++ {
		line, kind, err := nextLine(lines)
		if err != nil {
			return nil, err
		}
		if kind == noLine {
			p.hash = hashText(sum)
			return p, nil
		}
		at := bytes.LastIndexByte(line, ' ') + 1
		c, proof, ok := parseChange(string(bytes.TrimSuffix(line, []byte("\n"))))
		if p.size >= known {
			good := hashText(sum)
			p.fresh++
			sum.Write(line[:at])
			if kind == longLine || !ok || p.size > limit || string(line[:at]) != c.text() || c.clock > maxClock/2 || !signed(m.Signer, recordPurpose, sum.Sum(nil), proof) {
				p.say("%d: it, or a line before it, was changed, or another key than that of %s wrote it", n, m.Name)
				p.cut, p.hash = true, good
				return p, nil
			}
			sum.Write(line[at:])
		}
		p.size += int64(len(line))
		if !r.may(m, &c) {
			p.say("%d: %s may not say this: %q", n, m.Name, strings.TrimSpace(c.text()))
			c.op = opUndone // nor does a line behind it finish what was before it
		}
		if c.op == opOf {
			if by = (author{key: c.folder, name: former}); r.by[by.key] != nil {
				by.name = r.by[by.key].Name
			}
		}
		c.by = by
		p.lines = append(p.lines, c)
	}
}

// What nextLine finds: a line, one that is longer than any of rhx, or the end. What a process
// that was killed has written of a line is none.
const (
	aLine = iota
	longLine
	noLine
)

func nextLine(r *bufio.Reader) (line []byte, kind int, err error) {
	line, err = r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		return nil, noLine, nil
	case errors.Is(err, bufio.ErrBufferFull):
		return line, longLine, nil
	}
	return line, aLine, err
}

func hashText(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) }

func (r *roster) hashOf(id string, data []byte) string {
	sum := r.newSum(id)
	sum.Write(data)
	return hashText(sum)
}

// made are the changes that were made, in their order, and the one that may have been.
func (p *page) made() (made []change, pending *change) {
	for i := range p.lines {
		c := &p.lines[i]
		switch {
		case c.op == opDone && pending != nil:
			made, pending = append(made, *pending), nil
		case c.op == opForget:
			made, pending = append(made, *c), nil
		case c.pending():
			pending = c
		default:
			pending = nil
		}
	}
	return made, pending
}

// readPage reads one file, as far as it counts. Of one that cannot be read nothing does.
func (s *Store) readPage(r *roster, id string, was *seen) *page {
	none := &page{by: r.whose(id), cut: true, behind: was.Sizes[id] > 0}
	info, err := os.Lstat(s.recordPath(id))
	if err != nil || !info.Mode().IsRegular() {
		return none
	}
	f, err := ownfile.OpenNoLink(s.recordPath(id))
	if err != nil {
		return none
	}
	defer func() { _ = f.Close() }()
	p, err := r.readFrom(id, f, info.Size(), was)
	if err != nil {
		return none
	}
	return p
}
