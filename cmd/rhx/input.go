package main

import (
	"context"
	"fmt"
	"io"
	"os"
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
func (a *app) reader(ctx context.Context, name string) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(ctx.Err()) })
	go func() {
		in := a.In
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				_ = w.CloseWithError(err)
				return
			}
			defer func() { _ = f.Close() }()
			in = f
		}
		_, err := io.Copy(w, in)
		_ = w.CloseWithError(err) // io.EOF to who reads, for nil
	}()
	return r
}
