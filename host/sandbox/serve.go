package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	"github.com/tetratelabs/wazero"

	"github.com/rhx-dev/rhx/host/sandbox/child"
	"github.com/rhx-dev/rhx/host/sandbox/wall"
)

// Serve does one job for a [child.Runner], in this process, which must be there
// for nothing else, and returns its exit status.
func Serve(in io.Reader, out io.Writer) int {
	return child.Serve(in, out, start)
}

// start returns what serves the calls of a job: each in an instance of its own.
func start(job *child.Job, wasm []byte) func(*child.Call, []byte) *child.Result {
	var warnings []string
	s := New(Config{own: true, CacheDir: job.CacheDir, Limits: job.Limits, Warn: func(w string) { warnings = append(warnings, w) }})
	m := Module{Name: job.Name, Wasm: wasm, Trusted: job.Trusted, Random: job.Random}
	ctx := context.Background()
	// Nothing of the module has been looked at. Its compiler needs the cache.
	if err := wall.Files(s.cacheDir()); err != nil {
		s.warn("the process of wasm modules can reach files: %v", err)
	}
	ready := sync.OnceValues(func() (*program, error) {
		if job.Compile {
			return nil, s.keep(ctx, m)
		}
		p, err := s.program(ctx, m)
		if err != nil {
			return nil, err
		}
		// Nothing is compiled any more.
		if err := wall.Calls(); err != nil {
			s.warn("the process of wasm modules can make every system call: %v", err)
		}
		return p, nil
	})
	return func(call *child.Call, request []byte) *child.Result {
		r := &child.Result{}
		p, err := ready()
		if err == nil && p != nil {
			c := s.newCall(m, call.Args, request, call.Time)
			err = s.instance(ctx, p, c)
			c.memory.release()
			r.Stdout, r.Stderr, r.Used = c.stdout.b, c.stderr.b, c.used
		}
		if err != nil {
			r.Error, r.Limit = err.Error(), errors.Is(err, ErrLimit)
		}
		r.Warnings, warnings = warnings, nil
		return r
	}
}

// keep compiles a module into the cache.
func (s *Sandbox) keep(ctx context.Context, m Module) error {
	found, err := inspect(m.Wasm, s.lim)
	if err != nil {
		return err
	}
	p := &program{}
	dir := s.cacheDir()
	if dir == "" || !canCompile() {
		// It is compiled all the same where that can be done, to say now that it
		// cannot be.
		return s.compile(ctx, p, found, wazero.NewRuntimeConfig())
	}
	e := cacheEntry(dir, sha256.Sum256(m.Wasm))
	e.check()
	return s.compileCached(ctx, p, found, e, false)
}
