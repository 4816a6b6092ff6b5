//go:build !slim

package child

import (
	"encoding/json"
	"io"
	"os"
	"runtime/metrics"
	"time"
)

// Serve does one job in this process, which is there for nothing else, and
// returns its exit status. do is what knows the wasm runtime.
func Serve(in io.Reader, out io.Writer, do func(job *Job, wasm, request []byte) *Result) int {
	head, err := readFrame(in, maxHead)
	if err != nil {
		return 1
	}
	var job Job
	if err := json.Unmarshal(head, &job); err != nil {
		return 1
	}
	confine(&job)
	wasm, err := readFrame(in, job.Limits.Module+1)
	if err != nil {
		return 1
	}
	request, err := readFrame(in, 1<<31)
	if err != nil {
		return 1
	}
	r := do(&job, wasm, request)
	clear(request)
	defer clear(r.Stdout)
	defer clear(r.Stderr)
	if head, err = json.Marshal(r); err != nil {
		return 1
	}
	for _, b := range [][]byte{head, r.Stdout, r.Stderr} {
		if writeFrame(out, b) != nil {
			return 1
		}
	}
	return 0
}

// confine sets an end to what this process may use. Its parent waits no longer
// than that, but may be killed.
func confine(job *Job) {
	restrict(job)
	most := job.limit() + slack
	time.AfterFunc(job.life(), func() { os.Exit(exitTime) })
	go func() {
		// What the system's limit counts differs from system to system, and under
		// the race detector there is none; this holds everywhere.
		used := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		for range time.Tick(5 * time.Millisecond) {
			if CPU() > most {
				os.Exit(exitTime)
			}
			metrics.Read(used)
			if int64(used[0].Value.Uint64()-used[1].Value.Uint64()) > job.Memory {
				os.Exit(exitMemory)
			}
		}
	}()
}
