package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// over makes backups of a store.
func over(st store.Store) *Backup {
	answer := func(string) (string, error) { return passphrase, nil }
	return &Backup{
		Records: &records.Records{Open: func(context.Context) (store.Store, error) { return st, nil }}, workFactor: 2,
		Local:  func() (*agestore.Store, error) { return st.(*agestore.Store), nil },
		Lock:   func(context.Context) (func() error, error) { return func() error { return nil }, nil },
		Asking: agestore.Asking{Passphrase: answer},
	}
}

const passphrase = "fake words for the tests"

func localStore(t testing.TB) *agestore.Store {
	t.Helper()
	dir := t.TempDir()
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() { // every write is synced
		if mem, err := os.MkdirTemp("/dev/shm", "rhx-backup-*"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(mem) })
			dir = mem
		}
	}
	return agestore.Open(agestore.Options{Dir: filepath.Join(dir, "data")})
}

func noError(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// one is a secret of one value.
func one(name, value string) *secret.Secret {
	return &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue(value)}}
}

// fill puts versions of a secret; "-" after a value is that its version is deleted.
func fill(t testing.TB, st store.Store, name string, values ...string) {
	t.Helper()
	for _, v := range values {
		value, deleted := strings.CutSuffix(v, "-")
		_, err := st.Put(t.Context(), one(name, value), store.AnyVersion)
		noError(t, err)
		if deleted {
			noError(t, st.Delete(t.Context(), name))
		}
	}
}

