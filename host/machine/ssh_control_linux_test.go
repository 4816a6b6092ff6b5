package machine_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// socketPath is one that is short enough for a socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rhx")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "m")
}

// master starts a master for the server's host h and returns what makes a machine
// go through it; nothing else would let it in.
func master(t *testing.T, s *sshtest.Server) (socket string, use func(*machine.SSHOptions)) {
	t.Helper()
	socket = socketPath(t)
	startMaster(t, s.Config(s.HostBlock("h")), socket)
	return socket, withConfig(s, "Host *\n ControlPath "+socket+"\n PubkeyAuthentication no\n"+s.HostBlock(s.Alias))
}

// All that works over a connection of its own works over that of a master.
func TestSSHConformanceOfMaster(t *testing.T) {
	env := map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two $x '"}
	s := sshtest.Start(t, sshtest.Options{Env: env})
	_, use := master(t, s)
	tt := target(t, s, env)
	tt.Machine = over(t, s, use)
	machinetest.Run(t, tt)
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

func TestSSHRunOverMaster(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	_, use := master(t, s)
	m := over(t, s, use)
	testRun(t, m)
	testFiles(t, m)
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

// A jump host with a master is jumped over through it.
func TestSSHJumpOverMaster(t *testing.T) {
	jump, s := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{})
	socket := socketPath(t)
	startMaster(t, jump.Config(jump.HostBlock("h")), socket)
	connects(t, over(t, s, withConfig(s, "Host "+s.Alias+"\n ProxyJump jump\nHost jump\n ControlPath "+socket+"\n PubkeyAuthentication no\n"+jump.HostBlock("jump")+s.HostBlock(s.Alias))), s)
	if jump.Connections() != 1 {
		t.Errorf("%d connections", jump.Connections())
	}
}

// A master that dies is an error, and then rhx connects by itself.
func TestSSHMasterThatEnds(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	socket := socketPath(t)
	startMaster(t, s.Config(s.HostBlock("h")), socket)
	m := over(t, s, withConfig(s, "Host *\n ControlPath "+socket+"\n"+s.HostBlock(s.Alias)))
	connects(t, m, s)
	check(t, exec.Command("ssh", "-F", "none", "-S", socket, "-O", "exit", "h").Run())
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := m.Info(t.Context(), nil)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "connection was lost") || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if s.Connections() != 2 {
		t.Errorf("%d connections", s.Connections())
	}
}

// A master that hangs is given up in time; another user's is not spoken to; what
// is no master is passed by.
func TestSSHMasterThatIsNone(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	silent := socket(t, func(c net.Conn) { <-t.Context().Done(); c.Close() })
	through := func(socket string, lines ...string) machine.Machine {
		return over(t, s, withConfig(s, "Host *\n ControlPath "+socket+"\n"+strings.Join(lines, "\n")+"\n"+s.HostBlock(s.Alias)))
	}
	refuses(t, through(silent, "ConnectTimeout 1"), nil, silent, "no answer within 1s", "ssh -O exit")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := through(silent).Info(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	other := socket(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.0 400\r\n\r\n")); c.Close() })
	connects(t, through(other), s)
	if os.Geteuid() != 0 {
		return
	}
	// This user is root, whom all sockets would let in: as another user it is refused.
	foreign := socket(t, func(c net.Conn) { t.Error("it was spoken to"); c.Close() })
	check(t, os.Chown(foreign, nobody, nobody))
	refuses(t, through(foreign), nil, foreign, "belongs to another user")
}

// What SetEnv and SendEnv say reaches the commands there, if the host accepts it.
func TestSSHSendsVariables(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"AcceptEnv RHX_*"}})
	config := withConfig(s, "Host *\n SetEnv RHX_SET=one \"RHX_SPACE=two words\" OTHER=x\n SendEnv RHX_SEN? NOTHING*\n"+s.HostBlock(s.Alias))
	m := over(t, s, config, func(o *machine.SSHOptions) {
		o.Environ = func() []string { return []string{"RHX_SENT=three", "RHX_SECRET=no", "RHX_SET=overridden", "HOME=/x"} }
	})
	info, err := m.Info(t.Context(), []string{"RHX_SET", "RHX_SPACE", "OTHER", "RHX_SENT", "RHX_SECRET"})
	check(t, err)
	if len(info.Env) != 3 || info.Env["RHX_SET"] != "one" || info.Env["RHX_SPACE"] != "two words" || info.Env["RHX_SENT"] != "three" {
		t.Errorf("%v", info.Env)
	}
	var out bytes.Buffer
	status, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{Argv: []string{"sh", "-c", `echo "$RHX_SET $RHX_SENT"`}, Stdout: &out})
	if err != nil || status != 0 || out.String() != "one three\n" {
		t.Errorf("%d, %v, %q", status, err, out.String())
	}
}

// ServerAliveInterval and ServerAliveCountMax say when a host is lost.
func TestSSHServerAlive(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := newCutter(t, s.Addr)
	_, port, _ := net.SplitHostPort(c.Addr().String())
	check(t, os.WriteFile(s.KnownHosts, []byte("server "+s.HostKeys[0]+"\n"), 0o600))
	m := over(t, s, withConfig(s, "Host *\n Port "+port+"\n HostKeyAlias server\n ServerAliveInterval 1\n ServerAliveCountMax 2\n"+s.HostBlock(s.Alias)))
	connects(t, m, s)
	c.stalled.Store(true)
	refuses(t, m, nil, "connection was lost", "no answer for 2s")
}
