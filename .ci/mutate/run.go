package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runner runs the tests of a package with one mutation switched on, in a copy of the
// module: a mutation may write anywhere.
type runner struct {
	dir, work string
	memory    int
	env       []string
	// reached are, by mutation, the tests that come to it, and took how long each
	// test takes.
	reached map[int][]string
	took    map[string]time.Duration
}

func (r *runner) bin() string { return filepath.Join(r.work, "package.test") }

// build compiles the tests with the texts in the place of the package's files.
func (r *runner) build(p *pack, texts map[string]string) error {
	tree := filepath.Join(r.work, "tree")
	if err := copyTree(tree, p.root); err != nil {
		return err
	}
	for name, text := range texts {
		rel, err := filepath.Rel(p.root, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tree, rel), []byte(text), 0o600); err != nil {
			return err
		}
	}
	rel, err := filepath.Rel(p.root, p.dir)
	if err != nil {
		return err
	}
	r.dir = filepath.Join(tree, rel)
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-o", r.bin(), ".")
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the package with its mutations does not compile: %w\n%s", err, out)
	}
	if _, err := os.Stat(r.bin()); err != nil {
		return fmt.Errorf("%s has no tests", p.path)
	}
	return r.surroundings()
}

// copyTree copies a checkout, without its history and what was built.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dest := filepath.Join(to, rel)
		switch {
		case e.Name() == ".git" || rel == "bin":
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return os.Mkdir(dest, 0o700)
		case e.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, dest)
		case !e.Type().IsRegular():
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(dest, data, info.Mode().Perm()|0o200)
	})
}

// surroundings gives the tests a home and a folder for temporary files of their
// own: a mutation may do anything. The programs of make test-deps are there.
func (r *runner) surroundings() error {
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOPATH", "GOMODCACHE").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	var vars map[string]string
	if err := json.Unmarshal(out, &vars); err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	vars["HOME"], vars["TMPDIR"] = filepath.Join(r.work, "home"), filepath.Join(r.work, "tmp")
	vars["XDG_CACHE_HOME"] = filepath.Join(vars["HOME"], ".cache")
	r.env = os.Environ()
	for name, value := range vars {
		r.env = append(r.env, name+"="+value)
	}
	return errors.Join(os.MkdirAll(vars["XDG_CACHE_HOME"], 0o700), os.Mkdir(vars["TMPDIR"], 0o700),
		os.Symlink(filepath.Join(cache, "rhx-ci"), filepath.Join(vars["XDG_CACHE_HOME"], "rhx-ci")))
}

// baseline runs each test alone without a mutation, and notes what it reaches.
func (r *runner) baseline(muts []mutation) error {
	list, err := r.command(context.Background(), "-test.list", ".").Output()
	if err != nil {
		return fmt.Errorf("the tests cannot be listed: %w", err)
	}
	r.reached, r.took = map[int][]string{}, map[string]time.Duration{}
	for _, test := range strings.Fields(string(list)) {
		if strings.HasPrefix(test, "Benchmark") {
			continue
		}
		file := filepath.Join(r.work, "reached")
		cmd := r.command(context.Background(), "-test.run", "^"+test+"$", "-test.timeout", "10m")
		cmd.Env = append(cmd.Env, "MUTATE_REACHED="+file)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s fails without a mutation: %w\n%s", test, err, out)
		}
		r.took[test] = time.Since(start)
		ids, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, id := range strings.Fields(string(ids)) {
			n, err := strconv.Atoi(id)
			if err != nil || n > len(muts) {
				return fmt.Errorf("%s: %q is no number of a mutation", file, id)
			}
			if !seen[id] {
				r.reached[n] = append(r.reached[n], test)
			}
			seen[id] = true
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// command has a limit of memory: an endless loop may append in it.
func (r *runner) command(ctx context.Context, args ...string) *exec.Cmd {
	limit := fmt.Sprintf(`ulimit -d %d; exec "$0" "$@"`, r.memory<<10)
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", limit, r.bin(), "-test.paniconexit0"}, args...)...)
	cmd.Dir, cmd.Env = r.dir, slices.Clip(r.env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// try runs the tests that reach a mutation with it; the fastest ones first, and the
// rest only if those pass.
func (r *runner) try(id int) outcome {
	tests := slices.Clone(r.reached[id])
	if len(tests) == 0 {
		return unreached
	}
	slices.SortFunc(tests, func(a, b string) int { return int(r.took[a] - r.took[b]) })
	for len(tests) > 0 {
		n, sum := 1, r.took[tests[0]]
		for n < len(tests) && sum+r.took[tests[n]] < time.Second {
			sum += r.took[tests[n]]
			n++
		}
		if res := r.once(id, tests[:n], sum); res != survived {
			return res
		}
		tests = tests[n:]
	}
	return survived
}

func (r *runner) once(id int, tests []string, usual time.Duration) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second+10*usual)
	defer cancel()
	cmd := r.command(ctx, "-test.failfast", "-test.run", "^("+strings.Join(tests, "|")+")$")
	cmd.Env = append(cmd.Env, "MUTATE_ID="+strconv.Itoa(id))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	// Nothing that a test started outlives it; most often there is nothing.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	switch {
	case ctx.Err() != nil:
		return timedOut
	case err != nil:
		return caught
	}
	return survived
}
