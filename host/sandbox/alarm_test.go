package sandbox

import (
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// In a process of its own, a call's time is the processor's: what other processes
// take on a busy machine is not counted, up to a limit by the clock on the wall.
func TestTimeIsTheProcessors(t *testing.T) {
	const limit = 60 * time.Millisecond
	late := make(chan struct{}, 2)
	s := New(Config{own: true})
	begin := time.Now()
	stop, used := s.alarm(limit, func() { late <- struct{}{} })
	idle := time.After(3 * limit)
	select {
	case <-late:
		if used() < limit && time.Since(begin) < abi.WallFactor*limit {
			t.Error("waiting was counted")
		}
	case <-idle:
	}
	stop()
	begin = time.Now()
	stop, used = s.alarm(limit, func() { late <- struct{}{} })
	defer stop()
	for deadline := time.Now().Add(20 * time.Second); ; {
		select {
		case <-late:
			if used() < limit && time.Since(begin) < abi.WallFactor*limit {
				t.Error("late too early")
			}
			return
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("never late")
		}
	}
}

// Elsewhere it is that of the wall, which may be longer.
func TestTimeOfAModuleOfRhxsOwn(t *testing.T) {
	late := make(chan struct{})
	begin := time.Now()
	stop, used := New(Config{}).alarm(5*time.Millisecond, func() { close(late) })
	defer stop()
	<-late
	if took := time.Since(begin); took < 50*time.Millisecond || used() < 50*time.Millisecond {
		t.Error(took, used())
	}
}
