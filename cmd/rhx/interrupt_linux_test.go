package main

import (
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

// Every command that talks to hosts says the same words at an interrupt, ends soon
// where a host accepts and never answers, and names no host twice.
func TestInterruptSaysTheSame(t *testing.T) {
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
	for _, args := range [][]string{
		{"sync", host, "-s", "openai"}, {"apply", "--yes"}, {"plan", "--yes"}, {"status", "--yes"},
		{"detect", "--on", host}, {"run", "--on", host, "-s", "openai", "--", "true"}, {"run", "--on", host + "," + host[:len(host)-1], "-s", "openai", "--", "true"},
	} {
		cmd := exec.Command(rhxProgram(t), args...)
		cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Not before it waits for the host.
		held := <-accepted
		_ = cmd.Process.Signal(syscall.SIGINT)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err = <-ended:
		case <-time.After(30 * time.Second):
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
