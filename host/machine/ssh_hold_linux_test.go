package machine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// withFiles is a command beside two files; it prints where they are.
func withFiles(script string) machine.RunSpec {
	return machine.RunSpec{
		Argv: sh(`echo "$A"; ` + script),
		Files: []machine.RunFile{
			{Path: "a/credentials", Data: []byte("[x]\nk = fake\n")},
			{Path: "a/b c/it's", Data: []byte("\x00\xff\\n\n'$x`\r\n\n"), Mode: 0o444},
			{Path: "empty"},
		},
		FileVars: []machine.Var{{Name: "A", Value: "a/credentials"}, {Name: "B", Value: "a/b c/it's"}, {Name: "E", Value: "empty"}, {Name: "D", Value: "a"}},
	}
}

// isGone waits until a file and its folder for one command are not there.
func isGone(t *testing.T, file string) {
	t.Helper()
	dir := filepath.Dir(filepath.Dir(file))
	if !strings.Contains(filepath.Base(dir), "rhx-on-") {
		t.Fatalf("%q is not in the folder of a command", file)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", dir)
		}
	}
}

func testFiles(t *testing.T, m machine.Machine) {
	t.Helper()
	spec := withFiles(`cat "$A"; od -An -v -tx1 "$B"; wc -c <"$E"; stat -c %a "$A" "$B" "$E" "$D" "${A%/a/*}"; stat -f -c %T "$A"; cat; exit 7`)
	spec.Stdin, spec.Warn = strings.NewReader("input"), func(err error) { t.Error(err) }
	status, out, errOut := runs(t, m, spec)
	file, rest, _ := strings.Cut(out, "\n")
	want := "[x]\nk = fake\n 00 ff 5c 6e 0a 27 24 78 60 0d 0a 0a\n0\n600\n400\n600\n700\n700\ntmpfs\ninput"
	if status != 7 || rest != want || errOut != "" {
		t.Errorf("%d, %q, %q", status, rest, errOut)
	}
	if _, err := os.Lstat(filepath.Dir(filepath.Dir(file))); !errors.Is(err, os.ErrNotExist) || !strings.Contains(file, "/rhx-on-") {
		t.Errorf("%s is there when the command has ended: %v", file, err)
	}
	// What the command does in the folder does not keep it there.
	_, out, _ = runs(t, m, withFiles(`mkdir -p "$D/x/y"; chmod 0 "$D/x" "$D"`))
	isGone(t, strings.TrimSpace(out))
}

func TestSSHRunFiles(t *testing.T) { testFiles(t, over(t, sshtest.Start(t, sshtest.Options{}))) }

// The largest file comes whole, and so does one that is five times its size on the way.
func TestSSHRunLargestFiles(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}))
	spec := withFiles(`for f in "$L" "$O"; do cksum <"$f"; done`)
	large, odd := bytes.Repeat([]byte("0123456789abcde\n"), machine.MaxFile/16), bytes.Repeat([]byte{0, 0xff, '\\', '\''}, 64<<10)
	spec.Files = append(spec.Files, machine.RunFile{Path: "large", Data: large}, machine.RunFile{Path: "odd", Data: odd})
	spec.FileVars = append(spec.FileVars, machine.Var{Name: "L", Value: "large"}, machine.Var{Name: "O", Value: "odd"})
	want := ""
	for _, data := range [][]byte{large, odd} {
		cmd := exec.Command("cksum")
		cmd.Stdin = bytes.NewReader(data)
		sum, err := cmd.Output()
		check(t, err)
		want += string(sum)
	}
	if _, out, _ := runs(t, m, spec); !strings.HasSuffix(out, "\n"+want) {
		t.Errorf("%q, not %q", out, want)
	}
}

