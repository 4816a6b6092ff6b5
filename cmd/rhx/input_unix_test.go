//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

func withInput(in io.Reader) *app {
	return &app{Terminal: term.New(term.Streams{In: in, Out: io.Discard, Err: io.Discard}, func(string) string { return "" }), globals: &globals{}}
}

func TestInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		limit int64
		want  string
		err   string
	}{
		{file, 6, "123456", ""},
		{file, 5, "", file + " is larger than 0 MiB"},
		{"-", 4, "piped"[:4], ""},
		{"-", 3, "", "standard input is larger than 0 MiB"},
	} {
		got, err := withInput(strings.NewReader("pipe")).input(t.Context(), c.name, c.limit)
		if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s of %d: %q, %v", c.name, c.limit, got, err)
		}
	}
	if _, err := withInput(nil).input(t.Context(), file+"-none", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// unread is an input that is not rhx's to read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("it was read")
	return 0, io.EOF
}

func TestReaderWaitsForRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := withInput(unread{t}).reader(ctx, "-")
	cancel()
	if r == nil {
		t.Error("no reader")
	}
	// Each Read goes on where the one before has ended.
	r = withInput(strings.NewReader("ab")).reader(t.Context(), "-")
	for _, want := range []string{"a", "b", ""} {
		var p [1]byte
		if n, err := r.Read(p[:]); string(p[:n]) != want || (err == io.EOF) != (want == "") {
			t.Errorf("%q, %v, not %q", p[:n], err, want)
		}
	}
}

// What waits for somebody who writes ends with the first Ctrl-C.
func TestInputIsNotWaitedForForEver(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "p")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	nobody, w := io.Pipe()
	defer w.Close()
	for _, name := range []string{pipe, "-"} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := withInput(nobody).input(ctx, name, maxInput)
			ended <- err
		}()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
