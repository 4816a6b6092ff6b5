package abi

import (
	"context"
	"sync"
	"time"
)

// Budget is time that several calls of modules share: together they may take no
// longer than one call's limit.
type Budget struct {
	mu   sync.Mutex
	used time.Duration
}

type budgetKey struct{}

// WithBudget returns a context whose calls share the time of one.
func WithBudget(ctx context.Context) context.Context {
	return context.WithValue(ctx, budgetKey{}, &Budget{})
}

// Share returns the limits of the context's next call, and what that call must
// report when it is done: the time that it took. It is an error where earlier calls
// took all.
func (l Limits) Share(ctx context.Context) (Limits, func(time.Duration), error) {
	b, _ := ctx.Value(budgetKey{}).(*Budget)
	if b == nil {
		return l, func(time.Duration) {}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	whole := l.Call
	if l.Call -= b.used; l.Call <= 0 {
		return l, nil, LimitError("took longer than " + whole.String() + " for the files before this one")
	}
	return l, func(took time.Duration) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.used += took
	}, nil
}
