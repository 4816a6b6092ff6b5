package agestore

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
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

// seen is what this machine knows of the record, kept outside of the store folder.
type seen struct {
	// Version is 2 where the store is shared.
	Version int `json:"version"`
	// ID names the file of this machine. In a shared store the file of seen has the two halves of
	// it apart: an rhx from before says then that a newer one wrote it, and not that it is damaged.
	ID   string `json:"id"`
	Rest string `json:"rest,omitempty"`
	// Sizes are those of all files when this machine last wrote; in a shared store how far they
	// are proven, and Hashes what they were up to there.
	Sizes  map[string]int64  `json:"sizes"`
	Hashes map[string]string `json:"hashes,omitempty"`
	// Proven is where the last line with a proof ends in the file of this machine.
	Proven int64 `json:"proven,omitempty"`

	length int // of the file
}

func (s *Store) recordDir() string { return filepath.Join(s.root(), "record") }
func (s *Store) seenPath() string  { return filepath.Join(s.opt.Dir, "store.seen") }

func (s *Store) recordPath(id string) string {
	return filepath.Join(s.recordDir(), id+recordEnding)
}

// readSeen returns what was seen; the zero seen where nothing was.
func (s *Store) readSeen() (*seen, error) {
	data, err := ownfile.Read(s.seenPath(), maxSeen)
	if errors.Is(err, fs.ErrNotExist) {
		return &seen{Sizes: map[string]int64{}}, nil
	}
	if err != nil {
		return nil, err
	}
	was := &seen{}
	err = json.Unmarshal(data, was)
	if err != nil || !validID(was.ID) || was.Rest != "" && !validID(was.Rest) {
		return nil, fault.WithHint(fmt.Errorf("%s is damaged", s.seenPath()), "without it an older copy of the store is not found; remove it, and look at rhx store verify")
	}
	was.ID, was.Rest = was.ID+was.Rest, ""
	if was.length = len(data); was.Sizes == nil {
		was.Sizes = map[string]int64{}
	}
	return was, ownfile.CheckVersion(s.seenPath(), was.Version, 2)
}

