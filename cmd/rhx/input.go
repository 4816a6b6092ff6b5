package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// maxInput is how much a file or pipe of values may hold, in bytes.
const maxInput = 16 << 20

// input reads a file or a pipe that the user names, of at most limit bytes; "-" is stdin.
func (a *app) input(ctx context.Context, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(a.reader(ctx, name), limit+1))
	if err == nil && int64(len(data)) > limit {
		if name == "-" {
			name = "standard input"
		}
		return nil, fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return data, err
}

// reader reads a file or a pipe that the user names; "-" is stdin. A pipe that nobody writes
// to, and a terminal, are waited for until ctx ends: a read of the system's would go on.
//
// Nothing is opened or read before the first Read. stdin may belong to the program that called
// rhx: aws and kubectl start a helper with their own.
func (a *app) reader(ctx context.Context, name string) io.Reader {
	return readLater(sync.OnceValue(func() io.Reader {
		r, w := io.Pipe()
		context.AfterFunc(ctx, func() { _ = w.CloseWithError(ctx.Err()) })
		go func() { _ = w.CloseWithError(a.copyTo(w, name)) }() // io.EOF to who reads, for nil
		return r
	}))
}

// copyTo copies what reader reads.
func (a *app) copyTo(w io.Writer, name string) error {
	in := a.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	_, err := io.Copy(w, in)
	return err
}

// readLater is a reader that is made at the first Read.
type readLater func() io.Reader

func (r readLater) Read(p []byte) (int, error) { return r().Read(p) }
