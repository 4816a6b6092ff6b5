// Package fault gives errors what a person needs beyond the message: a line
// that says what to do next, and a kind that decides the exit status.
package fault

import (
	"errors"
	"io/fs"
	"os"
)

// Kind is a class of failure that callers tell apart.
type Kind int

// The kinds. Failed is that of every error without one.
const (
	Failed Kind = iota
	// Usage is a wrong command line or a name that does not exist (exit 2).
	Usage
	// Partial is work of which some parts failed and others were done (exit 3).
	Partial
)

type fault struct {
	err  error
	hint string
	kind Kind
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// WithHint returns err with a sentence that says what to do about it. A nil
// err stays nil.
func WithHint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &fault{err: err, hint: hint, kind: KindOf(err)}
}

// WithKind returns err with a kind. A nil err stays nil.
func WithKind(err error, kind Kind) error {
	if err == nil {
		return nil
	}
	return &fault{err: err, kind: kind}
}

// Hint returns the outermost hint in err's chain, or "".
func Hint(err error) string {
	for err != nil {
		var f *fault
		if !errors.As(err, &f) {
			return ""
		}
		if f.hint != "" {
			return f.hint
		}
		err = f.err
	}
	return ""
}

// KindOf returns the outermost kind in err's chain that is not Failed, or Failed.
func KindOf(err error) Kind {
	for err != nil {
		var f *fault
		if !errors.As(err, &f) {
			return Failed
		}
		if f.kind != Failed {
			return f.kind
		}
		err = f.err
	}
	return Failed
}

// ErrUnasked: an answer is needed, and there is nobody to ask. It is of kind Usage wherever
// it comes from: what the question would be about has to be said by a flag, a variable or a
// pipe.
var ErrUnasked = errors.New("an answer is needed, and there is nobody to ask")

// Unasked returns err, with its own text, as an [ErrUnasked] of kind Usage.
func Unasked(err error) error { return WithKind(Mark(err, ErrUnasked), Usage) }

type marked struct{ err, as error }

func (m *marked) Error() string        { return m.err.Error() }
func (m *marked) Unwrap() error        { return m.err }
func (m *marked) Is(target error) bool { return target == m.as }

// Mark returns err, with its own text, as an error that errors.Is finds to be
// as. A nil err stays nil.
func Mark(err, as error) error {
	if err == nil {
		return nil
	}
	return &marked{err, as}
}

// Join is errors.Join, but of errors that say the same, hint and all, it has the first
// one alone: a key that is missing is missing for each version of each secret.
func Join(errs ...error) error {
	type said struct{ text, hint string }
	seen := map[said]bool{}
	var out []error
	var add func(errs []error)
	add = func(errs []error) {
		for _, err := range errs {
			if err == nil {
				continue
			}
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				parts := joined.Unwrap()
				if plain := errors.Join(parts...); plain != nil && plain.Error() == err.Error() { // and not one of a text of its own
					add(parts)
					continue
				}
			}
			if s := (said{err.Error(), Hint(err)}); !seen[s] {
				seen[s] = true
				out = append(out, err)
			}
		}
	}
	add(errs)
	return errors.Join(out...)
}

// Cause returns what is wrong in an error of package os, without the name of
// the system call and of the file, which may be a temporary one.
func Cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	var se *os.SyscallError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	case errors.As(err, &se):
		return se.Err
	}
	return err
}
