package records_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// faulty is a store of which some questions fail.
type faulty struct {
	store.Store
	get, list, history map[string]error // by name; "" for all
	names              []string
	namesErr           error
	closed             *atomic.Int32
}

func (f *faulty) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	if err := errors.Join(f.get[name], f.get[""]); err != nil {
		return nil, err
	}
	return f.Store.Get(ctx, name, version)
}

func (f *faulty) List(ctx context.Context) ([]store.Info, error) {
	if err := f.list[""]; err != nil {
		return nil, err
	}
	return f.Store.List(ctx)
}

func (f *faulty) History(ctx context.Context, name string) ([]store.Info, error) {
	if err := f.history[""]; err != nil {
		return nil, err
	}
	return f.Store.History(ctx, name)
}

func (f *faulty) Close() error {
	f.closed.Add(1)
	return f.Store.Close()
}

// naming is a faulty store that names its secrets cheaply.
type naming struct{ *faulty }

func (n naming) Names(context.Context) ([]string, error) { return n.names, n.namesErr }

// newRecords returns records of a real local store that can be made to fail, and how
// often it was opened.
func newRecords(t *testing.T) (*records.Records, *faulty, *int) {
	t.Helper()
	st := &faulty{Store: agestore.Open(agestore.Options{Dir: t.TempDir()}), get: map[string]error{}, list: map[string]error{}, history: map[string]error{}, closed: &atomic.Int32{}}
	opened := 0
	r := &records.Records{Known: func(p string) bool { return p == "openai" }, Open: func(context.Context) (store.Store, error) {
		opened++
		return st, nil
	}}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, st, &opened
}

func put(t *testing.T, st store.Store, name string, values ...string) {
	t.Helper()
	for _, v := range values {
		sec := &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue(v)}}
		if _, err := st.Put(t.Context(), sec, store.AnyVersion); err != nil {
			t.Fatal(err)
		}
	}
}

func text(recs []*store.Record) string {
	var out []string
	for _, r := range recs {
		out = append(out, fmt.Sprintf("%s@%d=%s", r.Info.Name, r.Version, r.Secret.Values["k"].Reveal()))
	}
	return strings.Join(out, " ")
}

// The store is opened when it is needed, once, and closed if it was.
func TestStoreIsOpenedOnce(t *testing.T) {
	r, st, opened := newRecords(t)
	if err := r.Close(); err != nil || *opened != 0 {
		t.Errorf("closed before it was open: %v, opened %d times", err, *opened)
	}
	for range 2 {
		if got, err := r.Store(t.Context()); err != nil || got != store.Store(st) {
			t.Error(got, err)
		}
	}
	if *opened != 1 {
		t.Errorf("opened %d times", *opened)
	}
	if err := r.Close(); err != nil || st.closed.Load() != 1 {
		t.Errorf("%v, closed %d times", err, st.closed.Load())
	}
}

// For no secrets the store is not opened: a bundle of texts needs none.
func TestNoNamesOpenNoStore(t *testing.T) {
	r, _, opened := newRecords(t)
	reads, err := r.ReadMany(t.Context(), nil)
	recs, err2 := r.GetAll(t.Context(), nil)
	those, err3 := r.Those(t.Context(), nil)
	if err := errors.Join(err, err2, err3); err != nil || len(reads)+len(recs)+len(those) != 0 || *opened != 0 {
		t.Errorf("%v, opened %d times", err, *opened)
	}
}