// readSeenAnyway is readSeen for an owner who puts the store right: what cannot be read is no reason to
// leave somebody in it.
func (s *Store) readSeenAnyway() *seen {
	was, err := s.readSeen()
	if err != nil {
		s.warnOnce("%v: what this machine has seen of the store until now is not known", err)
		return &seen{ID: newSharedID(""), Sizes: map[string]int64{}, length: maxSeen + 1}
	}
	return was
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

// recorder notes changes of one process. Callers hold the lock of the store.
type recorder struct {
	store   *Store
	seen    *seen
	f       *os.File
	key     *key    // nil where it waits for a passphrase
	signer  *signer // likewise, or where the agent is gone
	clock   int64
	sum     hash.Hash // of the file so far
	size    int64
	found   int64             // what size was when the file was opened
	sizes   map[string]int64  // of the other files
	files   map[string][]byte // the whole lines of all files, as they were when it was opened
	signers *signers
	// ledger takes the place of signers in a shared store, and me is the user there.
	ledger *ledger
	me     *Member
}

// openRecord opens the file of this machine to note a change. It makes the record where
// there is none: of what is there.
func (s *Store) openRecord() (r *recorder, err error) {
	k, err := s.ready()
	if err != nil {
		return nil, err
	}
	return s.openRecordWith(k)
}

// openRecordWith is openRecord with a key; nil where it waits for a passphrase.
func (s *Store) openRecordWith(k *key) (r *recorder, err error) {
	members, err := s.shared()
	if err != nil {
		return nil, err
	}
	if members != nil {
		return s.openShared(k, members, false)
	}
	r = &recorder{store: s, key: k, sizes: map[string]int64{}}
	if k != nil {
		own, err := k.signers()
		if err != nil {
			return nil, err
		}
		r.signer = own[0]
	}
	if r.seen, err = s.readSeen(); err != nil {
		return nil, err
	}
	if r.files, err = s.recordFiles(); err != nil {
		return nil, err
	}
	if err := s.disk().MkdirAll(s.recordDir()); err != nil {
		return nil, err
	}
	if r.signers, err = signersOf(k, r.files); err != nil {
		return nil, err
	}
	_, odd, err := s.recordAndOdd()
	if err != nil {
		return nil, err
	}
	if !validID(r.seen.ID) || r.signers.void[r.seen.ID] || r.wasChanged() || slices.Contains(odd, r.seen.ID) {
		r.newID()
	}
	for id, lines := range r.files {
		if id != r.seen.ID {
			r.sizes[id] = int64(len(lines))
			r.after(lastChange(lines))
		}
	}
	r.sum = newSum(r.seen.ID)
	if _, ok := r.files[r.seen.ID]; !ok {
		return r, r.begin(len(r.files) == 0)
	}
	if err := r.openOwn(); err != nil {
		return r, err
	}
	return r, r.noteBehind()
}

// wasChanged reports whether somebody has changed the file of this machine: a line behind
// that would prove it.
func (r *recorder) wasChanged() bool {
	lines, ok := r.files[r.seen.ID]
	_, proof, _ := lastProof(lines)
	return ok && proof != "" && r.key != nil && r.signers.of[r.seen.ID] == ""
}

// reread takes the record as it is now.
func (r *recorder) reread() (err error) {
	if r.files, err = r.store.recordFiles(); err == nil {
		r.signers, err = signersOf(r.key, r.files)
	}
	return err
}

// newID has this machine begin another file.
func (r *recorder) newID() {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // it never fails
	r.seen.ID = hex.EncodeToString(raw)
}

// noteBehind notes in the record that it was replaced by an older copy. Without that
// line the changes that follow would make it as long as before, and hide the copy.
func (r *recorder) noteBehind() error {
	behind := r.found < r.seen.Sizes[r.seen.ID]
	for id, size := range r.sizes {
		behind = behind || size < r.seen.Sizes[id]
	}
	if !behind {
		return nil
	}
	if err := r.add(change{op: opBehind}, true); err != nil {
		return err
	}
	maps.Copy(r.seen.Sizes, r.sizes)
	return r.replaceSeen()
}

// newSum is the hash of a file of the record before its first line.
func newSum(id string) hash.Hash {
	h := sha256.New()
	h.Write([]byte(id + "\n"))
	return h
}

// after has the next change be later than c, unless somebody wrote a clock that nobody
// gets to.
func (r *recorder) after(c *change) {
	if c != nil && c.clock <= maxClock/2 {
		r.clock = max(r.clock, c.clock)
	}
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

// openOwn opens the file of this machine, and ends what a process that was killed began.
func (r *recorder) openOwn() error {
	path := r.store.recordPath(r.seen.ID)
	if err := ownfile.Check(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	r.f = f
	info, err := f.Stat()
	if err != nil {
		return r.fail(err)
	}
	lines := r.files[r.seen.ID]
	if int64(len(lines)) < info.Size() {
		if err := r.f.Truncate(int64(len(lines))); err != nil {
			return r.fail(err)
		}
	}
	r.size, r.found = int64(len(lines)), int64(len(lines))
	r.sum.Write(lines)
	pending := lastChange(lines)
	r.after(pending)
	if pending == nil || !pending.pending() {
		return nil
	}
	made, err := r.store.made(pending)
	if err != nil {
		return r.fail(err)
	}
	if made {
		return r.add(change{op: opDone}, false)
	}
	return r.add(change{op: opUndone}, false)
}

// newest is the highest version that was ever written of a secret, since it was
// destroyed: the number of one that somebody took away is not given again, since that
// would hide it.
func (r *recorder) newest(folder string) int {
	newest := 0
	of := []byte(" " + folder + " ")
	for _, lines := range r.files {
		mine := 0 // in this file
		var last *change
		for line := range bytes.Lines(lines) {
			if last == nil && !bytes.Contains(line, of) {
				continue
			}
			c, _, ok := parseChange(strings.TrimSuffix(string(line), "\n"))
			if ok && c.op == opDone && last != nil {
				if last.op == opDestroy {
					mine = 0
				} else {
					mine = max(mine, last.version)
				}
			}
			if last = nil; ok && c.folder == folder && (c.op == opPut || c.op == opDestroy) {
				last = &c
			}
		}
		newest = max(newest, mine)
	}
	return newest
}

// number returns the number of a new version. next is one more than the newest version in the
// folder. A shared store does not use it, since anybody can put a file with a high number there:
// the new number is one more than the newest version in the record.
func (r *recorder) number(folder string, next int, there []version) (int, error) {
	if r.ledger == nil {
		next = max(next, r.newest(folder)+1)
	} else {
		next = 1
		want, _ := r.ledger.want()
		for n := range want[folder] {
			next = max(next, n+1)
		}
	}
	first := next
	taken := map[int]bool{}
	for _, v := range there {
		taken[v.n] = true
	}
	for taken[next] {
		next++
	}
	if r.ledger != nil && next-first >= maxJump {
		return 0, fault.WithHint(fmt.Errorf("there are %d versions that the record does not have", next-first), "rhx store verify names them: get the record as well (git), or remove what nobody of you has saved.")
	}
	return next, nil
}

// pending reports whether a change needs a line that it is done.
func (c *change) pending() bool {
	switch c.op {
	case opPut, opAgain, opDelete, opBack, opDestroy:
		return true
	}
	return false
}

// made reports whether a change was made.
func (s *Store) made(c *change) (bool, error) {
	folder := filepath.Join(s.secrets(), c.folder)
	v := version{n: c.version}
	path, there := folder, false
	switch c.op {
	case opPut, opAgain:
		data, err := readVersion(filepath.Join(folder, v.file()))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errForeign) {
			return false, nil
		}
		return hashFile(data) == c.hash, err
	case opDelete, opBack:
		path, there = filepath.Join(folder, v.mark()), c.op == opDelete
	}
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return !there, nil
	}
	return there, err
}

// begin makes the file of this machine. Where the store has no record at all, what is
// there is taken for what is to be there.
func (r *recorder) begin(first bool) error {
	s := r.store
	var changes []change
	if was, ok := r.seen.Sizes[r.seen.ID]; ok && was > 0 {
		changes = append(changes, change{op: opLost})
	} else if first {
		var err error
		if changes, _, err = s.present(); err != nil {
			return err
		}
		if len(changes) > 0 {
			s.warn("the store had no record of what is in it; it was made of what is there: %s", countPut(changes))
		}
	}
	return r.write(changes)
}

// write makes the file of this machine, whole or not at all; with the ID, so that it is
// found again.
func (r *recorder) write(changes []change) error {
	s := r.store
	r.size, r.seen.Proven = 0, 0
	if err := r.writeSeen(); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, c := range changes {
		b.Write(r.line(c))
	}
	path := s.recordPath(r.seen.ID)
	if err := s.disk().Write(path, b.Bytes(), 0o600); err != nil {
		return err
	}
	if r.size = int64(b.Len()); r.signer != nil {
		r.seen.Proven = r.size
	}
	var err error
	if r.f, err = os.OpenFile(path, os.O_RDWR, 0o600); err != nil {
		return err
	}
	return nil
}

// countPut says of how many secrets and versions changes are.
func countPut(changes []change) string {
	folders, versions := map[string]bool{}, 0
	for _, c := range changes {
		if c.op == opPut {
			folders[c.folder] = true
			versions++
		}
	}
	return fmt.Sprintf("%d secrets, %d versions", len(folders), versions)
}

// present are the changes that lead to what the folder holds. Of what is unread, a version or with
// number 0 all of a secret, nobody knows what it is: Verify names it.
func (s *Store) present() (out, unread []change, err error) {
	folders, err := s.folders()
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(folders)
	for _, folder := range folders {
		vs, err := versions(filepath.Join(s.secrets(), folder))
		if err != nil {
			unread = append(unread, change{folder: folder})
			continue
		}
		for _, v := range slices.Backward(vs) {
			if v.gone {
				continue
			}
			data, err := readVersion(filepath.Join(s.secrets(), folder, v.file()))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				unread = append(unread, change{folder: folder, version: v.n})
				continue
			}
			out = append(out, change{op: opPut, folder: folder, version: v.n, hash: hashFile(data)}, change{op: opDone})
			if v.deleted {
				out = append(out, change{op: opDelete, folder: folder, version: v.n}, change{op: opDone})
			}
		}
	}
	return out, unread, nil
}

