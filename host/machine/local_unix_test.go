//go:build !windows

package machine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
)

// role makes this test binary, started again, a helper process: see TestMain.
const role = "RHX_MACHINE_TEST_ROLE"

// readsHostile is the helper of the tests that need Linux; nil elsewhere.
var readsHostile func(config string, hosts []string)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == machine.ReachArg { // as rhx on a host
		if err := machine.ServeReach(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch os.Getenv(role) {
	case "rewrite":
		rewriteForever(os.Getenv("RHX_MACHINE_TEST_PATH"))
	case "proxy":
		proxy(os.Args[1], os.Args[2])
	case "hostile":
		readsHostile(os.Args[1], os.Args[2:])
	case "fdpass":
		passDescriptor(os.Args[1], os.Args[2])
	}
	os.Exit(m.Run())
}

// proxy is a ProxyCommand.
func proxy(host, port string) {
	conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		os.Exit(1)
	}
	go io.Copy(conn, os.Stdin)
	io.Copy(os.Stdout, conn)
	os.Exit(0)
}

// passDescriptor is a ProxyCommand for ProxyUseFdpass.
func passDescriptor(host, port string) {
	conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
	if err != nil {
		os.Exit(1)
	}
	f, err := conn.(*net.TCPConn).File()
	if err == nil {
		err = syscall.Sendmsg(1, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0)
	}
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func localTarget(t *testing.T) machinetest.Target {
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two\nlines '$x'"}
	return machinetest.Target{
		Machine: machine.Local(home+"/", getenv(env)), Files: machinetest.OS{T: t}, Home: home, OS: runtime.GOOS, Env: env, Root: os.Geteuid() == 0,
	}
}

func TestLocalConformance(t *testing.T) { machinetest.Run(t, localTarget(t)) }

// Rights mean nothing to root, so root runs the suite once more as nobody.
func TestLocalConformanceAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // TestLocalConformance was that
	}
	dir, err := os.MkdirTemp("", "rhx-machine")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// The folder of the test binary is closed to others; its open file is not.
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("/proc/self/fd/3", "-test.run=^TestLocalConformance$", "-test.v")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestLocalConformance")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// As root, what is made inside a home folder belongs to its owner, and what is
// replaced keeps its owner.
func TestLocalRootKeepsOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can give files away
	}
	home := t.TempDir()
	outside := t.TempDir()
	files := machinetest.OS{T: t, UID: 12345, GID: 12346}
	if err := os.Chown(home, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	files.PutFile(outside+"/kept", []byte("old"), 0o640)
	m := machine.Local(home, getenv(nil))
	errs, err := m.Write(t.Context(), []machine.Change{
		{Path: home + "/a/b/new", Data: []byte("x")}, {Path: outside + "/kept", Data: []byte("x"), Old: []byte("old"), Mode: 0o640}, {Path: outside + "/new", Data: []byte("x")},
	})
	if err != nil || errors.Join(errs...) != nil {
		t.Fatal(err, errs)
	}
	for p, want := range map[string]uint32{home + "/a": 12345, home + "/a/b": 12345, home + "/a/b/new": 12345, outside + "/kept": 12345, outside + "/new": 0} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", p, got, want)
		}
	}
}

// contents are what the helper process alternates between; of a size that
// takes more than one write to the disk.
func contents() [2][]byte {
	return [2][]byte{bytes.Repeat([]byte("old "), 20_000), bytes.Repeat([]byte("newer "), 30_000)}
}

func rewriteForever(p string) {
	m := machine.Local(filepath.Dir(p), os.Getenv)
	c := contents()
	for i := 0; ; i ^= 1 {
		file, err := os.ReadFile(p)
		if err != nil {
			os.Exit(3)
		}
		if errs, err := m.Write(context.Background(), []machine.Change{{Path: p, Data: c[i], Old: file}}); err != nil || errs[0] != nil {
			os.Exit(4)
		}
	}
}