// A store that cannot be opened is an error of everything that asks it, every time.
func TestStoreThatCannotBeOpened(t *testing.T) {
	sealed := errors.New("the store is sealed")
	r := &records.Records{Open: func(context.Context) (store.Store, error) { return nil, sealed }}
	ctx := t.Context()
	for what, ask := range map[string]func() error{
		"Store":    func() error { _, err := r.Store(ctx); return err },
		"List":     func() error { _, err := r.List(ctx); return err },
		"Get":      func() error { _, err := r.Get(ctx, "a", 0); return err },
		"History":  func() error { _, err := r.History(ctx, "a"); return err },
		"ReadMany": func() error { _, err := r.ReadMany(ctx, []string{"a"}); return err },
		"GetAll":   func() error { _, err := r.GetAll(ctx, []string{"a"}); return err },
		"Those":    func() error { _, err := r.Those(ctx, []string{"a"}); return err },
		"All":      func() error { _, err := r.All(ctx); return err },
	} {
		if err := ask(); !errors.Is(err, sealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestGet(t *testing.T) {
	r, st, _ := newRecords(t)
	put(t, st, "db", "old", "new")
	ctx := t.Context()
	for version, want := range map[int]string{0: "db@2=new", 1: "db@1=old"} {
		rec, err := r.Get(ctx, "db", version)
		if err != nil || text([]*store.Record{rec}) != want {
			t.Errorf("version %d: %v, %v", version, rec, err)
		}
	}
	for _, name := range []string{"", "../x", "a//b", "a\n"} {
		if _, err := r.Get(ctx, name, 0); fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: %v", name, err)
		}
	}
	st.get["db"] = store.ErrDenied
	if rec, err := r.Get(ctx, "db", 0); !errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrNotFound) || rec != nil {
		t.Errorf("%v, %v", rec, err)
	}
	infos, err := r.List(ctx)
	if err != nil || len(infos) != 1 || infos[0].Name != "db" {
		t.Errorf("%v, %v", infos, err)
	}
	if infos, err := r.History(ctx, "db"); err != nil || len(infos) != 2 {
		t.Errorf("%v, %v", infos, err)
	}
	if _, err := r.History(ctx, "dbb"); !errors.Is(err, store.ErrNotFound) || fault.Hint(err) != "did you mean db?" {
		t.Errorf("%v", err)
	}
	st.history[""] = store.ErrDenied
	if _, err := r.History(ctx, "db"); !errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// What is not there: which name and store, and what a user can do.
func TestNotFound(t *testing.T) {
	r, st, _ := newRecords(t)
	ctx := t.Context()
	check := func(name string, version int, what, hint string) {
		t.Helper()
		_, err := r.Get(ctx, name, version)
		if !errors.Is(err, store.ErrNotFound) || err.Error() != what || fault.Hint(err) != hint {
			t.Errorf("%s: %v\n%s", name, err, fault.Hint(err))
		}
	}
	check("aws", 0, `no secret "aws" in the local store`, "the store is empty; rhx save --all saves what rhx detect finds")
	put(t, st, "db", "1", "2")
	put(t, st, "old", "1", "2", "3")
	put(t, st, "single", "1")
	check("dbb", 0, `no secret "dbb" in the local store`, "did you mean db?")
	check("openai/x", 0, `no secret "openai/x" in the local store`, "rhx save openai/x saves it from this machine")
	check("something", 0, `no secret "something" in the local store`, "rhx list shows what is there")
	check("db", 7, `no version 7 of "db" in the local store`, "rhx show db lists its versions")
	check("dbb", 7, `no version 7 of "dbb" in the local store`, "did you mean db?")
	for _, name := range []string{"old", "single"} {
		if err := st.Delete(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	check("old", 0, `no secret "old" in the local store`, "it was deleted; rhx undelete old brings it back; rhx get old KEY --version 2 reads the version before")
	check("single", 0, `no secret "single" in the local store`, "it was deleted; rhx undelete single brings it back")
	r.Known = nil
	check("openai/x", 0, `no secret "openai/x" in the local store`, "rhx list shows what is there")
	// Where the store cannot be listed, what is not there is no less so.
	st.list[""], st.history[""] = store.ErrDenied, store.ErrDenied
	check("dbb", 0, `no secret "dbb" in the local store`, "rhx list shows what is there")
}

// Many are read in the order of their names, and what is wrong with one is its own.
func TestReadMany(t *testing.T) {
	r, st, _ := newRecords(t)
	ctx := t.Context()
	put(t, st, "a", "1")
	put(t, st, "b", "2")
	put(t, st, "c", "3")
	st.get["b"] = store.ErrDenied
	reads, err := r.ReadMany(ctx, []string{"c", "nope", "b", "../x", "a"})
	if err != nil || len(reads) != 5 {
		t.Fatal(reads, err)
	}
	for i, want := range []string{"c", "nope", "b", "../x", "a"} {
		if reads[i].Name != want {
			t.Errorf("%d is %s", i, reads[i].Name)
		}
	}
	if got := text([]*store.Record{reads[0].Record, reads[4].Record}); got != "c@1=3 a@1=1" || reads[0].Err != nil || reads[4].Err != nil {
		t.Error(got)
	}
	if !errors.Is(reads[1].Err, store.ErrNotFound) || !errors.Is(reads[2].Err, store.ErrDenied) || fault.KindOf(reads[3].Err) != fault.Usage {
		t.Errorf("%v", reads)
	}

	// GetAll tells all that is missing at once.
	delete(st.get, "b")
	_, err = r.GetAll(ctx, []string{"x", "a", "yy"})
	if err == nil || !strings.Contains(err.Error(), `no secret "x"`) || !strings.Contains(err.Error(), `no secret "yy"`) {
		t.Error(err)
	}
	recs, err := r.GetAll(ctx, []string{"b", "a", "b"})
	if err != nil || text(recs) != "b@1=2 a@1=1 b@1=2" {
		t.Error(text(recs), err)
	}
	if recs, err := r.GetAll(ctx, nil); err != nil || len(recs) != 0 {
		t.Error(recs, err)
	}

	// Those leaves out what is not there, and nothing else.
	those, err := r.Those(ctx, []string{"a", "nope"})
	if err != nil || len(those) != 1 || text([]*store.Record{those["a"]}) != "a@1=1" {
		t.Errorf("%v, %v", those, err)
	}
	st.get["b"] = store.ErrDenied
	if those, err := r.Those(ctx, []string{"a", "b"}); !errors.Is(err, store.ErrDenied) || those != nil {
		t.Errorf("%v, %v", those, err)
	}
}

// A store that is away is one error, and not one for each secret.
func TestUnavailable(t *testing.T) {
	r, st, _ := newRecords(t)
	put(t, st, "a", "1")
	st.get["a"] = fmt.Errorf("vault.example: %w", store.ErrUnavailable)
	if _, err := r.ReadMany(t.Context(), []string{"a", "a"}); !errors.Is(err, store.ErrUnavailable) || strings.Count(err.Error(), "vault.example") != 1 {
		t.Error(err)
	}
	// One answer shows that it is there.
	if reads, err := r.ReadMany(t.Context(), []string{"a", "b"}); err != nil || !errors.Is(reads[0].Err, store.ErrUnavailable) {
		t.Error(reads, err)
	}
	first := fmt.Errorf("the first: %w", store.ErrUnavailable)
	errs := []error{first, fmt.Errorf("the second: %w", store.ErrUnavailable)}
	if err := records.Unavailable(errs, func(err error) error { return err }); !errors.Is(err, first) {
		t.Error(err)
	}
	if err := records.Unavailable([]error{}, func(err error) error { return err }); err != nil {
		t.Error(err)
	}
}

// All is everything, by names where the store has a short way to them.
func TestAll(t *testing.T) {
	r, st, _ := newRecords(t)
	ctx := t.Context()
	put(t, st, "a", "1")
	put(t, st, "b", "2", "3")
	put(t, st, "gone", "4")
	if err := st.Delete(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	want := "a@1=1 b@2=3"
	if recs, err := r.All(ctx); err != nil || text(recs) != want {
		t.Error(text(recs), err)
	}
	named := naming{st}
	names := &records.Records{Open: func(context.Context) (store.Store, error) { return named, nil }}
	st.names = []string{"a", "b", "gone"} // also those of deleted ones
	st.list[""] = errors.New("it was listed")
	if recs, err := names.All(ctx); err != nil || text(recs) != want {
		t.Error(text(recs), err)
	}
	if got, ok := records.Names(ctx, named); !ok || len(got) != 3 {
		t.Error(got, ok)
	}
	st.namesErr = store.ErrDenied // may be allowed while List is
	if _, ok := records.Names(ctx, named); ok {
		t.Error("names that cannot be had are had")
	}
	if _, err := names.All(ctx); err == nil || err.Error() != "it was listed" {
		t.Error(err)
	}
	delete(st.list, "")
	if recs, err := names.All(ctx); err != nil || text(recs) != want {
		t.Error(text(recs), err)
	}
	if _, ok := records.Names(ctx, st); ok {
		t.Error("a store that has no such way has it")
	}
	st.get["b"] = store.ErrDenied
	if recs, err := r.All(ctx); !errors.Is(err, store.ErrDenied) || recs != nil {
		t.Error(recs, err)
	}
}

// Work in many parts is told, with its end; one part is not worth it.
func TestEachTellsHowFar(t *testing.T) {
	r, _, _ := newRecords(t)
	var began, steps, ended, did atomic.Int32
	r.Progress = func(doing string, parts int) (func(), func()) {
		if doing != "saving" || parts != 3 {
			t.Errorf("%s %d", doing, parts)
		}
		began.Add(1)
		return func() { steps.Add(1) }, func() { ended.Add(1) }
	}
	r.Each("saving", 1, func(i int) { did.Add(int32(i + 1)) })
	r.Each("saving", 0, func(int) { t.Error("nothing was done") })
	if began.Load() != 0 || did.Load() != 1 {
		t.Error(began.Load(), did.Load())
	}
	r.Each("saving", 3, func(i int) { did.Add(int32(i + 1)) })
	if began.Load() != 1 || steps.Load() != 3 || ended.Load() != 1 || did.Load() != 7 {
		t.Error(began.Load(), steps.Load(), ended.Load(), did.Load())
	}
	r.Progress = nil
	r.Each("saving", 2, func(int) { did.Add(1) })
	if did.Load() != 9 {
		t.Error(did.Load())
	}
}

// What is read with its values is told, at once for what is read at once; what is not
// there is not read.
func TestReadsAreTold(t *testing.T) {
	r, st, _ := newRecords(t)
	var told []string
	r.Read = func(url string, read []store.Info) {
		var names []string
		for _, i := range read {
			names = append(names, fmt.Sprintf("%s@%d", i.Name, i.Version))
		}
		told = append(told, url+" "+strings.Join(names, ","))
	}
	put(t, st, "a", "1", "2")
	put(t, st, "b", "1")
	st.get["broken"] = errors.New("broken")
	ctx := t.Context()
	for _, name := range []string{"a", "no", "broken", ".."} {
		_, _ = r.Get(ctx, name, 0)
	}
	_, _ = r.Get(ctx, "a", 1)
	_, _ = r.ReadMany(ctx, []string{"b", "no", "a", "broken"})
	_, _ = r.ReadMany(ctx, []string{"no"})
	_, _ = r.List(ctx)
	_, _ = r.History(ctx, "a")
	_, _ = r.All(ctx)
	if got, want := strings.Join(told, "\n"), "local a@2\nlocal a@1\nlocal b@1,a@2\nlocal a@2,b@1"; got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
}

// Every version that can be read is, the newest first, and what cannot is said beside them.
func TestVersions(t *testing.T) {
	r, st, _ := newRecords(t)
	var told []string
	r.Read = func(_ string, read []store.Info) {
		for _, i := range read {
			told = append(told, fmt.Sprintf("%s@%d", i.Name, i.Version))
		}
	}
	ctx := t.Context()
	if recs, err := r.Versions(ctx, nil); err != nil || len(recs) > 0 {
		t.Error(recs, err)
	}
	put(t, st, "a", "1", "2", "3")
	put(t, st, "b", "1")
	put(t, st, "broken", "1", "2")
	put(t, st, "broken-too", "1")
	if err := st.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	put(t, st, "b", "2")
	// What is wrong with each version of each is told once.
	st.get["broken"], st.get["broken-too"] = errors.New("broken"), errors.New("broken")
	versions := func(names ...string) string {
		t.Helper()
		recs, err := r.Versions(ctx, names)
		out := ""
		for _, rec := range recs {
			out += fmt.Sprintf("%s@%d ", rec.Name, rec.Version)
		}
		return fmt.Sprint(out, err)
	}
	if got := versions(); got != "a@3 a@2 a@1 b@2 broken" {
		t.Error(got)
	}
	if got := strings.Join(told, " "); got != "a@3 b@2" {
		t.Errorf("told of %s", got)
	}
	if got := versions("b"); got != "b@2 <nil>" {
		t.Error(got)
	}
	if got := versions("b", "no"); got != `b@2 no secret "no" in the local store` {
		t.Error(got)
	}
	st.list[""] = fault.WithKind(errors.New("some are damaged"), fault.Partial)
	if got := versions(); !strings.HasSuffix(got, "some are damaged") {
		t.Error(got)
	}
}
