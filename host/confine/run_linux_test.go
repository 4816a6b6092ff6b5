package confine

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// This program is the stages of the commands that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == Arg {
		os.Exit(Stage(os.Args[2:], func(argv []string) *Failure {
			return &Failure{Command: argv[0], Status: 126, Text: syscall.Exec(argv[0], argv, os.Environ()).Error()}
		}))
	}
	if len(os.Args) == 3 && os.Args[1] == "truncate" {
		if os.Truncate(os.Args[2], 0) != nil {
			os.Exit(7)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "hides" {
		if Hides(os.Args[2]) {
			os.Exit(7)
		}
		return
	}
	os.Exit(m.Run())
}

// started is the exit status of a command, and how it was not started.
func started(t *testing.T, p Plan, before func(*Run), argv ...string) (status int, err error) {
	t.Helper()
	run, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer run.End()
	files, err := run.Files()
	if err != nil {
		t.Fatal(err)
	}
	before(run)
	c, err := Start(&exec.Cmd{Env: []string{}}, files, argv)
	if c == nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if err == nil {
		if _, err := unix.Wait4(c.PID, &ws, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	run.End()
	c.Reap()
	return ws.ExitStatus(), err
}

// A command is not started where rhx has gone meanwhile: nobody would end it.
// The stages get the plan as JSON, which would name another path than the one to hide.
func TestPathsThatJSONCannotHold(t *testing.T) {
	for _, plan := range []Plan{{Hidden: []string{"/a\xff"}}, {Sockets: []string{"/a\xff"}}, {Private: []string{"/a\xff"}},
		{Keep: []string{"/a\xff"}}, {Pinned: []string{"/a\xff"}}, {Links: []string{"/a\xff"}}, {Dir: "/a\xff"}} {
		r := &Run{Plan: plan}
		if files, err := r.Files(); err == nil || len(files) > 0 || !strings.Contains(err.Error(), `"/a\xff"`) {
			t.Errorf("%+v: %v, %v", plan, files, err)
		}
	}
}

func TestCommandOfARunThatHasEnded(t *testing.T) {
	t.Parallel()
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		t.Fatal(err)
	}
	p := Plan{Dir: "/", ABI: abi}
	if status, err := started(t, p, func(*Run) {}, "/bin/sh", "-c", "exit 7"); status != 7 || err != nil {
		t.Error(status, err)
	}
	var f *Failure
	if _, err := started(t, p, func(r *Run) { r.ours.Close() }, "/bin/true"); !errors.As(err, &f) || !strings.Contains(f.Text, "the run has ended") {
		t.Error(err)
	}
}

// Where there are namespaces, what cannot be hidden is an error: never Landlock alone.
func TestNoLessThanThereIs(t *testing.T) {
	t.Parallel()
	if p, why, err := Check(Plan{Dir: "/"}); !p.Namespaces || why != nil || err != nil {
		t.Fatal(p.Namespaces, why, err)
	}
	if _, _, err := Check(Plan{Dir: "/", Keep: []string{"/nothing/there"}}); err == nil || !strings.Contains(err.Error(), "open /nothing/there") {
		t.Error(err)
	}
}

// The listeners of a run are those that were made inside, each at its port.
func TestListenersInside(t *testing.T) {
	t.Parallel()
	p, _, err := Check(Plan{Dir: "/", Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(l net.Listener, text string) {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}
	p.Dir = "/usr"
	run, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	defer run.End()
	for _, text := range []string{"one", "two"} {
		l, err := run.Listen()
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go answer(l, text)
	}
	files, err := run.Files()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c, err := Start(&exec.Cmd{Env: []string{}, Stdout: out, Stderr: out}, files, []string{"/bin/bash", "-c", `
		for port in 20444 20443; do exec 5<>/dev/tcp/127.0.0.1/$port; cat <&5; done; pwd; (exec 5<>/dev/tcp/127.0.0.1/20445) || echo none`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Wait4(c.PID, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	run.End()
	c.Reap()
	if got, err := os.ReadFile(out.Name()); err != nil || !strings.HasPrefix(string(got), "twoone/usr\n") || !strings.HasSuffix(string(got), "none\n") {
		t.Errorf("%q %v", got, err)
	}
}

func TestLinkedInAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, f := range []string{"hidden/deep/key", "hidden/other"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := Plan{Hidden: []string{dir + "/none", dir + "/hidden"}}
	if got := p.Linked(); got != "" {
		t.Error(got)
	}
	if err := os.Link(dir+"/hidden/deep/key", dir+"/elsewhere"); err != nil {
		t.Fatal(err)
	}
	if got := p.Linked(); got != dir+"/hidden/deep/key" {
		t.Error(got)
	}
}

// What would have to be noted of a plan, with links and a socket that was made by another
// name.
func TestResolve(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"home/.config", "dots/aws", "work", "sockets/deep"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"home/.aws": "../dots/aws", "home/.kube": dir + "/home/.aws", "home/loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/dots/aws/credentials", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/sockets/deep/first")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Rename(dir+"/sockets/deep/first", dir+"/sockets/deep/then"); err != nil {
		t.Fatal(err)
	}
	sockets, err := Sockets(dir)
	if err != nil {
		t.Fatal(err)
	}
	sockets = slices.DeleteFunc(sockets, func(name string) bool { return !strings.HasPrefix(name, dir) })
	p := Plan{Dir: dir + "/work", Sockets: sockets, Hidden: []string{
		dir + "/home/.kube/credentials", dir + "/home/.config/../.aws/./credentials", dir + "/home/loop", dir + "/home/none", dir + "/home/.aws/credentials/none", "/proc/version"}}
	if err := p.resolve(); err != nil {
		t.Fatal(err)
	}
	under := func(names []string) (out []string) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
				out = append(out, rest)
			}
		}
		return out
	}
	for what, c := range map[string]struct{ got, want []string }{
		"hidden":  {under(p.Hidden), []string{"dots/aws/credentials"}},
		"sockets": {under(p.Sockets), []string{"sockets/deep/then"}},
		"pinned":  {under(p.Pinned), []string{"dots", "dots/aws", "home", "home/.aws", "home/.config", "home/.kube", "sockets", "sockets/deep"}},
		"links":   {under(p.Links), []string{"home/.aws", "home/.kube"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
	if slices.Contains(p.Hidden, "/proc/version") {
		t.Error("what is the kernel's is hidden by its path outside")
	}
	for _, in := range []string{"/dev", "/proc/self"} {
		if err := (&Plan{Dir: in}).resolve(); err == nil || !strings.Contains(err.Error(), "of which the command has its own") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestMountsOfTheKernelElsewhere(t *testing.T) {
	t.Parallel()
	got := kernelMounts(mountsIn([]byte(`22 27 0:21 / /proc rw shared:5 - proc proc rw
23 27 0:22 / /srv/a/proc rw shared:5 master:2 - proc proc rw
24 27 0:23 / /srv/a/dev rw - devtmpfs udev rw
25 27 0:24 / /sys/kernel/debug rw - debugfs debugfs rw
26 27 254:0 /proc /srv/proc rw - ext4 /dev/vda rw
27 27 0:25 / /process rw - tmpfs tmpfs rw
`)))
	if want := []string{"/srv/a/proc", "/srv/a/dev"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
