package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

var errSealed = errors.New("the store is sealed")

// noStore has the store not open.
func (h *house) noStore() { h.useStore(nil, errSealed) }

// useStore has another store be the one.
func (h *house) useStore(st store.Store, err error) {
	h.Records = &records.Records{Known: h.Specs.Known, Open: func(context.Context) (store.Store, error) { return st, err }}
	h.wire()
}

// strange is a real store of which some answers fail.
type strange struct {
	store.Store
	url                                   string
	get, put, list, del, history, restore error
	names                                 []string

	mu   sync.Mutex
	gets []string
}

func (s *strange) URL() string {
	if s.url != "" {
		return s.url
	}
	return s.Store.URL()
}

func (s *strange) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	s.mu.Lock()
	s.gets = append(s.gets, name)
	s.mu.Unlock()
	if s.get != nil {
		return nil, s.get
	}
	return s.Store.Get(ctx, name, version)
}

func (s *strange) Put(ctx context.Context, sec *secret.Secret, expect int) (int, error) {
	if s.put != nil {
		return 0, s.put
	}
	return s.Store.Put(ctx, sec, expect)
}

func (s *strange) List(ctx context.Context) ([]store.Info, error) {
	if s.list != nil {
		return nil, s.list
	}
	return s.Store.List(ctx)
}

func (s *strange) Delete(ctx context.Context, name string) error {
	if s.del != nil {
		return s.del
	}
	return s.Store.Delete(ctx, name)
}

func (s *strange) History(ctx context.Context, name string) ([]store.Info, error) {
	if s.history != nil {
		return nil, s.history
	}
	return s.Store.History(ctx, name)
}

func (s *strange) Undelete(ctx context.Context, name string, version int) error {
	if s.restore != nil {
		return s.restore
	}
	return s.Store.Undelete(ctx, name, version)
}

func strangeStore(t *testing.T, h *house) *strange {
	t.Helper()
	st := &strange{Store: must(h.Records.Store(ctx))(t)}
	h.useStore(st, nil)
	return st
}

