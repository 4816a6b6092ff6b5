package records_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// counting notes which secrets are read.
type counting struct {
	*agestore.Store
	mu     sync.Mutex
	read   []string
	closed bool // whether it does not open by itself
}

func (c *counting) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	c.mu.Lock()
	c.read = append(c.read, name)
	c.mu.Unlock()
	return c.Store.Get(ctx, name, version)
}

func (c *counting) Opens() bool { return !c.closed && c.Store.Opens() }

// known is what a new command says of all secrets, or of some, and what it reads for it.
func (c *counting) known(t *testing.T, path string, names ...string) (said map[string]string, read string) {
	t.Helper()
	r := &records.Records{
		Open: func(context.Context) (store.Store, error) { return c, nil },
		Ends: &records.Ends{Path: path, Seal: c.Seal, Unseal: c.Unseal},
	}
	listed, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	infos := slices.DeleteFunc(slices.Clone(listed), func(i store.Info) bool { return names != nil && !slices.Contains(names, i.Name) })
	c.read = nil
	ends, err := r.KnownExpiries(t.Context(), infos, listed)
	if err != nil {
		t.Fatal(err)
	}
	said = map[string]string{}
	for name, end := range ends {
		said[name] = end.Format("2006-01-02")
	}
	slices.Sort(c.read)
	return said, strings.Join(c.read, " ")
}

func (c *counting) put(t *testing.T, name, end string) {
	t.Helper()
	sec := &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("fake")}}
	if end != "" {
		sec.Values["expires_at"] = secret.NewValue(end + "T00:00:00Z")
	}
	if _, err := c.Put(t.Context(), sec, store.AnyVersion); err != nil {
		t.Fatal(err)
	}
}

func newCounting(t *testing.T) (*counting, string) {
	dir := t.TempDir()
	c := &counting{Store: agestore.Open(agestore.Options{Dir: filepath.Join(dir, "data")})}
	t.Cleanup(func() { _ = c.Store.Close() })
	c.put(t, "a", "2031-01-01")
	c.put(t, "b", "")
	c.put(t, "c", "2032-01-01")
	return c, filepath.Join(dir, "cache", "expiries")
}

func TestExpiriesAreReadOnce(t *testing.T) {
	c, path := newCounting(t)
	step := func(what, wantRead, wantA string, names ...string) {
		t.Helper()
		said, read := c.known(t, path, names...)
		if read != wantRead || said["a"] != wantA {
			t.Errorf("%s: read %q, not %q; a ends %q, not %q", what, read, wantRead, said["a"], wantA)
		}
		if _, ok := said["b"]; ok {
			t.Errorf("%s: b ends %s", what, said["b"])
		}
	}
	step("one", "a", "2031-01-01", "a")
	step("the first time", "b c", "2031-01-01")
	step("the second time", "", "2031-01-01")
	c.put(t, "a", "2033-01-01")
	step("after a save", "a", "2033-01-01")
	step("and again", "", "2033-01-01")
	if err := c.Destroy(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	step("destroyed", "", "")
	// Another secret of the same name and version.
	c.put(t, "a", "2034-01-01")
	step("made anew", "a", "2034-01-01")
	c.closed = true
	step("where the key would have to be asked for", "", "")
	c.closed = false
	step("part of it", "", "", "b")
	step("after a part", "", "2034-01-01")
}

// What is kept says nothing to others, and what others write there is not believed.
func TestKeptExpiriesAreSealed(t *testing.T) {
	c, path := newCounting(t)
	c.known(t, path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(good, []byte("2031")) || bytes.Contains(good, []byte(`"a"`)) {
		t.Errorf("it can be read:\n%s", good)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	other := &counting{Store: agestore.Open(agestore.Options{Dir: t.TempDir()})}
	other.put(t, "a", "")
	foreign, err := other.Seal(t.Context(), "expiries at "+path, []byte(`{"format":1,"ends":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := c.Seal(t.Context(), "elsewhere", []byte(`{"format":1,"ends":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	older, err := c.Seal(t.Context(), "expiries at "+path, []byte(`{"format":0,"ends":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{
		"nothing": {}, "cut": good[:len(good)/2], "changed": append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1),
		"another's": foreign, "of another place": elsewhere, "of another format": older, "plain": []byte(`{"format":1}`),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		said, read := c.known(t, path)
		if read != "a b c" || said["a"] != "2031-01-01" {
			t.Errorf("%s: read %q, and says %v", what, read, said)
		}
		if _, read := c.known(t, path); read != "" {
			t.Errorf("%s is not replaced: %q is read again", what, read)
		}
	}
}

// A cache that cannot be written stops nothing.
func TestExpiriesWithoutACache(t *testing.T) {
	c, path := newCounting(t)
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if said, read := c.known(t, path); read != "a b c" || said["a"] != "2031-01-01" {
			t.Errorf("read %q, and says %v", read, said)
		}
	}
}

func TestAllExpiriesAreReadAnew(t *testing.T) {
	r, st, _ := newRecords(t)
	put(t, st, "a", "one")
	put(t, st, "b", "one")
	infos, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st.get["b"] = errors.New("broken")
	if _, err := r.Expiries(t.Context(), infos); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%v", err)
	}
	st.get["b"] = store.ErrNotFound // deleted meanwhile
	ends, err := r.Expiries(t.Context(), append(infos, store.Info{Name: "c", Expires: time.Now()}))
	if err != nil || len(ends) != 0 {
		t.Errorf("%v, %v", ends, err)
	}
}
