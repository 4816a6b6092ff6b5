package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/sandbox/child"
)

// Config is how a [Sandbox] works.
type Config struct {
	// CacheDir is the folder for compiled modules; "" for none. It is made where
	// it is not there.
	CacheDir string
	// Limits are those of every call.
	Limits Limits
	// Warn is called with what the user should know and need not stop for; nil
	// to drop it.
	Warn func(string)
	// Child is the program, with arguments, that calls [Serve]: it runs the
	// modules that are not trusted.
	Child []string
	// own reports that the process is there for one call at a time: its time is the
	// call's.
	own bool
}

// Sandbox runs modules. Its methods may be called from several goroutines.
type Sandbox struct {
	config   Config
	lim      Limits
	others   *child.Runner
	cacheDir func() string
	spare    spare

	mu       sync.Mutex
	programs map[programKey]*program
	closed   bool
}

// programKey is what a program was made of.
type programKey struct {
	digest  [sha256.Size]byte
	trusted bool
}

// program is a module that is ready to be instantiated.
type program struct {
	once     sync.Once
	err      error
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	cache    wazero.CompilationCache
}

// New returns a Sandbox. It costs nothing: the first Run reads the cache folder
// and makes the wasm runtime.
func New(config Config) *Sandbox {
	s := &Sandbox{config: config, lim: config.Limits.OrDefault(), programs: map[programKey]*program{}}
	s.others = &child.Runner{Program: config.Child, CacheDir: config.CacheDir, Limits: s.lim, Warn: config.Warn}
	s.cacheDir = sync.OnceValue(func() string {
		dir := config.CacheDir
		if dir == "" {
			return ""
		}
		if err := openCache(dir); err != nil {
			s.warn("compiled wasm modules are not kept: %v", err)
			return ""
		}
		return dir
	})
	return s
}

func (s *Sandbox) warn(format string, args ...any) {
	if s.config.Warn != nil {
		s.config.Warn(fmt.Sprintf(format, args...))
	}
}

// Close frees the compiled modules and ends the processes of others'. No Run may be
// under way.
func (s *Sandbox) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.others.Close(ctx)}
	for _, p := range s.programs {
		errs = append(errs, p.close(ctx))
	}
	s.programs, s.closed = nil, true
	return errors.Join(errs...)
}

// Run gives the module one request, in an instance of its own, and returns what
// it answered. An error is a [*GuestError] where the module reported one, and
// else a [*ModuleError]; a request that is too large is an error of its own, and
// so is the end of ctx. A module that is not trusted runs in a process of its own,
// which serves its later calls, too, until Close.
func (s *Sandbox) Run(ctx context.Context, m Module, req *Request) (*Response, error) {
	if !m.Trusted {
		return s.others.Run(ctx, m, req)
	}
	if err := req.Check(s.lim); err != nil {
		return nil, err
	}
	in := req.Encode()
	defer clear(in)
	c, err := s.exec(ctx, m, abi.Args(m, req), in)
	defer c.wipe()
	return abi.Answer(ctx, m, req, s.lim, c.stdout.b, c.stderr.b, err)
}

// Compile compiles a module that is not trusted and keeps the code for later
// runs, in a process of its own.
func (s *Sandbox) Compile(ctx context.Context, m Module) error { return s.others.Compile(ctx, m) }

// exec runs the module in this process.
func (s *Sandbox) exec(ctx context.Context, m Module, args []string, in []byte) (*call, error) {
	c := s.newCall(m, args, in, s.lim.Call)
	p, err := s.program(ctx, m)
	if err != nil {
		return c, err
	}
	return c, s.instance(ctx, p, c)
}

func (s *Sandbox) newCall(m Module, args []string, in []byte, time time.Duration) *call {
	return &call{
		args:       args,
		stdin:      in,
		time:       time,
		stdout:     output{most: s.lim.Stdout, name: "standard output"},
		stderr:     output{most: s.lim.Stderr, name: "standard error"},
		memory:     &memory{limit: uint64(s.lim.Memory), spare: &s.spare},
		trueRandom: m.Random,
	}
}

func (c *call) wipe() {
	clear(c.stdout.b)
	clear(c.stderr.b)
	c.memory.release()
}

