package session_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/session"
)

// What a sync did not get done is there for the next rhx, until a sync gets all done.
func TestFailedSync(t *testing.T) {
	b, _ := newBook(t)
	ctx := t.Context()
	if f, err := b.FailedSync(ctx); fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "nothing to try again") || f.Hosts != nil {
		t.Errorf("before any sync: %+v, %v", f, err)
	}
	// A sync that gets all done leaves no file behind.
	if err := b.NoteFailedSync(ctx, session.FailedSync{Secrets: []string{"aws"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(failedFile(b)); !os.IsNotExist(err) {
		t.Errorf("a file for nothing: %v", err)
	}
	for _, f := range []session.FailedSync{
		{Hosts: []string{"a", "b"}, Secrets: []string{"aws"}, Bundles: []string{"web"}, Manifest: "/p/rhx.yaml", Profile: "prod", Env: true, To: "~/x", Overwrite: true, Via: "vault"},
		{Hosts: []string{"c"}, Secrets: []string{"github"}},
	} {
		if err := b.NoteFailedSync(ctx, f); err != nil {
			t.Fatal(err)
		}
		got, err := again(b).FailedSync(ctx)
		f.Version = 1
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if err := b.NoteFailedSync(ctx, session.FailedSync{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.FailedSync(ctx); fault.KindOf(err) != fault.Usage {
		t.Errorf("after a sync that got all done: %v", err)
	}
}

func failedFile(b *session.Book) string { return filepath.Join(b.Dirs.State, "sync-failed.json") }

// A file that cannot be read, or not understood, is an error and not "nothing left".
func TestFailedSyncBroken(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                      `{"version":1,`,
		"of a newer rhx":               `{"version":2,"hosts":["a"]}`,
		"a folder in the file's place": "",
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newBook(t)
			file := failedFile(b)
			var err error
			if text == "" {
				err = os.MkdirAll(file, 0o700)
			} else if err = os.MkdirAll(b.Dirs.State, 0o700); err == nil {
				err = os.WriteFile(file, []byte(text), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.FailedSync(t.Context()); err == nil || fault.KindOf(err) == fault.Usage || !strings.Contains(err.Error(), file) {
				t.Error(err)
			}
			if text == "" {
				if err := b.NoteFailedSync(t.Context(), session.FailedSync{Hosts: []string{"a"}}); err == nil || !strings.Contains(err.Error(), file) {
					t.Errorf("noted: %v", err)
				}
			}
		})
	}
}

// Where this machine cannot be asked, or the file not read, that is the error; and where
// nothing is to be noted, nothing is written.
func TestFailedSyncWithoutTheMachine(t *testing.T) {
	b, m := memoryBook(t)
	if err := b.NoteFailedSync(t.Context(), session.FailedSync{}); err != nil || slices.Contains(m.Calls(), "write") {
		t.Errorf("%v, %q", err, m.Calls())
	}
	m.FailRead(failedFile(b), errGone)
	if err := b.NoteFailedSync(t.Context(), session.FailedSync{Hosts: []string{"a"}}); !isGone(err) {
		t.Error(err)
	}
	m.Fail(errGone)
	if _, err := b.FailedSync(t.Context()); !isGone(err) {
		t.Error(err)
	}
	if err := b.NoteFailedSync(t.Context(), session.FailedSync{Hosts: []string{"a"}}); !isGone(err) {
		t.Error(err)
	}
}
