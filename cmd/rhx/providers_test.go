package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// docs/providers-list.md is what rhx providers --page prints.
func TestProvidersPageIsCurrent(t *testing.T) {
	var out bytes.Buffer
	a := &app{Terminal: term.New(term.Streams{Out: &out}, os.Getenv)}
	if err := a.providersPage(); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/providers-list.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, out.Bytes()) {
		t.Error("docs/providers-list.md is not current: rhx providers --page > docs/providers-list.md")
	}
}