// instance runs one instance to its end.
func (s *Sandbox) instance(ctx context.Context, p *program, c *call) (err error) {
	defer recovered(&err)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop, used := s.alarm(c.time, cancel)
	defer func() { c.used = used(); stop() }()
	ctx = context.WithValue(experimental.WithMemoryAllocator(ctx, c.memory), callKey{}, c)
	// Without a name, so that several can be there at once; without start
	// functions, since _start is called below.
	mod, err := p.runtime.InstantiateModule(ctx, p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err == nil {
		_, err = mod.ExportedFunction("_start").Call(ctx)
		_ = mod.Close(context.WithoutCancel(ctx))
	}
	return s.verdict(ctx, c, err)
}

// alarm calls what is late when the time of a call is over: the processor's, where
// this process is there for nothing else, and else that of the wall, which may be longer.
func (s *Sandbox) alarm(limit time.Duration, late func()) (stop func(), used func() time.Duration) {
	wall := time.AfterFunc(abi.WallFactor*limit, late)
	if !s.config.own {
		begin := time.Now()
		return func() { wall.Stop() }, func() time.Duration { return time.Since(begin) }
	}
	begin := child.CPU()
	used = func() time.Duration { return child.CPU() - begin }
	tick := time.NewTicker(5 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if used() > limit {
					late()
					return
				}
			}
		}
	}()
	return sync.OnceFunc(func() { wall.Stop(); tick.Stop(); close(done) }), used
}

// verdict says how an instance ended.
func (s *Sandbox) verdict(ctx context.Context, c *call, err error) error {
	var status *sys.ExitError
	switch {
	case c.broken != nil:
		return c.broken
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return abi.LimitError("took longer than " + c.time.String())
	case errors.As(err, &status) && status.ExitCode() == 0, err == nil:
		return nil
	case c.memory.full:
		return abi.LimitError("needs more than " + abi.Size(s.lim.Memory) + " of memory")
	case status != nil:
		return fmt.Errorf("ended with status %d", status.ExitCode())
	}
	// The first line says why it trapped; a trace of its functions follows.
	why, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("failed: %s", abi.Printable(strings.TrimPrefix(why, "wasm error: "), abi.MaxMessage))
}

// recovered turns a panic into an error: a defect of the wasm runtime must not
// end the program.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = errors.New("failed: the wasm runtime gave up on it")
	}
}

// program returns the module compiled, and compiles it where it is new.
func (s *Sandbox) program(ctx context.Context, m Module) (*program, error) {
	if int64(len(m.Wasm)) > s.lim.Module {
		return nil, abi.TooLarge(s.lim)
	}
	key := programKey{sha256.Sum256(m.Wasm), m.Trusted}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errors.New("cannot run: the sandbox is closed")
	}
	p := s.programs[key]
	if p == nil {
		p = &program{}
		s.programs[key] = p
	}
	s.mu.Unlock()
	p.once.Do(func() { p.err = s.load(ctx, p, m, key.digest) })
	if p.err != nil && ctx.Err() == nil && errors.Is(p.err, errGivenUp) {
		// An earlier caller gave up on it; this one has not.
		s.mu.Lock()
		if s.programs[key] == p {
			delete(s.programs, key)
		}
		s.mu.Unlock()
		return s.program(ctx, m)
	}
	return p, p.err
}

var errGivenUp = errors.New("was not waited for")

// interpretMost is the size in bytes up to which a module that has not been
// compiled is interpreted rather than compiled for one run.
const interpretMost = 256 << 10

// load makes a module ready.
//
// With a cache folder, one of rhx's own is compiled, once for all later runs. For
// the C module of 28 KB, the first call of a process takes, on two busy cores:
// 30 ms where it compiles, 1.8 ms where it finds the code, 5.5 ms in the
// interpreter, which then takes 2 ms for each further call and compiled code 0.5.
// Waiting for the compiler once is the simplest way to have every later call
// fast. A small module of somebody else is compiled when it is added, and else
// interpreted: nobody waits for the compiler on its account.
func (s *Sandbox) load(ctx context.Context, p *program, m Module, digest [sha256.Size]byte) error {
	found, err := inspect(m.Wasm, s.lim)
	if err != nil {
		return err
	}
	small := len(m.Wasm) <= interpretMost
	dir := s.cacheDir()
	if !canCompile() || dir == "" && small {
		return s.compile(ctx, p, found, wazero.NewRuntimeConfigInterpreter())
	}
	if dir == "" {
		return s.compile(ctx, p, found, wazero.NewRuntimeConfig())
	}
	e := cacheEntry(dir, digest)
	there := e.check()
	if !there && small && !m.Trusted {
		return s.compile(ctx, p, found, wazero.NewRuntimeConfigInterpreter())
	}
	return s.compileCached(ctx, p, found, e, there)
}

