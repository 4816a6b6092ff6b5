package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// What the test program is beside itself: a process that serves a call in an odd way.
var odd = map[string]func(*Job, []byte, []byte) *Result{
	"good": func(_ *Job, wasm, request []byte) *Result {
		if string(wasm) != "code" || !strings.Contains(string(request), `"op":"extract"`) {
			return &Result{Error: "got something else"}
		}
		return &Result{Stdout: []byte(`{"abi":1,"secrets":[{"profile":"a","values":{"k":"v"}}]}`), Warnings: []string{"careful"}}
	},
	"fails":   func(*Job, []byte, []byte) *Result { return &Result{Error: "is refused", Stderr: []byte("why")} },
	"limit":   func(*Job, []byte, []byte) *Result { return &Result{Error: "took long", Limit: true} },
	"memory":  func(*Job, []byte, []byte) *Result { return &Result{Stdout: eat(1 << 20)} },
	"a block": func(*Job, []byte, []byte) *Result { return &Result{Stdout: eat(8 << 30)} },
	"stays":   func(*Job, []byte, []byte) *Result { select {} },
	"panics":  func(*Job, []byte, []byte) *Result { panic("odd") },
	"silent":  func(*Job, []byte, []byte) *Result { os.Exit(0); return nil },
	"liar": func(*Job, []byte, []byte) *Result {
		os.Stdout.Write([]byte{0xff, 0xff, 0xff, 0xff})
		select {}
	},
	"no JSON": func(*Job, []byte, []byte) *Result {
		os.Stdout.Write(append(frameHead(1), '{'))
		select {}
	},
	"floods": func(*Job, []byte, []byte) *Result {
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<16)); err != nil {
				os.Exit(0)
			}
		}
	},
	"environment": func(*Job, []byte, []byte) *Result { return &Result{Error: os.Getenv("FAKE_TOKEN")} },
	"no answer":   func(*Job, []byte, []byte) *Result { return &Result{Stdout: []byte("{}")} },
	"reports": func(*Job, []byte, []byte) *Result {
		return &Result{Stdout: []byte(`{"abi":1,"error":{"code":"invalid","message":"no"}}`)}
	},
	"garbage": func(*Job, []byte, []byte) *Result { touch(make([]byte, 200<<20)); return answer() },
	"minus":   func(*Job, []byte, []byte) *Result { r := answer(); r.Used = -time.Hour; return r },
	"tires":   func(*Job, []byte, []byte) *Result { burn(20 * time.Millisecond); return answer() },
	"who":     func(*Job, []byte, []byte) *Result { return answer() },
}

// thens answer their first call, and serve the next in another way.
var thens = map[string]string{"then stays": "stays", "then dies": "panics", "then lies": "liar", "then eats": "memory", "then reports": "reports"}

func second(f func(*Job, []byte, []byte) *Result) func(*Job, []byte, []byte) *Result {
	calls := 0
	return func(j *Job, wasm, request []byte) *Result {
		if calls++; calls == 1 {
			return answer()
		}
		return f(j, wasm, request)
	}
}

// answer tells which process gives it.
func answer() *Result {
	return &Result{Stdout: fmt.Appendf(nil, `{"abi":1,"secrets":[{"profile":"a","values":{"pid":"%d"}}]}`, os.Getpid())}
}

func burn(most time.Duration) {
	for begin := CPU(); CPU()-begin < most; {
	}
}

func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

// eat takes memory in pieces, without end.
func eat(piece int) []byte {
	var all [][]byte
	for {
		b := make([]byte, piece)
		touch(b)
		all = append(all, b)
		if len(all) > 1<<20 {
			return all[0]
		}
	}
}

func TestMain(m *testing.M) {
	for how, then := range thens {
		odd[how] = second(odd[then])
	}
	if f := odd[os.Args[len(os.Args)-1]]; f != nil {
		os.Exit(Serve(os.Stdin, os.Stdout, func(job *Job, wasm []byte) func(*Call, []byte) *Result {
			return func(_ *Call, request []byte) *Result { return f(job, wasm, request) }
		}))
	}
	os.Exit(m.Run())
}

func runner(t *testing.T, how string) *Runner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Program: []string{exe, how}}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

var (
	module  = abi.Module{Name: "m", Wasm: []byte("code")}
	request = &abi.Request{Op: abi.Extract}
)

func TestRun(t *testing.T) {
	var warned []string
	r := runner(t, "good")
	r.Warn = func(w string) { warned = append(warned, w) }
	resp, err := r.Run(t.Context(), module, request)
	if err != nil || len(resp.Secrets) != 1 || resp.Secrets[0].Values["k"] != "v" {
		t.Fatalf("got %v, %v", resp, err)
	}
	if !slices.Equal(warned, []string{"careful"}) {
		t.Errorf("warned %q", warned)
	}
	if _, err := r.Run(t.Context(), module, &abi.Request{Op: abi.Render}); err == nil || !strings.Contains(err.Error(), "render needs a secret") {
		t.Errorf("a wrong request: %v", err)
	}
	small := runner(t, "good")
	small.Limits.Module = 3
	if _, err := small.Run(t.Context(), module, request); !errors.Is(err, abi.ErrLimit) {
		t.Errorf("a large module: %v", err)
	}
}

