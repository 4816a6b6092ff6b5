package machine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/machinetest"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// writes makes changes that have to succeed.
func writes(t *testing.T, m machine.Machine, changes ...machine.Change) {
	t.Helper()
	errs, err := m.Write(t.Context(), changes)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
}

func TestSSHConformanceOfDropbear(t *testing.T) {
	env := map[string]string{}
	s := sshtest.Start(t, sshtest.Options{Dropbear: true})
	machinetest.Run(t, target(t, s, env))
}

// The login shell sees one constant command; none of these is a POSIX shell.
func TestSSHLoginShells(t *testing.T) {
	for _, shell := range []string{"/usr/bin/fish", "/bin/tcsh", "/bin/bash"} {
		t.Run(shell, func(t *testing.T) {
			s := sshtest.Start(t, sshtest.Options{Shell: shell})
			files := machinetest.OS{T: t, UID: s.UID, GID: s.GID}
			// What start-up files print, also without a line end, is no answer.
			files.PutFile(s.Home+"/.bashrc", []byte("echo noise; echo noise >&2; printf 'no line end'"), 0o600)
			files.PutFile(s.Home+"/.cshrc", []byte("echo noise\necho -n noise\n"), 0o600)
			files.PutFile(s.Home+"/.config/fish/config.fish", []byte("echo noise\n"), 0o600)
			m := over(t, s)
			connects(t, m, s)
			content := []byte("it's $HOME `id` \\ !! \x00\xff\n")
			p := s.Home + "/it's !!/$x"
			writes(t, m, machine.Change{Path: p, Data: content})
			read, err := m.Read(t.Context(), []string{p, s.Home + "/it's !!/*"})
			if err != nil || len(read) != 2 || !bytes.Equal(read[0].Data, content) || read[1].Path != p {
				t.Errorf("read %+v, %v", read, err)
			}
			var out bytes.Buffer
			status, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{
				Argv: []string{"printf", "%s\n", "it's", "!!", "$HOME", `a\'b`}, Env: []machine.Var{{Name: "V", Value: "x"}}, Stdout: &out,
			})
			if err != nil || status != 0 || out.String() != "it's\n!!\n$HOME\na\\'b\n" {
				t.Errorf("run: %d, %v, %q", status, err, out.String())
			}
		})
	}
}

// An account without a shell is told apart from a broken connection.
func TestSSHOnlySFTP(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"ForceCommand internal-sftp"}})
	m := over(t, s)
	refuses(t, m, nil, "no POSIX sh", "sftp")
	if _, err := m.Read(t.Context(), []string{"/etc/passwd"}); err == nil || !strings.Contains(err.Error(), "no POSIX sh") {
		t.Errorf("read: %v", err)
	}
	if _, err := m.(machine.Runner).Run(t.Context(), machine.RunSpec{Argv: []string{"true"}}); err == nil || !strings.Contains(err.Error(), "no POSIX sh") {
		t.Errorf("run: %v", err)
	}
	message := sshtest.Start(t, sshtest.Options{Config: []string{"ForceCommand echo this account is closed"}})
	refuses(t, over(t, message), nil, "this account is closed")
	// What a forced command echoes may be a secret: it is not shown.
	echo := sshtest.Start(t, sshtest.Options{Config: []string{"ForceCommand cat"}})
	_, err := over(t, echo).Write(t.Context(), []machine.Change{{Path: "/tmp/x", Data: []byte("value-of-a-secret")}})
	if err == nil || strings.Contains(err.Error(), "value-of-a-secret") {
		t.Errorf("write: %v", err)
	}
}