// compileCached takes the module's code out of the cache, or compiles it and
// keeps it there. there reports that the cache has it, sealed.
func (s *Sandbox) compileCached(ctx context.Context, p *program, m *module, e entry, there bool) error {
	config := wazero.NewRuntimeConfig()
	cache, err := wazero.NewCompilationCacheWithDir(e.dir)
	if err != nil {
		s.warn("compiled wasm modules are not kept: %v", err)
		return s.compile(ctx, p, m, config)
	}
	p.cache = cache
	err = s.compile(ctx, p, m, config.WithCompilationCache(cache))
	if err != nil && !errors.Is(err, ErrLimit) && !errors.Is(err, errGivenUp) {
		// The entry may be the reason, or the disk; the module is fine without.
		e.remove()
		return s.compile(ctx, p, m, config)
	}
	if err != nil || there {
		return err
	}
	fresh, err := e.seal()
	if err != nil {
		s.warn("compiled wasm modules are not kept: %v", err)
	}
	if fresh {
		prune(s.cacheDir(), time.Now())
	}
	return nil
}

// canCompile reports whether wazero has a compiler for this processor.
func canCompile() bool { return runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" }

// compile makes a runtime for the module and what it imports.
//
// The runtime is the module's own: its imports are then exactly those that the
// module asks for. All of WASI takes longer to link than a small module to run.
func (s *Sandbox) compile(ctx context.Context, p *program, m *module, config wazero.RuntimeConfig) error {
	type result struct {
		runtime  wazero.Runtime
		compiled wazero.CompiledModule
		err      error
	}
	done := make(chan result, 1)
	// wazero does not stop while it compiles, so it is left behind if need be.
	// It is given no limit of memory: that is in memory, which also notes that
	// the guest asked for more.
	background := context.WithoutCancel(ctx)
	go func() {
		var r result
		defer func() { done <- r }()
		defer recovered(&r.err)
		r.runtime, r.compiled, r.err = build(background, m, config.
			WithCoreFeatures(api.CoreFeaturesV2.SetEnabled(api.CoreFeatureSIMD, false)).
			WithDebugInfoEnabled(false).
			WithCloseOnContextDone(true))
	}()
	over := make(chan struct{})
	stop, _ := s.alarm(s.lim.Compile, sync.OnceFunc(func() { close(over) }))
	defer stop()
	select {
	case r := <-done:
		p.runtime, p.compiled = r.runtime, r.compiled
		return r.err
	case <-over:
		return abi.LimitError("took longer than " + s.lim.Compile.String() + " to compile")
	case <-ctx.Done():
		return errGivenUp
	}
}

func build(ctx context.Context, m *module, config wazero.RuntimeConfig) (wazero.Runtime, wazero.CompiledModule, error) {
	rt := wazero.NewRuntimeWithConfig(ctx, config)
	host := rt.NewHostModuleBuilder(wasi)
	for _, f := range m.imports {
		host.NewFunctionBuilder().WithGoModuleFunction(invoke(f.name), valueTypes(f.params), valueTypes(f.results)).Export(f.name)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		_ = rt.Close(ctx)
		return nil, nil, fmt.Errorf("is refused: %w", err)
	}
	compiled, err := rt.CompileModule(ctx, m.code)
	if err != nil {
		_ = rt.Close(ctx)
		why, _, _ := strings.Cut(err.Error(), "\n")
		return nil, nil, errors.New("is refused: " + abi.Printable(why, abi.MaxMessage))
	}
	return rt, compiled, nil
}

func valueTypes(binary []byte) []api.ValueType {
	return append([]api.ValueType(nil), binary...)
}

func (p *program) close(ctx context.Context) error {
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
