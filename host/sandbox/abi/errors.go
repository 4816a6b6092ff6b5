package abi

import (
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
