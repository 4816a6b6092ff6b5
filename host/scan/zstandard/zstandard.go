// Package zstandard unpacks zstd for package scan. It is one of its own because each start
// of a program that links the library waits for its tables, whatever is asked.
package zstandard

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"
)

// memory is what one text may need of memory.
const memory = 128 << 20

// Open unpacks a text, in bounded memory. What is behind it and no zstd is an error that
// matches [fs.ErrInvalid], as is a text that does not begin as zstd.
func Open(in io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(memory), zstd.WithDecoderMaxWindow(memory), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, marked(err)
	}
	return reader{z}, nil
}

type reader struct{ z *zstd.Decoder }

func (r reader) Read(p []byte) (int, error) {
	n, err := r.z.Read(p)
	return n, marked(err)
}

func (r reader) Close() error {
	r.z.Close()
	return nil
}

func marked(err error) error {
	if errors.Is(err, zstd.ErrMagicMismatch) {
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	return err
}
