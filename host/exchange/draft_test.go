package exchange_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/secret"
)

func TestDrafts(t *testing.T) {
	h, _ := newHost(t)
	x, ctx := h.Exchange, t.Context()
	if must(x.HasDraft(ctx, "db"))(t) {
		t.Error("there is one")
	}
	if _, err := x.Draft(ctx, "db"); err == nil || !strings.Contains(err.Error(), "nothing that was typed for db is kept") {
		t.Error(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := x.KeepDraft(ctx, &exchange.Draft{Name: "db", Version: 3, File: "values.env", Text: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	if must(x.HasDraft(ctx, "d"))(t) || !must(x.HasDraft(ctx, "db"))(t) {
		t.Error("that of another secret")
	}
	// The last one first; none replaces another.
	for _, want := range []string{"two", "one"} {
		d := must(x.Draft(ctx, "db"))(t)
		if string(d.Text) != want || d.Version != 3 || d.File != "values.env" {
			t.Errorf("%+v, not %s", d, want)
		}
		if err := d.Drop(); err != nil {
			t.Error(err)
		}
	}
	if must(x.HasDraft(ctx, "db"))(t) {
		t.Error("it was not dropped")
	}
	if err := (*exchange.Draft)(nil).Drop(); err != nil {
		t.Error(err)
	}
	// A folder that cannot be listed is not one with nothing in it.
	edits := filepath.Join(h.Dirs.State, "edits")
	if err := os.RemoveAll(edits); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(edits, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if has, err := x.HasDraft(ctx, "db"); err == nil || has || !strings.Contains(err.Error(), "look for what rhx edit has kept: ") {
		t.Errorf("%t, %v", has, err)
	}
}

// Drafts of secrets that are gone are seen, and all of one secret go at once.
func TestKeptFiles(t *testing.T) {
	h, _ := newHost(t)
	x, ctx := h.Exchange, t.Context()
	if all, err := x.KeptFiles(ctx, []string{"db"}); err != nil || len(all) > 0 {
		t.Fatalf("%v, %v", all, err)
	}
	for i, name := range []string{"db", "gone", "db"} {
		d := &exchange.Draft{Name: name, File: "values.env", Text: []byte("k=v")}
		if err := x.KeepDraft(ctx, d); err != nil {
			t.Fatal(err)
		}
		files := must(filepath.Glob(filepath.Join(h.Dirs.State, "edits", "*-*")))(t)
		for _, path := range files {
			if info := must(os.Stat(path))(t); info.ModTime().Year() > 2010 {
				when := time.Date(2000+i, 1, 1, 0, 0, 0, 0, time.UTC)
				if err := os.Chtimes(path, when, when); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := os.WriteFile(filepath.Join(h.Dirs.State, "edits", "other-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := func() (out []string) {
		for _, f := range must(x.KeptFiles(ctx, []string{"a", "db"}))(t) {
			out = append(out, f.Secret+" "+f.Kept.UTC().Format("2006"))
		}
		return out
	}
	if got := said(); !slices.Equal(got, []string{"db 2000", " 2001", "db 2002"}) {
		t.Errorf("%q", got)
	}
	for _, want := range []bool{true, false} {
		if dropped, err := x.DropDrafts(ctx, "db"); err != nil || dropped != want {
			t.Errorf("%v, %v", dropped, err)
		}
	}
	if got := said(); !slices.Equal(got, []string{" 2001"}) {
		t.Errorf("%q", got)
	}
}

// A draft is nobody else's to read, to change or to put in the place of another.
func TestDraftsAreSealed(t *testing.T) {
	h, _ := newHost(t)
	x, ctx := h.Exchange, t.Context()
	for _, name := range []string{"db", "other"} {
		if err := x.KeepDraft(ctx, &exchange.Draft{Name: name, File: "values.env", Text: []byte("k=canary")}); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(h.Dirs.State, "edits", "*-1"))
	if len(files) != 2 {
		t.Fatalf("%q", files)
	}
	var all [][]byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("canary")) || strings.Contains(f, "db") {
			t.Errorf("%s can be read", f)
		}
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v", info.Mode())
		}
		all = append(all, data)
	}
	for i, f := range files {
		if err := os.WriteFile(f, all[1-i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"db", "other"} {
		if d, err := x.Draft(ctx, name); err == nil {
			t.Errorf("%s: another's is taken: %+v", name, d)
		}
	}
}

func TestMerge(t *testing.T) {
	values := func(text string) secret.Values {
		if text == "none" {
			return nil
		}
		v := secret.Values{}
		for _, pair := range strings.Fields(text) {
			k, val, _ := strings.Cut(pair, "=")
			v[k] = secret.NewValue(val)
		}
		return v
	}
	for _, c := range []struct{ base, theirs, mine, want, sides string }{
		{"a=1 b=1", "a=2 b=1", "a=1 b=2", "a=2 b=2", "b|a|"},
		{"a=1", "a=2", "a=2", "a=2", "||"},
		{"a=1", "a=2", "a=3", "a=3", "||a"},
		{"a=1 b=1", "b=1", "a=1 b=2", "b=2", "b|a|"},
		{"a=1 b=1", "a=1 b=2", "b=1", "b=2", "a|b|"},
		{"a=1", "a=2", "", "", "||a"},
		{"a=1", "", "a=2", "a=2", "||a"},
		{"", "n=1", "n=2", "n=2", "||n"},
		{"", "n=1", "m=2", "m=2 n=1", "m|n|"},
		{"none", "a=1 b=1", "a=2", "a=2", "||a b"},
	} {
		m := exchange.Merge(values(c.base), values(c.theirs), values(c.mine))
		sides := strings.Join(m.Mine, " ") + "|" + strings.Join(m.Theirs, " ") + "|" + strings.Join(m.Both, " ")
		if !m.Values.Equal(values(c.want)) || sides != c.sides {
			t.Errorf("%s, %s, %s: %v %s, not %s %s", c.base, c.theirs, c.mine, m.Values.Keys(), sides, c.want, c.sides)
		}
	}
	m := exchange.Merged{Both: []string{"a", "b"}}
	got := strings.Join(m.Conflicts(values("a=x"), 4), "|")
	if want := `version 4 has a="x"|version 4 has no b`; got != want {
		t.Errorf("%s", got)
	}
}
