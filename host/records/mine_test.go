package records_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/store"
)

// part is a store of which the user has not all.
type part struct {
	*faulty
	others    []string
	othersErr error
}

func (p part) Others(_ context.Context, names []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(p.others, n) }), p.othersErr
}

// Where all secrets are meant, it is those that are shared with the user, and the others are told
// once; what is asked for by name is asked for.
func TestAllAreThoseThatAreMine(t *testing.T) {
	_, st, _ := newRecords(t)
	put(t, st, "a", "1")
	put(t, st, "b", "1", "2")
	put(t, st, "c", "1")
	denied := fmt.Errorf("not yours: %w", store.ErrDenied)
	st.get["b"] = denied
	p := part{st, []string{"b", "not there"}, nil}
	var told []string
	r := &records.Records{Open: func(context.Context) (store.Store, error) { return p, nil }, Others: func(names []string) { told = append(told, strings.Join(names, "+")) }}
	ctx := t.Context()
	all, err := r.All(ctx)
	if got := text(all); err != nil || got != "a@1=1 c@1=1" {
		t.Error(got, err)
	}
	versions, err := r.Versions(ctx, nil)
	if got := text(versions); err != nil || got != "a@1=1 c@1=1" {
		t.Error(got, err)
	}
	infos, unread, err := r.Readable(ctx)
	if err != nil || unread != nil || len(infos) != 2 || infos[1].Name != "c" {
		t.Error(infos, unread, err)
	}
	if got := strings.Join(told, " "); got != "b b b" {
		t.Errorf("told of %q", got)
	}
	listed, err := r.List(ctx)
	if err != nil || len(listed) != 3 {
		t.Error(listed, err)
	}
	told = nil
	if _, err := r.Expiries(ctx, listed); err != nil || len(told) != 0 {
		t.Error(err, told)
	}
	if _, err := r.GetAll(ctx, []string{"a", "b"}); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
	if _, err := r.Versions(ctx, []string{"b"}); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}

	bad := errors.New("cannot be told")
	r = &records.Records{Open: func(context.Context) (store.Store, error) { return part{st, nil, bad}, nil }}
	_, allErr := r.All(ctx)
	_, versionsErr := r.Versions(ctx, nil)
	_, _, readableErr := r.Readable(ctx)
	_, endsErr := r.Expiries(ctx, listed)
	for what, err := range map[string]error{"All": allErr, "Versions": versionsErr, "Readable": readableErr, "Expiries": endsErr} {
		if !errors.Is(err, bad) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
