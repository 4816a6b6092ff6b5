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

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
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
}

// Sandbox runs modules. Its methods may be called from several goroutines.
type Sandbox struct {
	config   Config
	lim      Limits
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

// Close frees the compiled modules. No Run may be under way.
func (s *Sandbox) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, p := range s.programs {
		errs = append(errs, p.close(ctx))
	}
	s.programs, s.closed = nil, true
	return errors.Join(errs...)
}

// Run gives the module one request, in an instance of its own, and returns what
// it answered. An error is a [*GuestError] where the module reported one, and
// else a [*ModuleError]; a request that is too large is an error of its own, and
// so is the end of ctx.
func (s *Sandbox) Run(ctx context.Context, m Module, req *Request) (*Response, error) {
	switch req.Op {
	case Extract, Describe:
	case Render:
		if req.Secret == nil {
			return nil, errors.New("render needs a secret")
		}
	default:
		return nil, fmt.Errorf("unknown operation %q of a wasm module", req.Op)
	}
	if err := req.Check(s.lim); err != nil {
		return nil, err
	}
	p, err := s.program(ctx, m)
	if err != nil {
		return nil, failed(ctx, m, err, "")
	}
	in := req.Encode()
	defer clear(in)
	c := &call{
		args:   []string{m.Name, string(req.Op)},
		stdin:  in,
		stdout: output{most: s.lim.Stdout, name: "standard output"},
		stderr: output{most: s.lim.Stderr, name: "standard error"},
		memory: &memory{limit: uint64(s.lim.Memory), spare: &s.spare},
	}
	defer c.wipe()
	if err := s.instance(ctx, p, c); err != nil {
		return nil, failed(ctx, m, err, c.log(req))
	}
	resp, err := abi.Decode(c.stdout.b, m.Name, req, s.lim)
	var guest *GuestError
	if err != nil && !errors.As(err, &guest) {
		return nil, failed(ctx, m, err, c.log(req))
	}
	return resp, err
}

// failed returns the error of a run. When the caller has given up, that is it.
func failed(ctx context.Context, m Module, err error, stderr string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &ModuleError{Module: m.Name, Err: err, Stderr: stderr}
}

// log returns what the instance wrote on standard error, fit to be shown.
func (c *call) log(req *Request) string {
	lines := strings.Split(abi.Mask(string(c.stderr.b), req), "\n")
	for i := range lines {
		lines[i] = abi.Printable(lines[i], abi.MaxMessage)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func (c *call) wipe() {
	clear(c.stdout.b)
	clear(c.stderr.b)
	c.memory.release()
}

// instance runs one instance to its end.
func (s *Sandbox) instance(ctx context.Context, p *program, c *call) (err error) {
	defer recovered(&err)
	ctx, cancel := context.WithTimeout(ctx, s.lim.Call)
	defer cancel()
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

// verdict says how an instance ended.
func (s *Sandbox) verdict(ctx context.Context, c *call, err error) error {
	var status *sys.ExitError
	switch {
	case c.broken != nil:
		return c.broken
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return abi.LimitError("took longer than " + s.lim.Call.String())
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
		return nil, abi.LimitError("is refused: it is larger than " + abi.Size(s.lim.Module))
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

// interpretMost is the size in bytes up to which a trusted module that cannot
// be kept compiled is interpreted.
const interpretMost = 256 << 10

// load makes a module ready.
//
// With a cache folder it is compiled, once for all later runs. For the C module
// of 28 KB, the first call of a process takes, on two busy cores: 30 ms where it
// compiles, 1.8 ms where it finds the code, 5.5 ms in the interpreter, which
// then takes 2 ms for each further call and compiled code 0.5. Waiting for the
// compiler once is the simplest way to have every later call fast. Without a
// place to keep the code, a small module of rhx's own is interpreted.
func (s *Sandbox) load(ctx context.Context, p *program, m Module, digest [sha256.Size]byte) error {
	found, err := inspect(m.Wasm, s.lim)
	if err != nil {
		return err
	}
	dir := s.cacheDir()
	canCompile := runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"
	if !canCompile && !m.Trusted {
		return errors.New("cannot run: wasm modules from others need a processor that wazero can compile for")
	}
	if !canCompile || dir == "" && m.Trusted && len(m.Wasm) <= interpretMost {
		return s.compile(ctx, p, found, wazero.NewRuntimeConfigInterpreter())
	}
	config := wazero.NewRuntimeConfig()
	if dir == "" {
		return s.compile(ctx, p, found, config)
	}
	e := cacheEntry(dir, digest)
	hit := e.check()
	cache, err := wazero.NewCompilationCacheWithDir(e.dir)
	if err != nil {
		s.warn("compiled wasm modules are not kept: %v", err)
		return s.compile(ctx, p, found, config)
	}
	p.cache = cache
	err = s.compile(ctx, p, found, config.WithCompilationCache(cache))
	if err != nil && !errors.Is(err, ErrLimit) && !errors.Is(err, errGivenUp) {
		// The entry may be the reason, or the disk; the module is fine without.
		e.remove()
		return s.compile(ctx, p, found, config)
	}
	if err == nil && !hit {
		if err := e.seal(); err != nil {
			s.warn("compiled wasm modules are not kept: %v", err)
		}
	}
	return err
}

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
	limit := time.NewTimer(s.lim.Compile)
	defer limit.Stop()
	select {
	case r := <-done:
		p.runtime, p.compiled = r.runtime, r.compiled
		return r.err
	case <-limit.C:
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