func copied(list []exchange.Copied) string {
	var out []string
	for _, c := range list {
		line := fmt.Sprintf("%s to %s %s %d", c.Name, c.Saved.Name, c.Action, c.Version)
		if c.Moved {
			line += " moved"
		}
		if c.Err != nil {
			line += ": " + c.Err.Error()
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// A secret under another name in the same store: its provider and profile go along, as
// far as the new name does not say another profile.
func TestCopy(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws/prod", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "db", "k", "old")
	keep(t, h, "db", "k", "v")
	do := func(opts exchange.CopyOptions) string {
		t.Helper()
		return copied(must(h.Exchange.Copy(ctx, opts))(t))
	}
	same(t, "own name", do(exchange.CopyOptions{From: "aws/prod", To: "main"}), "aws/prod to main created 1")
	same(t, "stored", stored(t, h, "main"), "main aws/prod v1 access_key="+akia+" secret_key="+awsKey)
	same(t, "a profile", do(exchange.CopyOptions{From: "aws/prod", To: "aws/x%20y"}), "aws/prod to aws/x%20y created 1")
	same(t, "stored", stored(t, h, "aws/x%20y"), "aws/x%20y aws/x y v1 access_key="+akia+" secret_key="+awsKey)
	same(t, "again", do(exchange.CopyOptions{From: "aws/prod", To: "main"}), "aws/prod to main unchanged 1")
	same(t, "other values", do(exchange.CopyOptions{From: "db", To: "main"}), "db to main conflict 0: local has a secret of this name with other values")
	same(t, "overwrite", do(exchange.CopyOptions{From: "db", To: "main", Overwrite: true}), "db to main updated 2")
	same(t, "stored", stored(t, h, "main"), "main / v2 k=v")
	same(t, "bad name", do(exchange.CopyOptions{From: "db", To: "../x"}), `db to ../x failed 0: secret name "../x" has an empty, '.' or '..' step`)
	same(t, "move", do(exchange.CopyOptions{From: "db", To: "moved", Move: true}), "db to moved created 1 moved")
	if _, err := h.Records.Get(ctx, "db", 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	same(t, "a move that conflicts", do(exchange.CopyOptions{From: "moved", To: "aws/prod", Move: true}), "moved to aws/prod conflict 0: local has a secret of this name with other values")
	same(t, "stays", stored(t, h, "moved"), "moved / v1 k=v")
	for _, opts := range []exchange.CopyOptions{{From: "moved", To: "moved"}, {From: "moved"}, {All: true}} {
		if out, err := h.Exchange.Copy(ctx, opts); out != nil || !usage(err) || !strings.Contains(hint(err), "--to-store") {
			t.Errorf("%+v: %v, %v", opts, out, err)
		}
	}
	if out, err := h.Exchange.Copy(ctx, exchange.CopyOptions{From: "nope", To: "x"}); out != nil || err == nil {
		t.Errorf("%v, %v", out, err)
	}
	same(t, "cannot delete", func() string {
		strangeStore(t, h).del = store.ErrDenied
		return do(exchange.CopyOptions{From: "moved", To: "m2", Move: true})
	}(), "moved to m2 created 1: copied, and not deleted in local: permission denied by the store")
}

// All secrets to another store, each under its name; one that cannot be read stops no
// other.
func TestCopyAll(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "a", "k", "1")
	keep(t, h, "b", "k", "2")
	odd := &secret.Secret{Name: "aws/q", Provider: "aws", Profile: "another", Values: secret.Values{"k": secret.NewValue("v")}}
	must(must(h.Records.Store(ctx))(t).Put(ctx, odd, 0))(t)
	other := &strange{Store: agestore.Open(agestore.Options{Dir: t.TempDir()}), url: "vault://secret/x"}
	same(t, "all", copied(must(h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other}))(t)), "a to a created 1\naws/q to aws/q created 1\nb to b created 1")
	if rec, err := other.Store.Get(ctx, "aws/q", 0); err != nil || rec.Secret.Profile != "another" {
		t.Errorf("%+v, %v", rec, err)
	}
	same(t, "one", copied(must(h.Exchange.Copy(ctx, exchange.CopyOptions{From: "a", Store: other, Move: true}))(t)), "a to a unchanged 1 moved")
	if rec, err := other.Store.Get(ctx, "b", 0); err != nil || rec.Secret.Values["k"].Reveal() != "2" {
		t.Errorf("%+v, %v", rec, err)
	}
	st := strangeStore(t, h)
	st.get = errors.New("this entry is broken")
	same(t, "unreadable", copied(must(h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other}))(t)), "aws/q to aws/q failed 0: this entry is broken\nb to b failed 0: this entry is broken")
	st.get = store.ErrUnavailable
	if out, err := h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other}); out != nil || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v, %v", out, err)
	}
	st.list = store.ErrDenied
	if out, err := h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other}); out != nil || !errors.Is(err, store.ErrDenied) {
		t.Errorf("%v, %v", out, err)
	}
	h.noStore()
	if out, err := h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other}); out != nil || !errors.Is(err, errSealed) {
		t.Errorf("%v, %v", out, err)
	}
}

// partly is a store of which one secret cannot even be told by name.
type partly struct{ store.Store }

var errOneIsBroken = fault.WithKind(errors.New("x/1.age: not an age file"), fault.Partial)

func (p partly) List(ctx context.Context) ([]store.Info, error) {
	infos, err := p.Store.List(ctx)
	return infos, errors.Join(err, errOneIsBroken)
}

