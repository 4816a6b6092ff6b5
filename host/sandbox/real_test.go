package sandbox

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

func mylogin(t testing.TB) Module {
	t.Helper()
	code, ok := wasm.Module("mylogin")
	if !ok {
		t.Fatal("the module mylogin is not embedded")
	}
	return Module{Name: "mylogin", Wasm: code, Trusted: true}
}

func sandboxFor(t testing.TB, c Config) *Sandbox {
	t.Helper()
	if c.Warn == nil {
		c.Warn = func(s string) { t.Errorf("warning: %s", s) }
	}
	if c.Child == nil {
		c.Child = childArgs(t, childArg)
	}
	s := New(c)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func loginFile(t testing.TB) *Request {
	t.Helper()
	data, err := os.ReadFile("../../providers-wasm/mylogin/cases/editor/home/.mylogin.cnf")
	if err != nil {
		t.Fatal(err)
	}
	return &Request{Op: Extract, Provider: "mysql", Files: []File{{Path: "~/.mylogin.cnf", Content: data, Exists: true}}}
}

// A fresh instance of a compiled module, in a process that has used it before.
func BenchmarkRunCached(b *testing.B) {
	s, m, req := sandboxFor(b, Config{CacheDir: filepath.Join(b.TempDir(), "cache")}), mylogin(b), loginFile(b)
	if _, err := s.Run(b.Context(), m, req); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(b.Context(), m, req); err != nil {
			b.Fatal(err)
		}
	}
}

// A later call of a stranger's module, in the process that served the first.
func BenchmarkRunStranger(b *testing.B) {
	s, m, req := sandboxFor(b, Config{CacheDir: filepath.Join(b.TempDir(), "cache")}), mylogin(b), loginFile(b)
	m.Trusted = false
	if err := s.Compile(b.Context(), m); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Run(b.Context(), m, req); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(b.Context(), m, req); err != nil {
			b.Fatal(err)
		}
	}
}

// The first call of a process that finds the module compiled.
func BenchmarkWarmCache(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "cache")
	benchmarkFirst(b, func() string { return dir })
}

// The first call of all, which compiles.
func BenchmarkColdCache(b *testing.B) {
	benchmarkFirst(b, func() string { return filepath.Join(b.TempDir(), "cache") })
}

// The first call of a process that cannot keep compiled code: the interpreter.
func BenchmarkNoCache(b *testing.B) {
	benchmarkFirst(b, func() string { return "" })
}

func benchmarkFirst(b *testing.B, dir func() string) {
	m, req := mylogin(b), loginFile(b)
	run := func() {
		s := New(Config{CacheDir: dir()})
		if _, err := s.Run(b.Context(), m, req); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	run()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
