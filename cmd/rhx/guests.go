package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/rhx-dev/rhx/host/sandbox"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

// guests runs the built-in wasm modules in a sandbox that is made when first
// needed.
type guests struct {
	cache string
	warn  func(string)
	note  func(format string, args ...any)
	once  sync.Once
	box   *sandbox.Sandbox
}

// Run runs a module once.
func (g *guests) Run(ctx context.Context, module string, req *sandbox.Request) (*sandbox.Response, error) {
	code, ok := wasm.Module(module)
	if !ok {
		return nil, fmt.Errorf("there is no wasm module %q in this rhx", module)
	}
	g.once.Do(func() { g.box = sandbox.New(sandbox.Config{CacheDir: g.cache, Warn: g.warn}) })
	g.note("wasm module: %s, %s", module, req.Op)
	return g.box.Run(ctx, sandbox.Module{Name: module, Wasm: code, Trusted: true}, req)
}

func (g *guests) close() {
	if g.box != nil {
		_ = g.box.Close(context.Background())
	}
}