// One file of the store that is broken is the error, and stops no other secret.
func TestOneBrokenFileOfTheStore(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	h.useStore(partly{must(h.Records.Store(ctx))(t)}, nil)
	other := &strange{Store: agestore.Open(agestore.Options{Dir: t.TempDir()}), url: "vault://secret/x"}
	out, err := h.Exchange.Copy(ctx, exchange.CopyOptions{All: true, Store: other})
	same(t, "copy", copied(out), "aws to aws created 1")
	if fault.KindOf(err) != fault.Partial || !errors.Is(err, errOneIsBroken) {
		t.Error(err)
	}
	d, err := h.Exchange.PlanDownload(ctx)
	if fault.KindOf(err) != fault.Partial || !errors.Is(err, errOneIsBroken) {
		t.Error(err)
	}
	same(t, "download", loaded(must(h.Exchange.Download(ctx, d, false))(t)), "local aws ~/.aws/credentials created access_key,secret_key")
	if content(m, ".aws/credentials") == "(none)" {
		t.Error("nothing is there")
	}
}

// A save that would bring old values back is a conflict: of a version that the store
// had, or of values that were changed here since another rhx saved.
func TestStaleSave(t *testing.T) {
	h, m := newHost(t)
	machineHas := func(key string) {
		m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, key)), 0o600)
	}
	save := func(overwrite bool) (string, error) {
		t.Helper()
		list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}, Overwrite: overwrite}))(t)
		return saved(list), list[0].Err
	}
	is := func(what, want string) error {
		t.Helper()
		got, err := save(false)
		same(t, what, got, want)
		return err
	}
	machineHas("one")
	is("first", "aws created 1 access_key,secret_key")
	machineHas("two")
	is("newer here", "aws updated 2 secret_key")
	keep(t, h, "aws", "access_key", akia, "secret_key", "three") // by another rhx
	err := is("the store has gone on", "aws conflict 0 secret_key: this machine has version 2, and the store has version 3")
	if !strings.Contains(hint(err), "rhx load aws --overwrite") {
		t.Error(hint(err))
	}
	machineHas("one")
	is("a version before", "aws conflict 0 secret_key: this machine has version 1, and the store has version 3")
	machineHas("by hand")
	err = is("changed in both", "aws conflict 0 secret_key: this machine last had version 2, its values were changed here since, and the store has version 3 by now")
	var stale *exchange.StaleError
	if !errors.As(err, &stale) || stale.Has != 2 || stale.Newest != 3 || !stale.Changed || stale.Name != "aws" {
		t.Errorf("%+v", stale)
	}
	// A token that may not list the versions: what is known of this machine counts.
	st := strangeStore(t, h)
	st.history = store.ErrDenied
	is("without a history", "aws conflict 0 secret_key: this machine last had version 2, its values were changed here since, and the store has version 3 by now")
	st.history = nil
	if got, _ := save(true); got != "aws updated 4 secret_key\n" {
		t.Errorf("with --overwrite: %s", got)
	}
	is("again", "aws unchanged 4")
	machineHas("five")
	is("it is the newest", "aws updated 5 secret_key")
}

// Values that the store never had, on a machine of which nothing is known, are new.
// Versions that were deleted, and those long ago, are not compared.
func TestSaveOfAnUnknownMachine(t *testing.T) {
	h, m := newHost(t)
	for i := range 8 {
		keep(t, h, "openai", "api_key", fmt.Sprintf("sk-fake-fake-fake-fake-%04d", i))
	}
	save := func(key string) string {
		t.Helper()
		m.SetEnv("OPENAI_API_KEY", key)
		return saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"openai"}}))(t))
	}
	same(t, "the fifth before", save("sk-fake-fake-fake-fake-0002"), "openai conflict 0 api_key: this machine has version 3, and the store has version 8")
	same(t, "long ago", save("sk-fake-fake-fake-fake-0001"), "openai updated 9 api_key")
	// What was noted of a store that was made anew says nothing.
	h2, m2 := newHost(t)
	h2.Book = h.Book
	h2.wire()
	keep(t, h2, "openai", "api_key", "another")
	m2.SetEnv("OPENAI_API_KEY", "sk-fake-fake-fake-fake-9999")
	same(t, "another store", saved(must(h2.Exchange.Save(ctx, m2, exchange.SaveOptions{Names: []string{"openai"}}))(t)), "openai updated 2 api_key")
}