// A process killed at any instant leaves the old or the new file, and the next
// write cleans up after it.
func TestLocalKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	p := dir + "/file"
	c := contents()
	if err := os.WriteFile(p, c[0], 0o600); err != nil {
		t.Fatal(err)
	}
	rounds, left := 100, 0
	for range rounds {
		before, _ := os.Stat(p)
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{role + "=rewrite", "RHX_MACHINE_TEST_PATH=" + p}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Wait until it writes, then for a random part of a write.
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			if now, err := os.Stat(p); err != nil || !os.SameFile(before, now) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the helper does not write")
			}
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() > 0 {
			t.Fatalf("the helper ended by itself: %v", err)
		}
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, c[0]) && !bytes.Equal(data, c[1]) {
			t.Fatalf("the file is neither old nor new: %d bytes", len(data))
		}
		if names := (machinetest.OS{T: t}).Names(dir); len(names) > 1 {
			left++
		}
		m := machine.Local(dir, getenv(nil))
		if errs, err := m.Write(t.Context(), []machine.Change{{Path: p, Data: c[0], Old: data}}); err != nil || errs[0] != nil {
			t.Fatal(err, errs)
		}
		if names := (machinetest.OS{T: t}).Names(dir); len(names) != 1 {
			t.Fatalf("left after the next write: %q", names)
		}
	}
	t.Logf("%d of %d kills left a temporary file", left, rounds)
	if left == 0 {
		t.Error("no kill hit a write: the test proves nothing")
	}
}

// Another process' temporary file is removed only when that process is gone.
func TestLocalKeepsTempFilesInUse(t *testing.T) {
	dir := t.TempDir()
	files := machinetest.OS{T: t}
	inUse := dir + "/.rhx-1-abc.tmp"
	for _, name := range []string{inUse, dir + "/.rhx-x-abc.tmp", dir + "/.rhx-.tmp", dir + "/.rhx-999999999-abc", dir + "/.rhx-999999999-abc.tmp"} {
		files.PutFile(name, nil, 0o600)
	}
	if errs, _ := machine.Local(dir, getenv(nil)).Write(t.Context(), []machine.Change{{Path: dir + "/f"}}); errs[0] != nil {
		t.Fatal(errs)
	}
	if got := strings.Join(files.Names(dir), " "); got != ".rhx-.tmp .rhx-1-abc.tmp .rhx-999999999-abc .rhx-x-abc.tmp f" {
		t.Errorf("names %s", got)
	}
}

