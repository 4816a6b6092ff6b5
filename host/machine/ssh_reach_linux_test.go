package machine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// reaching is a command that reaches a server of the test, whose address it has in AT.
func reaching(t *testing.T, script string) (machine.RunSpec, func() string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d bytes", r.URL.Path, len(data))
	}))
	t.Cleanup(server.Close)
	at := make(chan string, 1)
	spec := machine.RunSpec{Argv: sh(script), Warn: func(err error) { t.Error(err) }}
	spec.Reach = &machine.Reach{Address: server.Listener.Addr().String(), Opened: func(_ context.Context, address string, spec *machine.RunSpec) error {
		at <- address
		spec.Env = append(spec.Env, machine.Var{Name: "AT", Value: address})
		return nil
	}}
	return spec, func() string { return <-at }
}

func testReach(t *testing.T, s *sshtest.Server, m machine.Machine) {
	t.Helper()
	spec, address := reaching(t, `echo "$AT"; for n in 1 2 3 4; do curl -sS "http://$AT/$n" & done; wait; head -c 3000000 /dev/zero | curl -sS -T - "http://$AT/large"; exit 7`)
	status, out, errOut := runs(t, m, spec)
	at := address()
	for _, want := range []string{at + "\n", "/1 0 bytes", "/2 0 bytes", "/3 0 bytes", "/4 0 bytes", "/large 3000000 bytes"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if status != 7 || errOut != "" || !strings.HasPrefix(at, "127.0.0.1:") {
		t.Errorf("%d, %q, at %s", status, errOut, at)
	}
	if dropbear, _ := filepath.Glob(s.Dir + "/host_dropbear"); len(dropbear) == 0 { // which closes it with the connection
		isClosed(t, at)
	}
	// And with files, and a terminal, and again on the same connection.
	spec, address = reaching(t, `test -s "$A" && test -t 0 && curl -sS "http://$AT/again"`)
	spec.TTY, spec.Files, spec.FileVars = true, []machine.RunFile{{Path: "a/b", Data: []byte("x")}}, []machine.Var{{Name: "A", Value: "a/b"}}
	if status, out, _ := runs(t, m, spec); status != 0 || !strings.Contains(out, "/again 0 bytes") {
		t.Errorf("%d, %q", status, out)
	}
	_ = m.Close()
	isClosed(t, address())
}

// isClosed waits until nothing listens at an address.
func isClosed(t *testing.T, at string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err != nil {
			return
		}
		_ = c.Close()
		if time.Now().After(deadline) {
			t.Fatalf("%s is still open", at)
		}
	}
}

// A command on a host reaches a server of this machine, by a port that is there as long
// as the command.
func TestSSHReach(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	testReach(t, s, over(t, s))
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

func TestSSHReachOnDropbear(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Dropbear: true})
	testReach(t, s, over(t, s))
}

func TestSSHReachOverMaster(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	_, use := master(t, s)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	m := over(t, s, use)
	testReach(t, s, m)
	// No port of this machine is in what the master knows, but a socket that only the user can reach.
	m = over(t, s, use)
	spec, _ := reaching(t, "true")
	opened := spec.Reach.Opened
	spec.Reach.Opened = func(ctx context.Context, address string, spec *machine.RunSpec) error {
		sockets, _ := filepath.Glob(temp + "/rhx-reach-*/s")
		if len(sockets) != 1 {
			t.Fatalf("%q", sockets)
		}
		if info, err := os.Stat(filepath.Dir(sockets[0])); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
		return opened(ctx, address, spec)
	}
	if status, _, _ := runs(t, m, spec); status != 0 {
		t.Error(status)
	}
	if left, _ := filepath.Glob(temp + "/rhx-reach-*"); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

// Where the SSH server opens no port, an rhx there does.
func TestSSHReachByProgram(t *testing.T) {
	for _, line := range []string{"AllowTcpForwarding no", "DisableForwarding yes", "AllowTcpForwarding local", "PermitListen none"} {
		t.Run(line, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{Config: []string{line}})
			m := over(t, s)
			spec, _ := reaching(t, "echo started")
			_, err := m.(machine.Runner).Run(t.Context(), spec)
			if err == nil || !strings.Contains(err.Error(), "opens no port for rhx") || !strings.Contains(err.Error(), "no rhx there listens in its place") || !strings.Contains(fault.Hint(err), "AllowTcpForwarding remote") {
				t.Fatalf("%v (%s)", err, fault.Hint(err))
			}
			putProgram(t, s)
			testReach(t, s, m)
		})
	}
}

// putProgram has this program be rhx on a host.
func putProgram(t *testing.T, s *sshtest.Server) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	data, err := os.ReadFile(self)
	check(t, err)
	name := filepath.Join(s.Home, ".local", "bin", "rhx")
	check(t, os.MkdirAll(filepath.Dir(name), 0o755))
	check(t, os.WriteFile(name, data, 0o755))
	for _, p := range []string{filepath.Join(s.Home, ".local"), filepath.Dir(name), name} {
		if os.Getuid() == 0 {
			check(t, os.Chown(p, s.UID, s.GID))
		}
	}
}

// When the connection is gone, so is the way here, and that is said.
func TestSSHReachEndsWithTheConnection(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	spec, address := reaching(t, `exec sleep 60`)
	spec.Started = func() { go s.CutAll() }
	_, err := over(t, s).(machine.Runner).Run(t.Context(), spec)
	if err == nil || !strings.Contains(err.Error(), "the connection was lost") || fault.Hint(err) != "what still runs there reaches nothing through rhx any more" {
		t.Errorf("%v (%s)", err, fault.Hint(err))
	}
	isClosed(t, address())
}

// What is wrong with the server here ends the run before the command starts.
func TestSSHReachNotPrepared(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	spec, _ := reaching(t, "echo started")
	var at string
	spec.Reach.Opened = func(_ context.Context, address string, _ *machine.RunSpec) error {
		at = address
		return errors.New("not today")
	}
	spec.Started = func() { t.Error("it has started") }
	if _, err := over(t, s).(machine.Runner).Run(t.Context(), spec); err == nil || err.Error() != "not today" {
		t.Error(err)
	}
	isClosed(t, at)
}

// Whoever takes all connections at the port cannot stop the connection to the host.
func TestSSHReachFlooded(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	m := over(t, s)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // which accepts nothing
	check(t, err)
	defer silent.Close()
	spec, address := reaching(t, `read x; echo "$x"; head -c 3000000 /dev/zero | wc -c`)
	spec.Reach.Address = silent.Addr().String()
	in, typed := io.Pipe()
	spec.Stdin = in
	spec.Started = func() {
		go func() {
			at := address()
			var held []net.Conn
			for range 400 {
				if c, err := net.Dial("tcp", at); err == nil {
					held = append(held, c)
				}
			}
			if len(held) < 300 {
				t.Errorf("%d connections", len(held))
			}
			_, _ = io.WriteString(typed, "hello\n")
			t.Cleanup(func() {
				for _, c := range held {
					_ = c.Close()
				}
			})
		}()
	}
	if status, out, _ := runs(t, m, spec); status != 0 || out != "hello\n3000000\n" {
		t.Errorf("%d, %q", status, out)
	}
}