// One connection; for each operation one command, whose channel is already
// open when the operation starts.
func TestSSHRoundTrips(t *testing.T) {
	f := newFake(t, "/bin/sh")
	m := f.machine()
	var paths []string
	var changes []machine.Change
	for i := range 30 {
		p := fmt.Sprintf("%s/d%d/file", f.home, i)
		paths = append(paths, p, fmt.Sprintf("%s/d%d/*", f.home, i))
		changes = append(changes, machine.Change{Path: p, Data: []byte("x")})
	}
	if _, err := m.Info(t.Context(), []string{"A", "B"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(t.Context(), paths); err != nil {
		t.Fatal(err)
	}
	writes(t, m, changes...)
	opens, execs := f.counts()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns != 1 || execs != 3 || opens > 4 {
		t.Errorf("%d connections, %d commands, %d channels; want 1, 3 and at most 4", f.conns, execs, opens)
	}
	for _, c := range f.commands {
		if c != `exec sh -c 'eval "$(cat)"'` {
			t.Errorf("command %q", c)
		}
	}
	for _, r := range f.requests {
		if r != "exec" {
			t.Errorf("request %q", r)
		}
	}
}

// A host with MaxSessions 1 can be used.
func TestSSHOneSessionAtATime(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"MaxSessions 1"}})
	m := over(t, s)
	for range 5 {
		connects(t, m, s)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

// Goroutines share one connection.
func TestSSHConcurrentUse(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	m := over(t, s)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			p := fmt.Sprintf("%s/%d", s.Home, i)
			errs, err := m.Write(t.Context(), []machine.Change{{Path: p, Data: []byte(p)}})
			if err != nil || errs[0] != nil {
				t.Error(err, errs)
			}
			if files, err := m.Read(t.Context(), []string{p}); err != nil || string(files[0].Data) != p {
				t.Error(err, files)
			}
		})
	}
	wait.Wait()
	if s.Connections() != 1 {
		t.Errorf("%d connections", s.Connections())
	}
}

// A lost connection is an error, and the next operation makes another.
func TestSSHReconnects(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	m := over(t, s)
	connects(t, m, s)
	s.CutAll()
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
	m.Close()
	refuses(t, m, nil, "closed")
}

// cutter passes bytes between a client and addr, and cuts both ways after the
// client has sent limit bytes; limit 0 is never. It counts them.
type cutter struct {
	net.Listener
	sent  atomic.Int64
	limit atomic.Int64
	// stalled makes it keep everything to itself, as a network that drops packets;
	// frozen makes it take nothing, as a host that is stopped.
	stalled, frozen atomic.Bool
	// touched gets something when bytes come that do not go on.
	touched chan struct{}
}

func newCutter(t *testing.T, addr string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	c := &cutter{Listener: l, touched: make(chan struct{}, 1)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				continue
			}
			go func() {
				defer client.Close()
				defer server.Close()
				go func() {
					io.Copy(client, server)
					client.Close()
				}()
				buf := make([]byte, 512)
				for {
					n, err := client.Read(buf)
					if c.frozen.Load() || c.stalled.Load() {
						select {
						case c.touched <- struct{}{}:
						default:
						}
					}
					if c.frozen.Load() {
						<-t.Context().Done()
						return
					}
					if c.stalled.Load() && err == nil {
						continue
					}
					if limit := c.limit.Load(); limit > 0 && c.sent.Load()+int64(n) >= limit {
						server.Write(buf[:max(0, limit-c.sent.Load())])
						return
					}
					c.sent.Add(int64(n))
					if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
						return
					}
				}
			}()
		}
	}()
	return c
}

