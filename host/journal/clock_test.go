package journal

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
)

func asItIs(_ context.Context, _ string, data []byte) ([]byte, error) { return data, nil }

// Two sessions that begin in the same instant have a folder each.
func TestSessionsOfTheSameInstant(t *testing.T) {
	j := &Journal{Dir: filepath.Join(t.TempDir(), "journal"), Seal: asItIs, Unseal: asItIs, clock: func() time.Time { return time.Now().Truncate(time.Hour) }}
	m := machine.NewMemory("gpu")
	for _, name := range []string{"/home/u/a", "/home/u/b", "/home/u/c"} {
		changes := []machine.Change{{Path: name, Data: []byte("x")}}
		if _, err := j.Begin("load", nil).Write(t.Context(), "gpu", changes, func(ctx context.Context) ([]error, error) { return m.Write(ctx, changes) }); err != nil {
			t.Fatal(err)
		}
	}
	made, err := os.ReadDir(j.Dir)
	if err != nil || len(made) != 3 || !strings.HasSuffix(made[0].Name(), "0000.000000000Z") || !strings.HasSuffix(made[2].Name(), "0000.000000002Z") {
		t.Fatal(made, err)
	}
	for _, want := range []string{"/home/u/c", "/home/u/b", "/home/u/a"} {
		last, err := j.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		undone, err := last.Undo(t.Context(), "gpu", m, UndoOptions{}, m.Write)
		if err != nil || len(undone) != 1 || undone[0].Path != want {
			t.Fatal(undone, err)
		}
		if err := last.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(j.Dir); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
}
