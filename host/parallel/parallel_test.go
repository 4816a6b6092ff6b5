package parallel_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rhx-dev/rhx/host/parallel"
)

func TestEachIsDoneOnce(t *testing.T) {
	for _, limit := range []int{-1, 0, 1, 3, 100} {
		var done [50]atomic.Int32
		parallel.Do(limit, len(done), func(i int) { done[i].Add(1) })
		for i := range done {
			if done[i].Load() != 1 {
				t.Errorf("limit %d: %d was done %d times", limit, i, done[i].Load())
			}
		}
	}
	parallel.Do(4, 0, func(int) { t.Error("something was done") })
}

// As many as the limit allows run at once, and no more.
func TestLimit(t *testing.T) {
	const limit = 4
	var running, most atomic.Int32
	var together sync.WaitGroup
	together.Add(limit)
	parallel.Do(limit, 2*limit, func(i int) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		if i < limit {
			together.Done()
			together.Wait() // ends only if so many are under way
		}
		running.Add(-1)
	})
	if most.Load() > limit {
		t.Errorf("%d at once", most.Load())
	}
}
