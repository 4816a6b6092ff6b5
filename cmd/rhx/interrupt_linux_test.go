package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Every command that talks to hosts says the same words at an interrupt, ends where a
// host accepts and never answers, whatever time ssh_config gives it to, and names no host
// twice. Nor does it wait at a second one (TestSyncInterruptedTwice has a host that is
// being written).
func TestInterruptSaysTheSame(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	accepted := make(chan net.Conn, 64)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			accepted <- conn // held open, never answered
		}
	}()
	host, home := silent.Addr().String(), homeWithFiles(t)
	text := "version: 1\nsecrets: {openai: }\nbundles: {keys: {secrets: openai}}\nhosts: {all-hosts: {addresses: [\"" + host + "\"], bundles: [keys]}}\n"
	if err := os.WriteFile(filepath.Join(home, "rhx.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte("Host *\n  ConnectTimeout 3600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"sync", host, "-s", "openai"}, {"apply", "--yes"}, {"plan", "--yes"}, {"status", "--yes"},
		{"detect", "--on", host}, {"run", "--on", host, "-s", "openai", "--", "true"}, {"run", "--on", host + "," + host[:len(host)-1], "-s", "openai", "--", "true"},
	} {
		for _, twice := range []bool{false, true} {
			cmd := exec.Command(rhxProgram(t), args...)
			cmd.Dir, cmd.Env = home, environ(home)
			var said bytes.Buffer
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			errs := bufio.NewReader(stderr)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// Not before it waits for the host.
			held := <-accepted
			_ = cmd.Process.Signal(syscall.SIGINT)
			if twice {
				for !strings.Contains(said.String(), "interrupted; ") {
					line, err := errs.ReadString('\n')
					if err != nil {
						t.Fatalf("%v: %v after\n%s", args, err, &said)
					}
					said.WriteString(line)
				}
				_ = cmd.Process.Signal(syscall.SIGINT) // which may have ended
			}
			ended := make(chan error, 1)
			go func() {
				_, _ = errs.WriteTo(&said)
				ended <- cmd.Wait()
			}()
			select {
			case err = <-ended:
			case <-time.After(5 * time.Minute):
				_ = cmd.Process.Kill()
				t.Fatalf("%v does not end", args)
			}
			_ = held.Close()
			for len(accepted) > 0 {
				_ = (<-accepted).Close()
			}
			if err == nil {
				t.Errorf("%v ends well", args)
			}
			if want := "rhx: warning: interrupted; waiting for the hosts that are being written. Ctrl-C again stops at once\n"; strings.Count(said.String(), want) != 1 {
				t.Errorf("%v says\n%s", args, &said)
			}
			for _, line := range strings.Split(said.String(), "\n") {
				if strings.Count(line, host) > 1 {
					t.Errorf("%v names the host twice: %s", args, line)
				}
			}
			if n := strings.Count(said.String(), "rhx: "+host); n > 1 {
				t.Errorf("%v tells of the host %d times:\n%s", args, n, &said)
			}
		}
	}
}
