package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	extism "github.com/extism/go-sdk"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"rhxbench/acme"
	"rhxbench/provider"
)

// way is one way to run the parser.
type way struct {
	name string
	load func(ctx context.Context, dir, cache string) (*loaded, error)
	// prepare fills the cache where the first call does not.
	prepare func(ctx context.Context, dir, cache string) error
}

// loaded is a parser that is ready: call makes one extract, in an instance of its
// own.
type loaded struct {
	call  func(context.Context) ([]byte, error)
	close func(context.Context) error
}

func nothing(context.Context) error { return nil }

// ways are all; the first is what the others are compared with.
var ways = []way{
	{name: "wazero alone, the C guest's own imports", load: loadBare},
	{name: "wazero alone, its whole WASI", load: loadWASI},
	{name: "rhx, a built-in module, C guest", load: rhx("command.wasm", true)},
	{name: "rhx, an added module, C guest", load: rhx("command.wasm", false), prepare: compileAdded("command.wasm")},
	{name: "rhx, a built-in module, Go guest", load: rhx("command-go.wasm", true)},
	{name: "Extism, C guest", load: loadExtism},
	{name: "go-plugin, C guest", load: goPlugin("goplugin-c.wasm", request)},
	{name: "go-plugin, Go guest", load: goPlugin("goplugin-go.wasm", file)},
	{name: "subprocess, the same C", load: loadSubprocess},
	{name: "in process, Go", load: loadNative},
}

func find(name string) way {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	panic("no way " + name)
}

func sandboxRequest() *sandbox.Request {
	return &sandbox.Request{Op: sandbox.Extract, Provider: "acme", Files: []sandbox.File{{Path: "~/.acme/credentials", Content: file(), Exists: true}}}
}

// request is what the C guests read.
func request() []byte { return sandboxRequest().Encode() }

func rhx(module string, trusted bool) func(ctx context.Context, dir, cache string) (*loaded, error) {
	return func(_ context.Context, dir, cache string) (*loaded, error) {
		code, err := os.ReadFile(filepath.Join(dir, module))
		if err != nil {
			return nil, err
		}
		box, err := newSandbox(cache)
		if err != nil {
			return nil, err
		}
		m := sandbox.Module{Name: "acme", Wasm: code, Trusted: trusted}
		return &loaded{
			call: func(ctx context.Context) ([]byte, error) {
				resp, err := box.Run(ctx, m, sandboxRequest())
				if err != nil {
					return nil, err
				}
				var tokens []string
				for _, s := range resp.Secrets {
					tokens = append(tokens, s.Values["token"])
				}
				return []byte(strings.Join(tokens, "\n")), nil
			},
			close: box.Close,
		}, nil
	}
}

func newSandbox(cache string) (*sandbox.Sandbox, error) {
	self, err := os.Executable()
	return sandbox.New(sandbox.Config{CacheDir: cache, Child: []string{self, "serve"}}), err
}

// compileAdded does what rhx provider add does.
func compileAdded(module string) func(ctx context.Context, dir, cache string) error {
	return func(ctx context.Context, dir, cache string) error {
		code, err := os.ReadFile(filepath.Join(dir, module))
		if err != nil {
			return err
		}
		box, err := newSandbox(cache)
		if err != nil {
			return err
		}
		defer box.Close(ctx)
		return box.Compile(ctx, sandbox.Module{Name: "acme", Wasm: code})
	}
}

// limited is wazero with the limits that rhx sets.
func limited(cache wazero.CompilationCache) wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().WithCompilationCache(cache).WithCloseOnContextDone(true).WithMemoryLimitPages(1024).WithDebugInfoEnabled(false)
}

func loadWASI(ctx context.Context, dir, folder string) (*loaded, error) {
	code, err := os.ReadFile(filepath.Join(dir, "command.wasm"))
	if err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(folder)
	if err != nil {
		return nil, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, limited(cache))
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		return nil, err
	}
	compiled, err := rt.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	in := request()
	return &loaded{
		call: func(ctx context.Context) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, timeLimit)
			defer cancel()
			var out bytes.Buffer
			mod, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithArgs("acme", "extract").WithStdin(bytes.NewReader(in)).WithStdout(&out))
			if err != nil && !exitedWell(err) {
				return nil, err
			}
			if mod != nil {
				err = mod.Close(ctx)
			}
			return out.Bytes(), err
		},
		close: rt.Close,
	}, nil
}

func loadExtism(ctx context.Context, dir, folder string) (*loaded, error) {
	cache, err := wazero.NewCompilationCacheWithDir(folder)
	if err != nil {
		return nil, err
	}
	manifest := extism.Manifest{
		Wasm:    []extism.Wasm{extism.WasmFile{Path: filepath.Join(dir, "extism.wasm")}},
		Memory:  &extism.ManifestMemory{MaxPages: 1024},
		Timeout: uint64(timeLimit.Milliseconds()),
	}
	config := extism.PluginConfig{EnableWasi: true, RuntimeConfig: wazero.NewRuntimeConfig().WithCompilationCache(cache)}
	compiled, err := extism.NewCompiledPlugin(ctx, manifest, config, nil)
	if err != nil {
		return nil, err
	}
	in := request()
	return &loaded{
		call: func(ctx context.Context) ([]byte, error) {
			p, err := compiled.Instance(ctx, extism.PluginInstanceConfig{})
			if err != nil {
				return nil, err
			}
			_, out, err := p.CallWithContext(ctx, "extract", in)
			if err != nil {
				return nil, err
			}
			out = bytes.Clone(out)
			return out, p.Close(ctx)
		},
		close: compiled.Close,
	}, nil
}

// goPlugin loads the plugin for each call: it has no other fresh instance.
func goPlugin(module string, input func() []byte) func(ctx context.Context, dir, cache string) (*loaded, error) {
	return func(ctx context.Context, dir, folder string) (*loaded, error) {
		cache, err := wazero.NewCompilationCacheWithDir(folder)
		if err != nil {
			return nil, err
		}
		plugin, err := provider.NewProviderPlugin(ctx, provider.WazeroRuntime(func(ctx context.Context) (wazero.Runtime, error) {
			rt := wazero.NewRuntimeWithConfig(ctx, limited(cache))
			_, err := wasi_snapshot_preview1.Instantiate(ctx, rt)
			return rt, err
		}))
		if err != nil {
			return nil, err
		}
		in := input()
		return &loaded{
			call: func(ctx context.Context) ([]byte, error) {
				// It compiles in here, where there is no cache.
				ctx, cancel := context.WithTimeout(ctx, 10*timeLimit)
				defer cancel()
				p, err := plugin.Load(ctx, filepath.Join(dir, module))
				if err != nil {
					return nil, err
				}
				d, err := p.Extract(ctx, &provider.Document{Data: in})
				if err != nil {
					return nil, err
				}
				return d.Data, p.Close(ctx)
			},
			close: cache.Close,
		}, nil
	}
}

func loadSubprocess(_ context.Context, dir, _ string) (*loaded, error) {
	in := request()
	return &loaded{
		call: func(ctx context.Context) ([]byte, error) {
			cmd := exec.CommandContext(ctx, filepath.Join(dir, "native"), "extract")
			cmd.Stdin = bytes.NewReader(in)
			return cmd.Output()
		},
		close: nothing,
	}, nil
}

func loadNative(context.Context, string, string) (*loaded, error) {
	in := file()
	return &loaded{call: func(context.Context) ([]byte, error) { return acme.Extract(in), nil }, close: nothing}, nil
}
