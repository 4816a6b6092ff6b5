package guest

import (
	"slices"
	"syscall"
)

// Package os, which would do the same, makes a module larger by a third.

func readAll() ([]byte, error) {
	b := make([]byte, 0, 16<<10)
	for {
		n, err := syscall.Read(0, b[len(b):cap(b)])
		switch {
		case err == syscall.EINTR || err == syscall.EAGAIN:
			continue
		case err != nil:
			return nil, err
		case n <= 0:
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func writeAll(b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(1, b)
		if err == syscall.EINTR || err == syscall.EAGAIN {
			continue
		}
		if err != nil || n <= 0 {
			syscall.Exit(1)
		}
		b = b[n:]
	}
}

//go:wasmimport wasi_snapshot_preview1 args_sizes_get
//go:noescape
func argsSizes(count, size *uint32) uint32

//go:wasmimport wasi_snapshot_preview1 args_get
//go:noescape
func argsGet(args *uint32, text *byte) uint32

// program is how the module was started: argv[0], "" where there is none.
func program() string {
	var count, size uint32
	if argsSizes(&count, &size) != 0 || count == 0 || size == 0 {
		return ""
	}
	at, text := make([]uint32, count), make([]byte, size)
	if argsGet(&at[0], &text[0]) != 0 {
		return ""
	}
	return string(text[:slices.Index(text, 0)])
}
