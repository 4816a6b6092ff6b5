package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

// guests runs the built-in wasm modules, by a runner that is made when first
// needed.
type guests struct {
	cache string
	warn  func(string)
	note  func(format string, args ...any)
	once  sync.Once
	r     runner
}

// runner runs a module once for one request.
type runner interface {
	run(ctx context.Context, m abi.Module, req *abi.Request) (*abi.Response, error)
	close()
}

// Run runs a module once.
func (g *guests) Run(ctx context.Context, module string, req *abi.Request) (*abi.Response, error) {
	code, ok := wasm.Module(module)
	if !ok {
		return nil, fmt.Errorf("there is no wasm module %q in this rhx", module)
	}
	g.once.Do(func() { g.r = newRunner(g.cache, g.warn) })
	g.note("wasm module: %s, %s", module, req.Op)
	return g.r.run(ctx, abi.Module{Name: module, Wasm: code, Trusted: true}, req)
}

func (g *guests) close() {
	if g.r != nil {
		g.r.close()
	}
}

// guestArg is the argument with which rhx starts rhx-full to run one module:
// a guestCall on stdin, a guestResult on stdout.
const guestArg = "run-guest"

type guestCall struct {
	Cache   string
	Module  abi.Module
	Request *abi.Request
}

type guestResult struct {
	Response *abi.Response
	Error    string
}

// serveGuest is the other side of a guestCall.
func serveGuest(in io.Reader, out, warnings io.Writer) int {
	var call guestCall
	if err := json.NewDecoder(in).Decode(&call); err != nil {
		fmt.Fprintln(warnings, "rhx: this is for rhx itself")
		return 2
	}
	r := newRunner(call.Cache, func(text string) { fmt.Fprintln(warnings, text) })
	defer r.close()
	var result guestResult
	resp, err := r.run(context.Background(), call.Module, call.Request)
	if result.Response = resp; err != nil {
		result.Error = err.Error()
	}
	if err := json.NewEncoder(out).Encode(result); err != nil {
		return 1
	}
	return 0
}
