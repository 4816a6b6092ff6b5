package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// The files of a command on a host go with it, however it, rhx or the connection ends.
func TestRunOnAHostLeavesNoFiles(t *testing.T) {
	t.Parallel()
	home := homeWithFiles(t)
	server, small := sshtest.Start(t, sshtest.Options{}), sshtest.Start(t, sshtest.Options{Dropbear: true})
	shared := sshtest.Start(t, sshtest.Options{})
	socket := filepath.Join(home, "m")
	block := shared.HostBlock("shared", "ControlPath "+socket)
	config := shared.Config(block)
	if out, err := exec.Command("ssh", "-F", config, "-M", "-N", "-f", "-o", "ControlPersist=yes", "shared").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ssh", "-F", config, "-O", "exit", "shared").Run() })
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(server.HostBlock("gpu")+small.HostBlock("small")+block), 0o600); err != nil {
		t.Fatal(err)
	}
	signal := func(signals ...syscall.Signal) func(*os.Process) {
		return func(p *os.Process) {
			for _, s := range signals {
				_ = p.Signal(s)
			}
		}
	}
	for _, c := range []struct {
		name    string
		command string // WHERE says where its file is
		end     func(*os.Process)
		status  int // of rhx, as a shell has it
		on      string
	}{
		{"the command ends", "WHERE; exit 9", signal(), 9, "gpu"},
		{"interrupted", "WHERE; exec cat", signal(syscall.SIGINT), 130, "gpu"},
		{"interrupted, with a status of its own", "trap 'exit 4' INT; WHERE; read x", signal(syscall.SIGINT), 4, "gpu"},
		{"terminated", "WHERE; exec cat", signal(syscall.SIGTERM), 143, "gpu"},
		{"rhx killed", "WHERE; exec cat", signal(syscall.SIGKILL), 137, "gpu"},
		{"rhx killed, dropbear", "WHERE; exec cat", signal(syscall.SIGKILL), 137, "small"},
		{"rhx killed, through a master", "WHERE; exec cat", signal(syscall.SIGKILL), 137, "shared"},
		{"rhx killed, an endless child", `WHERE; (while [ -e "$HF_TOKEN_PATH" ]; do sleep 0.05; done) & exec cat`, signal(syscall.SIGKILL), 137, "gpu"},
		{"the connection cut", "WHERE; exec cat", func(*os.Process) { server.CutAll() }, 1, "gpu"},
		{"the master ends", "WHERE; exec cat", func(*os.Process) { _ = exec.Command("ssh", "-F", config, "-O", "exit", "shared").Run() }, 1, "shared"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(rhxProgram(t), "run", "--on", c.on, "-b", "files", "--", "sh", "-c", strings.Replace(c.command, "WHERE", `test -s "$HF_TOKEN_PATH" && echo "$HF_TOKEN_PATH"`, 1))
			cmd.Dir, cmd.Env = home, environ(home)
			said := new(strings.Builder)
			cmd.Stderr = said
			if _, err := cmd.StdinPipe(); err != nil { // held open
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			file, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.Contains(file, "/rhx-on-") {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				t.Fatalf("%q, %v, %s", file, err, said)
			}
			c.end(cmd.Process)
			_ = cmd.Wait()
			if status := shellStatus(cmd.ProcessState); status != c.status {
				t.Errorf("status %d, not %d: %s", status, c.status, said)
			}
			dir := filepath.Dir(filepath.Dir(strings.TrimSpace(file)))
			for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s is still there", dir)
				}
			}
		})
	}
}
