package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/trust"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

// Guests runs wasm modules, the built-in ones and those of added providers, by a
// runner that is made when first needed.
type Guests struct {
	cache     string
	added     *trust.Providers
	newRunner func(cache string, warn func(string)) (Runner, error)
	warn      func(string)
	note      func(format string, args ...any)

	mu sync.Mutex
	r  Runner
}

// Runner runs modules.
type Runner interface {
	Run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error)
	Compile(ctx context.Context, m abi.Module) error
	Close(ctx context.Context) error
}

// Run runs the module of a provider's file once.
func (g *Guests) Run(ctx context.Context, sp *spec.Spec, f *spec.File, req *abi.Request) (*abi.Response, error) {
	m, err := g.module(sp, f)
	if err != nil {
		return nil, err
	}
	r, err := g.Runner()
	if err != nil {
		return nil, err
	}
	g.note("wasm module: %s, %s", m.Name, req.Op)
	return r.Run(ctx, m, req)
}

// module returns the module of a file. That of an added provider is compared with
// its digest each time.
func (g *Guests) module(sp *spec.Spec, f *spec.File) (abi.Module, error) {
	if f.WasmDigest != "" {
		code, err := g.added.Module(sp.Name, f.Wasm)
		return abi.Module{Name: f.Wasm, Wasm: code, Random: f.Random}, err
	}
	code, ok := wasm.Module(f.Wasm)
	if !ok {
		return abi.Module{}, fmt.Errorf("there is no wasm module %q in this rhx", f.Wasm)
	}
	return abi.Module{Name: f.Wasm, Wasm: code, Trusted: true, Random: f.Random}, nil
}

// Runner returns the runner, made once.
func (g *Guests) Runner() (Runner, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.r == nil {
		r, err := g.newRunner(g.cache, g.warn)
		if err != nil {
			return nil, err
		}
		g.r = r
	}
	return g.r, nil
}

func (g *Guests) close(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.r != nil {
		_ = g.r.Close(ctx)
	}
}