// What cannot be removed, such as the files that sudo made there, is told of.
func TestSSHRunFilesThatCannotBeRemoved(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}))
	r, w := io.Pipe()
	in, end := io.Pipe()
	said := make(chan string, 1)
	go func() {
		defer end.Close()
		line := make([]byte, 200)
		n, _ := r.Read(line)
		file := strings.TrimSpace(string(line[:n]))
		said <- file
		dir := filepath.Join(filepath.Dir(file), "roots")
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "x"), nil, 0o600)); err != nil {
			t.Error(err)
		}
		go io.Copy(io.Discard, r)
	}()
	spec := withFiles("cat")
	var warned atomic.Value
	spec.Stdin, spec.Stdout, spec.Warn = in, w, func(err error) { warned.Store(err.Error()) }
	if status, err := m.(machine.Runner).Run(t.Context(), spec); status != 0 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	dir := filepath.Dir(filepath.Dir(<-said))
	_, err := os.Stat(dir)
	if told, _ := warned.Load().(string); (err == nil) != strings.Contains(told, "the command's files may still be there, in "+dir+": the host could not remove all of them") {
		t.Errorf("%v, and it is said: %q", err, told)
	}
	if os.Geteuid() == 0 && err != nil {
		t.Error("what is root's was removed by another user")
	}
	check(t, os.RemoveAll(dir))
}

func TestSSHRunFilesOnDropbear(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Dropbear: true})
	m := over(t, s)
	for range 10 {
		testFiles(t, m)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestSSHRunFilesInEveryShell(t *testing.T) {
	for name, shell := range map[string][]string{
		"dash": {"/bin/dash"}, "bash as sh": {"/bin/bash", "--posix"}, "busybox": {"/bin/busybox", "sh"}, "mksh": {"/bin/mksh"}, "ksh93": {"/bin/ksh93"},
	} {
		t.Run(name, func(t *testing.T) { testFiles(t, newFake(t, shell...).machine()) })
	}
	for _, login := range []string{"/usr/bin/fish", "/bin/tcsh", "/bin/bash"} {
		t.Run(filepath.Base(login), func(t *testing.T) { testFiles(t, over(t, sshtest.Start(t, sshtest.Options{Shell: login}))) })
	}
}

// A host that allows one session on a connection gets a second connection.
func TestSSHRunFilesWithOneSession(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{Config: []string{"MaxSessions 1"}})
	testFiles(t, over(t, s))
	if n := s.Connections(); n != 3 { // a command has one, and each of two a second one
		t.Errorf("%d connections", n)
	}
	for deadline := time.Now().Add(60 * time.Second); s.Open() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open", s.Open())
		}
	}
}

// The files go with a connection that is cut, and with one that only falls silent.
func TestSSHRunFilesGoWithTheConnection(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	for name, end := range map[string]func(w *sshtest.Wire, until <-chan struct{}){
		"cut":    func(*sshtest.Wire, <-chan struct{}) { s.CutAll() },
		"silent": func(w *sshtest.Wire, until <-chan struct{}) { w.Repair(func(bool, int) error { <-until; return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := sshtest.NewWire(t, nil, "127.0.0.1:0", s.Addr, 0, nil)
			until := make(chan struct{})
			t.Cleanup(func() { close(until) })
			_, port, _ := strings.Cut(w.Addr, ":")
			config := filepath.Join(t.TempDir(), "config")
			block := strings.Replace(s.HostBlock("w"), fmt.Sprintf("Port %d", s.Port), "Port "+port+"\n  HostKeyAlias ["+s.Host+"]:"+fmt.Sprint(s.Port), 1)
			check(t, os.WriteFile(config, []byte(block), 0o600))
			o := machine.SSHOptions{ConfigFile: config}
			machine.SetAlive(&o, 100*time.Millisecond, 2*time.Second)
			m := machine.SSH("w", o)
			t.Cleanup(func() { m.Close() })
			r, out := io.Pipe()
			said := make(chan string, 1)
			go func() {
				line := make([]byte, 200)
				n, _ := r.Read(line)
				said <- string(line[:n])
				end(w, until)
				io.Copy(io.Discard, r)
			}()
			spec := withFiles(`while [ -e "$A" ]; do sleep 0.05; done`)
			spec.Stdout = out
			if _, err := m.(machine.Runner).Run(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "connection was lost") {
				t.Error(err)
			}
			isGone(t, strings.TrimSpace(<-said))
		})
	}
}

// As long as rhx is there the files are, also longer than a dead connection is waited for.
func TestSSHRunFilesStay(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}), func(o *machine.SSHOptions) { machine.SetAlive(o, time.Second, 4*time.Second) })
	// What rhx says is noted in a file, which is taken away at each look.
	spec := withFiles(`b=${A%/a/*}/.beat
for look in 1 2; do
	while [ -e "$b" ]; do sleep 0.05; done
	until [ -e "$b" ] || ! [ -e "$A" ]; do sleep 0.05; done
done
cat "$A"`)
	spec.Warn = func(err error) { t.Error(err) }
	if _, out, _ := runs(t, m, spec); !strings.HasSuffix(out, "\nk = fake\n") {
		t.Errorf("%q", out)
	}
}

