package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// saysSignals is a command that prints the name of every signal that it gets, until its
// input ends.
const saysSignals = `
import os, signal, sys
for name in sys.argv[1:]:
    signal.signal(getattr(signal, "SIG" + name), lambda n, _: os.write(1, (signal.Signals(n).name[3:] + "\n").encode()))
os.write(1, b"ready\n")
sys.stdin.read()
`

// A command under rhx gets the signals that it gets under env: each one that is sent to
// rhx, and each one that is sent to their whole group, once.
func TestRunSignalsAreTheCommands(t *testing.T) {
	home := homeWithFiles(t)
	names := []string{"HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT", "TSTP", "WINCH"}
	for kind, before := range map[string][]string{
		"env": {"env"}, "plain": {"run", "-s", "openai", "--"}, "files": {"run", "-b", "files", "--"}, "mask": {"run", "--mask", "-s", "openai", "--"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			args := append(append(before, "python3", "-c", saysSignals), names...)
			program := rhxProgram(t)
			if kind == "env" {
				program, args = "env", args[1:]
			}
			cmd := exec.Command(program, args...)
			cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			said := bufio.NewReader(out)
			expect := func(want string) {
				t.Helper()
				if line, err := said.ReadString('\n'); line != want+"\n" {
					t.Fatalf("%q, %v, not %s", line, err, want)
				}
			}
			expect("ready")
			for _, name := range names {
				s := unix.SignalNum("SIG" + name)
				targets := []int{cmd.Process.Pid, -cmd.Process.Pid}
				if name == "WINCH" || name == "CONT" || name == "TSTP" {
					// What comes of those twice is the same; and the kernel discards a TSTP
					// to a group without a terminal for all who do not catch it.
					targets = targets[:1]
				}
				for _, to := range targets {
					if err := syscall.Kill(to, s); err != nil {
						t.Fatal(err)
					}
					expect(name)
				}
			}
			if err := syscall.Kill(cmd.Process.Pid, syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			expect("USR1") // and not the last one again
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A signal that ends the command ends rhx, as it ends env; what is ignored stays so.
func TestRunEndsAsTheCommandDoes(t *testing.T) {
	home := homeWithFiles(t)
	for _, args := range [][]string{{"run", "-s", "openai", "--"}, {"run", "-b", "files", "--"}, {"run", "--mask", "-s", "openai", "--"}} {
		for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGKILL} {
			cmd := exec.Command(rhxProgram(t), append(args, "python3", "-c", "import os, sys; os.kill(os.getpid(), int(sys.argv[1]))", strconv.Itoa(int(s)))...)
			cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
			out, _ := cmd.CombinedOutput()
			if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != s {
				t.Errorf("%v: %v, not %v\n%s", args, cmd.ProcessState, s, out)
			}
		}
		cmd := exec.Command("sh", append([]string{"-c", `trap '' HUP INT; exec "$@"`, "sh", rhxProgram(t)}, append(args, "sh", "-c", "kill -HUP $$; kill -INT $$; echo still here")...)...)
		cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "still here\n" {
			t.Errorf("%v: %v, %q", args, err, out)
		}
	}
}

// homeWithFiles is a home folder with the secret openai and a project with the bundle
// files, which has one.
func homeWithFiles(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "rhx.yaml"), []byte("version: 1\nsecrets: {huggingface: }\nbundles: {files: {files: huggingface}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rhx := func(input string, args ...string) {
		t.Helper()
		cmd := exec.Command(rhxProgram(t), args...)
		cmd.Dir, cmd.Env, cmd.Stdin = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, strings.NewReader(input)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	rhx(`{"api_key": "fake-one"}`, "save", "openai", "--values", "-")
	rhx(`{"token": "hf_`+strings.Repeat("n", 34)+`"}`, "save", "huggingface", "--values", "-")
	rhx("", "trust")
	return home
}