// However the process fails, the error says how, and is of the kind that it is.
func TestProcessThatFails(t *testing.T) {
	for how, c := range map[string]struct {
		want  string
		limit bool
	}{
		"fails":       {"wasm module m is refused", false},
		"limit":       {"took long", true},
		"memory":      {"needs more than 512 MiB of memory to run", true},
		"a block":     {"needs more than 512 MiB of memory to run", true},
		"panics":      {"its process ended: exit status 2", false},
		"silent":      {"gave no answer", false},
		"liar":        {"gave no answer: a frame of 4294967295 bytes", false},
		"no JSON":     {"gave no answer: unexpected end of JSON input", false},
		"floods":      {"gave no answer", false},
		"environment": {"wasm module m gave no answer", false}, // it sees none of this one's
	} {
		t.Setenv("FAKE_TOKEN", "fake")
		_, err := runner(t, how).Run(t.Context(), module, request)
		var failed *abi.ModuleError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) || errors.Is(err, abi.ErrLimit) != c.limit {
			t.Errorf("%s: got %v", how, err)
		}
		if how == "fails" && failed.Stderr != "why" {
			t.Errorf("stderr is %q", failed.Stderr)
		}
	}
	if err := runner(t, "memory").Compile(t.Context(), module); !errors.Is(err, abi.ErrLimit) || !strings.Contains(err.Error(), "more than 1024 MiB of memory to compile") {
		t.Errorf("compile: got %v", err)
	}
	absent := &Runner{Program: []string{filepath.Join(t.TempDir(), "absent")}}
	if _, err := absent.Run(t.Context(), module, request); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("absent: got %v", err)
	}
}

func TestProcessThatStays(t *testing.T) {
	r := runner(t, "stays")
	r.Limits = abi.Limits{Call: time.Millisecond, Compile: time.Millisecond}
	begin := time.Now()
	_, err := r.Run(t.Context(), module, request)
	if !errors.Is(err, abi.ErrLimit) || !strings.Contains(err.Error(), "took longer than 2ms to run") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// A process that was ended has used up the time that it shares with the calls after it.
func TestProcessThatStaysUsesUpTheBudget(t *testing.T) {
	r := runner(t, "stays")
	r.Limits = abi.Limits{Call: time.Millisecond, Compile: time.Millisecond}
	ctx := abi.WithBudget(t.Context())
	for _, want := range []string{"took longer than 2ms to run", "took longer than 1ms for the files before this one"} {
		if _, err := r.Run(ctx, module, request); !errors.Is(err, abi.ErrLimit) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, not: %s", err, want)
		}
	}
}

// A process whose parent is gone ends, in the middle of a call as well.
func TestOrphanEnds(t *testing.T) {
	for _, inCall := range []bool{false, true} {
		r := runner(t, "stays")
		r.Limits = abi.Limits{Call: time.Hour, Compile: time.Hour}
		p, err := r.take(module, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.send(p.job, p.module.Wasm); err != nil {
			t.Fatal(err)
		}
		if inCall {
			if err := p.send(&Call{Time: time.Hour}, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.in.(io.Closer).Close(); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("in a call: %v: it ended with %v", inCall, err)
		}
	}
}

// One that its parent neither ends nor leaves ends by itself.
func TestForgottenProcessEnds(t *testing.T) {
	r := runner(t, "stays")
	r.Limits = abi.Limits{Call: time.Millisecond, Compile: time.Millisecond}
	p, err := r.take(module, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.send(p.job, p.module.Wasm), p.send(&Call{Time: time.Millisecond}, nil)); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != exitTime {
		t.Errorf("it ended with %v", err)
	}
}

func FuzzResult(f *testing.F) {
	frame := func(parts ...string) []byte {
		var b strings.Builder
		for _, p := range parts {
			_ = writeFrame(&b, []byte(p))
		}
		return []byte(b.String())
	}
	f.Add(frame(`{}`, "out", "err"))
	f.Add(frame(`{"Error":"x","Limit":true,"Warnings":["a"]}`, "", ""))
	f.Add(frame(`{"Used":-1}`, "", ""))
	f.Add(frame(`{`))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := abi.Limits{Stdout: 100, Stderr: 10}
		r, err := readResult(bytes.NewReader(b), lim)
		if err == nil && r.Used < 0 {
			t.Error("less time than none")
		}
		if err == nil && (len(r.Stdout) > 100 || len(r.Stderr) > 10) {
			t.Error("more than the limits")
		}
	})
}
