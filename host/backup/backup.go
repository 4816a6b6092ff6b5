// Package backup makes one encrypted file of all that a store holds, and puts back what
// is in one. The file is an ordinary age file, whose text docs/stores.md describes, so
// that it can be read without rhx.
package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// Backup makes backups of a store. Its fields are set once.
type Backup struct {
	Records *records.Records
	// Local returns the store on this machine, whose key may open a backup.
	Local func() (*agestore.Store, error)
	// Lock holds other imports of this machine up until unlock is called.
	Lock func(ctx context.Context) (unlock func() error, err error)
	// Asking is for the passphrases of backups, KeyAsking for those of keys.
	Asking, KeyAsking agestore.Asking
	// Warn is told of keys that others can read.
	Warn func(text string)

	// workFactor is the scrypt work factor of a new backup, as the logarithm of its
	// cost; 0 is that of age. Tests lower it.
	workFactor int
}

// ageIntro begins every age file.
const ageIntro = "age-encryption.org/v1\n"

// ChoosePassphrase asks twice for the passphrase of a new backup, and returns what
// encrypts with it. One that is guessed easily is an error, unless weak.
func (b *Backup) ChoosePassphrase(file string, weak bool) ([]age.Recipient, error) {
	passphrase, err := b.Asking.Choose("backup", file, "no backup was written", weak)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	if b.workFactor > 0 {
		r.SetWorkFactor(b.workFactor)
	}
	return []age.Recipient{r}, nil
}

// maxKeys is how long a file of public keys may be in bytes.
const maxKeys = 1 << 20

// Recipients reads public keys of age or SSH: each is one, or a file of them, one a line.
// An error shows nothing of a key.
func Recipients(keys []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, key := range keys {
		upper := strings.ToUpper(key)
		switch {
		case strings.HasPrefix(upper, "AGE-SECRET-KEY-"), strings.HasPrefix(key, "-----BEGIN"):
			return nil, fault.WithKind(errors.New("--to was given a private key, where every process can read it; it takes the public one"), fault.Usage)
		case strings.HasPrefix(key, "age1"), strings.HasPrefix(key, "ssh-"):
			r, err := agestore.ParseRecipient(key)
			if err != nil {
				return nil, fault.WithKind(fmt.Errorf("--to: %w", err), fault.Usage)
			}
			all = append(all, r)
		default:
			of, err := recipientsOf(key)
			if err != nil {
				return nil, fault.WithHint(fault.WithKind(err, fault.Usage), "--to takes a public key of age (age1…) or SSH (ssh-…), or a file of them")
			}
			all = append(all, of...)
		}
	}
	return all, nil
}

// recipientsOf reads a file of public keys.
func recipientsOf(path string) ([]age.Recipient, error) {
	data, err := ownfile.Read(path, maxKeys)
	if err != nil {
		return nil, err
	}
	var all []age.Recipient
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := agestore.ParseRecipient(line)
		if err != nil {
			return nil, fmt.Errorf("%s: a line of it is no key: %w", path, err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no public keys", path)
	}
	return all, nil
}

// File is a backup that is open. All of it was read once, and is as it was written.
type File struct {
	// Store and Created say of which store it is, and when it was made.
	Store   string
	Created time.Time
	// Missing are the versions that could not be read then.
	Missing []string

	path    string
	file    *os.File
	text    io.ReaderAt
	secrets []versions
}

// Open opens a backup and reads all of it once. A passphrase is asked for where it needs
// one; else it opens with the key in the file identity, "" for that of the local store.
func (b *Backup) Open(ctx context.Context, path, identity string) (*File, error) {
	// Opening a pipe would wait.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fault.WithKind(fmt.Errorf("%s is not a plain file", path), fault.Usage)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return b.opened(ctx, path, f, identity)
}

// maxStream bounds a backup that comes through a pipe, in bytes.
const maxStream = 4 << 30

// OpenStream is Open for a backup that comes through a pipe, which is named in errors. It
// lies in a file without a name meanwhile, encrypted as it is.
func (b *Backup) OpenStream(ctx context.Context, name string, r io.Reader, identity string) (*File, error) {
	f, err := os.CreateTemp("", "rhx-import-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // Windows keeps it until it is closed
	n, err := io.Copy(f, io.LimitReader(r, maxStream+1))
	if err == nil && n > maxStream {
		err = fmt.Errorf("%s: it is larger than %d GiB", name, maxStream>>30)
	}
	if err != nil {
		_, _ = f.Close(), os.Remove(f.Name())
		return nil, err
	}
	return b.opened(ctx, name, f, identity)
}

// opened reads all of a file, which it closes where that fails.
func (b *Backup) opened(ctx context.Context, path string, f *os.File, identity string) (*File, error) {
	out := &File{path: path, file: f}
	if err := b.open(ctx, out, identity); err != nil {
		_ = out.Close()
		if refused := new(openError); errors.As(err, &refused) {
			return nil, refused.err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

func (b *Backup) open(ctx context.Context, f *File, identity string) error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	start := make([]byte, max(len(ageIntro), len(armor.Header)))
	n, err := f.file.ReadAt(start, 0)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case bytes.HasPrefix(start[:n], []byte(armor.Header)):
		return fault.WithHint(errors.New("it is armored, and a backup is not"), "grep -v -e ----- FILE | base64 -d gives the file as it is without that")
	case !bytes.HasPrefix(start[:n], []byte(ageIntro)):
		return errors.New("it is not a backup of rhx, which is an age file")
	}
	text, size, err := age.DecryptReaderAt(f.file, info.Size(), &opener{b, f.path, identity})
	if mismatch := new(age.NoIdentityMatchError); errors.As(err, &mismatch) {
		return fault.WithHint(fault.Mark(errors.New("it is encrypted to another key than yours"), store.ErrDenied), "--identity FILE names the file of that key")
	}
	if errors.As(err, new(*openError)) {
		return err
	}
	if err != nil {
		return altered(err)
	}
	f.text = text
	c, err := read(&contextReader{ctx, io.NewSectionReader(text, 0, size)})
	if err != nil {
		return err
	}
	f.Store, f.Created, f.Missing, f.secrets = c.Store, c.Created, c.missing, c.secrets
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	err := f.file.Close()
	if f.path != f.file.Name() {
		_ = os.Remove(f.file.Name()) // one of OpenStream's, on Windows
	}
	return err
}

// Len is how many secrets there are.
func (f *File) Len() int { return len(f.secrets) }

// secret reads one version.
func (f *File) secret(name string, v version) (*secret.Secret, error) {
	data := make([]byte, v.size)
	defer clear(data)
	if _, err := f.text.ReadAt(data, v.offset); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s has changed since it was opened: %w", f.path, altered(err))
	}
	l, err := parseLine(data)
	if err != nil || string(l.Name) != name || l.Payload == nil {
		return nil, fmt.Errorf("%s has changed since it was opened", f.path)
	}
	s := l.Secret()
	s.Name, s.Provider = name, string(l.Provider)
	return s, nil
}

// contextReader ends with a context. What it cannot read is damaged: age checks all.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = altered(err)
	}
	return n, err
}

