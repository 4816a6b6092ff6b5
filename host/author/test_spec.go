package author

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// defaultReadTimeout is how long a format may need for a hostile file. It is for what
// takes the square of a file's size, on a machine that has other things to do, too.
const defaultReadTimeout = 30 * time.Second

// invalidError is a file, or a group of variables, that was found to be broken.
type invalidError struct{ err error }

func (e *invalidError) Error() string { return e.err.Error() }
func (e *invalidError) Unwrap() error { return e.err }

// checkSpec finds the secrets of a case as rhx detect does, and brings each of
// them back as rhx load does. What is broken is an invalidError, beside the
// secrets that were found.
func checkSpec(ctx context.Context, sp *spec.Spec, c *testCase) ([]answer, error) {
	found, err := extractFrom(ctx, newMachine(c.home, c.env), sp)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if err := roundTrip(ctx, sp, c, f); err != nil {
			return nil, &roundTripError{f.Profile, err}
		}
	}
	var failed error
	for _, f := range found {
		if f.State == provider.Invalid {
			failed = errors.Join(failed, &invalidError{f.Err})
		}
	}
	return foundAnswers(found), failed
}

func newMachine(home map[string][]byte, env map[string]string) *machine.Memory {
	m := machine.NewMemory("case")
	for name, data := range home {
		m.PutFile(path.Join("/home/u", name), data, 0o600)
	}
	for k, v := range env {
		m.SetEnv(k, v)
	}
	return m
}

func extractFrom(ctx context.Context, m *machine.Memory, sp *spec.Spec) ([]provider.Found, error) {
	snap, err := provider.Take(ctx, m, nil, []*spec.Spec{sp})
	if err != nil {
		return nil, err
	}
	return snap.Extract(ctx, sp), nil
}

// foundAnswers are the secrets that were found, without what is broken.
func foundAnswers(found []provider.Found) []answer {
	var out []answer
	for _, f := range found {
		a := answer{Profile: f.Profile}
		switch f.State {
		case provider.Invalid:
			continue
		case provider.HasValue:
			a.Values = map[string]string{}
			for k, v := range f.Values {
				a.Values[k] = v.Reveal()
			}
		default:
			a.State = string(f.State)
		}
		out = append(out, a)
	}
	return out
}

// with returns answers in which one secret has other values, or is new.
func with(all []answer, profile string, values secret.Values) []answer {
	a := answer{Profile: profile, Values: map[string]string{}}
	for k, v := range values {
		a.Values[k] = v.Reveal()
	}
	all = slices.DeleteFunc(slices.Clone(all), func(b answer) bool { return b.Profile == profile })
	return append(all, a)
}

// roundTrip loads a secret that was found in a file into an empty home folder
// and into the case's: both are then read as having it, a second load changes
// nothing, and a load of another value changes the lines of that value only.
func roundTrip(ctx context.Context, sp *spec.Spec, c *testCase, f provider.Found) error {
	inFile := slices.ContainsFunc(f.Sources, func(s secret.Source) bool { return s.Kind == secret.SourceFile })
	if f.State != provider.HasValue || !inFile || !slices.ContainsFunc(sp.Files, func(f spec.File) bool { return !f.ReadOnly && !f.Mirror }) {
		return nil
	}
	// Variables that hold values would answer in a file's stead; those that move
	// the file count.
	env := maps.Clone(c.env)
	for _, v := range sp.Values {
		for _, name := range v.Env {
			delete(env, name)
		}
	}
	delete(env, sp.Document)
	for _, into := range []struct {
		name string
		home map[string][]byte
	}{{"an empty home folder", nil}, {"the case's", c.home}} {
		m := newMachine(into.home, env)
		if err := loadAndRead(ctx, m, sp, &f.Secret); err != nil {
			return fmt.Errorf("loaded into %s: %w", into.name, err)
		}
		changed, err := load(ctx, m, sp, &f.Secret)
		if err != nil {
			return fmt.Errorf("loaded into %s, again: %w", into.name, err)
		}
		if len(changed) > 0 {
			return fmt.Errorf("a second load into %s changed it", into.name)
		}
	}
	for _, key := range sp.Order(f.Values.Keys()) {
		places := linePlaces(sp, key)
		other, ok := alter(f.Values[key].Reveal())
		if places == 0 || !ok {
			continue
		}
		sec := f.Clone()
		sec.Values[key] = secret.NewValue(other)
		m := newMachine(c.home, env)
		if err := loadAndRead(ctx, m, sp, sec); err != nil {
			return fmt.Errorf("loaded with another %s: %w", key, err)
		}
		if !keeps(m, c.home, f.Values[key].Reveal(), places) {
			return fmt.Errorf("a load of another %s changed other lines than those that hold it", key)
		}
	}
	return nil
}

