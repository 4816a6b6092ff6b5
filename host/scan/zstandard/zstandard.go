// Package zstandard unpacks zstd for package scan. It is one of its own because each start
// of a program that links the library waits for its tables, whatever is asked.
package zstandard

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

// memory is what one text may need of memory.
const memory = 128 << 20

// Open unpacks a text, in bounded memory.
func Open(in io.Reader) (io.ReadCloser, error) {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(memory), zstd.WithDecoderMaxWindow(memory), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}