// altered is the error of a file that age does not take. age's own can show a part of
// it, which need not be a backup.
func altered(err error) error {
	if pe := new(fs.PathError); errors.As(err, &pe) {
		return pe // the disk's
	}
	return errors.New("it was altered, or is damaged")
}

// opener opens a backup with what it is encrypted with.
type opener struct {
	b              *Backup
	path, identity string
}

// openError is why there is nothing to open a backup with.
type openError struct{ err error }

func (e *openError) Error() string { return e.err.Error() }

// Unwrap implements [age.Identity].
func (o *opener) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) == 1 && stanzas[0].Type == "scrypt" {
		return o.byPassphrase(stanzas)
	}
	id, err := o.key()
	if err != nil {
		return nil, &openError{err}
	}
	fileKey, err := id.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		err = &openError{err}
	}
	return fileKey, err
}

func (o *opener) byPassphrase(stanzas []*age.Stanza) (fileKey []byte, err error) {
	err = o.b.Asking.Open("backup", o.path, func(passphrase string) (bool, error) {
		id, err := agestore.PassphraseIdentity(passphrase)
		if err != nil {
			return false, err
		}
		fileKey, err = id.Unwrap(stanzas)
		if errors.Is(err, age.ErrIncorrectIdentity) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, &openError{err}
	}
	return fileKey, nil
}

// key is the key that the user named, or that of the local store.
func (o *opener) key() (age.Identity, error) {
	if o.identity != "" {
		return agestore.ReadIdentity(o.identity, o.b.KeyAsking, o.b.Warn), nil
	}
	local, err := o.b.Local()
	if err != nil {
		return nil, err
	}
	there, err := local.HasKey()
	if err == nil && !there {
		err = fault.WithHint(fault.Mark(fmt.Errorf("%s is encrypted to a key, and there is none on this machine", o.path), store.ErrDenied), "--identity FILE names the file of the key")
	}
	return local.Identity(), err
}

// Free returns an error where a backup cannot be written to a path: something is there
// that is not to be replaced, or that is no plain file, or it is in one of rhx's own
// folders. The path that it returns is where a symbolic link leads.
func Free(path string, overwrite bool, own ...string) (string, error) {
	if _, err := os.Lstat(path); err == nil {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", err
		}
		info, err := os.Stat(real)
		switch {
		case err != nil:
			return "", err
		case !info.Mode().IsRegular():
			return "", fault.WithKind(fmt.Errorf("%s is not a plain file", path), fault.Usage)
		case !overwrite:
			return "", fault.WithHint(fault.Mark(fmt.Errorf("%s is there already", path), os.ErrExist), "--overwrite replaces it")
		}
		path = real
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", err
	}
	for _, o := range own {
		if _, below := paths.Below(paths.Real(o), dir); below {
			return "", fault.WithKind(fmt.Errorf("%s is in a folder of rhx's own, and a backup belongs elsewhere", path), fault.Usage)
		}
	}
	return path, nil
}

// leftAfter is the age from which a backup that is being written is one that a killed
// process left: each write to one makes it younger.
const leftAfter = time.Hour

// Sweep removes from a folder, which is the user's, what killed exports left there: files
// with the name of one that is being written, which begin as a backup does.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n, ok := strings.CutPrefix(e.Name(), atomicfile.Prefix); !ok || n == "" || strings.Trim(n, "0123456789") != "" || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		left, leftErr := isLeft(path)
		if left {
			leftErr = os.Remove(path)
		}
		if !errors.Is(leftErr, fs.ErrNotExist) {
			err = errors.Join(err, leftErr)
		}
	}
	return err
}

func isLeft(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || time.Since(info.ModTime()) < leftAfter {
		return false, err
	}
	start := make([]byte, len(ageIntro))
	if _, err := io.ReadFull(f, start); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	return string(start) == ageIntro, nil
}
