package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/tetratelabs/wazero"

	"github.com/rhx-dev/rhx/host/sandbox/child"
	"github.com/rhx-dev/rhx/host/sandbox/wall"
)

// Serve does one job for a [child.Runner], in this process, which must be there
// for nothing else, and returns its exit status.
func Serve(in io.Reader, out io.Writer) int {
	return child.Serve(in, out, do)
}

func do(job *child.Job, wasm, request []byte) *child.Result {
	r := &child.Result{}
	s := New(Config{own: true, CacheDir: job.CacheDir, Limits: job.Limits, Warn: func(w string) { r.Warnings = append(r.Warnings, w) }})
	m := Module{Name: job.Args[0], Wasm: wasm, Trusted: job.Trusted, Random: job.Random}
	ctx := context.Background()
	// Nothing of the module has been looked at. Its compiler needs the cache.
	err := wall.Files(s.cacheDir())
	if err != nil {
		s.warn("the process of wasm modules can reach files: %v", err)
	}
	if job.Compile {
		err = s.keep(ctx, m)
	} else {
		var c *call
		c, err = s.exec(ctx, m, job.Args, request)
		c.memory.release()
		r.Stdout, r.Stderr, r.Used = c.stdout.b, c.stderr.b, c.used
	}
	if err != nil {
		r.Error, r.Limit = err.Error(), errors.Is(err, ErrLimit)
	}
	return r
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
	return s.compileCached(ctx, p, found, e)
}
