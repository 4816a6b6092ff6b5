package awsvault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/foreign"
)

func typed(text string) func() (string, error) {
	return func() (string, error) { return text, nil }
}

func said(e *foreign.Export) string {
	var b strings.Builder
	for i := range e.Items {
		it := &e.Items[i]
		fmt.Fprintf(&b, "%s/%s:", it.Name, it.Profile)
		for _, f := range it.Fields {
			fmt.Fprintf(&b, " %s=%s", f.Name, f.Value.Reveal())
		}
		b.WriteByte('\n')
	}
	for _, l := range e.Left {
		fmt.Fprintf(&b, "left %s: %s, %v\n", l.Name, l.Why, l.NoValue)
	}
	return b.String()
}

// Files that github.com/99designs/keyring v1.2.2 wrote, as aws-vault 7 has it do.
func TestRead(t *testing.T) {
	e, err := Read("testdata/keys", typed("fake passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	want := `default/default: AWS_ACCESS_KEY_ID=AKIA` + `IOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=FAKEdefault/FAKEFAKEFAKEFAKEFAKEFAKEFAKE
prod eu/prod eu: AWS_ACCESS_KEY_ID=AKIA` + `I44QHTDHBEXAMPLE AWS_SECRET_ACCESS_KEY=FAKEprod/FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE
left odd: it has no access key, false
left sts.GetSessionToken,cHJvZA,,1790000000: it is a session, which ends by itself, true
`
	if got := said(e); got != want || !e.Sealed {
		t.Errorf("%s", got)
	}
	if _, err := Read("testdata/keys", typed("another")); !errors.Is(err, errPassphrase) {
		t.Error(err)
	}
}

// One file that is broken, a link or a folder stops no other.
func TestReadOdd(t *testing.T) {
	dir := t.TempDir()
	good, err := os.ReadFile("testdata/keys/default")
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(string(good))
	changed[len(changed)-30] ^= 1
	for name, data := range map[string][]byte{"a": good, "b": []byte("FAKE"), "c": changed, "d": {}, "e": []byte(strings.Repeat("x", maxFile+1))} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	e, err := Read(dir, typed("fake passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	got := said(e)
	for _, want := range []string{"default/default: ", "left b: it is no file of the keyring, false\n", "left c: ", "left d: it is no file", "left e: it cannot be read, or is too large", "left folder: it is a link, or no regular file, true", "left link: it is a link, or no regular file, false"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if len(e.Items) != 1 || strings.Contains(strings.Join(strings.Split(got, "left")[1:], ""), "FAKE") {
		t.Error(got)
	}
	if _, err := Read(t.TempDir(), typed("x")); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Error(err)
	}
	if _, err := Read(filepath.Join(dir, "none"), typed("x")); err == nil {
		t.Error("no folder")
	}
	if _, err := Read(dir, func() (string, error) { return "", os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// A file may ask for no more work than go-jose allows, and opens with its passphrase alone.
func FuzzOpened(f *testing.F) {
	good, err := os.ReadFile("testdata/keys/default")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add("a.b.c.d.e")
	f.Add("eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjo5OTk5OTk5OTk5LCJwMnMiOiJhIn0.AA.AA.AA.AA")
	f.Fuzz(func(t *testing.T, text string) {
		if it, err := opened(text, "another passphrase"); err == nil {
			t.Errorf("%q opened", it.Key)
		}
	})
}
