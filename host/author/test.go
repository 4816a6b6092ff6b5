package author

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// caseOS is the system of the machines in cases: a case is the same everywhere.
const caseOS = "linux"

// Result is the outcome of one check. No Err holds a value of a case.
type Result struct {
	Name string
	Err  error
}

// Tester runs a package's checks. A package without a module needs no more than
// its zero value.
type Tester struct {
	// Run runs a module once.
	Run func(context.Context, abi.Module, *abi.Request) (*abi.Response, error)
	// Reported returns the code of an error that a module reported itself; ok is
	// false for a trap, a broken limit or a malformed answer.
	Reported func(error) (code string, line int, ok bool)
	// ReadTimeout is how long a format may need for a hostile file; 0 stands for 30 s.
	ReadTimeout time.Duration
}

// Test runs each case of the package, then the hostile checks. Files that a
// module reads are given to the module; all others are read and written as rhx
// does it, on a machine in memory.
func (t *Tester) Test(ctx context.Context, p *Package) ([]Result, error) {
	out, cases, err := t.cases(ctx, p)
	if err != nil {
		return nil, err
	}
	return append(out, t.hostile(ctx, p, cases)...), ctx.Err()
}

// Cases runs each case of the package, without the hostile checks.
func (t *Tester) Cases(ctx context.Context, p *Package) ([]Result, error) {
	out, _, err := t.cases(ctx, p)
	return out, err
}

func (t *Tester) cases(ctx context.Context, p *Package) ([]Result, []*testCase, error) {
	dirs, err := caseDirs(p.Dir)
	if err != nil {
		return nil, nil, err
	}
	if len(dirs) == 0 {
		return nil, nil, fault.WithHint(fmt.Errorf("%s has no cases: there is no cases/*/expect.json", p.Dir), howToAdd(p.Spec))
	}
	var out []Result
	var cases []*testCase
	for _, dir := range dirs {
		c, err := readCase(dir, p.Spec)
		if err == nil {
			cases = append(cases, c)
			err = t.check(ctx, p, c)
		}
		out = append(out, Result{"case " + filepath.Base(dir), err})
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	return out, cases, nil
}

// caseDirs are the folders of cases that have an expect.json. It is no glob: to that a
// folder that cannot be read is an empty one, and a star in the package's own path is a
// pattern.
func caseDirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "cases"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var dirs []string
	for _, e := range entries {
		c := filepath.Join(dir, "cases", e.Name())
		if _, err := os.Lstat(filepath.Join(c, "expect.json")); err == nil {
			dirs = append(dirs, c)
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return nil, err
		}
	}
	return dirs, err
}

// declared is the package's spec with the files that no module reads.
func (p *Package) declared() *spec.Spec {
	sp := *p.Spec
	sp.Files = slices.DeleteFunc(slices.Clone(sp.Files), func(f spec.File) bool { return f.Wasm != "" })
	return &sp
}

// check runs one case.
func (t *Tester) check(ctx context.Context, p *Package, c *testCase) error {
	want := slices.Clone(c.want.Secrets)
	for i := range want {
		want[i].Profile = spelled(p.Spec, want[i].Profile)
	}
	var got []answer
	var failed error
	for i := range p.Spec.Files {
		f := &p.Spec.Files[i]
		if f.Wasm == "" {
			continue
		}
		secrets, err := t.checkModule(ctx, p, f, c)
		var broken *roundTripError
		if errors.As(err, &broken) {
			return err
		}
		failed = errors.Join(failed, err)
		got = append(got, secrets...)
	}
	if sp := p.declared(); p.Declarative() || len(sp.Files) > 0 {
		secrets, err := checkSpec(ctx, sp, c)
		var broken *roundTripError
		if errors.As(err, &broken) {
			return err
		}
		failed = errors.Join(failed, err)
		for _, s := range secrets {
			s.Profile = spelled(p.Spec, s.Profile)
			if !slices.ContainsFunc(got, func(g answer) bool { return g.Profile == s.Profile }) {
				got = append(got, s)
			}
		}
	}
	if c.want.Error == nil {
		return errors.Join(failed, diff(got, want))
	}
	if failed == nil {
		return fmt.Errorf("extract succeeded; expect.json has the error %q", c.want.Error.Code)
	}
	code, line, ok := t.reported(failed)
	switch {
	case !ok:
		return failed
	case code != c.want.Error.Code || line != c.want.Error.Line:
		return fmt.Errorf("extract gave the error %q at line %d, expect.json has %q at line %d", code, line, c.want.Error.Code, c.want.Error.Line)
	}
	return diff(got, want)
}

