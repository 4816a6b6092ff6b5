package fingerprint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

// Which version a machine has is a text beside the fingerprints, of each secret and
// machine, and no value of a key.
func TestVersions(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	if got := r.Version("gpu", "aws"); got != "" {
		t.Errorf("%q", got)
	}
	r.NoteVersion("gpu", "aws", "3 local")
	r.Note("gpu", "aws", values("fake"))
	save(t, r)
	r = p.open(t)
	if r.Version("gpu", "aws") != "3 local" || r.Version("cpu", "aws") != "" || r.Version("gpu", "gcp") != "" || !is(r, "gpu", "aws", "fake") {
		t.Errorf("%q, %q, %q", r.Version("gpu", "aws"), r.Version("cpu", "aws"), r.Version("gpu", "gcp"))
	}
	before, err := os.Stat(Path(p.state))
	if err != nil {
		t.Fatal(err)
	}
	r.NoteVersion("gpu", "aws", "3 local")
	save(t, r)
	if after, err := os.Stat(Path(p.state)); err != nil || !os.SameFile(before, after) {
		t.Errorf("the same version is written again: %v", err)
	}
	r.NoteVersion("gpu", "aws", "4 local")
	save(t, r)
	if got := p.open(t).Version("gpu", "aws"); got != "4 local" {
		t.Errorf("%q", got)
	}
}

// A record without machines, as an empty one is sealed, can be noted in.
func TestRecordWithoutMachines(t *testing.T) {
	p := newPlace(t)
	sealed, err := p.keys.Seal(t.Context(), label, []byte(`{"version":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path(p.state), sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.open(t)
	r.Note("gpu", "aws", values("fake"))
	save(t, r)
	if !is(p.open(t), "gpu", "aws", "fake") {
		t.Error("it is not noted")
	}
}

// A key of before version 1 without a record is no error, and of no use.
func TestOldKeyAlone(t *testing.T) {
	p := newPlace(t)
	if err := os.MkdirAll(p.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.data, oldKeyName), make([]byte, oldKeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.open(t)
	r.Note("gpu", "aws", values("fake"))
	save(t, r)
	if !is(p.open(t), "gpu", "aws", "fake") {
		t.Error("it is not noted")
	}
}

// An entry that is empty is that of no value, whatever the old key would make of it.
func TestEmptyEntry(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "aws", values("fake"))
	r.Forget("gpu", "aws", []string{"k"})
	if is(r, "gpu", "aws", "") || is(r, "gpu", "aws", "fake") {
		t.Error("what was forgotten is known")
	}
}

// Two rhx take over the record of before version 1 at once: the key of its entries is
// kept by whoever writes second.
func TestOldKeyIsKept(t *testing.T) {
	p := newPlace(t)
	key := bytes.Repeat([]byte{7}, oldKeySize)
	text, err := json.Marshal(entries{"gpu": {entryKey("aws", "k"): of(key, secret.NewValue("fake-old"))}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{filepath.Join(p.data, oldKeyName): key, filepath.Join(p.state, oldFileName): text} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := p.open(t), p.open(t)
	a.Note("gpu", "x", values("fake-a"))
	b.Note("gpu", "y", values("fake-b"))
	save(t, a)
	save(t, b)
	for _, r := range []*Record{a, b, p.open(t)} {
		if !is(r, "gpu", "aws", "fake-old") {
			t.Error("the old entry is lost")
		}
	}
	now := p.open(t)
	if !is(now, "gpu", "x", "fake-a") || !is(now, "gpu", "y", "fake-b") {
		t.Error("a new entry is lost")
	}
}

var errKeys = errors.New("the key is locked")

// locked are keys that stop sealing.
type locked struct{ Keys }

func (locked) Seal(context.Context, string, []byte) ([]byte, error) { return nil, errKeys }

// What cannot be written is an error, and is tried again at the next Save.
func TestSaveFails(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	keys := r.keys
	r.Note("gpu", "aws", values("fake"))
	r.keys = locked{keys}
	if err := r.Save(t.Context()); !errors.Is(err, errKeys) {
		t.Error(err)
	}
	r.keys = keys
	save(t, r)
	if !is(p.open(t), "gpu", "aws", "fake") {
		t.Error("lost")
	}

	p = newPlace(t)
	r = p.open(t)
	r.Note("gpu", "aws", values("fake"))
	if err := os.WriteFile(p.state, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	if err := r.Save(t.Context()); err == nil {
		t.Error("no error")
	}
	if err := os.Remove(p.state); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(Path(p.state)+".lock", 0o700); err != nil { // where the lock should be
		t.Fatal(err)
	}
	if err := r.Save(t.Context()); err == nil {
		t.Error("no error")
	}
	if err := os.Remove(Path(p.state) + ".lock"); err != nil {
		t.Fatal(err)
	}
	save(t, r)
	if !is(p.open(t), "gpu", "aws", "fake") {
		t.Error("lost")
	}
}