// A connection that is cut at any byte of a write leaves each file old or new,
// and no temporary file.
func TestSSHCutWhileWriting(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := newCutter(t, s.Addr)
	_, port, _ := net.SplitHostPort(c.Addr().String())
	config := withConfig(s, "Host *\n Port "+port+"\n HostKeyAlias server\n"+s.HostBlock(s.Alias))
	check(t, os.WriteFile(s.KnownHosts, []byte("server "+s.HostKeys[0]+"\n"), 0o600))
	files := machinetest.OS{T: t, UID: s.UID, GID: s.GID}
	one, two := s.Home+"/d/one", s.Home+"/d/two"
	old, next := bytes.Repeat([]byte("old\n"), 3000), bytes.Repeat([]byte("next\n"), 4000)
	change := []machine.Change{{Path: one, Data: next, Old: old}, {Path: two, Data: next}}
	reset := func() {
		files.PutFile(one, old, 0o600)
		os.Remove(two)
	}

	reset()
	whole := over(t, s, config)
	connects(t, whole, s)
	before := c.sent.Load()
	writes(t, whole, change...)
	after := c.sent.Load()
	whole.Close()
	var failed, finished int
	const cuts = 40
	for i := range cuts {
		reset()
		c.sent.Store(0)
		c.limit.Store(before + (after-before)*int64(i+1)/cuts)
		m := over(t, s, config)
		if _, err := m.Info(t.Context(), nil); err == nil {
			errs, err := m.Write(t.Context(), change)
			if len(errs) != 2 || err == nil && errors.Join(errs...) != nil || err != nil && errors.Join(errs...) == nil {
				t.Fatalf("%v, %v", errs, err)
			}
			if err != nil {
				failed++
			}
		}
		c.limit.Store(0)
		m.Close()
		// What had arrived goes on after the cut: wait for the server's side.
		for deadline := time.Now().Add(20 * time.Second); s.Open() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the server does not notice the cut")
			}
		}
		var got []byte
		for range 200 {
			got, _, _ = files.File(one)
			if names := files.Names(s.Home + "/d"); !strings.Contains(strings.Join(names, " "), ".rhx") {
				break
			}
			time.Sleep(10 * time.Millisecond) // the script is still at work
		}
		if !bytes.Equal(got, old) && !bytes.Equal(got, next) {
			t.Fatalf("cut %d: one is neither old nor new: %d bytes", i, len(got))
		}
		made, _, ok := files.File(two)
		if ok && !bytes.Equal(made, next) {
			t.Fatalf("cut %d: two has %d bytes", i, len(made))
		}
		if bytes.Equal(got, next) && ok {
			finished++
		}
		for _, name := range files.Names(s.Home + "/d") {
			if name != "one" && name != "two" {
				t.Fatalf("cut %d: left %q", i, name)
			}
		}
	}
	t.Logf("%d of %d writes failed, %d were finished by the host", failed, cuts, finished)
	if failed < cuts/2 {
		t.Error("too few cuts hit a write: the test proves little")
	}
}

// A host that falls silent is given up in bounded time; one that is only slow is not.
func TestSSHDeadHost(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	c := newCutter(t, s.Addr)
	_, port, _ := net.SplitHostPort(c.Addr().String())
	check(t, os.WriteFile(s.KnownHosts, []byte("server "+s.HostKeys[0]+"\n"), 0o600))
	m := over(t, s, withConfig(s, "Host *\n Port "+port+"\n HostKeyAlias server\n"+s.HostBlock(s.Alias)), func(o *machine.SSHOptions) {
		machine.SetAlive(o, 100*time.Millisecond, 2*time.Second)
	})
	if status, _, _ := runs(t, m, machine.RunSpec{Argv: []string{"sleep", "3"}}); status != 0 {
		t.Errorf("status %d", status)
	}
	c.stalled.Store(true)
	refuses(t, m, nil, "connection was lost", "no answer for 2s")
	c.stalled.Store(false)
	connects(t, m, s)
}

// A temporary file that a killed shell left is gone after the next write.
func TestSSHSweepsAfterACrash(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	files := machinetest.OS{T: t, UID: s.UID, GID: s.GID}
	files.PutFile(s.Home+"/.rhx-999999999-abc0.tmp", []byte("left"), 0o600)
	files.PutFile(s.Home+"/.rhx-1-abc0.tmp", []byte("in use"), 0o600)
	files.PutFile(s.Home+"/.rhx-x-abc0.tmp", []byte("not ours"), 0o600)
	writes(t, over(t, s), machine.Change{Path: s.Home + "/file", Data: []byte("x")})
	if got := strings.Join(files.Names(s.Home), " "); got != ".rhx-1-abc0.tmp .rhx-x-abc0.tmp file" {
		t.Errorf("names %s", got)
	}
}