// The process that keeps the files may be ended before the command: they are gone then,
// and it is said.
func TestSSHRunFilesOfAKilledKeeper(t *testing.T) {
	m := over(t, sshtest.Start(t, sshtest.Options{}), func(o *machine.SSHOptions) { machine.SetAlive(o, time.Second, 4*time.Second) })
	for _, signal := range []string{"TERM", "HUP", "INT", "KILL"} {
		t.Run(signal, func(t *testing.T) {
			// Only where it can do nothing any more does another process have to.
			until := `while kill -0 $p 2>/dev/null; do sleep 0.02; done; [ -e "$A" ] || echo gone`
			if signal == "KILL" {
				until = `while [ -e "$A" ]; do sleep 0.02; done; echo gone`
			}
			spec := withFiles(`p=${A##*/rhx-on-}; p=${p%%-*}; kill -` + signal + ` $p; ` + until)
			var warned atomic.Value
			spec.Warn = func(err error) { warned.Store(err.Error()) }
			status, out, errOut := runs(t, m, spec)
			if status != 0 || !strings.HasSuffix(out, "\ngone\n") {
				t.Errorf("%d, %q, %q", status, out, errOut)
			}
			if said, _ := warned.Load().(string); !strings.Contains(said, "the command's files were gone before its end") {
				t.Errorf("%q", said)
			}
		})
	}
}

