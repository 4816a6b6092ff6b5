package author

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
)

// testCase is what a machine has, and the secrets that rhx must find there.
type testCase struct {
	name string
	// home are the files of the home folder, by their path below it, with slashes.
	home map[string][]byte
	// env are the variables, of those that the spec declares.
	env  map[string]string
	want expectation
}

// expectation is expect.json: the secrets that a case has, and the error if the
// machine has something broken.
type expectation struct {
	Secrets []answer       `json:"secrets,omitempty"`
	Error   *expectedError `json:"error,omitempty"`
}

// answer is one secret that was found.
type answer struct {
	// Profile is the profile as the file spells it; "" also stands for the default.
	Profile string            `json:"profile"`
	Values  map[string]string `json:"values,omitempty"`
	// State is "keyring" or "exec" for a secret that is elsewhere.
	State string `json:"state,omitempty"`
}

type expectedError struct {
	Code string `json:"code"`
	Line int    `json:"line,omitempty"`
}

func readCase(dir string, sp *spec.Spec) (*testCase, error) {
	data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return nil, err
	}
	c := &testCase{name: filepath.Base(dir), home: map[string][]byte{}}
	if err := json.Unmarshal(data, &c.want); err != nil {
		return nil, fmt.Errorf("expect.json: %w", err)
	}
	if c.env, err = readEnv(filepath.Join(dir, "env"), sp.Vars()); err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "home")
	err = filepath.WalkDir(home, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(home, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		switch {
		case !info.Mode().IsRegular():
			return fmt.Errorf("home/%s: %w", name, machine.ErrNotRegular)
		case info.Size() > machine.MaxFile:
			return fmt.Errorf("home/%s: %w", name, machine.ErrTooLarge)
		}
		c.home[name], err = os.ReadFile(p)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) && len(c.home) == 0 {
		err = nil // a case of variables alone, or of nothing
	}
	return c, err
}

// readEnv reads KEY=VALUE lines and keeps the variables that the spec declares,
// which are all that rhx reads.
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

// howToAdd says how the first case of a spec is made.
func howToAdd(sp *spec.Spec) string {
	var where, profile, value string
	switch {
	case len(sp.Files) > 0:
		where = "cases/first/home/" + strings.TrimPrefix(sp.Files[0].Path(caseOS), "~/") + " as the tool writes it, with a fake value"
		profile = sp.Files[0].Default()
	default:
		where = "cases/first/env with KEY=VALUE lines"
	}
	for _, v := range sp.Values {
		if value == "" || sp.Public(value) && !v.Public {
			value = v.Name
		}
	}
	if value == "" {
		value = "token"
	}
	data, err := json.Marshal(expectation{Secrets: []answer{{Profile: profile, Values: map[string]string{value: "fake-" + value}}}})
	if err != nil {
		return ""
	}
	return fmt.Sprintf("add %s, and cases/first/expect.json: %s", where, data)
}
