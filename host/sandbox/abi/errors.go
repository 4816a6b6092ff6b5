package abi

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code says what kind of error a module reported.
type Code string

// The codes of the ABI.
const (
	// Invalid is a file or request that is broken.
	Invalid Code = "invalid"
	// Unsupported is something right that the module cannot do.
	Unsupported Code = "unsupported"
	// Conflict is something in the file that stands in the way.
	Conflict Code = "conflict"
)

// GuestError is an error that a module reported in its answer. Its text is
// masked: the values of the request do not occur in it.
type GuestError struct {
	Module  string
	Code    Code
	Message string
	// Path is the file that it is about, a path of the request; "" where it is
	// about none.
	Path string
	// Line counts from 1; 0 where there is none.
	Line int
}

// Error returns the message with its line. It leaves the path to the caller,
// who knows how the user calls the file.
func (e *GuestError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return e.Message
}

// ModuleError is a module that failed: it was refused, hit a limit, trapped, or
// gave no answer that follows the ABI.
type ModuleError struct {
	Module string
	Err    error
	// Stderr is what the module wrote on standard error, with the values of the
	// request masked. It is not part of Error: a module may write what it has
	// decoded, which nobody but the module knows.
	Stderr string
}

func (e *ModuleError) Error() string { return fmt.Sprintf("wasm module %s %v", e.Module, e.Err) }
func (e *ModuleError) Unwrap() error { return e.Err }

// ErrLimit is what a ModuleError wraps where the module hit one of its [Limits].
var ErrLimit = errors.New("limit")

// LimitError is a limit in words that name it.
type LimitError string

func (e LimitError) Error() string { return string(e) }

func (LimitError) Is(target error) bool { return target == ErrLimit }

// Printable makes a stranger's text fit for one line of a message.
func Printable(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	s = strings.TrimSpace(s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// TooLarge is the error of a module whose file is too large.
func TooLarge(lim Limits) error {
	return LimitError("is refused: it is larger than " + Size(lim.Module))
}

// Answer returns what a call of a module came to: what it answered to req, where
// it wrote that on stdout and err is nil. An error is a [*GuestError] where the
// module reported one, and else a [*ModuleError]; the end of ctx is its own error.
func Answer(ctx context.Context, m Module, req *Request, lim Limits, stdout, stderr []byte, err error) (*Response, error) {
	if err == nil {
		var resp *Response
		resp, err = Decode(stdout, m.Name, req, lim)
		var guest *GuestError
		if err == nil || errors.As(err, &guest) {
			return resp, err
		}
	}
	// When the caller has given up, that is the reason, whatever came of it.
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	lines := strings.Split(Mask(string(stderr), req), "\n")
	for i := range lines {
		lines[i] = Printable(lines[i], MaxMessage)
	}
	return nil, &ModuleError{Module: m.Name, Err: err, Stderr: strings.TrimSpace(strings.Join(lines, "\n"))}
}

// Append appends data to b and zeroes what it leaves behind where b grows.
func Append(b, data []byte) []byte {
	if cap(b)-len(b) < len(data) {
		grown := make([]byte, len(b), 2*cap(b)+len(data)+1024)
		copy(grown, b)
		clear(b)
		b = grown
	}
	return append(b, data...)
}
