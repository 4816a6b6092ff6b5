package main

import (
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// Hosts that are served at once ask for the key that protects the journal at once:
// it is read, and its passphrase asked for, once.
func TestTheKeyOfThisMachineIsSharedByGoroutines(t *testing.T) {
	home := t.TempDir()
	a := &app{Terminal: term.New(term.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}, func(name string) string { return map[string]string{"HOME": home}[name] }), globals: &globals{}}
	defer a.close()
	e, err := a.engine()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stores := make([]*agestore.Store, 16)
	for i := range stores {
		wg.Go(func() {
			sealed, err := e.Book.Journal.Seal(t.Context(), "x", []byte("fake"))
			if err == nil {
				_, err = e.Book.Journal.Unseal(t.Context(), "x", sealed)
			}
			if err == nil {
				stores[i], err = e.Stores.Local()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s != stores[0] {
			t.Fatal("there is more than one store on this machine")
		}
	}
}
