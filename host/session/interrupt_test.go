package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/session"
)

// slow is a machine whose first file is written at once, and the rest after a time.
type slow struct {
	*machine.Memory
	takes time.Duration
}

func (m *slow) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs, err := m.Memory.Write(ctx, changes[:1])
	if err != nil {
		return errs, err
	}
	select {
	case <-time.After(m.takes):
		more, err := m.Memory.Write(ctx, changes[1:])
		return append(errs, more...), err
	case <-ctx.Done():
		for range changes[1:] {
			errs = append(errs, ctx.Err())
		}
		return errs, ctx.Err()
	}
}

func twoFiles(m machine.Machine) *session.Work {
	return &session.Work{At: place.Host("gpu"), Machine: m,
		Changes: []machine.Change{{Path: "/home/u/a", Data: []byte("x")}, {Path: "/home/u/b", Data: []byte("y")}},
		Outcomes: []session.Outcome{
			fileOutcome("one", "/home/u/a", "~/a", provider.Created, "k"),
			fileOutcome("two", "/home/u/b", "~/b", provider.Created, "k"),
		}}
}

// A write that has begun at an interrupt has ten seconds to end, and what it did is
// known and noted.
func TestInterruptedWriteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBook(t)
		m := &slow{machine.NewMemory("gpu"), 9 * time.Second}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		s := b.Begin("sync")
		w := twoFiles(m)
		if err := s.Write(ctx, w); err != nil || w.Outcomes[0].Err != nil || w.Outcomes[1].Err != nil {
			t.Fatal(err, w.Outcomes)
		}
		s.End()
		if _, _, ok := m.File("/home/u/b"); !ok {
			t.Error("the write was not ended")
		}
		if events, err := b.Events(); err != nil || len(events) != 2 {
			t.Errorf("%+v, %v", events, err)
		}
	})
}

// One that does not end in that time is given up, and it is said of which files the
// outcome is not known.
func TestInterruptedWriteIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBook(t)
		m := &slow{machine.NewMemory("gpu"), time.Hour}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		s := b.Begin("sync")
		w := twoFiles(m)
		start := time.Now()
		if err := s.Write(ctx, w); err != nil {
			t.Fatal(err)
		}
		s.End()
		if took := time.Since(start); took != time.Minute+10*time.Second {
			t.Errorf("it ended after %v", took)
		}
		if o := w.Outcomes[0]; o.Action != provider.Created || o.Err != nil {
			t.Errorf("%+v", o)
		}
		if o := w.Outcomes[1]; o.Action != provider.Failed || !strings.Contains(o.Err.Error(), "write /home/u/b: interrupted; it is as it was or as it should be") {
			t.Errorf("%+v", o)
		}
	})
}

// After an interrupt nothing is begun: the machine is not asked for anything.
func TestNothingIsBegunAfterAnInterrupt(t *testing.T) {
	b, _ := newBook(t)
	m := machine.NewMemory("gpu")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.BeginFinal("sync").Write(ctx, twoFiles(m)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if calls := m.Calls(); len(calls) != 0 {
		t.Errorf("%q", calls)
	}
}

// cut is a machine whose connection ends after the first file.
type cut struct{ *machine.Memory }

func (m *cut) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs, _ := m.Memory.Write(ctx, changes[:1])
	for range changes[1:] {
		errs = append(errs, errGone)
	}
	return errs, errGone
}

// Where the connection is lost, each secret says whether it is there.
func TestConnectionIsLost(t *testing.T) {
	b, _ := newBook(t)
	s := b.Begin("sync")
	w := twoFiles(&cut{machine.NewMemory("gpu")})
	if err := s.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	s.End()
	if w.Outcomes[0].Err != nil || w.Outcomes[1].Action != provider.Failed || !isGone(w.Outcomes[1].Err) {
		t.Errorf("%+v", w.Outcomes)
	}
}