// A pipe that nobody writes to, a device and a socket are refused at once.
func TestLocalReadNeverBlocks(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("pipe", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	files, err := machine.Local(dir, getenv(nil)).Read(t.Context(), []string{dir + "/pipe", dir + "/link", "/dev/zero", "/dev/tty"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !errors.Is(f.Err, machine.ErrNotRegular) {
			t.Errorf("%s: %v", f.Path, f.Err)
		}
	}
}

// A file whose size the system does not tell is read whole.
func TestLocalReadFilesWithoutSize(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // no /proc
	}
	files, err := machine.Local("/", getenv(nil)).Read(t.Context(), []string{"/proc/self/status"})
	if err != nil || files[0].Err != nil || !bytes.Contains(files[0].Data, []byte("Pid:")) {
		t.Errorf("%+v, %v", files, err)
	}
}

// A new group must not get what the old one could read.
func TestLocalModeNeverOpensToAnotherGroup(t *testing.T) {
	p := t.TempDir() + "/file"
	machinetest.OS{T: t}.PutFile(p, []byte("old"), 0o660)
	m := machine.Local(filepath.Dir(p), getenv(nil))
	if errs, _ := m.Write(t.Context(), []machine.Change{{Path: p, Data: []byte("new"), Old: []byte("old"), Mode: 0o640}}); errs[0] != nil {
		t.Fatal(errs)
	}
	info, err := os.Stat(p)
	if err != nil || info.Mode() != fs.FileMode(0o640) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// addLines adds lines to a file of which others are writing too: it reads, adds
// one and writes, and begins anew where the file was changed meanwhile.
func addLines(t testing.TB, m machine.Machine, p, who string, lines int) {
	for i := range lines {
		line := who + strconv.Itoa(i) + "\n"
		for try := 0; ; try++ {
			files, err := m.Read(t.Context(), []string{p})
			check(t, err)
			c := machine.Change{Path: p, Old: files[0].Data, Data: append(bytes.Clone(files[0].Data), line...)}
			errs, err := m.Write(t.Context(), []machine.Change{c})
			check(t, err)
			if errs[0] == nil {
				break
			}
			if !errors.Is(errs[0], machine.ErrChanged) || try > 10_000 {
				t.Errorf("%s, line %d, try %d: %v", who, i, try, errs[0])
				return
			}
		}
	}
}

// testNoneLost lets several machines, which are the same one, write a file at
// once, from its creation on: whatever one says it wrote stays.
func testNoneLost(t *testing.T, p string, lines int, machines ...machine.Machine) {
	t.Helper()
	var wait sync.WaitGroup
	for i, m := range machines {
		wait.Go(func() { addLines(t, m, p, string(rune('a'+i)), lines) })
	}
	wait.Wait()
	data, err := os.ReadFile(p)
	check(t, err)
	got := strings.Fields(string(data))
	slices.Sort(got)
	if len(got) != lines*len(machines) || len(slices.Compact(got)) != len(got) {
		t.Errorf("%d lines, want %d", len(got), lines*len(machines))
	}
}

func TestLocalWritersLoseNothing(t *testing.T) {
	home := t.TempDir()
	var machines []machine.Machine
	for range 6 {
		machines = append(machines, machine.Local(home, getenv(nil)))
	}
	for i := range 5 {
		testNoneLost(t, filepath.Join(home, "file"+strconv.Itoa(i)), 8, machines...)
	}
}

// Two that both saw no file, or the same file, do not both write it.
func TestLocalOneOfTwoWritersSucceeds(t *testing.T) {
	home := t.TempDir()
	for i := range 50 {
		p := filepath.Join(home, strconv.Itoa(i))
		for _, old := range [][]byte{nil, []byte("old")} {
			if old != nil {
				check(t, os.WriteFile(p, old, 0o600))
			} else {
				os.Remove(p)
			}
			var ok atomic.Int32
			var wait sync.WaitGroup
			for w := range 4 {
				wait.Go(func() {
					errs, _ := machine.Local(home, getenv(nil)).Write(t.Context(), []machine.Change{{Path: p, Old: old, Data: []byte{byte('0' + w)}}})
					switch {
					case errs[0] == nil:
						ok.Add(1)
					case !errors.Is(errs[0], machine.ErrChanged):
						t.Error(errs[0])
					}
				})
			}
			wait.Wait()
			if ok.Load() != 1 {
				t.Fatalf("%d of 4 succeeded, old content %q", ok.Load(), old)
			}
		}
	}
}

// A lock that another program holds is waited for, not for ever, and only as long
// as the context says.
func TestLocalLockedFile(t *testing.T) {
	home := t.TempDir()
	p := filepath.Join(home, "file")
	check(t, os.WriteFile(p, []byte("old"), 0o600))
	f, err := os.Open(p)
	check(t, err)
	defer f.Close()
	check(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	m := machine.Local(home, getenv(nil))
	for _, c := range []machine.Change{{Path: p, Old: []byte("old"), Data: []byte("new")}, {Path: p, Old: []byte("old"), Remove: true}} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		errs, _ := m.Write(ctx, []machine.Change{c})
		cancel()
		if !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Error(errs[0])
		}
	}
	done := make(chan error)
	go func() {
		errs, _ := m.Write(t.Context(), []machine.Change{{Path: p, Old: []byte("old"), Data: []byte("new")}})
		done <- errs[0]
	}()
	check(t, syscall.Flock(int(f.Fd()), syscall.LOCK_UN))
	check(t, <-done)
}

func TestForeignHome(t *testing.T) {
	home := t.TempDir()
	if uid, foreign := machine.ForeignHome(home); foreign {
		t.Errorf("one's own: %d", uid)
	}
	if _, foreign := machine.ForeignHome(home + "/nothing"); foreign {
		t.Error("one that is not there")
	}
	if os.Geteuid() != 0 {
		return
	}
	check(t, os.Chown(home, 1234, 1234))
	if uid, foreign := machine.ForeignHome(home); !foreign || uid != 1234 {
		t.Errorf("another's: %d, %v", uid, foreign)
	}
}
