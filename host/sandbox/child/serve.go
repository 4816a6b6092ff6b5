//go:build !slim

package child

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Serve does one job in this process, which is there for nothing else, and returns its
// exit status. The process ends with its input, in the middle of a call as well: then
// its parent is gone, or has no more need of it. start is what knows the wasm runtime;
// what it returns serves the calls.
func Serve(in io.Reader, out io.Writer, start func(job *Job, wasm []byte) func(call *Call, request []byte) *Result) int {
	signal.Ignore(os.Interrupt) // it is its parent's, which ends this process if need be
	head, err := readFrame(in, maxHead)
	if err != nil {
		return 1
	}
	var job Job
	if err := json.Unmarshal(head, &job); err != nil {
		return 1
	}
	restrict(&job)
	wasm, err := readFrame(in, job.Limits.Module+1)
	if err != nil {
		return 1
	}
	calls := make(chan *message)
	go func() {
		for {
			r, err := readCall(in)
			if err != nil {
				os.Exit(1)
			}
			calls <- r
		}
	}()
	serve := start(&job, wasm)
	for first := true; ; first = false {
		r := <-calls
		free := confine(&job, job.limit(&r.call, first))
		res := serve(&r.call, r.data)
		free()
		clear(r.data)
		res.Last = CPU() > job.most()
		if writeResult(out, res) != nil {
			return 1
		}
		clear(res.Stdout)
		clear(res.Stderr)
		if memory() > job.Memory/4 {
			debug.FreeOSMemory() // what one call leaves behind is not the next one's
		}
	}
}

// message is a call as it comes.
type message struct {
	call Call
	data []byte
}

func readCall(in io.Reader) (*message, error) {
	head, err := readFrame(in, maxHead)
	if err != nil {
		return nil, err
	}
	r := &message{}
	if err := json.Unmarshal(head, &r.call); err != nil {
		return nil, err
	}
	r.data, err = readFrame(in, 1<<31)
	return r, err
}

func writeResult(out io.Writer, r *Result) error {
	head, err := json.Marshal(r)
	if err != nil {
		return err
	}
	for _, b := range [][]byte{head, r.Stdout, r.Stderr} {
		if err := writeFrame(out, b); err != nil {
			return err
		}
	}
	return nil
}

// confine sets an end to what a call may use, until it is freed. The parent waits no
// longer than that, but may be killed.
func confine(job *Job, limit time.Duration) (free func()) {
	begin, done := CPU(), make(chan struct{})
	late := time.AfterFunc(life(limit), func() { os.Exit(exitTime) })
	tick := time.NewTicker(5 * time.Millisecond)
	go func() {
		// What the system's limit counts differs from system to system, and under
		// the race detector there is none; this holds everywhere.
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if CPU()-begin > limit+slack {
				os.Exit(exitTime)
			}
			if memory() > job.Memory {
				os.Exit(exitMemory)
			}
		}
	}()
	return func() {
		late.Stop()
		tick.Stop()
		close(done)
	}
}

// memory returns how many bytes of memory this process has from the system.
func memory() int64 {
	used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(used)
	return int64(used[0].Value.Uint64() - used[1].Value.Uint64())
}