// valuesOf are the versions that a store has of a secret, as fill takes them; "gone" for
// those whose values it does not give.
func valuesOf(t testing.TB, st store.Store, name string) string {
	t.Helper()
	infos, err := st.History(t.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	noError(t, err)
	slices.Reverse(infos)
	var out []string
	for _, info := range infos {
		text := "gone"
		if rec, err := getAny(t.Context(), st, info); err != nil {
			t.Fatal(err)
		} else if rec != nil {
			text = rec.Secret.Values["k"].Reveal()
		}
		if info.Deleted {
			text += "-"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// export returns a backup of a store, encrypted to the key of another one.
func export(t testing.TB, from store.Store, to ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := over(from).Export(t.Context(), &b, to, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// key is one for tests, and its file.
func key(t testing.TB) (*age.X25519Identity, string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	path := filepath.Join(t.TempDir(), "key.txt")
	noError(t, os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	return id, path
}

// restore imports a backup into a store.
func restore(t testing.TB, st store.Store, data []byte, identity string, overwrite bool) ([]Step, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(path, data, 0o600))
	b := over(st)
	f, err := b.Open(t.Context(), path, identity)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	steps, err := b.Plan(t.Context(), f, overwrite)
	if err != nil {
		return nil, err
	}
	return b.Import(t.Context(), f, steps)
}

// All that belongs to a secret comes back, of every version.
func TestEverythingComesBack(t *testing.T) {
	ctx := t.Context()
	from, to := localStore(t), localStore(t)
	full := &secret.Secret{
		Name: "aws/prod%20eu", Provider: "aws", Profile: "prod eu\xff",
		Values:  secret.Values{"access_key": secret.NewValue("FAKE <&>\u2028"), "binary": secret.NewValue("\x00\xff\n"), "empty": secret.NewValue("")},
		Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/.aws/credentials", Own: true}, {Kind: secret.SourceEnv, Var: "FAKE"}},
		Expires: time.Date(2031, 1, 2, 3, 4, 5, 6, time.UTC),
	}
	_, err := from.Put(ctx, full, 0)
	noError(t, err)
	fill(t, from, full.Name, "FAKE2")
	fill(t, from, "name \xff", "FAKE1-", "FAKE2", "FAKE3")
	fill(t, from, "none", "FAKE1", "FAKE2-")
	long := strings.Repeat("é", 200)
	fill(t, from, long, strings.Repeat("FAKE", 100_000))
	_, err = from.Put(ctx, &secret.Secret{Name: "no values"}, 0)
	noError(t, err)

	b := over(from)
	recipients, err := b.ChoosePassphrase("b.age", false)
	noError(t, err)
	var data bytes.Buffer
	var read []string
	b.Records.Read = func(url string, infos []store.Info) {
		for _, i := range infos {
			read = append(read, url+" "+i.Name)
		}
	}
	out, err := b.Export(ctx, &data, recipients, false)
	if err != nil || out.Secrets != 5 || out.Versions != 9 || out.Gone != 0 || len(out.Failed) != 0 || out.Store != "local" {
		t.Fatalf("%+v, %v", out, err)
	}
	if len(read) != 5 || read[0] != "local aws/prod%20eu" {
		t.Errorf("noted as read: %q", read)
	}
	for _, hidden := range []string{"FAKE", "aws"} {
		if bytes.Contains(data.Bytes(), []byte(hidden)) {
			t.Errorf("the backup shows %q", hidden)
		}
	}
	steps, err := restore(t, to, data.Bytes(), "", false)
	noError(t, err)
	for _, s := range steps {
		if s.Err != nil || s.Action != provider.Created || s.After != 0 {
			t.Errorf("%+v", s)
		}
	}
	names, err := from.AllNames(ctx)
	noError(t, err)
	if got, err := to.AllNames(ctx); err != nil || !slices.Equal(got, names) {
		t.Errorf("names %q, not %q: %v", got, names, err)
	}
	for _, name := range names {
		was, err := from.History(ctx, name)
		noError(t, err)
		is, err := to.History(ctx, name)
		noError(t, err)
		if len(was) != len(is) {
			t.Fatalf("%q has %d versions, not %d", name, len(is), len(was))
		}
		for i := range was {
			if was[i].Version != is[i].Version || was[i].Deleted != is[i].Deleted || was[i].Provider != is[i].Provider {
				t.Errorf("%+v, not %+v", is[i], was[i])
			}
			want, err := getAny(ctx, from, was[i])
			noError(t, err)
			got, err := getAny(ctx, to, is[i])
			noError(t, err)
			if !reflect.DeepEqual(got.Secret, want.Secret) {
				t.Errorf("%q version %d has changed", name, is[i].Version)
			}
		}
	}
	// Once more, there is nothing to do.
	steps, err = restore(t, to, data.Bytes(), "", false)
	noError(t, err)
	for _, s := range steps {
		if s.Action != provider.Unchanged || s.Err != nil {
			t.Errorf("again: %+v", s)
		}
	}
}

// What becomes of a secret, by what the backup has and what the store has.
func TestPlan(t *testing.T) {
	for _, c := range []struct{ backup, store, action, after, overwritten string }{
		{"A B C", "", "created", "A B C", ""},
		{"A B-", "", "created", "A B-", ""},
		{"A- B", "", "created", "A- B", ""},
		{"A", "A", "unchanged", "A", ""},
		{"A B", "X B", "unchanged", "X B", ""},
		{"A B", "A B C B", "unchanged", "A B C B", ""},
		{"A B", "A", "updated", "A B", ""}, // an import that did not end
		{"A B- C", "A", "updated", "A B- C", ""},
		{"A B- C", "A B", "updated", "A B- C", ""}, // it ended before the deletion
		{"A B- C", "A B-", "updated", "A B- C", ""},
		{"A B- C-", "A B-", "updated", "A B- C-", ""},
		{"A B C", "A X", "conflict", "A X", "A X C"},
		{"A B C", "B", "conflict", "B", "B C"},
		{"A B", "A B A", "conflict", "A B A", "A B A B"}, // somebody rolled it back
		{"A B C", "A- X", "conflict", "A- X", "A- X C"},
		{"A B- C D", "A X-", "created", "A X- D", ""},
		{"A", "B", "conflict", "B", "B A"},
		{"A", "A-", "created", "A- A", ""}, // deleted in the store since
		{"A B", "A-", "created", "A- B", ""},
		{"A B", "X Y-", "created", "X Y- B", ""},
		{"A-", "A-", "unchanged", "A-", ""},
		{"A-", "X-", "unchanged", "X-", ""},
		{"A-", "A", "conflict", "A", "A-"}, // brought back since: it stays
		{"A B-", "X", "conflict", "X", "X-"},
	} {
		t.Run(c.backup+" to "+c.store, func(t *testing.T) {
			from := localStore(t)
			fill(t, from, "s", strings.Fields(c.backup)...)
			id, path := key(t)
			data := export(t, from, id.Recipient())
			for _, overwrite := range []bool{false, true} {
				to := localStore(t)
				fill(t, to, "s", strings.Fields(c.store)...)
				steps, err := restore(t, to, data, path, overwrite)
				noError(t, err)
				action, after := c.action, c.after
				if overwrite && action == "conflict" {
					action, after = "updated", c.overwritten
				}
				if s := steps[0]; len(steps) != 1 || s.Name != "s" || string(s.Action) != action || (s.Err != nil) != (action == "conflict") || s.Differs != (c.action == "conflict") {
					t.Errorf("overwrite %v: %+v", overwrite, steps)
				}
				if got := valuesOf(t, to, "s"); got != after {
					t.Errorf("overwrite %v: the store has %q, not %q", overwrite, got, after)
				}
				infos, err := to.History(t.Context(), "s")
				noError(t, err)
				if s := steps[0]; s.Action != provider.Conflict && (s.Version != infos[0].Version || s.Deleted != infos[0].Deleted) {
					t.Errorf("overwrite %v: it says version %d, deleted %v; the store has %+v", overwrite, s.Version, s.Deleted, infos[0])
				}
				if s := steps[0]; s.Err != nil && !strings.HasPrefix(fault.Hint(s.Err), "--overwrite ") {
					t.Errorf("no hint: %v", s.Err)
				}
				if s := steps[0]; s.Differs && !s.Deleted && !slices.Equal(s.Keys, []string{"k"}) {
					t.Errorf("the keys that differ: %q", s.Keys)
				}
			}
		})
	}
}

// A provider or profile that differs is a difference as well.
func TestOtherProvider(t *testing.T) {
	from, to := localStore(t), localStore(t)
	fill(t, from, "s", "A")
	_, err := to.Put(t.Context(), &secret.Secret{Name: "s", Provider: "aws", Values: one("s", "A").Values}, 0)
	noError(t, err)
	id, path := key(t)
	steps, err := restore(t, to, export(t, from, id.Recipient()), path, false)
	if err != nil || steps[0].Action != provider.Conflict {
		t.Errorf("%+v, %v", steps, err)
	}
}

// dying is a store that can be written so many times, and then no more.
type dying struct {
	store.Store
	left atomic.Int64
}

func (d *dying) Under() store.Store { return d.Store }

var errDied = errors.New("no more writes")

func (d *dying) write() error {
	if d.left.Add(-1) < 0 {
		return errDied
	}
	return nil
}

func (d *dying) Put(ctx context.Context, s *secret.Secret, expect int) (int, error) {
	if err := d.write(); err != nil {
		return 0, err
	}
	return d.Store.Put(ctx, s, expect)
}

func (d *dying) Delete(ctx context.Context, name string) error {
	if err := d.write(); err != nil {
		return err
	}
	return d.Store.Delete(ctx, name)
}

// Ended at any write, an import is continued by another one. Only where the last write
// would have been to delete the newest version does that take --overwrite: it looks as
// if somebody had brought the secret back.
func TestAnImportGoesOn(t *testing.T) {
	from := localStore(t)
	secrets := map[string]string{"a": "A B C", "b": "A- B- C", "c": "A A A", "d": "A B-", "e": "A-"}
	for name, values := range secrets {
		fill(t, from, name, strings.Fields(values)...)
	}
	id, path := key(t)
	data := export(t, from, id.Recipient())
	const writes = 3 + 5 + 3 + 3 + 2
	for n := range writes + 1 {
		to := localStore(t)
		dies := &dying{Store: to}
		dies.left.Store(int64(n))
		steps, err := restore(t, dies, data, path, false)
		noError(t, err)
		failed := 0
		for _, s := range steps {
			if errors.Is(s.Err, errDied) {
				failed++
			}
		}
		if (failed == 0) != (n == writes) {
			t.Errorf("after %d writes %d secrets have failed", n, failed)
		}
		steps, err = restore(t, to, data, path, false)
		noError(t, err)
		for _, s := range steps {
			if s.Err != nil && (s.Action != provider.Conflict || !s.Deleted) {
				t.Errorf("after %d writes: %+v", n, s)
			}
		}
		_, err = restore(t, to, data, path, true)
		noError(t, err)
		for name, want := range secrets {
			got := valuesOf(t, to, name)
			// Of equal versions nobody knows which is there.
			if name == "c" && got != "" && strings.Trim(got, "A ") == "" {
				continue
			}
			if got != want {
				t.Errorf("after %d writes and another import: %s is %q, not %q", n, name, got, want)
			}
		}
	}
}

// Several imports of one backup at once, all planned before the first begins, add each
// version once.
func TestImportsAtOnce(t *testing.T) {
	from, to := localStore(t), localStore(t)
	const versions = "A- B- C- D"
	for i := range 4 {
		fill(t, from, fmt.Sprint("s", i), strings.Fields(versions)...)
	}
	id, keyFile := key(t)
	path, lock := filepath.Join(t.TempDir(), "b.age"), filepath.Join(t.TempDir(), "lock")
	noError(t, os.WriteFile(path, export(t, from, id.Recipient()), 0o600))
	var imports []func()
	for range 4 {
		b := over(to)
		b.Lock = func(ctx context.Context) (func() error, error) { return ownfile.Lock(ctx, lock) }
		f, err := b.Open(t.Context(), path, keyFile)
		noError(t, err)
		defer f.Close()
		steps, err := b.Plan(t.Context(), f, false)
		noError(t, err)
		imports = append(imports, func() {
			steps, err := b.Import(t.Context(), f, steps)
			if err != nil {
				t.Error(err)
			}
			for _, s := range steps {
				if s.Err != nil || s.Action != provider.Created && s.Action != provider.Unchanged {
					t.Errorf("%+v", s)
				}
			}
		})
	}
	var all sync.WaitGroup
	for _, do := range imports {
		all.Go(do)
	}
	all.Wait()
	for i := range 4 {
		if got := valuesOf(t, to, fmt.Sprint("s", i)); got != versions {
			t.Errorf("there is %q, not %q", got, versions)
		}
	}
}

// A save by somebody else between plan and import is not lost.
func TestSomebodySavesMeanwhile(t *testing.T) {
	from := localStore(t)
	fill(t, from, "a", "A")
	fill(t, from, "b", "A", "B")
	fill(t, from, "c", "A")
	id, keyFile := key(t)
	path := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(path, export(t, from, id.Recipient()), 0o600))
	to := localStore(t)
	fill(t, to, "b", "A")
	fill(t, to, "c", "X")
	b := over(to)
	f, err := b.Open(t.Context(), path, keyFile)
	noError(t, err)
	defer f.Close()
	steps, err := b.Plan(t.Context(), f, true)
	noError(t, err)
	for _, name := range []string{"a", "b", "c"} {
		fill(t, to, name, "NEW")
	}
	steps, err = b.Import(t.Context(), f, steps)
	noError(t, err)
	for _, s := range steps {
		if s.Action != provider.Failed || !errors.Is(s.Err, store.ErrConflict) {
			t.Errorf("%+v", s)
		}
		if rec, err := to.Get(t.Context(), s.Name, 0); err != nil || rec.Secret.Values["k"].Reveal() != "NEW" {
			t.Errorf("%s was replaced: %v", s.Name, err)
		}
	}
}

// A file that changes while it is imported ends the import.
func TestTheFileChangesMeanwhile(t *testing.T) {
	from := localStore(t)
	fill(t, from, "a", strings.Repeat("A", 100_000))
	id, keyFile := key(t)
	path := filepath.Join(t.TempDir(), "b.age")
	data := export(t, from, id.Recipient())
	noError(t, os.WriteFile(path, data, 0o600))
	to := localStore(t)
	b := over(to)
	f, err := b.Open(t.Context(), path, keyFile)
	noError(t, err)
	defer f.Close()
	steps, err := b.Plan(t.Context(), f, false)
	noError(t, err)
	noError(t, os.WriteFile(path, make([]byte, len(data)), 0o600))
	steps, err = b.Import(t.Context(), f, steps)
	if err != nil || steps[0].Action != provider.Failed || !strings.Contains(steps[0].Err.Error(), "has changed since it was opened") {
		t.Errorf("%+v, %v", steps, err)
	}
	if got := valuesOf(t, to, "a"); got != "" {
		t.Errorf("the store has something of it")
	}
}

// A backup that was altered anywhere, cut anywhere or made longer is refused.
func TestDamaged(t *testing.T) {
	from, to := localStore(t), localStore(t)
	fill(t, from, "a", "A", "B")
	id, path := key(t)
	data := export(t, from, id.Recipient())
	refused := func(what string, data []byte) {
		t.Helper()
		if steps, err := restore(t, to, data, path, true); err == nil {
			t.Errorf("%s: %+v", what, steps)
		} else if strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range data {
		changed := slices.Clone(data)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d of %d changed", i, len(data)), changed)
		refused(fmt.Sprintf("cut at %d of %d", i, len(data)), data[:i])
	}
	refused("a byte more", append(slices.Clone(data), 0))
	refused("twice", append(slices.Clone(data), data...))
	if infos, err := to.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("the store has %v, %v", infos, err)
	}
	// Longer than a piece of age's.
	fill(t, from, "a", strings.Repeat("C", 200_000))
	data = export(t, from, id.Recipient())
	for _, n := range []int{len(data) - 64<<10, len(data) - 1} {
		refused("a long one that is cut", data[:n])
	}
	middle := slices.Clone(data)
	middle[100_000] ^= 1
	refused("a long one that was changed in its middle", middle)
}

func TestOpen(t *testing.T) {
	from, to := localStore(t), localStore(t)
	fill(t, from, "a", "A")
	mine, _ := key(t)
	_, otherFile := key(t)
	data := export(t, from, mine.Recipient())
	for what, c := range map[string]struct {
		data           []byte
		identity, want string
	}{
		"another key":           {data, otherFile, "it is encrypted to another key than yours"},
		"no key":                {data, "", "is encrypted to a key, and there is none on this machine"},
		"a key that is away":    {data, otherFile + "2", "no such file"},
		"not encrypted":         {[]byte(`{"rhx_backup":1}` + "\n"), otherFile, "it is not a backup of rhx, which is an age file"},
		"empty":                 {nil, otherFile, "it is not a backup of rhx, which is an age file"},
		"a header of others":    {[]byte(ageIntro + "FAKE\n"), otherFile, "it was altered, or is damaged"},
		"armored":               {[]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), otherFile, "it is armored"},
		"an age file of others": {sealed(t, "hello\n", mine.Recipient()), keyFile(t, mine), "it is not a backup of rhx"},
	} {
		if _, err := restore(t, to, c.data, c.identity, false); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%s: %v", what, err)
		}
	}
	b := over(to)
	if _, err := b.Open(t.Context(), t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "is not a plain file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := b.Open(t.Context(), filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(path, data, 0o600))
	if _, err := b.Open(ctx, path, keyFile(t, mine)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// keyFile writes a key into a file.
func keyFile(t testing.TB, id *age.X25519Identity) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.txt")
	noError(t, os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	return path
}

// sealed encrypts text.
func sealed(t testing.TB, text string, to age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	noError(t, err)
	_, err = io.WriteString(w, text)
	noError(t, err, w.Close())
	return b.Bytes()
}

// The key of the local store opens what is encrypted to it.
func TestTheLocalKeyOpens(t *testing.T) {
	id, path := key(t)
	from, to := localStore(t), agestore.Open(agestore.Options{Dir: t.TempDir(), Identity: path})
	fill(t, from, "a", "A")
	if _, err := restore(t, to, export(t, from, id.Recipient()), "", false); err != nil {
		t.Fatal(err)
	}
	if got := valuesOf(t, to, "a"); got != "A" {
		t.Errorf("%q", got)
	}
}

// A passphrase: three tries, never an endless question, and no more work than is sane.
func TestPassphrase(t *testing.T) {
	st := localStore(t)
	fill(t, st, "a", "A")
	answers := func(b *Backup, texts ...string) *int {
		asked := 0
		b.Asking.Passphrase = func(string) (string, error) {
			asked++
			if len(texts) == 0 {
				return "", errors.New("nobody is there")
			}
			text := texts[0]
			texts = texts[1:]
			return text, nil
		}
		return &asked
	}
	b := over(st)
	answers(b, "one", "two")
	if _, err := b.ChoosePassphrase("b.age", true); err == nil || !strings.Contains(err.Error(), "the two passphrases differ: no backup was written") {
		t.Error(err)
	}
	answers(b, "", "")
	if _, err := b.ChoosePassphrase("b.age", true); err == nil || !strings.Contains(err.Error(), "is empty: no backup was written") {
		t.Error(err)
	}
	answers(b, "Summer2026", "Summer2026")
	if _, err := b.ChoosePassphrase("b.age", false); err == nil || !strings.Contains(err.Error(), "too weak") || !strings.Contains(err.Error(), "a copy of the backup") || !strings.Contains(err.Error(), "no backup was written") {
		t.Error(err)
	}
	answers(b, "Summer2026", "Summer2026")
	to, err := b.ChoosePassphrase("b.age", true)
	noError(t, err)
	data := export(t, st, to...)
	path := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(path, data, 0o600))

	asked := answers(b, "wrong", "wrong", "Summer2026")
	if _, err := b.Open(t.Context(), path, ""); !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "wrong passphrase for the backup "+path) || *asked != 2 {
		t.Errorf("asked %d times: %v", *asked, err)
	}
	answers(b, "wrong", "", "Summer2026")
	f, err := b.Open(t.Context(), path, "")
	noError(t, err)
	noError(t, f.Close())
	answers(b)
	if _, err := b.Open(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), "nobody is there") {
		t.Error(err)
	}
	// A work factor of 2^21 would be 2 GiB of memory.
	hostile := bytes.Replace(data, []byte(" 2\n"), []byte(" 21\n"), 1)
	noError(t, os.WriteFile(path, hostile, 0o600))
	answers(b, "Summer2026")
	if _, err := b.Open(t.Context(), path, ""); err == nil || !strings.Contains(err.Error(), "work factor") {
		t.Error(err)
	}
}

// broken is a store that cannot read some versions.
type broken struct {
	store.Store
	refuse func(name string, version int) error
	// history refuses the history of a secret.
	history string
}

func (b *broken) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	if err := b.refuse(name, version); err != nil {
		return nil, err
	}
	return b.Store.Get(ctx, name, version)
}

func (b *broken) History(ctx context.Context, name string) ([]store.Info, error) {
	if name == b.history {
		return nil, errors.New("no history")
	}
	return b.Store.History(ctx, name)
}

func TestIncomplete(t *testing.T) {
	st := localStore(t)
	fill(t, st, "a", "A", "B")
	fill(t, st, "b", "A")
	fill(t, st, "c", "A-", "B")
	id, path := key(t)
	bad := &broken{Store: st, refuse: func(name string, version int) error {
		if name == "a" && version == 2 || name == "b" {
			return errors.New("cannot be read")
		}
		return nil
	}}
	var data bytes.Buffer
	out, err := over(bad).Export(t.Context(), &data, []age.Recipient{id.Recipient()}, false)
	if !errors.Is(err, ErrIncomplete) || len(out.Failed) != 2 || out.Failed[0].What != "a version 2" || out.Failed[1].What != "b version 1" || !strings.Contains(fault.Hint(err), "--partial") {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := restore(t, localStore(t), data.Bytes(), path, false); err == nil {
		t.Error("what was written opens")
	}
	data.Reset()
	// This store gives no values of what is deleted.
	out, err = over(bad).Export(t.Context(), &data, []age.Recipient{id.Recipient()}, true)
	if err != nil || len(out.Failed) != 2 || out.Secrets != 2 || out.Versions != 2 || out.Gone != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	to := localStore(t)
	b := over(to)
	file := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(file, data.Bytes(), 0o600))
	f, err := b.Open(t.Context(), file, path)
	noError(t, err)
	defer f.Close()
	if !slices.Equal(f.Missing, []string{"a version 2", "b version 1"}) || f.Len() != 2 || f.Store != "local" || time.Since(f.Created) > time.Hour {
		t.Errorf("%+v", f)
	}
	noHistory := &broken{Store: st, refuse: func(string, int) error { return nil }, history: "a"}
	if out, err := over(noHistory).Export(t.Context(), io.Discard, nil, false); !errors.Is(err, ErrIncomplete) || out.Failed[0].What != "a" {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := over(noHistory).Export(t.Context(), io.Discard, []age.Recipient{id.Recipient()}, true); err != nil || out.Failed[0].What != "a" || out.Secrets != 2 {
		t.Errorf("%+v, %v", out, err)
	}
	// Nothing that can be read is no backup, not even a partial one.
	nothing := &broken{Store: st, refuse: func(string, int) error { return errors.New("cannot be read") }}
	if _, err := over(nothing).Export(t.Context(), io.Discard, []age.Recipient{id.Recipient()}, true); !errors.Is(err, ErrIncomplete) {
		t.Error(err)
	}
	// A store that is away is one error.
	away := &broken{Store: st, refuse: func(string, int) error { return fmt.Errorf("%w: it is away", store.ErrUnavailable) }}
	if _, err := over(away).Export(t.Context(), io.Discard, []age.Recipient{id.Recipient()}, true); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	// An empty one is no backup: it would take the place of a good one.
	if _, err := over(localStore(t)).Export(t.Context(), io.Discard, []age.Recipient{id.Recipient()}, true); err == nil || !strings.Contains(err.Error(), "has no secrets: no backup was written") {
		t.Error(err)
	}
	deleted := localStore(t)
	fill(t, deleted, "a", "A-")
	if _, err := over(&named{deleted}).Export(t.Context(), io.Discard, []age.Recipient{id.Recipient()}, true); err == nil || !strings.Contains(err.Error(), "has no secrets: no backup was written") {
		t.Errorf("only what is deleted: %v", err)
	}
	full := errors.New("disk full")
	if _, err := over(st).Export(t.Context(), failingWriter{full}, []age.Recipient{id.Recipient()}, true); !errors.Is(err, full) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := over(st).Export(ctx, io.Discard, []age.Recipient{id.Recipient()}, true); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// Deleted versions without values keep the others in their places; a secret that has
// nothing else is not in the backup.
func TestWithoutDeletedValues(t *testing.T) {
	st := localStore(t)
	fill(t, st, "a", "A", "B-")
	fill(t, st, "b", "A-", "B-", "C", "D-", "E")
	fill(t, st, "c", "A-", "B-")
	var data bytes.Buffer
	id, path := key(t)
	out, err := over(struct{ store.Store }{&named{st}}).Export(t.Context(), &data, []age.Recipient{id.Recipient()}, false)
	if err != nil || out.Secrets != 1 || out.Gone != 3 || out.Versions != 2 {
		t.Fatalf("a store that lists what is not deleted: %+v, %v", out, err)
	}
	data.Reset()
	out, err = over(&named{st}).Export(t.Context(), &data, []age.Recipient{id.Recipient()}, false)
	if err != nil || out.Secrets != 2 || out.Gone != 6 || out.Versions != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	to := localStore(t)
	_, err = restore(t, to, data.Bytes(), path, false)
	noError(t, err)
	for name, want := range map[string]string{"a": "A-", "b": "C E", "c": ""} {
		if got := valuesOf(t, to, name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

// named is a store that names its secrets and gives no values of what is deleted.
type named struct{ store.Store }

func (n *named) Names(ctx context.Context) ([]string, error) {
	return n.Store.(store.Archive).AllNames(ctx)
}

func TestRecipients(t *testing.T) {
	id, keyFile := key(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		noError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	ssh := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVSnBOAQaHWVkXnwkYZv5nZTwfPbzLfbp2xG2JoyeNP a, b"
	list := write("list", "# mine\n\n"+id.Recipient().String()+"\n"+ssh+"\n")
	if to, err := Recipients([]string{id.Recipient().String(), ssh, list}); err != nil || len(to) != 4 {
		t.Errorf("%d, %v", len(to), err)
	}
	if to, err := Recipients(nil); err != nil || to != nil {
		t.Errorf("%v, %v", to, err)
	}
	for _, bad := range []string{id.String(), strings.ToLower(id.String()), "-----BEGIN OPENSSH PRIVATE KEY-----", "age1x", "ssh-x", keyFile, write("empty", "#\n"), filepath.Join(dir, "none"), dir, ""} {
		_, err := Recipients([]string{bad})
		if err == nil || fault.KindOf(err) != fault.Usage || strings.Contains(strings.ToUpper(err.Error()), "AGE-SECRET-KEY-1") {
			t.Errorf("%.12s: %v", bad, err)
		}
	}
}

func TestFree(t *testing.T) {
	dir := t.TempDir()
	there, link, dangling := filepath.Join(dir, "there"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	noError(t, os.WriteFile(there, nil, 0o600), os.Symlink(there, link), os.Symlink(filepath.Join(dir, "x"), dangling), os.MkdirAll(filepath.Join(dir, "own", "deep"), 0o700))
	own := []string{filepath.Join(dir, "own"), filepath.Join(dir, "absent")}
	for _, c := range []struct {
		path         string
		overwrite    bool
		want, refuse string
	}{
		{filepath.Join(dir, "new"), false, filepath.Join(dir, "new"), ""},
		{there, false, "", "is there already"},
		{there, true, there, ""},
		{link, false, "", "is there already"},
		{link, true, there, ""},
		{dangling, true, "", "no such file"},
		{dir, true, "", "is not a plain file"},
		{filepath.Join(dir, "none", "b"), true, "", "no such file"},
		{filepath.Join(dir, "own", "b"), false, "", "rhx's own"},
		{filepath.Join(dir, "own", "deep", "b"), false, "", "rhx's own"},
		{filepath.Join(dir, "owner"), false, filepath.Join(dir, "owner"), ""},
	} {
		got, err := Free(c.path, c.overwrite, own...)
		if got != c.want || (err == nil) != (c.refuse == "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
			t.Errorf("%s: %q, %v", c.path, got, err)
		}
	}
	if _, err := Free(there, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("not as one that is there: %v", err)
	}
}

// What fails in the store while a backup is compared or imported is said of the secret,
// or of the store where it is away; it never reads as a secret that is not there.
func TestTheStoreFails(t *testing.T) {
	ctx := t.Context()
	from := localStore(t)
	fill(t, from, "s", "A", "B-", "C")
	id, keyPath := key(t)
	data := export(t, from, id.Recipient())
	one := func(st store.Store, want, after string) {
		t.Helper()
		steps, err := restore(t, st, data, keyPath, true)
		if err != nil || len(steps) != 1 || steps[0].Action != provider.Failed || steps[0].Err == nil || !strings.Contains(steps[0].Err.Error(), want) {
			t.Errorf("%s: %+v, %v", want, steps, err)
		}
		if s, ok := st.(interface{ Under() store.Store }); ok {
			st = s.Under()
		}
		if got := valuesOf(t, st, "s"); got != after {
			t.Errorf("%s: the store has %q, not %q", want, got, after)
		}
	}
	refuse := func(at int, err error) func(string, int) error {
		return func(_ string, version int) error {
			if version == at {
				return err
			}
			return nil
		}
	}
	for _, c := range []struct {
		refuse  func(string, int) error
		history string
		want    string
	}{
		{refuse(0, errors.New("no values")), "", "no values"},
		{refuse(1, errors.New("not the first")), "", "not the first"},
		{refuse(9, nil), "s", "no history"},
	} {
		to := localStore(t)
		fill(t, to, "s", "A")
		one(&under{broken{Store: to, refuse: c.refuse, history: c.history}}, c.want, "A")
	}
	away := fmt.Errorf("%w: it is away", store.ErrUnavailable)
	if _, err := restore(t, &under{broken{Store: localStore(t), refuse: refuse(0, away)}}, data, keyPath, false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a store that is away: %v", err)
	}
	// The deletion that is still to come, that of a version between, and the last one.
	to := localStore(t)
	fill(t, to, "s", "A", "B")
	one(&dying{Store: to}, errDied.Error(), "A B")
	to = localStore(t)
	dies := &dying{Store: to}
	dies.left.Store(2)
	one(dies, "version 2 is saved, and is not deleted as in the backup: "+errDied.Error(), "A B")

	path := filepath.Join(t.TempDir(), "b.age")
	noError(t, os.WriteFile(path, data, 0o600))
	b := over(to)
	f, err := b.Open(ctx, path, keyPath)
	noError(t, err)
	defer f.Close()
	steps, err := b.Plan(ctx, f, false)
	noError(t, err)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Plan(ended, f, false); !errors.Is(err, context.Canceled) {
		t.Errorf("a plan that is interrupted: %v", err)
	}
	fill(t, from, "t", "A")
	if steps, err := b.Import(ended, f, steps); err != nil || !errors.Is(steps[0].Err, context.Canceled) {
		t.Errorf("an import that is interrupted: %+v, %v", steps, err)
	}
	closed := errors.New("no such store")
	b = over(to)
	b.Records.Open = func(context.Context) (store.Store, error) { return nil, closed }
	_, err1 := b.Plan(ctx, f, false)
	_, err2 := b.Import(ctx, f, steps)
	_, err3 := b.Export(ctx, io.Discard, nil, false)
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, closed) {
			t.Errorf("no store: %v", err)
		}
	}
}

// under is a broken store that tells what it stands before.
type under struct{ broken }

func (u *under) Under() store.Store { return u.Store }

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for name, text := range map[string]string{
		".new-123": ageIntro + "left", ".new-124": "somebody's", ".new-125": "age", ".new-x1": ageIntro, ".new-": ageIntro, "backup.age": ageIntro, ".new-young": ageIntro,
	} {
		path := filepath.Join(dir, name)
		noError(t, os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, old, old))
	}
	noError(t, os.WriteFile(filepath.Join(dir, ".new-126"), []byte(ageIntro), 0o600), os.Mkdir(filepath.Join(dir, ".new-127"), 0o700), os.Chtimes(filepath.Join(dir, ".new-127"), old, old))
	noError(t, os.Symlink("backup.age", filepath.Join(dir, ".new-128")))
	noError(t, Sweep(dir))
	var names []string
	entries, err := os.ReadDir(dir)
	noError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), ".new- .new-124 .new-125 .new-126 .new-127 .new-128 .new-x1 .new-young backup.age"; got != want {
		t.Errorf("%s are left, not %s", got, want)
	}
}

func TestOpenStream(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	st := localStore(t)
	fill(t, st, "a", "A", "B")
	id, keyFile := key(t)
	data := export(t, st, id.Recipient())
	b := over(localStore(t))
	f, err := b.OpenStream(t.Context(), "the backup", bytes.NewReader(data), keyFile)
	noError(t, err)
	steps, err := b.Plan(t.Context(), f, false)
	if err != nil || len(steps) != 1 || steps[0].Added != 2 {
		t.Errorf("%+v, %v", steps, err)
	}
	noError(t, f.Close())
	if _, err := b.OpenStream(t.Context(), "the backup", bytes.NewReader(data[:len(data)-1]), keyFile); err == nil || !strings.HasPrefix(err.Error(), "the backup: ") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := b.OpenStream(t.Context(), "the backup", errorReader{broken}, keyFile); !errors.Is(err, broken) {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
