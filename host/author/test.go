package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// Result is the outcome of one check. No Err holds a value of a case.
type Result struct {
	Name string
	Err  error
}

// Tester runs a package's checks.
type Tester struct {
	// Run runs a module once.
	Run func(context.Context, abi.Module, *abi.Request) (*abi.Response, error)
	// Reported returns the code of an error that a module reported itself; ok is
	// false for a trap, a broken limit or a malformed answer.
	Reported func(error) (code string, line int, ok bool)
	// OS is the system whose paths of the spec are used.
	OS string
}

// expectation is expect.json: the secrets that a case has, or the error.
type expectation struct {
	Secrets []struct {
		Profile string
		Values  map[string]string
	}
	Error *struct {
		Code string
		Line int
	}
}

// Test runs each case of the package, then the hostile checks.
func (t *Tester) Test(ctx context.Context, p *Package) ([]Result, error) {
	files, err := filepath.Glob(filepath.Join(p.Dir, "cases", "*", "expect.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no cases: there is no cases/*/expect.json", p.Dir)
	}
	var out []Result
	for _, file := range files {
		dir := filepath.Dir(file)
		out = append(out, Result{"case " + filepath.Base(dir), t.testCase(ctx, p, dir)})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return append(out, t.hostile(ctx, p)...), ctx.Err()
}

func (t *Tester) testCase(ctx context.Context, p *Package, dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return err
	}
	var want expectation
	if err := json.Unmarshal(data, &want); err != nil {
		return fmt.Errorf("expect.json: %w", err)
	}
	env, err := readEnv(filepath.Join(dir, "env"), p.Spec.Vars())
	if err != nil {
		return err
	}
	var got, wanted []abi.Secret
	for _, s := range want.Secrets {
		wanted = append(wanted, abi.Secret{Profile: s.Profile, Values: s.Values})
	}
	var failed error
	for i := range p.Spec.Files {
		f := &p.Spec.Files[i]
		if f.Wasm == "" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, "home", filepath.FromSlash(strings.TrimPrefix(f.Path(t.OS), "~/"))))
		exists := err == nil
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		c := &call{t, p, f, env}
		secrets, err := c.extract(ctx, content, exists)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		got = append(got, secrets...)
		for j := range secrets {
			if err := c.roundTrip(ctx, content, exists, secrets, &secrets[j]); err != nil {
				return fmt.Errorf("profile %q: %w", secrets[j].Profile, err)
			}
		}
	}
	if want.Error == nil {
		if failed != nil {
			return failed
		}
		return diff(got, wanted)
	}
	code, line, ok := t.Reported(failed)
	switch {
	case failed == nil:
		return fmt.Errorf("extract succeeded; expect.json has the error %q", want.Error.Code)
	case !ok:
		return failed
	case code != want.Error.Code || line != want.Error.Line:
		return fmt.Errorf("extract gave the error %q at line %d, expect.json has %q at line %d", code, line, want.Error.Code, want.Error.Line)
	}
	return nil
}

// call is what the requests for one file of a case have in common.
type call struct {
	t   *Tester
	p   *Package
	f   *spec.File
	env map[string]string
}

func (c *call) extract(ctx context.Context, data []byte, exists bool) ([]abi.Secret, error) {
	resp, err := c.t.Run(ctx, c.p.Module, &abi.Request{
		Op: abi.Extract, Provider: c.p.Spec.Name, Env: c.env,
		Files: []abi.File{{Path: c.f.Path(c.t.OS), Content: data, Exists: exists}},
	})
	if err != nil {
		return nil, err
	}
	return resp.Secrets, nil
}

func (c *call) render(ctx context.Context, data []byte, exists bool, s *abi.Secret) ([]byte, error) {
	resp, err := c.t.Run(ctx, c.p.Module, &abi.Request{
		Op: abi.Render, Provider: c.p.Spec.Name, Profile: s.Profile, Secret: s,
		Files: []abi.File{{Path: c.f.Path(c.t.OS), Content: data, Exists: exists, Mode: c.f.Mode}},
	})
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	if len(resp.Files) != 1 {
		return nil, fmt.Errorf("render gave %d files instead of one", len(resp.Files))
	}
	return resp.Files[0].Content, nil
}

