package fingerprint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

type place struct {
	state, data string
	keys        *agestore.Store
}

func newPlace(t *testing.T) place {
	t.Helper()
	base := t.TempDir()
	data := filepath.Join(base, "data")
	return place{filepath.Join(base, "state"), data, agestore.Open(agestore.Options{Dir: data})}
}

func (p place) open(t *testing.T) *Record {
	t.Helper()
	r, err := Open(t.Context(), p.state, p.data, p.keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func save(t *testing.T, r *Record) {
	t.Helper()
	if err := r.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func values(text string) secret.Values { return secret.Values{"k": secret.NewValue(text)} }

func is(r *Record, machine, name, text string) bool {
	return r.Is(machine, name, "k", secret.NewValue(text))
}

func TestNotedIsKnown(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	if is(r, "gpu", "aws", "") || is(r, "gpu", "aws", "fake-1") {
		t.Error("what nobody noted is known")
	}
	r.Note("gpu", "aws", values("fake-1"))
	for _, r := range []*Record{r, func() *Record { save(t, r); return p.open(t) }()} {
		if !is(r, "gpu", "aws", "fake-1") {
			t.Error("what was noted is not known")
		}
		if is(r, "gpu", "aws", "fake-2") || is(r, "cpu", "aws", "fake-1") || is(r, "gpu", "gcp", "fake-1") || r.Is("gpu", "aws", "j", secret.NewValue("fake-1")) {
			t.Error("what was not noted is known")
		}
	}
	if r.Of(secret.NewValue("a")) == r.Of(secret.NewValue("b")) || r.Of(secret.NewValue("a")) != p.open(t).Of(secret.NewValue("a")) || len(r.Of(secret.NewValue("a"))) != 32 {
		t.Error("fingerprints are not one for each value")
	}
}

// What was noted with the key of before counts as rhx's own after a rekey, and what is noted
// then, too.
func TestNotedBeforeARekey(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "aws", values("fake-1"))
	save(t, r)
	for range 2 {
		if _, err := p.keys.Rekey(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	r = p.open(t)
	if !is(r, "gpu", "aws", "fake-1") || is(r, "gpu", "aws", "fake-2") || is(r, "gpu", "gcp", "") {
		t.Error("what was noted is not known any more, or what was not is")
	}
	r.Note("gpu", "gcp", values("fake-3"))
	save(t, r)
	if r = p.open(t); !is(r, "gpu", "gcp", "fake-3") || !is(r, "gpu", "aws", "fake-1") {
		t.Error("what was noted later is not known")
	}
}

// A PIN of four digits is found by trying, where its fingerprint and the key are to
// be had.
func TestNothingOfItCanBeSearched(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "phone", values("4711"))
	save(t, r)
	hidden := []string{r.Of(secret.NewValue("4711")), "phone", "gpu", string(r.key)}
	err := filepath.WalkDir(filepath.Dir(p.state), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, h := range hidden {
			if bytes.Contains(data, []byte(h)) {
				t.Errorf("%s has %q", path, h)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(Path(p.state)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

// Two rhx at once, on the same machine and on others: none loses what the other noted.
func TestRecordsAreMerged(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "gone", values("fake"))
	save(t, r)
	a, b := p.open(t), p.open(t)
	a.Note("gpu", "aws", values("fake-a"))
	a.Note("gpu", "both", values("fake-a"))
	b.Note("gpu", "gcp", values("fake-b"))
	b.Note("gpu", "both", values("fake-b"))
	b.Note("cpu", "gcp", values("fake-b"))
	if err := b.Restore(t.Context(), nil, []string{"none"}); err != nil {
		t.Fatal(err)
	}
	save(t, a)
	save(t, b)
	now := p.open(t)
	if !is(now, "gpu", "gone", "fake") || !is(now, "gpu", "aws", "fake-a") || !is(now, "gpu", "gcp", "fake-b") || !is(now, "gpu", "both", "fake-b") || !is(now, "cpu", "gcp", "fake-b") {
		t.Error("something was lost")
	}
	// b knows a's, too, and writes nothing over it that it did not change.
	if !is(b, "gpu", "aws", "fake-a") {
		t.Error("b does not know what it merged")
	}
	a = p.open(t)
	a.Note("gpu", "gcp", values("fake-newer"))
	save(t, a)
	save(t, b)
	b.Note("gpu", "x", values("fake"))
	save(t, b)
	if !is(p.open(t), "gpu", "gcp", "fake-newer") {
		t.Error("an older entry came back")
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := p.open(t)
			r.Note("gpu", string(rune('a'+i)), values("fake"))
			save(t, r)
		})
	}
	wg.Wait()
	now = p.open(t)
	for i := range 8 {
		if !is(now, "gpu", string(rune('a'+i)), "fake") {
			t.Error("lost:", i)
		}
	}
}

func TestForget(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "aws", secret.Values{"k": secret.NewValue("fake"), "j": secret.NewValue("fake")})
	save(t, r)
	r.Forget("gpu", "aws", []string{"k", "none"})
	r.Forget("cpu", "aws", []string{"j"})
	save(t, r)
	for _, r := range []*Record{r, p.open(t)} {
		if is(r, "gpu", "aws", "fake") || !r.Is("gpu", "aws", "j", secret.NewValue("fake")) {
			t.Error("not what was to be forgotten")
		}
	}
}

// What is as it was is not written.
func TestNothingNewIsNotWritten(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	save(t, r)
	if _, err := os.Stat(p.state); !errors.Is(err, fs.ErrNotExist) {
		t.Error("nothing made a folder")
	}
	r.Note("gpu", "aws", values("fake"))
	save(t, r)
	before, err := os.Stat(Path(p.state))
	if err != nil {
		t.Fatal(err)
	}
	r = p.open(t)
	r.Note("gpu", "aws", values("fake"))
	r.Forget("gpu", "gcp", []string{"k"})
	save(t, r)
	if after, err := os.Stat(Path(p.state)); err != nil || !os.SameFile(before, after) {
		t.Error("written again", err)
	}
}

func TestRestore(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "aws", values("fake-1"))
	r.Note("cpu", "aws", values("fake-1"))
	save(t, r)
	before, err := os.ReadFile(Path(p.state))
	if err != nil {
		t.Fatal(err)
	}
	r.Note("gpu", "aws", values("fake-2"))
	r.Note("gpu", "new", values("fake-2"))
	r.Note("cpu", "aws", values("fake-2"))
	save(t, r)
	r = p.open(t)
	if err := r.Restore(t.Context(), before, []string{"gpu"}); err != nil {
		t.Fatal(err)
	}
	save(t, r)
	for _, r := range []*Record{r, p.open(t)} {
		if !is(r, "gpu", "aws", "fake-1") || is(r, "gpu", "aws", "fake-2") || is(r, "gpu", "new", "fake-2") || !is(r, "cpu", "aws", "fake-2") {
			t.Error("not as before")
		}
	}
	if err := r.Restore(t.Context(), nil, []string{"gpu"}); err != nil {
		t.Fatal(err)
	}
	save(t, r)
	if is(p.open(t), "gpu", "aws", "fake-1") {
		t.Error("there was nothing before")
	}
	if err := r.Restore(t.Context(), []byte("{}"), []string{"gpu"}); err == nil {
		t.Error("a copy that is not sealed was believed")
	}
}

func TestForgedDamagedAndNewerFilesAreErrors(t *testing.T) {
	p := newPlace(t)
	r := p.open(t)
	r.Note("gpu", "aws", values("fake"))
	save(t, r)
	for what, make := range map[string]func() ([]byte, error){
		"text":          func() ([]byte, error) { return []byte("{}"), nil },
		"another label": func() ([]byte, error) { return p.keys.Seal(t.Context(), "x", []byte("{}")) },
		"broken":        func() ([]byte, error) { return p.keys.Seal(t.Context(), label, []byte("{")) },
		"newer":         func() ([]byte, error) { return p.keys.Seal(t.Context(), label, []byte(`{"version":2}`)) },
	} {
		data, err := make()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(Path(p.state), data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), p.state, p.data, p.keys)
		if err == nil || !strings.Contains(err.Error(), Path(p.state)) || fault.Hint(err) == "" || what == "newer" && !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s: %v", what, err)
		}
		// What cannot be read is not written over.
		r.Note("gpu", "aws", values("fake-2"))
		if err := r.Save(t.Context()); err == nil {
			t.Errorf("%s: written over", what)
		}
		if now, err := os.ReadFile(Path(p.state)); err != nil || !bytes.Equal(now, data) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A record of before version 1 holds, until it is written anew; then nothing is left
// of its key.
func TestRecordOfBeforeVersion1(t *testing.T) {
	p := newPlace(t)
	key := bytes.Repeat([]byte{7}, 32)
	keyFile, file := filepath.Join(p.data, "fingerprint.key"), filepath.Join(p.state, "applied.json")
	text, err := json.Marshal(entries{"gpu": {"aws\x00k": of(key, secret.NewValue("fake-old"))}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(path string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(file, text)
	if r := p.open(t); is(r, "gpu", "aws", "fake-old") || r.oldKey != nil {
		t.Error("believed without its key")
	}
	put(keyFile, key[:31])
	if _, err := Open(t.Context(), p.state, p.data, p.keys); err == nil || !strings.Contains(err.Error(), keyFile) {
		t.Error(err)
	}
	put(keyFile, key)
	r := p.open(t)
	if !is(r, "gpu", "aws", "fake-old") || is(r, "gpu", "aws", "fake-new") {
		t.Error("the old record is not read")
	}
	r.Note("gpu", "gcp", values("fake-new"))
	save(t, r)
	for _, path := range []string{keyFile, file} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for range 2 {
		r = p.open(t)
		if !is(r, "gpu", "aws", "fake-old") || !is(r, "gpu", "gcp", "fake-new") {
			t.Error("something was lost")
		}
		r.Note("cpu", "x", values("fake"))
		save(t, r)
	}
	put(file, []byte("{"))
	put(keyFile, key)
	if err := os.Remove(Path(p.state)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), p.state, p.data, p.keys); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

// A folder in the place of the file stands for every error of reading.
func TestErrorsAreNotNothing(t *testing.T) {
	for _, name := range []string{fileName, oldFileName, oldKeyName} {
		p := newPlace(t)
		for _, dir := range []string{p.state, p.data} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(p.data, oldKeyName), make([]byte, 32), 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(p.state, name)
		if name == oldKeyName {
			path = filepath.Join(p.data, name)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), p.state, p.data, p.keys); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newPlace(t)
	p.keys = agestore.Open(agestore.Options{})
	if _, err := Open(context.Background(), p.state, p.data, p.keys); err == nil {
		t.Error("without a key")
	}
}