// A folder that was left by a process that is no more is removed with the next one; those
// of others, and what only has the name, stay.
func TestSSHRunFilesSweep(t *testing.T) {
	f := newFake(t, "/bin/dash")
	base, err := os.MkdirTemp("/dev/shm", "rhx-test-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(base) })
	own := nobodyIfRoot()
	check(t, os.Chown(base, own, own))
	check(t, os.Chmod(base, 0o700))
	dirs := map[string]bool{"rhx-on-999999999-x": false, fmt.Sprintf("rhx-on-%d-x", os.Getpid()): true, "rhx-on-x-x": true, "other": true}
	for name := range dirs {
		check(t, os.Mkdir(filepath.Join(base, name), 0o700))
		check(t, os.Chown(filepath.Join(base, name), own, own))
	}
	check(t, os.Symlink(base, filepath.Join(base, "rhx-on-999999998-x")))
	dirs["rhx-on-999999998-x"] = true
	if os.Geteuid() == 0 { // root's, and not nobody's
		check(t, os.Mkdir(filepath.Join(base, "rhx-on-999999997-x"), 0o700))
		dirs["rhx-on-999999997-x"] = true
	}
	f.env = []string{"XDG_RUNTIME_DIR=" + base}
	_, out, _ := runs(t, f.machine(), withFiles(""))
	if !strings.HasPrefix(out, base+"/rhx-on-") {
		t.Errorf("the files were in %q", out)
	}
	for name, want := range dirs {
		if _, err := os.Lstat(filepath.Join(base, name)); (err == nil) != want {
			t.Errorf("%s is there: %v", name, err == nil)
		}
	}
}

// Only memory will do, and only where no other user can take the folder's place.
func TestSSHRunFilesOnlyInMemory(t *testing.T) {
	f := newFake(t, "/bin/dash")
	for name, dir := range map[string]string{"a disk": f.home, "a relative path": "home", "not there": "/no/such", "a file": "/etc/passwd"} {
		f.env = []string{"XDG_RUNTIME_DIR=" + dir}
		if _, out, _ := runs(t, f.machine(), withFiles("")); !strings.HasPrefix(out, "/dev/shm/rhx-on-") {
			t.Errorf("%s: the files were in %q", name, out)
		}
	}
	open, err := os.MkdirTemp("/dev/shm", "rhx-test-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(open) })
	check(t, os.Chmod(open, 0o777))
	if os.Geteuid() == 0 { // it is not nobody's then
		f.env = []string{"XDG_RUNTIME_DIR=" + open}
		if _, out, _ := runs(t, f.machine(), withFiles("")); !strings.HasPrefix(out, "/dev/shm/rhx-on-") {
			t.Errorf("the files were in %q", out)
		}
	}
	// A link is what it leads to.
	mem, err := os.MkdirTemp("/dev/shm", "rhx-test-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(mem) })
	check(t, os.Symlink(f.home, filepath.Join(mem, "disk")))
	check(t, os.Chown(mem, nobodyIfRoot(), nobodyIfRoot()))
	check(t, os.Symlink(mem, filepath.Join(f.home, "mem")))
	for dir, want := range map[string]string{mem + "/disk": "/dev/shm/rhx-on-", f.home + "/mem": mem + "/rhx-on-"} {
		f.env = []string{"XDG_RUNTIME_DIR=" + dir}
		if _, out, _ := runs(t, f.machine(), withFiles("")); !strings.HasPrefix(out, want) {
			t.Errorf("the files were in %q, not in %s", out, want)
		}
	}
}

// What a host answers is checked.
func TestSSHRunFilesHostileAnswers(t *testing.T) {
	for name, say := range map[string]func(ch ssh.Channel, mark, suffix string){
		"nothing":         func(ch ssh.Channel, mark, _ string) {},
		"no folder":       func(ch ssh.Channel, mark, _ string) { fmt.Fprintf(ch, "%sstart\n%sdone\n", mark, mark) },
		"relative":        folderOf("tmp/rhx-on-1-%s"),
		"upwards":         folderOf("/tmp/../rhx-on-1-%s"),
		"two lines":       folderOf("/tmp\n/rhx-on-1-%s"),
		"control":         folderOf("/tmp/\x1b[2J/rhx-on-1-%s"),
		"zero":            folderOf("/tmp/\x00/rhx-on-1-%s"),
		"long":            folderOf("/" + strings.Repeat("x", 2000) + "/rhx-on-1-%s"),
		"another name":    folderOf("/tmp/x%sx"),
		"floods":          func(ch ssh.Channel, mark, _ string) { pour(ch, bytes.Repeat([]byte(mark+"folder\n/x"), 1000)) },
		"floods of noise": func(ch ssh.Channel, _, _ string) { pour(ch, bytes.Repeat([]byte("x"), 32<<10)) },
		"a failure with controls": func(ch ssh.Channel, mark, _ string) {
			fmt.Fprintf(ch, "%sstart\n%sfailed\n\x1b[2Jno\x07%sdone\n", mark, mark, mark)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "/bin/sh")
			f.instead = func(ch ssh.Channel) {
				mark := string(markOf(ch))
				say(ch, mark, strings.ToLower(mark[len("rhx-"):len("rhx-")+8]))
			}
			m := f.machine(func(o *machine.SSHOptions) { machine.SetAnswerWithin(o, 20*time.Second) })
			_, err := m.(machine.Runner).Run(t.Context(), withFiles(""))
			if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07\n\x00") || len(err.Error()) > 600 {
				t.Errorf("%q", err)
			}
			if _, execs := f.counts(); execs != 1 {
				t.Errorf("the command was started: %d", execs)
			}
		})
	}
}

func folderOf(path string) func(ch ssh.Channel, mark, suffix string) {
	return func(ch ssh.Channel, mark, suffix string) {
		fmt.Fprintf(ch, "%sstart\n%sfolder\n%s%sdone\n", mark, mark, fmt.Sprintf(path, suffix), mark)
		io.Copy(io.Discard, ch)
	}
}

