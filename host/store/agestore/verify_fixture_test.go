package agestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// problems are what Verify says, without the folder and the IDs of machines.
func problems(t *testing.T, s *Store) string {
	t.Helper()
	v, err := Open(s.opt).Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.Join(v.Problems, "\n"), s.root()+"/", "")
	for i, id := range recordIDs(t, s) {
		text = strings.ReplaceAll(text, id, fmt.Sprint("ID", i+1))
	}
	return text
}

func recordIDs(t *testing.T, s *Store) []string {
	t.Helper()
	ids, err := s.recordIDs()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func putFake(t *testing.T, s *Store, name, value string) {
	t.Helper()
	if _, err := s.Put(t.Context(), &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue(value)}}, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

func noError(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// recorded is a store with a and b of three and two versions, of which b's last is
// deleted, c that came back, and d that was destroyed. It is made once, and each test has a copy.
func recorded(t *testing.T) *Store {
	t.Helper()
	made, ok := recordedBefore.Load().(map[string][]byte)
	if !ok {
		made = filesIn(t, recordedAnew(t).opt.Dir)
		recordedBefore.Store(made)
	}
	s := withFiles(t, made)
	s.opt.Warn = func(m string) { t.Error(m) }
	return s
}

var recordedBefore atomic.Value // of the files

func recordedAnew(t *testing.T) *Store {
	t.Helper()
	s := Open(Options{Dir: dataDir(t), Warn: func(m string) { t.Error(m) }})
	for _, name := range []string{"a", "a", "a", "b", "b", "c", "d"} {
		putFake(t, s, name, "FAKE")
	}
	ctx := t.Context()
	noError(t, s.Delete(ctx, "b"), s.Delete(ctx, "c"), s.Undelete(ctx, "c", 0), s.Destroy(ctx, "d"))
	v, err := s.Verify(ctx)
	if err != nil || len(v.Problems)+len(v.Notes) > 0 || v.Secrets != 3 || v.Versions != 6 {
		t.Fatalf("%+v, %v", v, err)
	}
	return s
}

// clone copies a folder to another one.
func clone(t *testing.T, from, to string) {
	t.Helper()
	noError(t, os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
}

func changedFrom(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf("record/ID1.log:%d: it, or a line before it, was changed, or another key wrote it", n))
	}
	return out
}

// forge writes a version as somebody can who has the public key only.
func forge(t *testing.T, s *Store, name string, version int) {
	t.Helper()
	plain, err := encodePayload(&secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("EVIL")}})
	noError(t, err)
	data, err := encodeFile(store.Info{Name: name, Version: version}, plain, s.key.recipients)
	noError(t, err)
	noError(t, os.MkdirAll(s.folder(name), 0o700))
	write(t, filepath.Join(s.folder(name), fmt.Sprint(version, ".age")), data, 0o600)
}

func editRecord(t *testing.T, s *Store, change func([]string) []string) {
	t.Helper()
	path := s.recordPath(recordIDs(t, s)[0])
	data, err := os.ReadFile(path)
	noError(t, err)
	lines := strings.SplitAfter(strings.TrimSuffix(string(data), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	write(t, path, []byte(strings.Join(change(lines), "")), 0o600)
}

func (s *Store) mustSeen(t *testing.T) *seen {
	t.Helper()
	was, err := s.readSeen()
	noError(t, err)
	return was
}

// accept is Accept of who says yes to what they are shown.
func accept(ctx context.Context, s *Store) error {
	shown, err := s.Acceptance(ctx)
	if err != nil {
		return err
	}
	return s.Accept(ctx, shown)
}
