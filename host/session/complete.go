package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
)

// endWithin is how long a write that has begun may take after an interrupt.
const endWithin = 10 * time.Second

// complete hands changes to a machine. A write that has begun when ctx ends is given
// time to come to its own end, so that its outcome is known; none begins after.
func complete(ctx context.Context, m machine.Machine, changes []machine.Change) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(endWithin):
			cancel()
		case <-own.Done():
		}
	})()
	errs, err := m.Write(own, changes)
	if own.Err() == nil {
		return errs, err
	}
	// context.Canceled would read as "not begun"; what is true is that the outcome is
	// not known.
	for i := range errs {
		if errors.Is(errs[i], context.Canceled) {
			errs[i] = fmt.Errorf("write %s: interrupted; it is as it was or as it should be, not in between", changes[i].Path)
		}
	}
	return errs, nil
}