// Files that are none of the folder are refused before anything is sent.
func TestSSHRunFilesAreInTheFolder(t *testing.T) {
	f := newFake(t, "/bin/dash")
	for _, file := range []machine.RunFile{{Path: "../x"}, {Path: "/x"}, {Path: ""}, {Path: "."}, {Path: "a/../../b"}, {Path: "a\x00"}, {Path: "x", Data: make([]byte, machine.MaxFile+1)}} {
		spec := withFiles("")
		spec.Files = append(spec.Files, file)
		if _, err := f.machine().(machine.Runner).Run(t.Context(), spec); err == nil {
			t.Errorf("%q is taken", file.Path)
		}
	}
	if _, execs := f.counts(); execs != 0 {
		t.Errorf("%d commands", execs)
	}
}

// An interrupt before the command has started leaves nothing.
func TestSSHRunFilesInterrupted(t *testing.T) {
	f := newFake(t, "/bin/dash")
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	said := make(chan string, 1)
	go func() {
		line := make([]byte, 200)
		n, _ := r.Read(line)
		said <- string(line[:n])
		cancel()
		io.Copy(io.Discard, r)
	}()
	spec := withFiles(`while [ -e "$A" ]; do sleep 0.05; done`)
	spec.Stdout, spec.Warn = w, func(err error) { t.Error(err) }
	if _, err := f.machine().(machine.Runner).Run(ctx, spec); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	isGone(t, strings.TrimSpace(<-said))
}

// Files with nothing secret in them may be on a disk, in a folder that is as private.
func TestSSHRunFilesOnDisk(t *testing.T) {
	m := newFake(t, inNamespace(`mkdir -p d && chmod 1777 d && mount --bind d /dev/shm && mount --bind d /tmp`)...).machine()
	spec := withFiles(`cat "$A"; stat -c %a "$A" "$D" "${A%/a/*}"`)
	spec.Disk, spec.Warn = true, func(err error) { t.Error(err) }
	_, out, _ := runs(t, m, spec)
	if file, rest, _ := strings.Cut(out, "\n"); rest != "[x]\nk = fake\n600\n700\n700\n" || !strings.HasPrefix(file, "/dev/shm/rhx-on-") {
		t.Errorf("%q", out)
	}
	// A folder in which others can put what they like is none.
	m = newFake(t, inNamespace(`mkdir d && chmod 0555 d && mount --bind d /dev/shm && mount -o remount,ro,bind /dev/shm && mount --bind /dev/shm /tmp`)...).machine()
	if _, err := m.(machine.Runner).Run(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "no place in memory") {
		t.Error(err)
	}
}

// inNamespace is a shell for a fake that runs setup before each script, as root of a
// mount namespace of its own.
func inNamespace(setup string) []string {
	return []string{"/usr/bin/unshare", "-rm", "/bin/sh", "-c", setup + ` && exec /bin/dash "$@"`, "sh"}
}

// A host without a place in memory gets no files, and a full one no half of one: where
// they cannot be made, the command is not started.
func TestSSHRunFilesWithoutMemory(t *testing.T) {
	for name, c := range map[string]struct{ setup, file, want string }{
		"disk": {`mkdir d && mount --bind d /dev/shm && mount --bind d /tmp`, "large", "fake: no place in memory for the command's files: neither XDG_RUNTIME_DIR nor /dev/shm nor /tmp there is a tmpfs"},
		"full": {`mount -t tmpfs -o size=16k none /dev/shm`, "large", "fake: make the command's files: no space left on device"},
		"name": {"true", strings.Repeat("x", 300), "fake: make the command's files: file name too long"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, inNamespace(c.setup)...)
			spec := withFiles("")
			spec.Files = append(spec.Files, machine.RunFile{Path: c.file, Data: bytes.Repeat([]byte("x"), 64<<10)})
			_, err := f.machine().(machine.Runner).Run(t.Context(), spec)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Error(err)
			}
			if _, execs := f.counts(); execs != 1 {
				t.Errorf("%d commands", execs)
			}
		})
	}
}