// roundTrip renders a secret into no file and into the file that it came from:
// both extract to the same, and a second render changes nothing.
func (c *call) roundTrip(ctx context.Context, data []byte, exists bool, all []abi.Secret, s *abi.Secret) error {
	if c.f.ReadOnly {
		return nil
	}
	for _, into := range []struct {
		name   string
		data   []byte
		exists bool
		want   []abi.Secret
	}{
		{"a new file", nil, false, []abi.Secret{*s}},
		{"the case's file", data, exists, all},
	} {
		once, err := c.render(ctx, into.data, into.exists, s)
		if err != nil {
			return fmt.Errorf("into %s: %w", into.name, err)
		}
		back, err := c.extract(ctx, once, true)
		if err == nil {
			err = diff(back, into.want)
		}
		if err != nil {
			return fmt.Errorf("rendered into %s and extracted again: %w", into.name, err)
		}
		twice, err := c.render(ctx, once, true, s)
		if err != nil {
			return fmt.Errorf("into %s, again: %w", into.name, err)
		}
		if !bytes.Equal(once, twice) {
			return fmt.Errorf("a second render into %s changed it", into.name)
		}
	}
	return nil
}

// hostile gives the module files that no tool wrote. It may report an error; it
// may not trap, or exceed a limit.
func (t *Tester) hostile(ctx context.Context, p *Package) []Result {
	i := slices.IndexFunc(p.Spec.Files, func(f spec.File) bool { return f.Wasm != "" })
	c := &call{t, p, &p.Spec.Files[i], nil}
	random := make([]byte, 64<<10)
	source := rand.New(rand.NewPCG(1, 2)) // the same bytes every time
	for i := range random {
		random[i] = byte(source.Uint32())
	}
	inputs := []struct {
		name string
		data []byte
	}{{"empty", nil}, {"random bytes", random}, {"4 MiB", bytes.Repeat([]byte("[a]\nk = v\n"), 4<<20/10)}}
	samples, _ := filepath.Glob(filepath.Join(p.Dir, "cases", "*", "home", filepath.FromSlash(strings.TrimPrefix(c.f.Path(t.OS), "~/"))))
	for _, file := range samples {
		if data, err := os.ReadFile(file); err == nil {
			for _, part := range []int{1, 2, 3} {
				inputs = append(inputs, struct {
					name string
					data []byte
				}{fmt.Sprintf("%s truncated to %d/4", filepath.ToSlash(strings.TrimPrefix(file, filepath.Join(p.Dir, "cases")+string(filepath.Separator))), part), data[:len(data)*part/4]})
			}
		}
	}
	var out []Result
	for _, in := range inputs {
		_, err := c.extract(ctx, in.data, true)
		if _, _, ok := t.Reported(err); ok {
			err = nil
		}
		out = append(out, Result{"hostile " + in.name, err})
	}
	return out
}

// diff says how two lists of secrets differ, without a value.
func diff(got, want []abi.Secret) error {
	var all []error
	for _, w := range want {
		i := slices.IndexFunc(got, func(g abi.Secret) bool { return g.Profile == w.Profile })
		if i < 0 {
			all = append(all, fmt.Errorf("profile %q is missing", w.Profile))
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
		if !slices.ContainsFunc(want, func(w abi.Secret) bool { return w.Profile == g.Profile }) {
			all = append(all, fmt.Errorf("profile %q is not expected", g.Profile))
		}
	}
	return errors.Join(all...)
}

// readEnv reads KEY=VALUE lines and keeps the variables that the spec declares,
// which are all that a module is shown.
func readEnv(file string, declared []string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		k, v, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			return nil, fmt.Errorf("env:%d: not KEY=VALUE", n)
		}
		if slices.Contains(declared, k) {
			env[k] = v
		}
	}
	return env, nil
}
