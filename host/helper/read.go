package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// maxInput is how long what a client sends may be in bytes.
	maxInput = 64 << 10
	// patience is how long a client may take to send it.
	patience = 30 * time.Second
)

// readAll reads what a client sends, to its end.
func readAll(ctx context.Context, in io.Reader) ([]byte, error) {
	return within(ctx, func() ([]byte, error) {
		data, err := io.ReadAll(io.LimitReader(in, maxInput+1))
		if err == nil && len(data) > maxInput {
			err = fmt.Errorf("the client sent more than %d KiB", maxInput>>10)
		}
		return data, err
	})
}

// within is what read returns, if it does so in time. The goroutine of one that does
// not ends with the program.
func within(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the client did not send its question within %v", patience))
	defer cancel()
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// checkLine refuses what would be several lines, or another text to another reader.
func checkLine(what, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s has a line break or another control character", what)
	}
	return nil
}

// fitsLine refuses a value that a client which reads lines would take for several.
func fitsLine(a *Answer, client string) error {
	for name, text := range a.parts {
		if strings.ContainsAny(text, "\r\n\x00") {
			return fmt.Errorf("the %s of %s has a line break, which %s cannot take", name, a.Secret, client)
		}
	}
	return nil
}

var errNotNamed = errors.New("the client did not say for which server")