// fullDisk returns a folder on a small file system without room.
func fullDisk(t *testing.T, uid int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	dir := openDir(t)
	check(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=64k,mode=700,uid=%d", uid)))
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// testFullDisk checks that a full disk is an error that loses nothing.
func testFullDisk(t *testing.T, m machine.Machine, dir string, uid int) {
	files := machinetest.OS{T: t, UID: uid, GID: uid}
	old := []byte("old content")
	files.PutFile(dir+"/file", old, 0o600)
	for _, size := range []int{200 << 10, 48 << 10} {
		errs, err := m.Write(t.Context(), []machine.Change{
			{Path: dir + "/file", Old: old, Data: bytes.Repeat([]byte("x"), size)}, {Path: dir + "/folder/new", Data: bytes.Repeat([]byte("x"), size)},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"/file", "/folder/new"} {
			if size == 48<<10 && i == 0 {
				// It fits: the next one must not.
				if errs[i] != nil {
					t.Error(errs[i])
				}
				continue
			}
			if !errors.Is(errs[i], syscall.ENOSPC) || !strings.Contains(errs[i].Error(), dir+name) || !strings.Contains(errs[i].Error(), "no space left") {
				t.Errorf("%d bytes: %v", size, errs[i])
			}
		}
		if size == 200<<10 {
			if data, _, _ := files.File(dir + "/file"); !bytes.Equal(data, old) {
				t.Errorf("the old content is lost: %d bytes", len(data))
			}
		}
	}
	for _, d := range []string{dir, dir + "/folder"} {
		for _, name := range files.Names(d) {
			if name != "file" && name != "folder" {
				t.Errorf("%s is left in %s", name, d)
			}
		}
	}
}

func TestLocalFullDisk(t *testing.T) {
	dir := fullDisk(t, 0)
	testFullDisk(t, machine.Local(dir, getenv(nil)), dir, 0)
}

func TestSSHFullDisk(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	testFullDisk(t, over(t, s), fullDisk(t, s.UID), s.UID)
	bash := sshtest.Start(t, sshtest.Options{Shell: "/bin/bash"})
	testFullDisk(t, over(t, bash), fullDisk(t, bash.UID), bash.UID)
}

// watchProcesses looks for a text in the arguments and, except in those of the
// allowed program, in the environment of every process, until the test stops it.
func watchProcesses(t *testing.T, text string) (stop func()) {
	t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	rounds := 0
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			rounds++
			names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, name := range names {
				if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(text)) {
					t.Errorf("%s: %q", name, data)
				}
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		if rounds == 0 {
			t.Error("the list of processes was not looked at")
		}
	}
}

// Nothing secret is in the list of processes of the host, nor in its shells' history.
func TestSSHNothingSecretInProcesses(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Shell: "/bin/bash"})
	m := over(t, s)
	connects(t, m, s)
	const value = "value-of-a-secret"
	stop := watchProcesses(t, value)
	var changes []machine.Change
	for i := range 30 {
		changes = append(changes, machine.Change{Path: fmt.Sprintf("%s/%d", s.Home, i), Data: bytes.Repeat([]byte(value+"\n"), 200)})
	}
	writes(t, m, changes...)
	for i := range changes {
		changes[i].Old = changes[i].Data
		changes[i].Remove = i%2 == 0
	}
	writes(t, m, changes...)
	spec := machine.RunSpec{Argv: []string{"/bin/sleep", "0.3"}, Env: []machine.Var{{Name: "SECRET", Value: value}}}
	if status, err := m.(machine.Runner).Run(t.Context(), spec); status != 0 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	spec.TTY = true
	if status, err := m.(machine.Runner).Run(t.Context(), spec); status != 0 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	stop()
	for _, name := range (machinetest.OS{T: t}).Names(s.Home) {
		if strings.Contains(name, "history") {
			t.Errorf("there is a %s", name)
		}
	}
}

