package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/agent"
)

// someone is a user with a home folder, a key and rhx.
type someone struct {
	t    *testing.T
	rhx  string
	home string
	key  string // the private key
	attr *syscall.SysProcAttr
}

// newNobody is somebody else where root runs the tests: nothing keeps root from reading
// memory.
func newNobody(t *testing.T) *someone {
	t.Helper()
	s := newSomeone(t)
	if os.Getuid() != 0 {
		return s
	}
	s.attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	for _, path := range []string{s.home, filepath.Join(s.home, "key")} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func newSomeone(t *testing.T) *someone {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rhx-agent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &someone{t: t, rhx: filepath.Join(dir, "rhx"), home: filepath.Join(dir, "home"), attr: &syscall.SysProcAttr{}}
	program, err := os.ReadFile(rhxProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s.key = id.String()
	r, err := age.NewScryptRecipient("fake passphrase")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(4)
	var file bytes.Buffer
	w, err := age.Encrypt(&file, r)
	if err == nil {
		_, err = w.Write([]byte(s.key + "\n"))
	}
	if err == nil {
		err = w.Close()
	}
	for _, e := range []error{
		err, os.Chmod(dir, 0o755), os.WriteFile(s.rhx, program, 0o755), os.Mkdir(s.home, 0o700),
		os.WriteFile(filepath.Join(s.home, "key"), file.Bytes(), 0o600),
	} {
		if e != nil {
			t.Fatal(e)
		}
	}
	t.Cleanup(func() { _, _ = s.run("", s.rhx, "agent", "stop") })
	return s
}

func (s *someone) run(input string, args ...string) (string, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = environ(s.home, "PATH=/usr/bin:/bin", "RHX_AGE_IDENTITY="+s.home+"/key", "RHX_AGE_PASSPHRASE=fake passphrase")
	cmd.Dir, cmd.SysProcAttr, cmd.Stdin = "/", s.attr, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *someone) must(input string, args ...string) string {
	s.t.Helper()
	out, err := s.run(input, args...)
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// agentPID unlocks, and returns the process of the agent.
func (s *someone) unlock() int {
	s.t.Helper()
	s.must("", s.rhx, "unlock")
	var st agent.Status
	if err := json.Unmarshal([]byte(s.must("", s.rhx, "agent", "status", "-o", "json")), &st); err != nil {
		s.t.Fatal(err)
	}
	return st.PID
}

// A program of the same user does not get at what the agent has in memory, its arguments and
// environment say nothing, and there is no core.
func TestTheAgentsMemoryIsPrivate(t *testing.T) {
	s := newNobody(t)
	pid := s.unlock()
	proc := fmt.Sprintf("/proc/%d/", pid)
	for _, args := range [][]string{
		{"dd", "if=" + proc + "mem", "bs=1", "count=1"},
		{"cat", proc + "environ"},
		{"cat", proc + "maps"},
		{"ls", proc + "fd"},
		{"strace", "-p", fmt.Sprint(pid)},
	} {
		out, err := s.run("", args...)
		if err == nil || !strings.Contains(out, "ermission denied") && !strings.Contains(out, "not permitted") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if got := s.must("", "cat", proc+"cmdline"); got != s.rhx+"\x00"+agentArg+"\x00" {
		t.Errorf("arguments %q", got)
	}
	if got := s.must("", "grep", "-c", "^Max core file size  *0  *0 ", proc+"limits"); got != "1\n" {
		t.Error("it may write a core")
	}
	if os.Getuid() != 0 {
		return
	}
	got, err := os.ReadFile(proc + "environ")
	if err != nil || !strings.HasPrefix(string(got), "RHX_AGENT_FDS=3:4\x00") {
		t.Errorf("environment %q, %v", got, err)
	}
	for kv := range strings.SplitSeq(strings.Trim(string(got), "\x00"), "\x00") {
		if name, _, _ := strings.Cut(kv, "="); name != "RHX_AGENT_FDS" && !slices.Contains(sweepVariables, name) {
			t.Errorf("the agent has %s", name)
		}
	}
}

// An agent that root's debugger follows, or one that was quicker than it, takes no key.
func TestATracedAgentTakesNoKey(t *testing.T) {
	s := newSomeone(t)
	s.must("", s.rhx, "agent", "start")
	var st agent.Status
	if err := json.Unmarshal([]byte(s.must("", s.rhx, "agent", "status", "-o", "json")), &st); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return // nobody else can follow it
	}
	strace := exec.CommandContext(t.Context(), "strace", "-qq", "-e", "trace=none", "-p", fmt.Sprint(st.PID))
	if err := strace.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = strace.Process.Kill(); _ = strace.Wait() }()
	for traced := false; !traced; {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", st.PID))
		if err != nil {
			t.Fatal(err)
		}
		traced = !bytes.Contains(data, []byte("TracerPid:\t0\n"))
	}
	if out, err := s.run("", s.rhx, "unlock"); err == nil || !strings.Contains(out, "another program traces the agent") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is locked is not in memory any more, which root can tell.
func TestLockForgets(t *testing.T) {
	s := newNobody(t)
	pid := s.unlock()
	s.must(`{"k": "FAKE"}`, s.rhx, "save", "db", "--values", "-")
	if os.Getuid() == 0 && !inMemory(t, pid, s.key) {
		t.Fatal("this test does not find a key that is there")
	}
	s.must("", s.rhx, "lock")
	out := s.must("", s.rhx, "agent", "status")
	if !strings.Contains(out, fmt.Sprintf("process %d) and holds no key", pid)) {
		t.Error(out)
	}
	if os.Getuid() == 0 && inMemory(t, pid, s.key) {
		t.Error("the key is still in memory")
	}
}

// The agent takes the socket that a service manager has made, also after a lock, and leaves
// it there.
func TestTheAgentOfAServiceManager(t *testing.T) {
	s := newSomeone(t)
	dir := filepath.Join(s.home, ".local/state/rhx/agent")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agent.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" agent start --foreground`, s.rhx)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = environ(s.home), "/", []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = f.Close(), l.Close()
	for range 2 {
		if pid := s.unlock(); pid != cmd.Process.Pid {
			t.Errorf("process %d is the agent, not %d", pid, cmd.Process.Pid)
		}
		s.must("", s.rhx, "lock")
	}
	if out := s.must("", s.rhx, "agent", "start"); out != "The agent runs already.\n" {
		t.Error(out)
	}
	s.must("", s.rhx, "agent", "stop")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// inMemory looks for a text in what a process can write.
func inMemory(t *testing.T, pid int, text string) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 64<<20 {
			continue
		}
		data := make([]byte, to-from)
		n, _ := mem.ReadAt(data, from)
		if bytes.Contains(data[:n], []byte(text)) {
			return true
		}
	}
	return false
}
