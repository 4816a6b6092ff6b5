// Package fleet does one thing on many machines: in parallel, in bounds, with one
// outcome for each, and in order when it is interrupted.
package fleet

import (
	"context"
	"errors"
	"sync"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/parallel"
	"github.com/rhx-dev/rhx/host/place"
)

// ErrInterrupted is the error of a machine that was not begun, or not waited for,
// because of an interrupt.
var ErrInterrupted = errors.New("interrupted before anything was written there")

// DefaultParallel is how many machines are served at once, unless it is said.
const DefaultParallel = 32

// Fleet says how machines are reached and served.
type Fleet struct {
	// Open returns the machine of a place. It is closed after its work, unless the
	// place is [place.Here].
	Open func(place.Place) machine.Machine
	// Parallel bounds the machines that are served at once; DefaultParallel if 0.
	Parallel int
	// Began, where it is set, is told of each machine when its work begins, by
	// several goroutines.
	Began func(place.Place)
}

// Result is what the work on one machine came to.
type Result[T any] struct {
	At    place.Place
	Value T
	// Err is that of the machine as a whole, such as a host that cannot be reached.
	Err error
}

// Each calls do for each machine, and returns the results in the order of places.
// After the end of ctx no machine is begun. done, where it is not nil, is told each
// result as it comes, one at a time.
func Each[T any](ctx context.Context, f Fleet, places []place.Place, do func(context.Context, place.Place, machine.Machine) (T, error), done func(Result[T])) []Result[T] {
	limit := f.Parallel
	if limit < 1 {
		limit = DefaultParallel
	}
	out := make([]Result[T], len(places))
	var mu sync.Mutex
	parallel.Do(limit, len(places), func(i int) {
		r := one(ctx, f, places[i], do)
		mu.Lock()
		defer mu.Unlock()
		if out[i] = r; done != nil {
			done(r)
		}
	})
	return out
}

func one[T any](ctx context.Context, f Fleet, at place.Place, do func(context.Context, place.Place, machine.Machine) (T, error)) Result[T] {
	r := Result[T]{At: at}
	if ctx.Err() != nil {
		r.Err = ErrInterrupted
		return r
	}
	if f.Began != nil {
		f.Began(at)
	}
	m := f.Open(at)
	if at != place.Here {
		defer func() { _ = m.Close() }()
	}
	if r.Value, r.Err = do(ctx, at, m); errors.Is(r.Err, context.Canceled) && ctx.Err() != nil {
		r.Err = ErrInterrupted
	}
	return r
}
