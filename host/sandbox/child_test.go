package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/rhx-dev/rhx/host/sandbox/child"
)

// What the test program is beside itself.
const (
	childArg = "sandbox-child"
	blindArg = "sandbox-blind" // a child that looks at no module before it compiles it
)

func TestMain(m *testing.M) {
	switch os.Args[len(os.Args)-1] {
	case childArg:
		os.Exit(Serve(os.Stdin, os.Stdout))
	case blindArg:
		os.Exit(child.Serve(os.Stdin, os.Stdout, func(job *child.Job, wasm []byte) func(*child.Call, []byte) *child.Result {
			return func(*child.Call, []byte) *child.Result {
				box := New(Config{Limits: job.Limits})
				if err := box.compile(context.Background(), &program{}, &module{code: wasm}, wazero.NewRuntimeConfig()); err != nil {
					return &child.Result{Error: err.Error(), Limit: errors.Is(err, ErrLimit)}
				}
				return &child.Result{}
			}
		}))
	}
	os.Exit(m.Run())
}

func childArgs(t testing.TB, arg string) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, arg}
}

func stranger(s source) Module { return Module{Name: "stranger", Wasm: s.wasm()} }

var oneSecret = answers(`{"abi":1,"secrets":[{"profile":"a","values":{"k":"v"}}]}`)

func mustAnswer(t *testing.T, box *Sandbox, m Module) {
	t.Helper()
	resp, err := box.Run(t.Context(), m, request(Extract))
	if err != nil || len(resp.Secrets) != 1 || resp.Secrets[0].Values["k"] != "v" {
		t.Fatalf("got %v, %v", resp, err)
	}
}

// large is a module too large to be interpreted.
func large() source {
	s := oneSecret
	s.more = slices.Repeat([][]byte{make([]byte, 100_000)}, 3) // unreachable, a hundred thousand times
	return s
}

// A small module of somebody else is compiled by Compile alone; a large one is
// not interpreted again and again.
func TestWhenAStrangersModuleIsCompiled(t *testing.T) {
	needsCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	box, m := sandboxFor(t, Config{CacheDir: dir}), stranger(oneSecret)
	mustAnswer(t, box, m)
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) > 0 {
		t.Errorf("a run has left %v", found)
	}
	for range 2 {
		if err := box.Compile(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.Stat(compiled(t, dir)[0])
	if err != nil {
		t.Fatal(err)
	}
	mustAnswer(t, box, m)
	if again, err := os.Stat(compiled(t, dir)[0]); err != nil || !os.SameFile(first, again) {
		t.Errorf("it was compiled again: %v", err)
	}
	dir = filepath.Join(t.TempDir(), "cache")
	mustAnswer(t, sandboxFor(t, Config{CacheDir: dir}), stranger(large()))
	compiled(t, dir)
}

// Damaged code of a stranger's module is neither run nor compiled again by a
// run, and healed by Compile.
func TestDamagedCodeOfAStranger(t *testing.T) {
	needsCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	box, m := sandboxFor(t, Config{CacheDir: dir}), stranger(oneSecret)
	if err := box.Compile(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	file := compiled(t, dir)[0]
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	put_(t, file, bad)
	mustAnswer(t, box, m)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged code is still there: %v", err)
	}
	if err := box.Compile(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(compiled(t, dir)[0]); err != nil || !bytes.Equal(again, good) {
		t.Errorf("it is not healed: %v", err)
	}
	mustAnswer(t, box, m)
}

// Code that another version of wazero left behind is neither used nor in the way.
func TestCodeOfAnotherRuntime(t *testing.T) {
	needsCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	box, m := sandboxFor(t, Config{CacheDir: dir}), stranger(oneSecret)
	if err := box.Compile(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	file := compiled(t, dir)[0]
	folder := filepath.Dir(file)
	if got := filepath.Base(folder); got != runtimeFolder() {
		t.Fatalf("wazero keeps its code in %s, not in %s", got, runtimeFolder())
	}
	other := filepath.Join(filepath.Dir(folder), "wazero-v0.0.1-amd64-linux")
	if err := os.Rename(folder, other); err != nil {
		t.Fatal(err)
	}
	mustAnswer(t, box, m)
	if err := box.Compile(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{folder, other} {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
	}
}

// All calls of a module are served by one process, behind both walls, and none finds
// what another left behind.
func TestCallsOfAStrangersModule(t *testing.T) {
	m := oneSecret
	// if memory[5000] is not 0, fail; and leave something there
	m.body = cat(i32const(5000), []byte{0x28, 2, 0, 0x04, 0x40}, unreachable, []byte{0x0b},
		i32const(5000), i32const(1), []byte{0x36, 2, 0}, m.body)
	for name, compile := range map[string]bool{"compiled": true, "interpreted": false} {
		t.Run(name, func(t *testing.T) {
			if compile {
				needsCompiler(t)
			}
			starts := filepath.Join(t.TempDir(), "starts")
			program := append([]string{"/bin/sh", "-c", `echo >>"$0"; exec "$@"`, starts}, childArgs(t, childArg)...)
			box := sandboxFor(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Child: program})
			if compile {
				if err := box.Compile(t.Context(), stranger(m)); err != nil {
					t.Fatal(err)
				}
				put_(t, starts, nil)
			}
			for range 100 {
				mustAnswer(t, box, stranger(m))
			}
			if n, err := os.ReadFile(starts); err != nil || len(n) != 1 {
				t.Errorf("%d processes for 100 calls: %v", len(n), err)
			}
		})
	}
}

// bombs are modules that inspect refuses, since wazero would take all memory or
// minutes to compile them.
func bombs() map[string][]byte {
	return map[string][]byte{
		"2^32-1 locals":      source{locals: vec(cat(u(1<<32-1), []byte{i32}))}.wasm(),
		"locals times loops": source{locals: vec(cat(u(1000), []byte{i32})), body: loops(1000, 1000)}.wasm(),
		"nested blocks":      source{body: nested(150_000)}.wasm(),
		"br_table":           source{body: cat([]byte{0x02, 0x40}, i32const(0), []byte{0x0e}, u(1_000_000), make([]byte, 1_000_001), []byte{0x0b})}.wasm(),
	}
}

// loops is n nested loops, in the innermost of which every local is counted up.
func loops(n, locals int) []byte {
	var up []byte
	for i := range locals {
		up = cat(up, []byte{0x20}, u(uint64(i)), i32const(1), []byte{0x6a, 0x21}, u(uint64(i)))
	}
	return cat(repeat(n, []byte{0x03, 0x40}), up, repeat(n, cat(i32const(0), []byte{0x0d, 0, 0x0b})))
}

// Should a module pass inspect that would never be compiled, then the child's
// limits end it, and rhx goes on.
func TestCompileBombsEndInTheChild(t *testing.T) {
	needsCompiler(t)
	const limit = 700 * time.Millisecond
	for name, wasm := range bombs() {
		if _, err := inspect(wasm, Limits{}.OrDefault()); err == nil {
			t.Errorf("%s: is not refused", name)
		}
		box := sandboxFor(t, Config{Child: childArgs(t, blindArg), Limits: Limits{Compile: limit}})
		err := box.Compile(t.Context(), Module{Name: "bomb", Wasm: wasm})
		if !errors.Is(err, ErrLimit) && (err == nil || !strings.Contains(err.Error(), "refused")) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	mustAnswer(t, sandboxFor(t, Config{}), stranger(oneSecret))
}

func TestCompileTimeIsNamed(t *testing.T) {
	needsCompiler(t)
	// As slow to compile as inspect allows.
	m := stranger(source{more: slices.Repeat([][]byte{nested(1800)}, 1300)})
	box := sandboxFor(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Limits: Limits{Compile: 20 * time.Millisecond}})
	if err := box.Compile(t.Context(), m); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), "took longer than 20ms to compile") {
		t.Errorf("got %v", err)
	}
	gone, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sandboxFor(t, Config{}).Compile(gone, m); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up: got %v", err)
	}
}

