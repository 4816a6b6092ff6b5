package agestore

import (
	"errors"
	"fmt"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// Asking is how passphrases are asked for.
type Asking struct {
	// Passphrase and Checking are those of [Options].
	Passphrase func(prompt string) (string, error)
	Checking   func() (end func())
}

func (s *Store) asking() Asking { return Asking{s.opt.Passphrase, s.opt.Checking} }

// Open asks until try says that the passphrase is right, three times at most, and not
// again when it gets the same answer twice: then it talks to a program. what, such as
// "key", and path name the file. A passphrase that is missing or wrong is
// [store.ErrDenied].
func (a Asking) Open(what, path string, try func(passphrase string) (bool, error)) error {
	if a.Passphrase == nil {
		return fault.WithHint(
			fault.Unasked(fault.Mark(fmt.Errorf("the %s %s needs a passphrase, and there is nobody to ask", what, path), store.ErrDenied)),
			"Run rhx in a terminal, or use a key without a passphrase.")
	}
	prompt, last := "Passphrase for "+path, ""
	for n := range 3 {
		passphrase, err := a.Passphrase(prompt)
		if err != nil {
			return fmt.Errorf("the passphrase for %s: %w", path, err)
		}
		if n > 0 && passphrase == last {
			break
		}
		// An empty one is never right, and not all that try it know that.
		if passphrase != "" {
			if ok, err := a.check(passphrase, try); ok || err != nil {
				return err
			}
		}
		prompt, last = "That was wrong. Passphrase for "+path, passphrase
	}
	return fault.Mark(fmt.Errorf("wrong passphrase for the %s %s", what, path), store.ErrDenied)
}

// check tries a passphrase.
func (a Asking) check(passphrase string, try func(string) (bool, error)) (bool, error) {
	if a.Checking != nil {
		defer a.Checking()()
	}
	return try(passphrase)
}

// Choose asks twice for the passphrase of a file that is to be made. what, such as "key
// file", and path name it, and undone says in errors that it was not. One that is
// guessed easily is an error, unless weak.
func (a Asking) Choose(what, path, undone string, weak bool) (string, error) {
	if a.Passphrase == nil {
		return "", fault.Unasked(fault.Mark(fmt.Errorf("a passphrase for the new %s %s is wanted, and there is nobody to ask", what, path), store.ErrDenied))
	}
	var answers [2]string
	for i, prompt := range []string{"New passphrase for " + path, "The same passphrase again"} {
		var err error
		if answers[i], err = a.Passphrase(prompt); err != nil {
			return "", fmt.Errorf("the passphrase for %s: %w", path, err)
		}
	}
	switch {
	case answers[0] != answers[1]:
		return "", errors.New("the two passphrases differ: " + undone)
	case answers[0] == "":
		return "", errors.New("the passphrase is empty: " + undone)
	case weak:
		return answers[0], nil
	}
	return answers[0], strong(answers[0], what, undone)
}
