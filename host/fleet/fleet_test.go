package fleet_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
)

// closing is a machine that counts how often it is closed.
type closing struct {
	*machine.Memory
	closed *atomic.Int32
}

func (c closing) Close() error {
	c.closed.Add(1)
	return nil
}

func hosts(names ...string) []place.Place {
	var out []place.Place
	for _, n := range names {
		out = append(out, place.Host(n))
	}
	return out
}

// Each place has one result, in order; its machine is closed, but not this one.
func TestEach(t *testing.T) {
	var closed, here atomic.Int32
	var mu sync.Mutex
	var began, done []string
	f := fleet.Fleet{
		Open: func(at place.Place) machine.Machine {
			if at == place.Here {
				return closing{machine.NewMemory("local"), &here}
			}
			return closing{machine.NewMemory(at.Address()), &closed}
		},
		Began: func(at place.Place) {
			mu.Lock()
			defer mu.Unlock()
			began = append(began, at.String())
		},
	}
	down := errors.New("no route to host")
	places := append(hosts("a", "down", "b"), place.Here)
	got := fleet.Each(t.Context(), f, places, func(_ context.Context, at place.Place, m machine.Machine) (string, error) {
		if at == place.Host("down") {
			return "", down
		}
		return m.Name() + "!", nil
	}, func(r fleet.Result[string]) { done = append(done, r.At.String()) })
	want := []fleet.Result[string]{{At: places[0], Value: "a!"}, {At: places[1], Err: down}, {At: places[2], Value: "b!"}, {At: place.Here, Value: "local!"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	slices.Sort(began)
	slices.Sort(done)
	all := []string{"a", "b", "down", "local"}
	if !slices.Equal(began, all) || !slices.Equal(done, all) {
		t.Errorf("began %v, done %v", began, done)
	}
	if closed.Load() != 3 || here.Load() != 0 {
		t.Errorf("%d hosts closed, this machine %d times", closed.Load(), here.Load())
	}
}

// After an interrupt no machine is begun, and what was under way has ended; who is
// asked says which it was.
func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var opened atomic.Int32
	f := fleet.Fleet{Parallel: 1, Open: func(at place.Place) machine.Machine {
		opened.Add(1)
		return machine.NewMemory(at.Address())
	}}
	got := fleet.Each(ctx, f, hosts("a", "b", "c", "d"), func(ctx context.Context, at place.Place, _ machine.Machine) (int, error) {
		switch at.Address() {
		case "a":
			return 1, nil
		case "b":
			interrupt()
			return 2, nil // it came to its end all the same
		}
		return 0, ctx.Err()
	}, nil)
	if got[0].Err != nil || got[1].Err != nil || got[1].Value != 2 {
		t.Errorf("%v", got)
	}
	for _, r := range got[2:] {
		if !errors.Is(r.Err, fleet.ErrInterrupted) {
			t.Errorf("%s: %v", r.At, r.Err)
		}
	}
	if opened.Load() != 2 {
		t.Errorf("%d machines were opened", opened.Load())
	}
}

// That the work was cut off is the machine's error, in the same words; another error
// stays, and so does a cancellation that is not the user's.
func TestInterruptedWork(t *testing.T) {
	f := fleet.Fleet{Open: func(at place.Place) machine.Machine { return machine.NewMemory(at.Address()) }}
	other := errors.New("disk full")
	for _, c := range []struct {
		interrupt bool
		err, want error
	}{
		{true, context.Canceled, fleet.ErrInterrupted},
		{true, other, other},
		{false, context.Canceled, context.Canceled},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		got := fleet.Each(ctx, f, hosts("a"), func(context.Context, place.Place, machine.Machine) (int, error) {
			if c.interrupt {
				interrupt()
			}
			return 0, c.err
		}, nil)
		if !errors.Is(got[0].Err, c.want) || errors.Is(got[0].Err, fleet.ErrInterrupted) != errors.Is(c.want, fleet.ErrInterrupted) {
			t.Errorf("%v with an interrupt %v: %v", c.err, c.interrupt, got[0].Err)
		}
		interrupt()
	}
}

// Without a bound, it is the default: so many run at once, and no more.
func TestParallel(t *testing.T) {
	for _, c := range []struct{ limit, want int }{{0, fleet.DefaultParallel}, {3, 3}} {
		f := fleet.Fleet{Parallel: c.limit, Open: func(at place.Place) machine.Machine { return machine.NewMemory("m") }}
		var running, most atomic.Int32
		var together sync.WaitGroup
		together.Add(c.want)
		var began atomic.Int32
		fleet.Each(t.Context(), f, make([]place.Place, 3*c.want), func(context.Context, place.Place, machine.Machine) (int, error) {
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				continue
			}
			if int(began.Add(1)) <= c.want {
				together.Done()
				together.Wait()
			}
			running.Add(-1)
			return 0, nil
		}, nil)
		if int(most.Load()) != c.want {
			t.Errorf("limit %d: %d at once", c.limit, most.Load())
		}
	}
}
