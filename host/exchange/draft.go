package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/secret"
)

// Draft is what somebody typed as the values of a secret, and what could not be saved.
type Draft struct {
	// Name is the secret's, Version the one that was opened.
	Name    string `json:"name"`
	Version int    `json:"version"`
	// File is the name of the file, which says its form, and Text what was in it.
	File string    `json:"file"`
	Text []byte    `json:"text"`
	Kept time.Time `json:"kept"`

	path string
}

// draftHash is how many bytes of a hash the name of a draft has.
const draftHash = 16

// maxDraft is how long the file of a draft may be, in bytes.
const maxDraft = 64 << 20

// draftPath is the path of the drafts of a secret of this store, to which "-" and a number
// are added. Its name says nothing of the secret.
func (x *Exchange) draftPath(ctx context.Context, name string) (string, error) {
	st, err := x.Records.Store(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(st.URL() + "\n" + name))
	return filepath.Join(x.Dirs.State, "edits", hex.EncodeToString(sum[:draftHash])), nil
}

func draftLabel(path string) string { return "edit " + filepath.Base(path) }

// KeepDraft keeps what was typed, sealed, until it is dropped. One that is kept already
// stays.
func (x *Exchange) KeepDraft(ctx context.Context, d *Draft) error {
	base, err := x.draftPath(ctx, d.Name)
	if err != nil {
		return err
	}
	if err := atomicfile.MkdirAll(filepath.Dir(base)); err != nil {
		return err
	}
	unlock, err := ownfile.Lock(ctx, filepath.Join(filepath.Dir(base), "lock"))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	numbers, err := draftNumbers(base)
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	path := base + "-" + strconv.Itoa(next)
	plain, err := exactjson.Marshal(d)
	if err != nil {
		return err
	}
	defer clear(plain)
	sealed, err := x.Book.Keys.Seal(ctx, draftLabel(path), plain)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, sealed, 0o600); err != nil {
		return err
	}
	d.path = path
	return nil
}

// Draft returns what was kept last of a secret and not dropped; an error where that is nothing.
func (x *Exchange) Draft(ctx context.Context, name string) (*Draft, error) {
	base, err := x.draftPath(ctx, name)
	if err != nil {
		return nil, err
	}
	numbers, err := draftNumbers(base)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, fault.WithHint(fmt.Errorf("nothing that was typed for %s is kept", name), "rhx edit "+name+" opens what the store has")
	}
	path := base + "-" + strconv.Itoa(numbers[len(numbers)-1])
	sealed, err := ownfile.ReadNoLink(path, maxDraft)
	if err != nil {
		return nil, err
	}
	plain, err := x.Book.Keys.Unseal(ctx, draftLabel(path), sealed)
	if err != nil {
		return nil, fmt.Errorf("read what was kept in %s: %w", path, err)
	}
	defer clear(plain)
	d := &Draft{}
	if err := json.Unmarshal(plain, d); err != nil || d.Name != name || d.File != filepath.Base(d.File) {
		return nil, fmt.Errorf("what was kept in %s is damaged", path)
	}
	d.path = path
	return d, nil
}

// HasDraft reports whether something is kept of a secret.
func (x *Exchange) HasDraft(ctx context.Context, name string) (bool, error) {
	base, err := x.draftPath(ctx, name)
	if err != nil {
		return false, err
	}
	numbers, err := draftNumbers(base)
	if err != nil {
		err = fmt.Errorf("look for what rhx edit has kept: %w", fault.Cause(err))
	}
	return len(numbers) > 0, err
}

// DropDrafts removes all that is kept of a secret, and reports whether there was something.
func (x *Exchange) DropDrafts(ctx context.Context, name string) (bool, error) {
	base, err := x.draftPath(ctx, name)
	if err != nil {
		return false, err
	}
	numbers, err := draftNumbers(base)
	for _, n := range numbers {
		path := base + "-" + strconv.Itoa(n)
		if gone := os.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("what was typed in rhx edit is still in %s: %w", path, fault.Cause(gone)))
		}
	}
	return len(numbers) > 0, err
}

// KeptFile is a file with what was typed for a secret and could not be saved. Secret is the
// secret's name; "" for none of those that were asked for.
type KeptFile struct {
	Path, Secret string
	Kept         time.Time
}

// KeptFiles are the files of all drafts, the oldest first. names are those of secrets of this
// store: the name of a file says nothing of any.
func (x *Exchange) KeptFiles(ctx context.Context, names []string) ([]KeptFile, error) {
	dir := filepath.Join(x.Dirs.State, "edits")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	of := map[string]string{}
	for _, name := range names {
		base, err := x.draftPath(ctx, name)
		if err != nil {
			return nil, err
		}
		of[filepath.Base(base)] = name
	}
	var out []KeptFile
	for _, e := range entries {
		base, number, ok := strings.Cut(e.Name(), "-")
		if _, err := strconv.Atoi(number); !ok || err != nil || len(base) != 2*draftHash {
			continue // the lock, and what is being written
		}
		info, err := e.Info()
		if err != nil {
			continue // it was dropped meanwhile
		}
		out = append(out, KeptFile{filepath.Join(dir, e.Name()), of[base], info.ModTime()})
	}
	slices.SortFunc(out, func(a, b KeptFile) int { return a.Kept.Compare(b.Kept) })
	return out, nil
}

// Drop removes what was kept; nothing of what was not.
func (d *Draft) Drop() error {
	if d == nil || d.path == "" {
		return nil
	}
	if err := os.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("what was kept is saved now, and still in %s: %w", d.path, fault.Cause(err))
	}
	return nil
}

// draftNumbers are those of the drafts of a secret, the oldest first.
func draftNumbers(base string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Dir(base))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), filepath.Base(base)+"-")
		if n, err := strconv.Atoi(number); ok && err == nil && n > 0 && strconv.Itoa(n) == number {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, cmp.Compare)
	return out, nil
}

// Merged are values that two people made of the same ones, by keys.
type Merged struct {
	// Values are those that only one of both has changed, as that one has them, and of
	// what both have changed mine.
	Values secret.Values
	// Mine and Theirs are the keys that only one has changed, Both those that both have, to
	// different values.
	Mine, Theirs, Both []string
}

// Merge merges values that two people made of base, key by key. Without a base all that
// differs was changed by both.
func Merge(base, theirs, mine secret.Values) Merged {
	m := Merged{Values: secret.Values{}}
	for k, v := range theirs {
		m.Values[k] = v
	}
	take := func(k string) {
		if v, ok := mine[k]; ok {
			m.Values[k] = v
		} else {
			delete(m.Values, k)
		}
	}
	for _, k := range mine.Diff(theirs) {
		was, had := base[k]
		my, iHave := mine[k]
		their, theyHave := theirs[k]
		switch {
		case base != nil && had == iHave && was == my:
			m.Theirs = append(m.Theirs, k)
		case base != nil && had == theyHave && was == their:
			m.Mine = append(m.Mine, k)
			take(k)
		default:
			m.Both = append(m.Both, k)
			take(k)
		}
	}
	return m
}

// Conflicts are lines of a comment for [ValuesFile] that say what the other version has
// where both have changed a value.
func (m Merged) Conflicts(theirs secret.Values, version int) []string {
	var out []string
	for _, k := range m.Both {
		line := "has no " + k
		if v, ok := theirs[k]; ok {
			line = "has " + k + "=" + strconv.Quote(v.Reveal())
		}
		out = append(out, fmt.Sprintf("version %d %s", version, line))
	}
	return out
}