// line is the next line of the file, with its proof.
func (r *recorder) line(c change) []byte {
	r.clock++
	c.clock = r.clock
	text := c.text()
	r.sum.Write([]byte(text))
	proof := "-"
	if r.signer != nil {
		if proof = r.signer.proof(r.sum); proof == "-" {
			r.signer = nil
		}
	}
	r.sum.Write([]byte(proof + "\n"))
	return []byte(text + proof + "\n")
}

// add writes a line, and has it on the disk if a change is to follow.
func (r *recorder) add(c change, sync bool) error {
	if r.f == nil {
		if err := r.write(nil); err != nil {
			return err
		}
	}
	r.store.step()
	line := r.line(c)
	if r.ledger != nil && r.signer == nil {
		return r.fail(errNotSigned)
	}
	_, err := r.f.WriteAt(line, r.size)
	if err == nil && sync {
		r.store.step()
		err = r.f.Sync()
	}
	if err != nil {
		return r.fail(err)
	}
	if r.size += int64(len(line)); r.signer != nil {
		r.seen.Proven = r.size
	}
	if sync {
		return r.writeSeen()
	}
	return nil
}

func (r *recorder) fail(err error) error {
	return fmt.Errorf("write %s: %w", r.store.recordPath(r.seen.ID), fault.Cause(err))
}