// A token that may write and not read: what was there is replaced, which is said.
func TestSaveWithoutReading(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "db", "k", "old")
	st := strangeStore(t, h)
	st.get = store.ErrDenied
	s, err := h.Exchange.SaveSecret(ctx, &secret.Secret{Name: "db", Values: secret.Values{"k": secret.NewValue("new")}})
	if err != nil || s.Action != provider.Updated || s.Version != 2 || !slices.Equal(s.Keys, []string{"k"}) || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "it could not be read first") {
		t.Errorf("%+v, %v", s, err)
	}
	st.put = store.ErrDenied
	s, err = h.Exchange.SaveSecret(ctx, &secret.Secret{Name: "db", Values: secret.Values{"k": secret.NewValue("new")}})
	if !errors.Is(err, store.ErrDenied) || s.Action != provider.Failed || len(s.Notes) != 0 || hint(err) != "" {
		t.Errorf("%+v, %v, %q", s, err, hint(err))
	}
	st.get = errors.New("broken")
	if s, err = h.Exchange.SaveSecret(ctx, &secret.Secret{Name: "db"}); err == nil || s.Action != provider.Failed {
		t.Errorf("%+v, %v", s, err)
	}
	h.noStore()
	if _, err = h.Exchange.SaveSecret(ctx, &secret.Secret{Name: "db"}); !errors.Is(err, errSealed) {
		t.Error(err)
	}
}

func (s *strange) Names(context.Context) ([]string, error) { return s.names, nil }

// Many new secrets are saved without asking for each, and one that is there after all
// is compared.
func TestSaveMany(t *testing.T) {
	h, m := newHost(t)
	var file strings.Builder
	for i := range 40 {
		file.WriteString(awsFile(fmt.Sprintf("p%02d", i), akia, awsKey))
	}
	m.PutFile(home+".aws/credentials", []byte(file.String()), 0o600)
	keep(t, h, "aws/p00", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "aws/p01", "access_key", akia, "secret_key", awsKey)
	st := strangeStore(t, h)
	st.names = []string{"aws/p00"}
	list := must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t)
	count := map[provider.Action]int{}
	for _, s := range list {
		if count[s.Action]++; s.Err != nil || s.Version != 1 {
			t.Errorf("%+v", s)
		}
	}
	if count[provider.Created] != 38 || count[provider.Unchanged] != 2 {
		t.Error(count)
	}
	slices.Sort(st.gets)
	same(t, "asked for", strings.Join(st.gets, " "), "aws/p00 aws/p01")
	st.names, st.put, st.gets = nil, store.ErrUnavailable, nil
	for _, s := range must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t) {
		if s.Action != provider.Failed || !errors.Is(s.Err, store.ErrUnavailable) || s.Keys != nil {
			t.Errorf("%+v", s)
		}
	}
}

// What opens the store is not saved into it.
func TestSaveNotWhatOpensTheStore(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".vault-token", []byte("hvs."+"FAKE"+strings.Repeat("x", 90)), 0o600)
	st := strangeStore(t, h)
	names := func() string {
		t.Helper()
		var out []string
		for _, u := range must(h.Exchange.PlanUpload(ctx, m))(t) {
			out = append(out, u.Found.Name)
		}
		return strings.Join(out, " ")
	}
	same(t, "into a local store", names(), "vault")
	st.url = "vault://secret/x"
	same(t, "into Vault", names(), "")
	same(t, "save --all", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t)), "")
}