// loadAndRead loads a secret, and reads the machine again: it has the secret,
// and what it had before.
func loadAndRead(ctx context.Context, m *machine.Memory, sp *spec.Spec, sec *secret.Secret) error {
	before, err := extractFrom(ctx, m, sp)
	if err != nil {
		return err
	}
	if _, err := load(ctx, m, sp, sec); err != nil {
		return err
	}
	after, err := extractFrom(ctx, m, sp)
	if err != nil {
		return err
	}
	if err := diff(foundAnswers(after), with(foundAnswers(before), sec.Profile, sec.Values)); err != nil {
		return fmt.Errorf("and read again: %w", err)
	}
	return nil
}

// load brings a secret to the machine, and returns the files that it changed.
func load(ctx context.Context, m *machine.Memory, sp *spec.Spec, sec *secret.Secret) ([]machine.Change, error) {
	snap, err := provider.Take(ctx, m, nil, []*spec.Spec{sp})
	if err != nil {
		return nil, err
	}
	plan := provider.NewPlan(snap)
	for _, p := range plan.Put(ctx, sp, sec, provider.Options{Resolve: provider.ReplaceAll}) {
		if p.Err != nil {
			return nil, p.Err
		}
	}
	changes := plan.Changes()
	errs, err := m.Write(ctx, changes)
	return changes, errors.Join(append(errs, err)...)
}

// linePlaces is the number of places that a value has in the spec's files, 0
// where it is a subtree, a file or a part of other places: then any line may
// change with it.
func linePlaces(sp *spec.Spec, value string) int {
	n := 0
	for _, f := range sp.Files {
		if f.Format == "keypair" || f.Format == "text" {
			return 0
		}
		for _, k := range f.Keys {
			for _, p := range slices.Concat(k.At, k.Mirror) {
				if slices.ContainsFunc(p.Holes(), func(h string) bool { return h == value || strings.HasPrefix(h, value+".") }) {
					return 0
				}
			}
			if k.Value != value {
				continue
			}
			if k.Tree || k.Profile {
				return 0
			}
			n += len(k.At) + len(k.Mirror)
		}
		for _, a := range f.Add {
			if slices.Contains(a.At.Holes(), value) {
				return 0
			}
			if slices.Contains(spec.Holes(a.Text), value) {
				n++
			}
		}
	}
	return n
}

// alter returns a value of the same form with another last letter or digit.
func alter(text string) (string, bool) {
	i := strings.LastIndexFunc(text, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' })
	if i < 0 {
		return "", false
	}
	c := text[i] + 1
	switch text[i] {
	case 'z', 'Z', '9':
		c = text[i] - 1
	}
	return text[:i] + string(rune(c)) + text[i+1:], true
}

// keeps reports whether the files of home are on the machine as they were but
// for lines that held value: those with a part of it, or as many as it has
// places, since it may be encoded there.
func keeps(m *machine.Memory, home map[string][]byte, value string, places int) bool {
	gone, foreign := 0, false
	for name, before := range home {
		data, _, _ := m.File(path.Join("/home/u", name))
		left := map[string]int{}
		for line := range strings.Lines(string(data)) {
			left[strings.TrimRight(line, "\r\n")]++
		}
		for line := range strings.Lines(string(before)) {
			line = strings.TrimRight(line, "\r\n")
			if left[line]--; left[line] >= 0 {
				continue
			}
			gone++
			quotes := !strings.ContainsFunc(line, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
			foreign = foreign || !quotes && !slices.ContainsFunc(strings.Fields(value), func(part string) bool { return strings.Contains(line, part) })
		}
	}
	return !foreign || gone <= places
}

// hostileSpec reads a file that no tool wrote, by its format.
func (t *Tester) hostileSpec(ctx context.Context, sp *spec.Spec, f *spec.File, data []byte) error {
	name := strings.TrimPrefix(strings.Replace(f.Path(caseOS), "{profile}", "hostile", 1), "~/")
	done := make(chan error, 1)
	go func() {
		defer func() {
			// A defect of rhx's own; the panic's text could quote the file.
			if recover() != nil {
				done <- errors.New("rhx panicked")
			}
		}()
		_, err := extractFrom(ctx, newMachine(map[string][]byte{name: data}, nil), sp)
		done <- err
	}()
	timeout := t.ReadTimeout
	if timeout == 0 {
		timeout = defaultReadTimeout
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return fmt.Errorf("reading it took longer than %s", timeout)
	case <-ctx.Done():
		return ctx.Err()
	}
}
