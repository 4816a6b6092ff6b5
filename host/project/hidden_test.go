package project

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// What a provider makes of all values is hidden as well; where nobody can say what that
// is, it is an error.
func TestHiddenNeedsTheSpec(t *testing.T) {
	docs := spec.Builtin{Name: "docs", Make: func() *spec.Spec { return &spec.Spec{Name: "docs", Document: "DOCS"} }}
	p := &Project{Specs: spec.NewRegistry([]spec.Builtin{docs}, "")}
	env := &Environment{Vars: []bundle.Var{{Name: "DOCS", Value: secret.NewValue("fake-document")}}}
	of := func(provider string) {
		env.used = []used{{rec: &store.Record{Secret: secret.Secret{Name: "mine", Provider: provider}}}}
	}
	of("docs")
	hidden, err := p.Hidden(env)
	if err != nil || len(hidden) != 1 || hidden[0].Reveal() != "fake-document" {
		t.Errorf("%d values, %v", len(hidden), err)
	}
	of("gone")
	if hidden, err := p.Hidden(env); err == nil || !strings.Contains(err.Error(), `mask mine: unknown provider "gone"`) {
		t.Errorf("%d values, %v", len(hidden), err)
	}
}
