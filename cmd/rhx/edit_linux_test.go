package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is edited goes with the editor, however it or rhx ends, and nothing is saved then. What was
// typed is kept, sealed.
func TestAnEditThatIsEndedLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signal syscall.Signal
		group  bool // as a terminal sends it
		status int
		kept   bool
	}{
		"Ctrl-C":     {syscall.SIGINT, true, 1, true},
		"terminated": {syscall.SIGTERM, false, 1, true},
		"killed":     {syscall.SIGKILL, false, 137, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, memory := t.TempDir(), t.TempDir()
			env := environ(home, "XDG_RUNTIME_DIR="+memory, `EDITOR=f() { echo changed=1 >> "$1"; echo "$1"; exec sleep 1000; }; f`)
			save := exec.Command(plainProgram(t), "save", "db", "--values", "-")
			save.Env, save.Stdin = env, strings.NewReader(`{"password": "fake"}`)
			if out, err := save.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			cmd := exec.Command(plainProgram(t), "edit", "db")
			cmd.Env, cmd.SysProcAttr = env, &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			file, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.HasPrefix(file, memory) {
				t.Errorf("%q, %v", file, err)
			}
			pid := cmd.Process.Pid
			if c.group {
				pid = -pid
			}
			if err := syscall.Kill(pid, c.signal); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait()
			if status := shellStatus(cmd.ProcessState); status != c.status {
				t.Errorf("status %d, not %d", status, c.status)
			}
			for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if left, _ := filepath.Glob(memory + "/rhx-run-*"); len(left) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the folder is still there")
				}
			}
			show := exec.Command(plainProgram(t), "show", "db", "-o", "json")
			show.Env = env
			if out, err := show.Output(); err != nil || strings.Contains(string(out), "changed") {
				t.Errorf("%s, %v", out, err)
			}
			// What the editor had written is kept, sealed, if rhx lived on.
			kept := exec.Command(plainProgram(t), "edit", "db", "--kept")
			kept.Env = append(env, "EDITOR=cat")
			if out, _ := kept.CombinedOutput(); strings.Contains(string(out), "changed=1") != c.kept {
				t.Errorf("%s", out)
			}
		})
	}
}

// An editor is known by what it is, not by what it is called.
func TestEditorsThatKeepCopies(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"vim.basic", "emacs-gtk", "emacsclient", "nano"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("vim.basic", filepath.Join(dir, "vi")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	for editor, want := range map[string]string{"vi": "-n", "vim.basic -f": "-n", dir + "/vi": "-n", "emacs-gtk -nw": "--eval", "emacsclient": "", "nano": "", "none": "", "'quoted vi'": ""} {
		got := strings.Join(keepsNoCopies(editor), " ")
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q", editor, got)
		}
	}
}