func TestRollback(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "db", "k", "one")
	keep(t, h, "db", "k", "two")
	if _, err := h.Exchange.Rollback(ctx, "db", 0); !usage(err) {
		t.Error(err)
	}
	if _, err := h.Exchange.Rollback(ctx, "db", 7); err == nil {
		t.Error("no error")
	}
	s := must(h.Exchange.Rollback(ctx, "db", 1))(t)
	same(t, "saved", saved([]exchange.Saved{s}), "db updated 3 k")
	same(t, "stored", stored(t, h, "db"), "db / v3 k=one")
	// A deleted version is brought back for that.
	must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"db"}, exchange.DeleteOptions{}))(t)
	same(t, "of a deleted one", saved([]exchange.Saved{must(h.Exchange.Rollback(ctx, "db", 3))(t)}), "db unchanged 3")
	must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"db"}, exchange.DeleteOptions{}))(t)
	st := strangeStore(t, h)
	st.put = store.ErrDenied
	if _, err := h.Exchange.Rollback(ctx, "db", 1); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
	st.put, st.restore = nil, store.ErrUnsupported
	if _, err := h.Exchange.Rollback(ctx, "db", 3); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	h.noStore()
	if _, err := h.Exchange.Rollback(ctx, "db", 3); !errors.Is(err, errSealed) {
		t.Error(err)
	}
}

func TestUndelete(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "db", "k", "one")
	keep(t, h, "db", "k", "two")
	if n, err := h.Exchange.Undelete(ctx, "db"); n != 0 || !usage(err) || err.Error() != "db is not deleted: it has version 2" {
		t.Errorf("%d, %v", n, err)
	}
	must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"db"}, exchange.DeleteOptions{}))(t)
	if n, err := h.Exchange.Undelete(ctx, "db"); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	same(t, "stored", stored(t, h, "db"), "db / v2 k=two")
	if n, err := h.Exchange.Undelete(ctx, "nope"); n != 0 || err == nil || !strings.Contains(err.Error(), `no secret "nope"`) {
		t.Errorf("%d, %v", n, err)
	}
	must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"db"}, exchange.DeleteOptions{}))(t)
	st := strangeStore(t, h)
	st.restore = store.ErrUnsupported
	if n, err := h.Exchange.Undelete(ctx, "db"); n != 0 || !errors.Is(err, store.ErrUnsupported) {
		t.Errorf("%d, %v", n, err)
	}
	h.noStore()
	if n, err := h.Exchange.Undelete(ctx, "db"); n != 0 || !errors.Is(err, errSealed) {
		t.Errorf("%d, %v", n, err)
	}
}

// Undo of a deletion brings back the file and the secret in the store; one that somebody
// saved since stays.
func TestUndoOfADeletion(t *testing.T) {
	h, _ := newHost(t)
	mem := h.Local.(*machine.Memory)
	undo := func(opts journal.UndoOptions) (int, string, error) {
		t.Helper()
		last := must(h.Book.LastSession(ctx))(t)
		f := fleet.Fleet{Open: func(place.Place) machine.Machine { return mem }}
		undone, restored, err := h.Exchange.Undo(ctx, last, f, opts)
		return len(undone), strings.Join(restored, " "), err
	}
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "aws/b", "access_key", akia2, "secret_key", awsKey2)
	must(h.Exchange.Load(ctx, place.Here, mem, exchange.LoadOptions{All: true}))(t)
	before := content(mem, ".aws/credentials")
	must(h.Exchange.Delete(ctx, place.Here, mem, []string{"aws", "aws/b"}, exchange.DeleteOptions{Contents: true}))(t)
	keep(t, h, "aws/b", "access_key", akia2, "secret_key", "saved since")
	if n, restored, err := undo(journal.UndoOptions{DryRun: true}); n != 1 || restored != "" || err != nil {
		t.Errorf("%d, %q, %v", n, restored, err)
	}
	if _, err := h.Records.Get(ctx, "aws", 0); err == nil {
		t.Error("a dry run restored")
	}
	if n, restored, err := undo(journal.UndoOptions{}); n != 1 || restored != "aws" || err != nil {
		t.Errorf("%d, %q, %v", n, restored, err)
	}
	same(t, "the file", content(mem, ".aws/credentials"), before)
	same(t, "stored", stored(t, h, "aws"), "aws aws/ v1 access_key="+akia+" secret_key="+awsKey)
	if got := stored(t, h, "aws/b"); !strings.Contains(got, "saved since") {
		t.Error(got)
	}

	// A store that does not bring it back, or does not open.
	must(h.Exchange.Delete(ctx, place.Here, mem, []string{"aws"}, exchange.DeleteOptions{Contents: true}))(t)
	st := strangeStore(t, h)
	st.restore = store.ErrDenied
	if n, restored, err := undo(journal.UndoOptions{}); n != 1 || restored != "" || !errors.Is(err, store.ErrDenied) || !strings.HasPrefix(err.Error(), "bring aws back in the store: ") {
		t.Errorf("%d, %q, %v", n, restored, err)
	}
	st.restore = nil
	must(st.Store.Get(ctx, "aws/b", 0))(t)
	must(h.Exchange.Delete(ctx, place.Here, mem, []string{"aws/b"}, exchange.DeleteOptions{Contents: true, Destroy: true}))(t)
	if last := must(h.Book.LastSession(ctx))(t); last.Command != "load" {
		t.Errorf("what is beyond recovery is kept for undo: %s", last.Command)
	}
}