// A cancelled context ends an operation at once, also one that the host never answers.
func TestSSHCancelWhileWaiting(t *testing.T) {
	f := newFake(t, "/bin/sh")
	hang := make(chan struct{})
	defer close(hang)
	f.instead = func(ssh.Channel) { <-hang }
	m := f.machine()
	for _, op := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := m.Info(ctx, nil); return err },
		func(ctx context.Context) error { _, err := m.Read(ctx, []string{"/x"}); return err },
		func(ctx context.Context) error {
			errs, err := m.Write(ctx, []machine.Change{{Path: "/x"}})
			if len(errs) != 1 || !errors.Is(errs[0], context.DeadlineExceeded) {
				t.Errorf("write: %v", errs)
			}
			return err
		},
		func(ctx context.Context) error {
			_, err := m.(machine.Runner).Run(ctx, machine.RunSpec{Argv: []string{"true"}})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := op(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		cancel()
	}
}

// A host that sends without end does not fill this machine's memory, and
// nothing that it says is taken for what it is not.
func TestSSHHostileAnswers(t *testing.T) {
	f := newFake(t, "/bin/sh")
	m := f.machine()
	for _, answer := range []string{"", "rhx-", "\x00\xff", "rhx-x done\n", strings.Repeat("rhx-A start\n", 1000)} {
		f.instead = func(ch ssh.Channel) { io.WriteString(ch, answer) }
		if _, err := m.Read(t.Context(), []string{"/x"}); err == nil {
			t.Errorf("%q is an answer", answer)
		}
	}
	// This one knows the mark, as a host does.
	for _, answer := range []string{
		"done", "start\nM", "file 0\n/xMdone", "file 0\n/xMlist\nMdata\nMend 0\nMdone", "file 7\nMdone", "no 0\nMno 0 missing\nMno 0 missing\nMdone", "no -1 x\nMdone",
		"file 0\n/xMdata\nMlist\nMend 0\nMdone", "file 0\n/xMlist\n-rw------- 1 0 0 5\nMdata\n123Mend 0\nMdone", "file 0\n/xMlist\n-rw------- 1 0 0 3\nMdata\n123Mend 1\nMdone",
	} {
		f.instead = func(ch ssh.Channel) {
			script, _ := io.ReadAll(ch)
			_, rest, _ := bytes.Cut(script, []byte("M='"))
			mark, _, _ := bytes.Cut(rest, []byte("'"))
			io.WriteString(ch, string(mark)+strings.ReplaceAll(answer, "M", string(mark))+"\n")
		}
		files, err := m.Read(t.Context(), []string{"/x"})
		if err == nil && (len(files) != 1 || files[0].Err == nil) {
			t.Errorf("%q: %+v", answer, files)
		}
		errs, err := m.Write(t.Context(), []machine.Change{{Path: "/x", Data: []byte("x")}})
		if len(errs) != 1 || errs[0] == nil {
			t.Errorf("%q: %v, %v", answer, errs, err)
		}
	}
}

// Several who write one file over SSH, and one on the host itself, lose nothing.
func TestSSHWritersLoseNothing(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	p := s.Home + "/file"
	check(t, os.WriteFile(p, []byte("first\n"), 0o666))
	check(t, os.Chown(p, s.UID, s.GID))
	testNoneLost(t, s.Home+"/new", 5, over(t, s), over(t, s), over(t, s))
	testNoneLost(t, s.Home+"/mixed", 5, over(t, s), machine.Local(s.Home, getenv(nil)), over(t, s))
}
