package child

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// What the test program is beside itself: a process that does its job in an odd way.
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
		os.Exit(0)
		return nil
	},
	"floods": func(*Job, []byte, []byte) *Result {
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<16)); err != nil {
				os.Exit(0)
			}
		}
	},
	"environment": func(*Job, []byte, []byte) *Result { return &Result{Error: os.Getenv("FAKE_TOKEN")} },
}

// eat takes memory in pieces, without end.
func eat(piece int) []byte {
	var all [][]byte
	for {
		b := make([]byte, piece)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		if len(all) > 1<<20 {
			return all[0]
		}
	}
}

func TestMain(m *testing.M) {
	if f := odd[os.Args[len(os.Args)-1]]; f != nil {
		os.Exit(Serve(os.Stdin, os.Stdout, f))
	}
	os.Exit(m.Run())
}

func runner(t *testing.T, how string) *Runner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{Program: []string{exe, how}}
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
		"floods":      {"its process ended", false},
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

// A process whose parent is gone, and does not end it, ends by itself.
func TestOrphanEnds(t *testing.T) {
	head, err := json.Marshal(Job{Limits: abi.Limits{Call: time.Millisecond, Compile: time.Millisecond}.OrDefault(), Memory: RunMemory})
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, frame := range [][]byte{head, []byte("code"), nil} {
		if err := writeFrame(&in, frame); err != nil {
			t.Fatal(err)
		}
	}
	r := runner(t, "stays")
	cmd := exec.CommandContext(t.Context(), r.Program[0], r.Program[1:]...)
	cmd.Stdin = &in
	_ = cmd.Run()
	if cmd.ProcessState.ExitCode() != exitTime {
		t.Errorf("it did not end itself: %v", cmd.ProcessState)
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
	f.Add(frame(`{`))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := abi.Limits{Stdout: 100, Stderr: 10}
		r, err := readResult(b, lim)
		if err == nil && (len(r.Stdout) > 100 || len(r.Stderr) > 10) {
			t.Error("more than the limits")
		}
	})
}

var _ io.Writer = (*output)(nil)
