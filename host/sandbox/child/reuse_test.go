package child

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// pid makes a call and returns the number of the process that served it.
func pid(t *testing.T, r *Runner, m abi.Module) string {
	t.Helper()
	resp, err := r.Run(t.Context(), m, request)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Secrets[0].Values["pid"]
}

func TestOneProcessServesAllCalls(t *testing.T) {
	r := runner(t, "who")
	first := pid(t, r, module)
	for range 20 {
		if again := pid(t, r, module); again != first {
			t.Fatalf("process %s, then %s", first, again)
		}
	}
	// One of another kind has its own, and leaves that of the first.
	for _, other := range []abi.Module{{Name: "m", Wasm: []byte("edoc")}, {Name: "n", Wasm: []byte("code")}, {Name: "m", Wasm: []byte("code"), Random: true}} {
		if pid(t, r, other) == first {
			t.Errorf("%v: the process of another module", other)
		}
	}
	if pid(t, r, module) != first {
		t.Error("it was not kept")
	}
}

// An error that the module reports is an answer like others.
func TestReportedErrorKeepsTheProcess(t *testing.T) {
	r := runner(t, "then reports")
	pid(t, r, module)
	process := r.processes[0]
	var reported *abi.GuestError
	for range 2 {
		if _, err := r.Run(t.Context(), module, request); !errors.As(err, &reported) {
			t.Fatal(err)
		}
	}
	if len(r.processes) != 1 || r.processes[0] != process {
		t.Error("it was not kept")
	}
}

// A call that fails is one call's error, and its process serves no other.
func TestNextCallAfterOneThatFailed(t *testing.T) {
	for how, want := range map[string]string{
		"then stays": "took longer than 1ms to run", // without what compiling may take
		"then dies":  "its process ended: exit status 2",
		"then lies":  "gave no answer: a frame of 4294967295 bytes",
		"then eats":  "needs more than 512 MiB of memory to run",
	} {
		t.Run(how, func(t *testing.T) {
			r := runner(t, how)
			if how == "then stays" {
				r.Limits = abi.Limits{Call: time.Millisecond, Compile: time.Minute}
			}
			first := pid(t, r, module)
			if _, err := r.Run(t.Context(), module, request); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, not: %s", err, want)
			}
			if pid(t, r, module) == first {
				t.Error("it serves another call")
			}
		})
	}
	for _, how := range []string{"fails", "limit", "no answer"} {
		r := runner(t, how)
		if _, err := r.Run(t.Context(), module, request); err == nil || len(r.processes) != 0 {
			t.Errorf("%s: %v, and %d processes are left", how, err, len(r.processes))
		}
	}
}

// What a call leaves in memory is not counted as the next one's.
func TestMemoryIsThatOfACall(t *testing.T) {
	r := runner(t, "garbage")
	first := pid(t, r, module)
	for range 5 {
		if pid(t, r, module) != first {
			t.Fatal("another process")
		}
	}
}

// A process ends when its calls together took the time of one that compiles, so that
// the system's limit, which counts all of them, is never met by a good one.
func TestProcessTires(t *testing.T) {
	r := runner(t, "tires")
	r.Limits = abi.Limits{Call: 5 * time.Millisecond, Compile: time.Millisecond}
	first := pid(t, r, module)
	if second := pid(t, r, module); second == first || len(r.processes) != 0 {
		t.Error("it serves on")
	}
}

// A time that is none gives no call more of the budget.
func TestTimeIsNotGivenBack(t *testing.T) {
	ctx, r := abi.WithBudget(t.Context()), runner(t, "minus")
	if _, err := r.Run(ctx, module, request); err != nil {
		t.Fatal(err)
	}
	if lim, _, err := r.Limits.OrDefault().Share(ctx); err != nil || lim.Call > abi.DefaultLimits().Call {
		t.Error(lim.Call, err)
	}
}

func TestCallThatIsGivenUp(t *testing.T) {
	r := runner(t, "stays")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.Run(ctx, module, request)
		done <- err
	}()
	var p *process
	for p == nil {
		r.mu.Lock()
		if len(r.processes) > 0 {
			p = r.processes[0]
		}
		r.mu.Unlock()
		runtime.Gosched()
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if p.cmd.ProcessState == nil || len(r.processes) != 0 {
		t.Error("its process is left")
	}
}

func TestClose(t *testing.T) {
	r := runner(t, "then stays")
	pid(t, r, module)
	idle := r.processes[0]
	failed := make(chan error)
	for _, name := range []string{"m", "n"} { // in the idle one, and in one of its own
		if name == "n" {
			pid(t, r, abi.Module{Name: name, Wasm: module.Wasm})
		}
		go func() {
			_, err := r.Run(context.Background(), abi.Module{Name: name, Wasm: module.Wasm}, request)
			failed <- err
		}()
	}
	for busy := 0; busy < 2; runtime.Gosched() {
		busy = 0
		r.mu.Lock()
		for _, p := range r.processes {
			if p.busy {
				busy++
			}
		}
		r.mu.Unlock()
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "its process ended") {
			t.Error(err)
		}
	}
	if idle.cmd.ProcessState == nil || len(r.processes) != 0 {
		t.Error("a process is left")
	}
	if _, err := r.Run(t.Context(), module, request); err == nil || !strings.Contains(err.Error(), "rhx ends") {
		t.Errorf("a call afterwards: %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Calls at the same time have processes of their own, and no more than there are
// processors.
func TestCallsAtTheSameTime(t *testing.T) {
	r := runner(t, "who")
	a, err := r.take(module, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.take(module, false)
	if err != nil || a == b {
		t.Fatal("two calls have one process", err)
	}
	r.give(a, true)
	if again, err := r.take(module, false); err != nil || again != a {
		t.Error("the one that is free was not taken", err)
	}
	r.give(a, true)
	r.give(b, true)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			if _, err := r.Run(t.Context(), module, request); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if most := max(2, runtime.GOMAXPROCS(0)); len(r.processes) > most {
		t.Errorf("%d processes for 50 calls; at most %d", len(r.processes), most)
	}
	for range runtime.GOMAXPROCS(0) {
		if _, err := r.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Run(over, module, request); !errors.Is(err, context.Canceled) {
		t.Errorf("no turn: %v", err)
	}
}

// Of many modules, the processes that were used last are kept.
func TestFewProcessesWait(t *testing.T) {
	r := runner(t, "who")
	named := func(i int) abi.Module { return abi.Module{Name: string(rune('a' + i)), Wasm: module.Wasm} }
	var pids []string
	for i := range keep + 2 {
		pids = append(pids, pid(t, r, named(i)))
		pid(t, r, named(0))
	}
	if len(r.processes) != keep {
		t.Errorf("%d wait", len(r.processes))
	}
	if pid(t, r, named(0)) != pids[0] || pid(t, r, named(keep+1)) != pids[keep+1] {
		t.Error("one that was used last is gone")
	}
	if pid(t, r, named(1)) == pids[1] {
		t.Error("the one that was not used for longest is there")
	}
}
