package main

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// loadBare does the least that runs the C guest with limits: it has no WASI but
// the functions that the module imports, and checks nothing.
func loadBare(ctx context.Context, dir, folder string) (*loaded, error) {
	code, err := os.ReadFile(filepath.Join(dir, "command.wasm"))
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(folder)
	if err != nil {
		return nil, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, limited(cache))
	compiled, err := rt.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	host := rt.NewHostModuleBuilder("wasi_snapshot_preview1")
	for _, f := range compiled.ImportedFunctions() {
		_, name, _ := f.Import()
		host.NewFunctionBuilder().WithGoModuleFunction(bareFunction(name), f.ParamTypes(), f.ResultTypes()).Export(name)
	}
	if _, err := host.Instantiate(ctx); err != nil {
		return nil, err
	}
	in := request()
	return &loaded{
		call: func(ctx context.Context) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, timeLimit)
			defer cancel()
			s := &stdio{in: in}
			ctx = context.WithValue(ctx, stdioKey{}, s)
			mod, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(""))
			if err != nil && !exitedWell(err) {
				return nil, err
			}
			if mod != nil {
				err = mod.Close(ctx)
			}
			return s.out, err
		},
		close: rt.Close,
	}, nil
}

func exitedWell(err error) bool {
	var exit *sys.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 0
}

type (
	stdio    struct{ in, out []byte }
	stdioKey struct{}
)

// bareFunction is a function of WASI; those that the guest imports and never
// calls end it.
func bareFunction(name string) api.GoModuleFunc {
	switch name {
	case "fd_read", "fd_write":
		return func(ctx context.Context, mod api.Module, p []uint64) {
			s, m := ctx.Value(stdioKey{}).(*stdio), mod.Memory()
			var total int
			for i := range uint32(p[2]) {
				at, _ := m.Read(uint32(p[1])+8*i, 8)
				b, _ := m.Read(binary.LittleEndian.Uint32(at), binary.LittleEndian.Uint32(at[4:]))
				if name == "fd_write" {
					s.out = append(s.out, b...)
					total += len(b)
					continue
				}
				n := copy(b, s.in)
				s.in = s.in[n:]
				total += n
			}
			m.WriteUint32Le(uint32(p[3]), uint32(total))
			p[0] = 0
		}
	case "proc_exit":
		return func(ctx context.Context, mod api.Module, p []uint64) {
			_ = mod.CloseWithExitCode(ctx, uint32(p[0]))
			panic(sys.NewExitError(uint32(p[0])))
		}
	}
	return func(context.Context, api.Module, []uint64) { panic("not called: " + name) }
}
