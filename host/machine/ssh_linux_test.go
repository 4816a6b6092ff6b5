package machine_test

import (
	"os"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// over returns the machine of a test server.
func over(t *testing.T, s *sshtest.Server, change ...func(*machine.SSHOptions)) machine.Machine {
	o := machine.SSHOptions{ConfigFile: s.ConfigFile}
	for _, c := range change {
		c(&o)
	}
	m := machine.SSH(s.Alias, o)
	t.Cleanup(func() { m.Close() })
	return m
}

func target(t *testing.T, s *sshtest.Server, env map[string]string) machinetest.Target {
	return machinetest.Target{
		Machine: over(t, s), Files: machinetest.OS{T: t, UID: s.UID, GID: s.GID}, Home: s.Home, OS: "linux", Env: env,
	}
}

func TestSSHConformance(t *testing.T) {
	env := map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two $x '"}
	machinetest.Run(t, target(t, sshtest.Start(t, sshtest.Options{Env: env}), env))
}

// Every sh that a host can have does the same.
func TestSSHConformanceOfShells(t *testing.T) {
	shells := map[string][]string{ // dash is that of the test users
		"bash as sh": {"/bin/bash", "--posix"}, "busybox": {"/bin/busybox", "sh"}, "mksh": {"/bin/mksh"}, "ksh93": {"/bin/ksh93"},
	}
	for name, shell := range shells {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(shell[0]); err != nil {
				t.Fatalf("%v: run make test-deps", err)
			}
			f := newFake(t, shell...)
			machinetest.Run(t, machinetest.Target{
				Machine: f.machine(), Files: machinetest.OS{T: t, UID: nobodyIfRoot(), GID: nobodyIfRoot()}, Home: f.home, OS: "linux",
				Env: map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two\nlines '$x'\n"},
			})
		})
	}
}

func nobodyIfRoot() int {
	if os.Geteuid() != 0 {
		return 0
	}
	return nobody
}