// reported returns the code and line of an error that was found in a file, by a
// module or by a format.
func (t *Tester) reported(err error) (code string, line int, ok bool) {
	var in *invalidError
	if errors.As(err, &in) {
		var ce *codec.Error
		if errors.As(in, &ce) {
			line = ce.Line
		}
		return "invalid", line, true
	}
	if t.Reported == nil {
		return "", 0, false
	}
	return t.Reported(err)
}

// roundTripError is a secret that does not survive being rendered.
type roundTripError struct {
	profile string
	err     error
}

func (e *roundTripError) Error() string { return fmt.Sprintf("profile %q: %v", e.profile, e.err) }
func (e *roundTripError) Unwrap() error { return e.err }

// spelled returns a profile as the spec's files spell it: the default one may be
// called "" too.
func spelled(sp *spec.Spec, profile string) string {
	var names []string
	for i := range sp.Files {
		if name := sp.Files[i].Default(); name != "" {
			names = append(names, name)
		}
	}
	if len(names) > 0 && (profile == "" || slices.Contains(names, profile)) {
		return names[0]
	}
	return profile
}

// input is a file that no tool wrote.
type input struct {
	name string
	data []byte
}

// hostile gives the module, and the formats of the other files, what no tool
// wrote. The answer may be an error; there may be no trap or panic, and no limit
// may be exceeded.
func (t *Tester) hostile(ctx context.Context, p *Package, cases []*testCase) []Result {
	var out []Result
	module := false
	for i := range p.Spec.Files {
		f := &p.Spec.Files[i]
		suffix := ""
		if len(p.Spec.Files) > 1 {
			suffix = " in " + f.Path(caseOS)
		}
		if f.Wasm != "" {
			if module {
				continue // one file of the module's stands for all
			}
			module = true
		}
		for _, in := range hostileInputs(f, cases) {
			if ctx.Err() != nil {
				return out
			}
			var err error
			if f.Wasm != "" {
				err = t.hostileModule(ctx, p, f, in.data)
			} else {
				err = t.hostileSpec(ctx, p.declared(), f, in.data)
			}
			out = append(out, Result{"hostile " + in.name + suffix, err})
		}
	}
	return out
}

func hostileInputs(f *spec.File, cases []*testCase) []input {
	random := make([]byte, 64<<10)
	source := rand.New(rand.NewPCG(1, 2)) // the same bytes every time
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	large := []byte("[a]\nk = v\n")
	inputs := []input{{"empty", nil}, {"random bytes", random}}
	var truncated []input
	for _, c := range cases {
		for _, name := range slices.Sorted(maps.Keys(c.home)) {
			data := c.home[name]
			if !isAt(f, name) || len(data) == 0 {
				continue
			}
			if f.Wasm == "" { // a module has little time, and 100,000 profiles are no fault of its
				large = data
			}
			for _, part := range []int{1, 2, 3} {
				truncated = append(truncated, input{fmt.Sprintf("%s/home/%s truncated to %d/4", c.name, name, part), data[:len(data)*part/4]})
			}
		}
	}
	inputs = append(inputs, input{"4 MiB", []byte(strings.Repeat(string(large), 4<<20/len(large)))})
	return append(inputs, truncated...)
}

// isAt reports whether a path below the home folder is where a file of the spec is.
func isAt(f *spec.File, name string) bool {
	at := strings.TrimPrefix(f.Path(caseOS), "~/")
	before, after, per := strings.Cut(at, "{profile}")
	if !per {
		return name == at
	}
	rest, ok := strings.CutPrefix(name, before)
	profile, ok2 := strings.CutSuffix(rest, after)
	return ok && ok2 && profile != "" && !strings.Contains(profile, "/")
}

// diff says how two lists of secrets differ, without a value.
func diff(got, want []answer) error {
	var all []error
	for _, w := range want {
		i := slices.IndexFunc(got, func(g answer) bool { return g.Profile == w.Profile })
		if i < 0 {
			all = append(all, fmt.Errorf("profile %q is missing", w.Profile))
			continue
		}
		if got[i].State != w.State {
			all = append(all, fmt.Errorf("profile %q has the state %q, not %q", w.Profile, got[i].State, w.State))
			continue
		}
		keys := maps.Clone(w.Values)
		if keys == nil {
			keys = map[string]string{}
		}
		maps.Copy(keys, got[i].Values)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			g, has := got[i].Values[k]
			if x, wanted := w.Values[k]; g != x || has != wanted {
				all = append(all, fmt.Errorf("profile %q: %s is not as expected", w.Profile, k))
			}
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w answer) bool { return w.Profile == g.Profile }) {
			all = append(all, fmt.Errorf("profile %q is not expected", g.Profile))
		}
	}
	return errors.Join(all...)
}
