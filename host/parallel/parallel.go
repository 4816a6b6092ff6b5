// Package parallel does many things at once, in bounds.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Requests bounds the requests to a store that are under way at once.
const Requests = 32

// Do calls do for 0 to n-1, at most limit at once, and returns when all have ended.
func Do(limit, n int, do func(i int)) {
	// Each worker goes on with the stack that it has: those of new goroutines would
	// have to grow for every request.
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(max(1, limit), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
