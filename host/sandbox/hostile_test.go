package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/experimental"
)

// canary stands for a secret that must not come out.
const canary = "canary-fake-secret-value"

func request(op Op) *Request {
	r := &Request{Op: op, Provider: "test",
		Env:   map[string]string{"TEST_TOKEN": canary},
		Files: []File{{Path: "~/.test", Content: []byte("[a]\ntoken = " + canary + "-file\n"), Exists: true}}}
	if op == Render {
		r.Secret = &Secret{Profile: "a", Values: map[string]string{"token": canary + "-secret"}}
	}
	return r
}

func repeat(n int, b []byte) []byte { return bytes.Repeat(b, n) }

// times is n copies of a code that leaves the stack as it was.
func nested(n int) []byte { return cat(repeat(n, []byte{0x02, 0x40}), repeat(n, []byte{0x0b})) }

const okFile = `{"abi":1,"files":[{"path":"~/.test","content":"YQ==","mode":384}]}`

// A hostile module tries something.
type hostile struct {
	name string
	op   Op
	wasm []byte
	// want is part of the sandbox's error; "" for none.
	want string
}

func hostileModules() []hostile {
	file := func(fields string) string { return `{"abi":1,"files":[{` + fields + `}]}` }
	lots := func(n int, item string) string {
		return `{"abi":1,"secrets":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
	}
	withLocals := func(n uint64) source { return source{locals: vec(cat(u(n), []byte{i32}))} }
	return []hostile{
		{"infinite loop", Extract, source{body: loopForever}.wasm(), "took longer than 30ms"},
		{"infinite loop in start", Extract, source{body: loopForever, start: true}.wasm(), "took longer than 30ms"},
		{"infinite loop of host calls", Extract, says("", loop(write(1))).wasm(), "took longer than 30ms"},
		{"endless sleep", Extract, source{imports: []imported{{wasi, "poll_oneoff", 1}},
			body: loop(i32const(64), i32const(128), i32const(1), i32const(8), call_(0), drop)}.wasm(), "took longer than 30ms"},
		{"memory.grow to the limit", Extract, source{body: cat(loop(i32const(1), []byte{0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40, 0, 0x0b}))}.wasm(), "needs more than 1 MiB of memory"},
		{"memory.grow at once", Extract, source{body: cat(i32const(60000), []byte{0x40, 0}, drop, unreachable)}.wasm(), "needs more than 1 MiB of memory"},
		{"initial memory over the limit", Extract, source{pages: 65536}.wasm(), "needs 4096 MiB of memory; at most 1 MiB"},
		{"data beyond the memory", Extract, source{pages: 1, data: make([]byte, 100<<10)}.wasm(), "failed"},
		{"table of 2^32-1", Extract, source{table: cat([]byte{0}, u(1<<32-1))}.wasm(), "table has 4294967295 entries"},
		{"table.grow loop", Extract, source{table: []byte{0, 1}, body: loop([]byte{0xd0, 0x70}, i32const(1), []byte{0xfc, 15, 0}, drop)}.wasm(), "uses table.grow"},
		{"2^32-1 locals", Extract, withLocals(1<<32 - 1).wasm(), "has 4294967295 locals"},
		{"2^32-1 locals in many groups", Extract, source{locals: vec(slices.Repeat([][]byte{cat(u(1<<31), []byte{i64})}, 20)...)}.wasm(), "locals; at most 2000"},
		{"locals times blocks", Extract, source{locals: vec(cat(u(1000), []byte{i32})), body: nested(1000)}.wasm(), "too many locals and blocks"},
		{"nested blocks", Extract, source{body: nested(30_000)}.wasm(), "more than 2000 deep"},
		{"block parameters", Extract, source{body: repeat(4000, cat(repeat(9, i32const(0)), unreachable, []byte{0x02, 6}))}.wasm(), "parameters and results of blocks"},
		{"br_table", Extract, source{body: cat([]byte{0x02, 0x40}, i32const(0), []byte{0x0e}, u(100_000), make([]byte, 100_001), []byte{0x0b})}.wasm(), "br_table entries"},
		{"many br_tables", Extract, source{body: repeat(200, cat([]byte{0x02, 0x40}, i32const(0), []byte{0x0e}, u(500), make([]byte, 501), []byte{0x0b}))}.wasm(), "br_table entries"},
		{"a huge function", Extract, source{body: make([]byte, 200_000)}.wasm(), "bytes of a function"},
		{"many slow functions", Extract, source{more: slices.Repeat([][]byte{nested(1900)}, 1400)}.wasm(), "too long to compile"},
		{"a large module", Extract, source{custom: section(0, make([]byte, 9<<20))}.wasm(), "larger than 8 MiB"},
		{"a custom section that claims 2^32-1 names", Extract, source{custom: section(0, cat(text("name"), []byte{1, 5}, u(1<<32-1)))}.wasm(), "gave no answer"},
		{"vector instructions", Extract, source{body: []byte{0xfd, 0x0c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x1a}}.wasm(), "vector instructions"},
		{"deep recursion", Extract, source{body: call_(0)}.wasm(), "stack overflow"},
		{"deep recursion with many locals", Extract, source{locals: vec(cat(u(1900), []byte{i64})), body: call_(0)}.wasm(), "stack overflow"},
		{"import env.system", Extract, source{imports: []imported{{"env", "system", 2}}}.wasm(), "imports env.system"},
		{"import of no WASI function", Extract, source{imports: []imported{{wasi, "system", 2}}}.wasm(), "imports wasi_snapshot_preview1.system"},
		{"import with control characters", Extract, source{imports: []imported{{"env", "\x1b[2J\n", 2}}}.wasm(), "imports env. [2J,"},
		{"import of a wrong type", Extract, source{imports: []imported{{wasi, "fd_write", 2}}}.wasm(), "with a type that it does not have"},
		{"sock_accept", Extract, source{imports: []imported{{wasi, "sock_accept", 5}},
			body: cat(i32const(3), i32const(0), i32const(8), call_(0), i32const(eNosys), []byte{0x47, 0x04, 0x40, 0, 0x0b})}.wasm(), "gave no answer"},
		{"path_open", Extract, source{imports: []imported{{wasi, "path_open", 6}},
			body: cat(i32const(3), i32const(0), i32const(16), i32const(1), i32const(0), []byte{0x42, 0, 0x42, 0}, i32const(0), i32const(8), call_(0), i32const(eNosys), []byte{0x47, 0x04, 0x40, 0, 0x0b})}.wasm(), "gave no answer"},
		{"fd_write to fd 5", Extract, says("x", i32const(5), i32const(0), i32const(1), i32const(8), call_(0), i32const(eBadf), []byte{0x47, 0x04, 0x40, 0, 0x0b}).wasm(), "gave no answer"},
		{"fd_write from nowhere", Extract, says("x", i32const(1), i32const(-8), i32const(1), i32const(8), call_(0), i32const(eFault), []byte{0x47, 0x04, 0x40, 0, 0x0b}).wasm(), "gave no answer"},
		{"fd_write of a million buffers", Extract, says("x", i32const(1), i32const(0), i32const(1<<20), i32const(8), call_(0), i32const(eInval), []byte{0x47, 0x04, 0x40, 0, 0x0b}).wasm(), "gave no answer"},
		{"stdout flood", Extract, says(strings.Repeat("x", 1000), loop(write(1))).wasm(), "wrote more than 64 KiB to standard output"},
		{"stderr flood", Extract, says(strings.Repeat("x", 1000), loop(write(2))).wasm(), "wrote more than 4 KiB to standard error"},
		{"no output", Extract, source{}.wasm(), "gave no answer"},
		{"two JSON documents", Extract, answers(`{"abi":1}{"abi":1}`).wasm(), "not one JSON document"},
		{"not JSON", Extract, answers(canary).wasm(), "not one JSON document"},
		{"a field of a wrong type", Extract, answers(`{"abi":1,"secrets":[{"profile":12345678}]}`).wasm(), "wrong type"},
		{"invalid UTF-8", Extract, answers("{\"abi\":1,\"secrets\":[{\"profile\":\"\xff\"}]}").wasm(), "not UTF-8"},
		{"half a surrogate pair", Extract, answers(`{"abi":1,"secrets":[{"profile":"\ud800x"}]}`).wasm(), "surrogate"},
		{"JSON nested deep", Extract, answers(`{"abi":1,"x":` + strings.Repeat("[", 60_000)).wasm(), "more than 32 levels"},
		{"many secrets", Extract, answers(lots(5000, `{}`)).wasm(), "at most 4096"},
		{"more items than can be taken", Extract, answers(`{"abi":1,"x":[` + strings.Repeat("0,", 30_000) + `0]}`).wasm(), ""},
		{"two secrets of one profile", Extract, answers(lots(2, `{"values":{"a":"b"}}`)).wasm(), "two secrets of one profile"},
		{"a profile with an escape", Extract, answers(lots(1, `{"profile":"\u001b[2J","values":{"a":"b"}}`)).wasm(), "control characters"},
		{"another ABI", Extract, answers(`{"abi":2}`).wasm(), "answers in ABI 2; this rhx speaks ABI 1"},
		{"no ABI", Extract, answers(`{}`).wasm(), "without an ABI version"},
		{"proc_exit 0 before reading", Extract, source{imports: []imported{{wasi, "proc_exit", 2}}, body: cat(i32const(0), call_(0))}.wasm(), "gave no answer"},
		{"exit code 1 with output", Extract, func() []byte {
			s := answers(`{"abi":1,"secrets":[]}`)
			s.imports = append(s.imports, imported{wasi, "proc_exit", 2})
			s.body = cat(s.body, i32const(1), call_(1))
			return s.wasm()
		}(), "ended with status 1"},
		{"trap with output", Extract, says(`{"abi":1}`, write(1), unreachable).wasm(), "failed: unreachable"},
		{"trap with a secret on stderr", Extract, says("leak "+canary+" "+canary+"-file", write(2), unreachable).wasm(), "failed: unreachable"},
		{"error with secrets", Render, answers(`{"abi":1,"error":{"code":"` + canary + `","message":"bad ` + canary + ` and ` + canary + `-file and ` + canary + `-secret","path":"/etc/` + canary + `"}}`).wasm(), "bad ******** and ******** and ********"},
		{"an undeclared path", Render, answers(file(`"path":"~/.other","content":""`)).wasm(), `wants to write "~/.other"`},
		{"a path upwards", Render, answers(file(`"path":"../../.ssh/authorized_keys","content":""`)).wasm(), "which it was not given"},
		{"a path that means the same", Render, answers(file(`"path":"~/./.test","content":""`)).wasm(), "which it was not given"},
		{"an absolute path", Render, answers(file(`"path":"/etc/passwd","content":""`)).wasm(), "which it was not given"},
		{"mode 0777", Render, answers(file(`"path":"~/.test","content":"","mode":511`)).wasm(), "wants mode 0777"},
		{"set user ID", Render, answers(file(`"path":"~/.test","content":"","mode":2432`)).wasm(), "wants mode 04600"},
		{"one file twice", Render, answers(`{"abi":1,"files":[{"path":"~/.test"},{"path":"~/.test"}]}`).wasm(), "twice"},
		{"content that is not base64", Render, answers(file(`"path":"~/.test","content":"!"`)).wasm(), "not JSON of the ABI"},
		{"files in answer to extract", Extract, answers(okFile).wasm(), ""},
		{"truncated module", Extract, answers(okFile).wasm()[:150], "ends too early"},
		{"not wasm", Extract, []byte("#!/bin/sh\necho hello\n"), "not a wasm module"},
		{"empty", Extract, nil, "not a wasm module"},
		{"a component", Extract, []byte("\x00asm\x0d\x00\x01\x00"), "not a module of wasm version 1"},
		{"no _start", Extract, []byte("\x00asm\x01\x00\x00\x00"), "exports no function _start"},
		{"body of a wrong type", Extract, source{body: drop}.wasm(), "is refused"},
	}
}

// Each module tries something; the sandbox gives an error that says what, in
// time, and goes on working.
func TestHostileModules(t *testing.T) {
	cases := hostileModules()
	lim := Limits{Memory: 1 << 20, Call: 30 * time.Second, Stdout: 64 << 10, Stderr: 4 << 10}
	brief := lim
	brief.Call = 30 * time.Millisecond // for those that would never end
	for _, how := range []struct {
		name    string
		trusted bool
	}{{"in a child", false}, {"compiled here", true}} {
		t.Run(how.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			box := sandboxFor(t, Config{Limits: lim, CacheDir: dir})
			short := sandboxFor(t, Config{Limits: brief, CacheDir: dir})
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					box := box
					if strings.HasPrefix(c.want, "took longer") {
						box = short
					}
					before := time.Now()
					resp, err := box.Run(t.Context(), Module{Name: "hostile", Wasm: c.wasm, Trusted: how.trusted}, request(c.op))
					if took := time.Since(before); took > 25*time.Second {
						t.Errorf("took %v", took)
					}
					checkHostile(t, c.want, resp, err)
				})
			}
			if _, err := box.Run(t.Context(), Module{Name: "good", Wasm: answers(okFile).wasm(), Trusted: how.trusted}, request(Render)); err != nil {
				t.Errorf("after all that a good module fails: %v", err)
			}
		})
	}
}

func checkHostile(t *testing.T, want string, resp *Response, err error) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.Files) > 0 || len(resp.Secrets) > 0 {
			t.Errorf("took %d files and %d secrets", len(resp.Files), len(resp.Secrets))
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	var failed *ModuleError
	shown := fmt.Sprintf("%v %+v %#v", err, err, err)
	if errors.As(err, &failed) {
		shown += failed.Stderr
	}
	if strings.Contains(shown, canary) {
		t.Error("the error holds a value of the request")
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
		t.Errorf("the error has control characters: %q", err)
	}
}

// The error says which limit it was, so that callers need not read it.
func TestLimitsAreErrLimit(t *testing.T) {
	box := sandboxFor(t, Config{Limits: Limits{Call: 50 * time.Millisecond, Memory: 1 << 20}})
	for name, m := range map[string]source{
		"time":   {body: loopForever},
		"memory": {body: cat(i32const(60000), []byte{0x40, 0}, drop, unreachable)},
		"stdout": says(strings.Repeat("x", 1000), loop(write(1))),
	} {
		_, err := box.Run(t.Context(), Module{Name: "m", Wasm: m.wasm()}, request(Extract))
		if !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v is not ErrLimit", name, err)
		}
	}
	_, err := box.Run(t.Context(), Module{Name: "m", Wasm: source{}.wasm()}, request(Extract))
	if errors.Is(err, ErrLimit) {
		t.Errorf("%v is ErrLimit", err)
	}
}

func TestStderrIsKeptMaskedAndPlain(t *testing.T) {
	box := sandboxFor(t, Config{})
	m := says("line one\n\x1b[2J\xff "+canary+"\n", write(2), unreachable)
	_, err := box.Run(t.Context(), Module{Name: "m", Wasm: m.wasm()}, request(Extract))
	var failed *ModuleError
	if !errors.As(err, &failed) || failed.Stderr != "line one\n[2J? ********" {
		t.Errorf("got %#v", err)
	}
}

func TestInputOverTheLimitIsNotGiven(t *testing.T) {
	box := sandboxFor(t, Config{Limits: Limits{Input: 1000}})
	large := request(Extract)
	large.Files[0].Content = make([]byte, 1001)
	if _, err := box.Run(t.Context(), Module{Name: "m", Wasm: answers(okFile).wasm()}, large); err == nil || !strings.Contains(err.Error(), "~/.test is larger than 1000 bytes") {
		t.Errorf("got %v", err)
	}
	large = request(Extract)
	large.Env["TEST_TOKEN"] = strings.Repeat("x", 1001)
	if _, err := box.Run(t.Context(), Module{Name: "m", Wasm: answers(okFile).wasm()}, large); err == nil || !strings.Contains(err.Error(), "variables and values are larger") {
		t.Errorf("got %v", err)
	}
	binary := request(Extract)
	binary.Env["TEST_TOKEN"] = "\xff"
	if _, err := box.Run(t.Context(), Module{Name: "m", Wasm: answers(okFile).wasm()}, binary); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledRunIsTheContextsError(t *testing.T) {
	box := sandboxFor(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	m := Module{Name: "m", Wasm: source{body: loopForever}.wasm()}
	if _, err := box.Run(ctx, m, request(Extract)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := box.Run(gone, m, request(Extract)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// Where a spec allows more than 0600, so does the sandbox; less is always fine.
func TestModes(t *testing.T) {
	box := sandboxFor(t, Config{})
	for _, c := range []struct {
		most fs.FileMode
		mode int
		want fs.FileMode
	}{{0, 0o600, 0o600}, {0, 0, 0o600}, {0, 0o400, 0o400}, {0o644, 0o644, 0o644}, {0o644, 0o600, 0o600}} {
		req := request(Render)
		req.Files[0].Mode = c.most
		m := answers(fmt.Sprintf(`{"abi":1,"files":[{"path":"~/.test","content":"YQ==","mode":%d}],"extra":{}}`, c.mode))
		resp, err := box.Run(t.Context(), Module{Name: "m", Wasm: m.wasm()}, req)
		if err != nil {
			t.Error(err)
		} else if got := resp.Files[0]; got.Mode != c.want || string(got.Content) != "a" {
			t.Errorf("most %o, asked %o: got %o", c.most, c.mode, got.Mode)
		}
	}
}

// The clock and the randomness are the same in every instance and tell nothing
// of this machine.
func TestClockAndRandomAreFake(t *testing.T) {
	m := source{imports: []imported{fdWrite, {wasi, "random_get", 3}, {wasi, "clock_time_get", 4}},
		data: cat([]byte{16, 0, 0, 0, 24, 0, 0, 0}, make([]byte, 8)),
		body: cat(i32const(16), i32const(16), call_(1), drop,
			i32const(0), []byte{0x42, 0}, i32const(32), call_(2), drop, write(1))}
	var seen [][]byte
	box := sandboxFor(t, Config{})
	for range 2 {
		p, err := box.program(t.Context(), Module{Name: "m", Wasm: m.wasm()})
		if err != nil {
			t.Fatal(err)
		}
		c := &call{time: time.Minute, stdout: output{most: 100}, memory: &memory{limit: 1 << 20, spare: &box.spare}}
		if err := box.instance(t.Context(), p, c); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, bytes.Clone(c.stdout.b))
		c.wipe()
	}
	if len(seen[0]) != 24 || !bytes.Equal(seen[0], seen[1]) {
		t.Errorf("two instances saw %x and %x", seen[0], seen[1])
	}
	if bytes.Equal(seen[0][:16], make([]byte, 16)) {
		t.Error("the random bytes are all zero")
	}
	if year := time.Unix(0, int64(leUint64(seen[0][16:]))).UTC().Year(); year != 2022 {
		t.Errorf("the clock is in %d", year)
	}
}

func leUint64(b []byte) (n uint64) {
	for i := 7; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// What one instance had in memory, no other can find; nor can anybody in the
// buffers that are kept.
func TestMemoryIsZeroedBetweenInstances(t *testing.T) {
	box := sandboxFor(t, Config{})
	p, err := box.program(t.Context(), Module{Name: "m", Wasm: answers(strings.Repeat(canary, 10_000)).wasm()})
	if err != nil {
		t.Fatal(err)
	}
	in := request(Extract).Encode()
	c := &call{time: time.Minute, stdin: in, stdout: output{most: 1 << 20}, stderr: output{most: 1 << 20}, memory: &memory{limit: 1 << 23, spare: &box.spare}}
	if err := box.instance(t.Context(), p, c); err != nil {
		t.Fatal(err)
	}
	memory, out := c.memory.buf, c.stdout.b
	if !bytes.Contains(memory, []byte(canary)) || !bytes.Contains(out, []byte(canary)) {
		t.Fatal("the test module did not have the value")
	}
	c.wipe()
	if bytes.Contains(memory, []byte("a")) || bytes.Contains(out, []byte("a")) {
		t.Error("values are left in memory")
	}
	for _, b := range box.spare.bufs {
		if bytes.ContainsFunc(b[:cap(b)], func(r rune) bool { return r != 0 }) {
			t.Error("a kept buffer is not zero")
		}
	}
}

func TestMemoryGrowsZeroedAndToItsLimit(t *testing.T) {
	s := &spare{}
	for range 3 { // the second and third time with kept buffers
		m := &memory{limit: 1 << 20, spare: s}
		b := m.Reallocate(1000)
		for i := range b {
			b[i] = 1
		}
		b = m.Reallocate(200_000)
		if len(b) != 200_000 || bytes.Count(b[:1000], []byte{1}) != 1000 || bytes.Count(b, []byte{0}) != 199_000 {
			t.Fatal("growing does not keep the old and zero the new")
		}
		for i := range b {
			b[i] = 1
		}
		if m.Reallocate(1<<20) == nil || m.full {
			t.Error("the limit itself is refused")
		}
		if m.Reallocate(1<<20+1) != nil || !m.full {
			t.Error("more than the limit is given")
		}
		m.release()
		m.release()
	}
}

// Several goroutines share a module, a failing one among them.
func TestConcurrentRuns(t *testing.T) {
	box := sandboxFor(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache"), Limits: Limits{Call: 10 * time.Second}})
	m, bad := mylogin(t), Module{Name: "bad", Wasm: source{body: unreachable}.wasm()}
	req := loginFile(t)
	done := make(chan error)
	for i := range 16 {
		go func() {
			if i%4 == 3 {
				if _, err := box.Run(t.Context(), bad, req); err == nil {
					done <- errors.New("a module that traps gave an answer")
					return
				}
				done <- nil
				return
			}
			resp, err := box.Run(t.Context(), m, req)
			if err == nil && len(resp.Secrets) != 3 {
				err = fmt.Errorf("%d secrets", len(resp.Secrets))
			}
			done <- err
		}()
	}
	for range 16 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestClosedSandbox(t *testing.T) {
	box := New(Config{})
	if err := box.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Run(t.Context(), mylogin(t), loginFile(t)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v", err)
	}
}

// Nothing is made before the first Run.
func TestNewCostsNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	box := New(Config{CacheDir: dir})
	if len(box.programs) > 0 {
		t.Error("there is a program already")
	}
	if found, _ := filepath.Glob(dir); len(found) > 0 {
		t.Error("the cache folder is made already")
	}
}

var _ experimental.MemoryAllocator = (*memory)(nil)
