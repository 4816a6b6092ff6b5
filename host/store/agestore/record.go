package agestore

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/ownfile"
)

// The record says what is in the store: it is what Verify compares the folder with.
// Each machine that writes to the folder has a file of its own, store/record/ID.log, so
// that folders which are synchronised or merged keep all of them. A file is a line for
// each change,
//
//	17 put aws%2fprod 3 HASH PROOF
//
// with a clock, what is done, the folder of the secret, the version and a hash of its
// file. The proof is an Ed25519 signature of all the file up to there, by a key that is
// derived from the private one; "-" where that waits for a passphrase.
//
// A change is noted before it is made, and "done" after it. What a process that was
// killed has left without one is either way: the next writer looks, and notes "done" or
// "undone".
//
// store.seen, beside the store folder, has the ID of this machine and how long each
// file was when it last wrote. So an older copy of the whole folder is found here.

const (
	opPut     = "put"
	opDelete  = "delete"
	opBack    = "undelete"
	opDestroy = "destroy"
	opForget  = "forget" // one version, that somebody else took away
	opDone    = "done"
	opUndone  = "undone"
	opLost    = "lost"   // the file of this machine was not there any more
	opBehind  = "behind" // a file was shorter than this machine had seen it
	opAccept  = "accept" // the user takes what was wrong before
	opAgain   = "again"  // a version was encrypted anew; put, with the version that is there
	opRekey   = "rekey"  // versions from before are encrypted anew
	opVoid    = "void"   // a file of the record counts no more; its ID is in the place of the folder
	opOf      = "of"     // what follows the owner says for somebody, whose idPrefix is in the place of the folder
	opList    = "list"   // a list of members, with its serial and hash, was made

	recordEnding = ".log"
	// maxRecord is how long a file of the record may be in bytes: a million changes.
	maxRecord = 128 << 20
	// maxClock is the highest clock.
	maxClock = 1 << 53
	// maxRecords is how many files of the record there may be.
	maxRecords = 1000
	// maxSeen is how long store.seen may be in bytes: some 150 for each file of each member.
	maxSeen = 32 << 20
	// hashBytes is how much of a hash is kept.
	hashBytes = 16
)

// change is a line of the record.
type change struct {
	clock   int64
	op      string
	folder  string
	version int
	hash    string
	by      author // in a shared store: whose word it is
}

func (c *change) text() string {
	return fmt.Sprintf("%d %s %s %d %s ", c.clock, c.op, cmp.Or(c.folder, "-"), c.version, cmp.Or(c.hash, "-"))
}

func parseChange(line string) (c change, proof string, ok bool) {
	f := strings.Split(line, " ")
	if len(f) != 6 {
		return c, "", false
	}
	var err1, err2 error
	c.clock, err1 = strconv.ParseInt(f[0], 10, 64)
	c.version, err2 = strconv.Atoi(f[3])
	c.op, c.folder, c.hash = f[1], f[2], f[4]
	return c, f[5], err1 == nil && err2 == nil && c.clock > 0 && c.clock <= maxClock
}

func hashFile(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:hashBytes])
}

func (s *Store) recordDir() string { return filepath.Join(s.root(), "record") }
func (s *Store) seenPath() string  { return filepath.Join(s.opt.Dir, "store.seen") }

func (s *Store) recordPath(id string) string {
	return filepath.Join(s.recordDir(), id+recordEnding)
}

// validID reports whether a file of the record of a store that is not shared has such an ID.
func validID(id string) bool { return len(id) == 16 && isHex(id) }

func isHex(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil
}

// recordFiles are the whole lines of all files of the record, by ID.
func (s *Store) recordFiles() (map[string][]byte, error) {
	ids, err := s.recordIDs()
	if err != nil {
		return nil, err
	}
	return s.recordFilesOf(ids)
}

func (s *Store) recordFilesOf(ids []string) (map[string][]byte, error) {
	files := make(map[string][]byte, len(ids))
	for _, id := range ids {
		data, err := ownfile.ReadNoLink(s.recordPath(id), maxRecord)
		if err != nil {
			return nil, err
		}
		files[id] = wholeLines(data)
	}
	return files, nil
}

// recordIDs are the names of the files of the record of a store that is not shared.
func (s *Store) recordIDs() ([]string, error) {
	ids, _, err := s.recordAndOdd()
	return ids, err
}

// recordAndOdd are the same, and those that count for nothing, since no machine writes such: a
// pipe, a file that is too large, and where there are too many, or all of them are too large, those
// that this machine has not seen.
func (s *Store) recordAndOdd() (ids, odd []string, err error) {
	all, err := s.allRecordIDs()
	if err != nil {
		return nil, nil, err
	}
	sizes, total := map[string]int64{}, int64(0)
	for _, id := range all {
		if !validID(id) {
			continue
		}
		info, err := os.Lstat(s.recordPath(id))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, nil, err
		case info.Mode().IsRegular() && info.Size() <= maxRecord:
			ids, sizes[id] = append(ids, id), info.Size()
			total += info.Size()
		default:
			odd = append(odd, id)
		}
	}
	if len(ids) <= maxRecords && total <= maxRecord {
		return ids, odd, nil
	}
	was, err := s.readSeen()
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(min(was.Sizes[b], 1), min(was.Sizes[a], 1)) })
	n := 0
	for total = 0; n < min(len(ids), maxRecords) && total+sizes[ids[n]] <= maxRecord; n++ {
		total += sizes[ids[n]]
	}
	ids, odd = ids[:n], append(odd, ids[n:]...)
	slices.Sort(ids)
	return ids, odd, nil
}

// allRecordIDs are also those of a shared store.
func (s *Store) allRecordIDs() ([]string, error) {
	names, err := dirNames(s.recordDir())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, name := range names {
		if id, ok := strings.CutSuffix(name, recordEnding); ok && (len(id) == sharedID || len(id) == sharedID/2) && isHex(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// newSum is the hash of a file of the record before its first line.
func newSum(id string) hash.Hash {
	h := sha256.New()
	h.Write([]byte(id + "\n"))
	return h
}

// lastChange is that of the last line; nil where there is none that can be read.
func lastChange(lines []byte) *change {
	lines = bytes.TrimSuffix(lines, []byte("\n"))
	if c, _, ok := parseChange(string(lines[bytes.LastIndexByte(lines, '\n')+1:])); ok {
		return &c
	}
	return nil
}

// wholeLines leaves out what a process that was killed has written of a line.
func wholeLines(data []byte) []byte { return data[:bytes.LastIndexByte(data, '\n')+1] }

// pending reports whether a change needs a line that it is done.
func (c *change) pending() bool {
	switch c.op {
	case opPut, opAgain, opDelete, opBack, opDestroy:
		return true
	}
	return false
}
