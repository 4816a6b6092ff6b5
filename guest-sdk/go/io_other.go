//go:build !wasip1

package guest

import (
	"io"
	"os"
)

// Elsewhere a provider runs too, for its author's tests.

func readAll() ([]byte, error) { return io.ReadAll(os.Stdin) }

func writeAll(b []byte) {
	if _, err := os.Stdout.Write(b); err != nil {
		os.Exit(1)
	}
}

func program() string { return os.Args[0] }
