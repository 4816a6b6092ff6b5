package agestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/storetest"
)

// dataDir returns a folder for a store. It is in memory where there is such a
// place: every write is synced, and a disk takes milliseconds for that.
func dataDir(t testing.TB) string {
	t.Helper()
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "rhx-agestore-*"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return filepath.Join(dir, "data")
		}
	}
	return filepath.Join(t.TempDir(), "data")
}

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Config{New: func(t *testing.T) func() store.Store {
		dir := dataDir(t)
		return func() store.Store {
			s := Open(Options{Dir: dir})
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
	}})
}