// Before a file is written it is known that the store opens.
func TestUndoWithoutTheStore(t *testing.T) {
	h, mem := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	must(h.Exchange.Load(ctx, place.Here, mem, exchange.LoadOptions{All: true}))(t)
	must(h.Exchange.Delete(ctx, place.Here, mem, []string{"aws"}, exchange.DeleteOptions{Contents: true}))(t)
	h.noStore()
	last := must(h.Book.LastSession(ctx))(t)
	f := fleet.Fleet{Open: func(place.Place) machine.Machine { return mem }}
	if undone, _, err := h.Exchange.Undo(ctx, last, f, journal.UndoOptions{}); undone != nil || !errors.Is(err, errSealed) {
		t.Errorf("%+v, %v", undone, err)
	}
	same(t, "the file", content(mem, ".aws/credentials"), "(none)")
	// A dry run needs none, and a session that deleted nothing neither.
	if undone, _, err := h.Exchange.Undo(ctx, last, f, journal.UndoOptions{DryRun: true}); len(undone) != 1 || err != nil {
		t.Errorf("%+v, %v", undone, err)
	}
	h, mem = newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	must(h.Exchange.Load(ctx, place.Here, mem, exchange.LoadOptions{All: true}))(t)
	h.noStore()
	if undone, _, err := h.Exchange.Undo(ctx, must(h.Book.LastSession(ctx))(t), fleet.Fleet{Open: func(place.Place) machine.Machine { return mem }}, journal.UndoOptions{}); len(undone) != 1 || err != nil {
		t.Errorf("%+v, %v", undone, err)
	}
}

// What was destroyed since is not there to be brought back; that is no failure of undo.
func TestUndoOfWhatIsDestroyed(t *testing.T) {
	h, mem := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	must(h.Exchange.Load(ctx, place.Here, mem, exchange.LoadOptions{All: true}))(t)
	must(h.Exchange.Delete(ctx, place.Here, mem, []string{"aws"}, exchange.DeleteOptions{Contents: true}))(t)
	if err := must(h.Records.Store(ctx))(t).Destroy(ctx, "aws"); err != nil {
		t.Fatal(err)
	}
	f := fleet.Fleet{Open: func(place.Place) machine.Machine { return mem }}
	undone, restored, err := h.Exchange.Undo(ctx, must(h.Book.LastSession(ctx))(t), f, journal.UndoOptions{})
	if len(undone) != 1 || restored != nil || err != nil {
		t.Errorf("%+v, %q, %v", undone, restored, err)
	}
}
