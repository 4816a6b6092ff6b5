package machine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
)

func TestMemoryConformance(t *testing.T) {
	m := machine.NewMemory("host")
	env := map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two\nlines '$x'"}
	for name, value := range env {
		m.SetEnv(name, value)
	}
	m.SetEnv("RHX_TEST_UNASKED", "x")
	machinetest.Run(t, machinetest.Target{Machine: m, Files: m, Home: "/home/u", OS: "linux", Env: env})
}

func TestMemoryInjectedErrors(t *testing.T) {
	m := machine.NewMemory("host")
	broken := errors.New("broken")
	m.PutFile("/home/u/a", []byte("1"), 0o600)
	m.FailRead("/home/u/a", broken)
	m.FailWrite("/home/u/b", broken)
	files, err := m.Read(t.Context(), []string{"/home/u/a"})
	if err != nil || !errors.Is(files[0].Err, broken) {
		t.Errorf("read: %+v, %v", files, err)
	}
	errs, err := m.Write(t.Context(), []machine.Change{{Path: "/home/u/b", Data: []byte("2")}, {Path: "/home/u/c", Data: []byte("3")}})
	if err != nil || !errors.Is(errs[0], broken) || errs[1] != nil {
		t.Errorf("write: %v, %v", errs, err)
	}
	m.Fail(broken)
	if _, err := m.Info(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("info: %v", err)
	}
	m.Fail(nil)
	if _, err := m.Info(t.Context(), nil); err != nil {
		t.Errorf("info: %v", err)
	}
	if got := m.Calls(); !slices.Equal(got, []string{"read", "write", "info", "info"}) {
		t.Errorf("calls %q", got)
	}
}
