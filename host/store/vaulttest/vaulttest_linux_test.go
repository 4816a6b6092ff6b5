package vaulttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTheCLIReachesBothKindsOfServer(t *testing.T) {
	for _, s := range []*Server{Shared(t), SharedTLS(t)} {
		mount := s.MountKV(t, "team/kv", 2, 0)
		s.CLI(t, s.RootToken, "kv", "put", mount+"/a", "k=fake")
		if got := s.CLI(t, s.RootToken, "kv", "get", "-field=k", mount+"/a"); strings.TrimSpace(got) != "fake" {
			t.Errorf("%s: the value came back as %q", s.Addr, got)
		}
	}
}

func TestTheSharedServerIsOne(t *testing.T) {
	first, second := Shared(t), Shared(t)
	if first != second || SharedTLS(t) == first {
		t.Error("each kind of server must be there once")
	}
}

func TestAMissingProgramSaysHowToGetIt(t *testing.T) {
	t.Setenv("RHX_TEST_VAULT", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := find(); err == nil || !strings.Contains(err.Error(), "make test-deps") {
		t.Errorf("find: %v", err)
	}
}

// The server must not outlive a test process that is killed.
func TestTheServerDiesWithTheProcess(t *testing.T) {
	if path := os.Getenv("VAULTTEST_CHILD"); path != "" {
		s := Shared(t)
		if err := os.WriteFile(path, []byte(strconv.Itoa(s.cmd.Process.Pid)), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	path := filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheServerDiesWithTheProcess$")
	cmd.Env = append(os.Environ(), "VAULTTEST_CHILD="+path)
	out, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(path)
	if err == nil || readErr != nil {
		t.Fatalf("the child did not get to kill itself: %v, %v\n%s", err, readErr, out)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for running(pid) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the server is still running")
		}
		pause()
	}
}

// running reports whether the process is there and not just a zombie that
// nobody has waited for.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}