// writeSeen notes how long the files are. It needs not be on the disk: what it says is
// true of what was before.
func (r *recorder) writeSeen() error {
	if r.ledger != nil {
		r.ledger.remember(r.seen)
		r.seen.Sizes[r.seen.ID], r.seen.Hashes[r.seen.ID] = r.size, hashText(r.sum)
		return r.saveSeen()
	}
	r.sizes[r.seen.ID] = r.size
	for id, size := range r.sizes {
		r.seen.Sizes[id] = max(size, r.seen.Sizes[id])
	}
	return r.saveSeen()
}

func (r *recorder) saveSeen() error {
	out := *r.seen
	if out.Version = 1; len(out.ID) == sharedID {
		out.Version, out.ID, out.Rest = 2, out.ID[:sharedID/2], out.ID[sharedID/2:]
	}
	data, err := json.Marshal(out)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	was := r.seen.length
	r.seen.length = len(data)
	if len(data) < was {
		return r.store.disk().Write(r.store.seenPath(), data, 0o600)
	}
	r.store.step()
	return ownfile.Overwrite(r.store.seenPath(), data)
}

// accept has all lines on the disk, and what was seen be what is there.
func (r *recorder) accept() error {
	if err := r.add(change{op: opAccept}, true); err != nil {
		return err
	}
	r.seen.Sizes = r.sizes
	return r.replaceSeen()
}

// replaceSeen is writeSeen where a size may be smaller than it was.
func (r *recorder) replaceSeen() error {
	r.seen.Sizes[r.seen.ID] = r.size
	return r.saveSeen()
}

func (r *recorder) close() {
	if r.f != nil {
		_ = r.f.Close()
	}
}

// noted makes a change of the store: it is noted, made, and noted as done. path is what
// it is made to. Callers hold the lock.
func (s *Store) noted(path string, c change, do func() error) error {
	r, err := s.openRecord()
	if r != nil {
		defer r.close()
	}
	if err != nil && c.op == opDestroy && errors.Is(err, syscall.ENOSPC) {
		return do() // see noted of a recorder
	}
	if err != nil {
		return unnoted(path, err)
	}
	return r.noted(path, c, do)
}

// may returns why the others would not take a change for the user's.
func (r *recorder) may(c *change) error {
	if r.ledger == nil || r.ledger.roster.may(r.me, c) {
		return nil
	}
	if !r.me.reads(c.folder) {
		return notShared(r.ledger.roster)
	}
	return fmt.Errorf("version %d is none that a shared store can have", c.version)
}

func unnoted(path string, err error) error {
	if errors.Is(err, errNotYours) {
		return err
	}
	return fmt.Errorf("%s is left as it is, since that cannot be noted: %w", path, err)
}

func (r *recorder) noted(path string, c change, do func() error) error {
	if err := r.may(&c); err != nil {
		return unnoted(path, err)
	}
	err := r.add(c, true)
	if err != nil && c.op == opDestroy && errors.Is(err, syscall.ENOSPC) {
		return do() // it makes room; Verify says that it is gone
	}
	if err != nil {
		return unnoted(path, err)
	}
	err = do()
	last := opDone
	if err != nil {
		if made, lookErr := r.store.made(&c); lookErr != nil || made {
			return err // the next writer looks again
		}
		last = opUndone
	}
	_ = r.add(change{op: last}, false) // as of a process that was killed
	return err
}
