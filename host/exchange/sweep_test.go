package exchange_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/session"
)

// closedKeys are those of somebody who does not type the passphrase.
type closedKeys struct {
	session.Keys
	asked int
}

var errClosed = errors.New("the passphrase is missing")

func (k *closedKeys) Derive(context.Context, string) ([]byte, error) {
	k.asked++
	return nil, errClosed
}

// A key that is not opened is asked for once, however much is to be taken out, and not for
// what a sweep of this machine leaves to others.
func TestSweepAsksOnce(t *testing.T) {
	h, m := newHost(t)
	keys := &closedKeys{Keys: h.Book.Keys}
	h.Book.Keys = keys
	list := func(machine string) {
		t.Helper()
		one := `{"machine":"` + machine + `","secret":"github","path":"~/.config/gh/hosts.yml","provider":"github","set":"2020-01-01T00:00:00Z","due":"2020-01-01T00:00:00Z","prints":{"oauth_token":"00"}}`
		if err := errors.Join(os.MkdirAll(h.Dirs.State, 0o700), os.WriteFile(filepath.Join(h.Dirs.State, "expiring.json"), []byte(`{"version":1,"expiring":[`+one+`,`+one+`]}`), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	m.PutFile("/home/u/.config/gh/hosts.yml", []byte("github.com:\n    oauth_token: fake\n"), 0o600)
	list("local")
	report, err := h.Exchange.Sweep(t.Context(), exchange.SweepOptions{})
	if !errors.Is(err, errClosed) || len(report) != 0 || keys.asked != 1 {
		t.Errorf("%v, %v, asked %d times", report, err, keys.asked)
	}
	list("gpu")
	if report, err = h.Exchange.Sweep(t.Context(), exchange.SweepOptions{}); err != nil || len(report) != 0 || keys.asked != 1 {
		t.Errorf("%v, %v, asked %d times", report, err, keys.asked)
	}
}
