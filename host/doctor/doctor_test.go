package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/engine"
)

func newDoctor(t *testing.T) *Doctor {
	t.Helper()
	home := t.TempDir()
	getenv := func(name string) string { return map[string]string{"HOME": home}[name] }
	hush := func(string) {}
	e := engine.New(engine.Parts{Home: home, Getenv: getenv, Warn: hush, Note: func(string, ...any) {}})
	t.Cleanup(func() { _ = e.Close() })
	return &Doctor{Engine: e, Home: home, Getenv: getenv, Program: filepath.Join(home, "rhx"), Version: "v1", within: time.Minute}
}

// What hangs, or cannot look, is a finding; the others are made all the same.
func TestEveryCheckComesToAnEnd(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	d.within = 20 * time.Millisecond
	hangs := make(chan struct{})
	defer close(hangs)
	var mu sync.Mutex
	var made []string
	check := func(name string, needs Need, look func(context.Context) ([]Finding, error)) Check {
		return Check{Name: name, Needs: needs, Look: func(ctx context.Context, _ *Doctor) ([]Finding, error) {
			mu.Lock()
			made = append(made, name)
			mu.Unlock()
			return look(ctx)
		}}
	}
	one := func(context.Context) ([]Finding, error) { return []Finding{{Level: Note, What: "x"}}, nil }
	found := d.Run(t.Context(), []Check{
		check("early", Listed, one),
		check("hangs", Nothing, func(context.Context) ([]Finding, error) { <-hangs; return nil, nil }),
		check("slow", Nothing, func(ctx context.Context) ([]Finding, error) { <-ctx.Done(); return nil, ctx.Err() }),
		check("fails", Nothing, func(context.Context) ([]Finding, error) {
			return []Finding{{Level: Note, What: "before"}}, errors.Join(errors.New("broken"), errors.New("closed"), errors.New("broken"))
		}),
		check(storeCheck.Name, Nothing, one),
		check("listed", Listed, one),
		check("open", Open, one),
	})
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.What))
	}
	want := "warning hangs: could not look: no answer within 20ms|warning slow: could not look: no answer within 20ms|note fails: before|" +
		"warning fails: could not look: broken|warning fails: could not look: closed|note store: x|note listed: x"
	if strings.Join(got, "|") != want {
		t.Errorf("%s\nnot\n%s", strings.Join(got, "|"), want)
	}
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(made, " ") != "hangs slow fails store listed" { // there is no key: nothing is open
		t.Errorf("%v", made)
	}
}

// Where the store is not well, nothing builds on it.
func TestNothingBuildsOnAStoreThatIsNotWell(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(context.Context, *Doctor) ([]Finding, error){
		"a warning": func(context.Context, *Doctor) ([]Finding, error) { return []Finding{{Level: Warning}}, nil },
		"an error":  func(context.Context, *Doctor) ([]Finding, error) { return nil, errors.New("x") },
	} {
		found := newDoctor(t).Run(t.Context(), []Check{
			{Name: storeCheck.Name, Look: look},
			{Name: "on it", Needs: Listed, Look: func(context.Context, *Doctor) ([]Finding, error) { return []Finding{{}}, nil }},
		})
		if len(found) != 1 || found[0].Check != storeCheck.Name {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestEachCheckHasANameOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	page, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Checks() {
		if c.Name == "" || seen[c.Name] || c.Look == nil {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
		if !strings.Contains(string(page), "\n| `"+c.Name+"` | ") {
			t.Errorf("docs/doctor.md has no row for %s", c.Name)
		}
	}
}

func TestPathsInCommands(t *testing.T) {
	t.Parallel()
	d := &Doctor{Home: "/home/jane"}
	for path, want := range map[string]string{
		"/home/jane/.ssh/id": "~/.ssh/id", "/home/jane/a b": "'/home/jane/a b'", "/home/janet/x": "/home/janet/x", "/it's": `'/it'\''s'`, "-rf": "'-rf'", "": "''", "/a$b": "'/a$b'",
	} {
		if got := d.short(path); got != want {
			t.Errorf("%q: %s, not %s", path, got, want)
		}
	}
}

// A mode matters where others get as far as the file.
func TestReached(t *testing.T) {
	t.Parallel()
	base, err := os.MkdirTemp("", "rhx-reached-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if err := os.MkdirAll(filepath.Join(base, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	file, link := filepath.Join(base, "a", "b", "f"), filepath.Join(base, "link")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(file, link), os.Chmod(base, 0o755)); err != nil {
		t.Fatal(err)
	}
	if !reached(file) || !reached(link) {
		t.Error("others get there, it is said that they do not")
	}
	if err := os.Chmod(filepath.Join(base, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if reached(file) || reached(link) {
		t.Error("others do not get there, it is said that they do")
	}
}

func TestFullIsOfTheSameVersion(t *testing.T) {
	t.Parallel()
	d := newDoctor(t)
	look := func() string {
		t.Helper()
		found, err := fullCheck.Look(t.Context(), d)
		if err != nil || len(found) > 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		if len(found) == 0 {
			return ""
		}
		return found[0].What
	}
	if got := look(); got != "" {
		t.Errorf("one program: %s", got)
	}
	d.Slim = true
	if got := look(); got != "~/rhx-full is not there" {
		t.Error(got)
	}
	for script, want := range map[string]string{
		"echo rhx v1 (go)": "", "echo rhx v2": "~/rhx-full is v2, and rhx is v1", "echo hello": "~/rhx-full does not run: it does not say its version", "exit 3": "~/rhx-full does not run: exit status 3",
	} {
		if err := os.WriteFile(filepath.Join(d.Home, "rhx-full"), []byte("#!/bin/sh\n"+strings.ReplaceAll(script, "(go)", "'(go)'")+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != want {
			t.Errorf("%s: %q, not %q", script, got, want)
		}
	}
}

func TestFoldersThatGoElsewhere(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	for dir, want := range map[string]string{"plain/a": "", "Dropbox/a/b": "Dropbox", "OneDrive - Acme/x": "OneDrive - Acme", "dotfiles/x": "a git repository", "notes/x": "Syncthing"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		for mark, at := range map[string]string{".git": "dotfiles", ".stfolder": "notes"} {
			if strings.HasPrefix(dir, at) {
				if err := os.Mkdir(filepath.Join(home, at, mark), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := goesElsewhere(filepath.Join(home, dir)); got != want {
			t.Errorf("%s: %q, not %q", dir, got, want)
		}
	}
}