// A module has the system's randomness only where it may.
func TestRandomIsAPermission(t *testing.T) {
	m := source{imports: []imported{fdWrite, {wasi, "random_get", 3}}, data: []byte{16, 0, 0, 0, 32, 0, 0, 0},
		body: cat(i32const(16), i32const(32), call_(1), drop, write(1))}
	box := sandboxFor(t, Config{})
	run := func(random bool) []byte {
		c, err := box.exec(t.Context(), Module{Name: "m", Wasm: m.wasm(), Random: random}, []string{"m"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.stdout.b
	}
	if a, b := run(false), run(false); len(a) != 32 || !bytes.Equal(a, b) {
		t.Errorf("by default two calls saw %x and %x", a, b)
	}
	if a, b := run(true), run(true); len(a) != 32 || bytes.Equal(a, b) {
		t.Errorf("with the permission two calls saw %x and %x", a, b)
	}
}

func TestPrune(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for name, f := range map[string]struct {
		age  time.Duration
		size int64
	}{"new": {0, 100 << 20}, "older": {time.Hour, 100 << 20}, "beyond-size": {2 * time.Hour, 100 << 20}, "small-and-beyond": {3 * time.Hour, 1}, "last-season": {91 * 24 * time.Hour, 1}} {
		sub := filepath.Join(dir, name, "w")
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		put_(t, filepath.Join(sub, "code"), nil)
		if err := os.Truncate(filepath.Join(sub, "code"), f.size); err != nil { // sparse
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), now, now.Add(-f.age)); err != nil {
			t.Fatal(err)
		}
	}
	put_(t, filepath.Join(dir, "a-file"), nil)
	prune(dir, now)
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"a-file", "new", "older"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}

// Use keeps an entry from being pruned.
func TestUseIsNoted(t *testing.T) {
	needsCompiler(t)
	dir := filepath.Join(t.TempDir(), "cache")
	cached(t, dir)
	e := filepath.Dir(filepath.Dir(compiled(t, dir)[0]))
	old := time.Now().Add(-80 * 24 * time.Hour)
	if err := os.Chtimes(e, old, old); err != nil {
		t.Fatal(err)
	}
	cached(t, dir)
	if info, err := os.Stat(e); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("last used %v, %v", info.ModTime(), err)
	}
}
