package foreign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// others is a store in which others keep secrets.
type others struct {
	store.Store
	recs map[string]*store.Record
}

func (o *others) List(context.Context) ([]store.Info, error) {
	if o.recs == nil {
		return nil, errors.New("no connection")
	}
	var out []store.Info
	for name := range o.recs {
		out = append(out, store.Info{Name: name})
	}
	slices.SortFunc(out, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func (o *others) Get(_ context.Context, name string, _ int) (*store.Record, error) {
	rec, ok := o.recs[name]
	switch {
	case !ok:
		return nil, store.ErrNotFound
	case rec == nil:
		return nil, store.ErrDenied
	}
	return rec, nil
}

func TestRecords(t *testing.T) {
	rec := func(provider string, values secret.Values) *store.Record {
		return &store.Record{Secret: secret.Secret{Provider: provider, Values: values}}
	}
	st := &others{recs: map[string]*store.Record{
		"api":    rec("", secret.Values{"B": secret.NewValue("FAKEb"), "A": secret.NewValue("FAKEa")}),
		"api/db": rec("", secret.Values{"empty": secret.NewValue("")}),
		"denied": nil,
		"own":    rec("aws", secret.Values{"secret_key": secret.NewValue("FAKE")}),
	}}
	e, err := Records(t.Context(), st, "team", nil)
	same(t, "all", said(e, err), `
team/api | A="FAKEa" | B="FAKEb"
left team/api/db: it has no value (no value)
left team/denied: `+store.ErrDenied.Error()+`
left team/own: it is a secret of rhx: rhx copy brings it to another store`)
	e, err = Records(t.Context(), st, "", []string{"api"})
	same(t, "one", said(e, err), `api | A="FAKEa" | B="FAKEb"`)
	if e, err = Records(t.Context(), st, "", []string{"none"}); err != nil || len(e.Items)+len(e.Left) != 0 {
		t.Error(said(e, err))
	}
	if e, err = Records(t.Context(), st, "", []string{"denied"}); err != nil || len(e.Left) != 1 {
		t.Error(said(e, err))
	}
	if _, err := Records(t.Context(), &others{}, "", nil); err == nil {
		t.Error("an error of the list is not said")
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Records(done, st, "", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
