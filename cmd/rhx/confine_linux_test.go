package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// house is a user's machine with all that --confine hides.
type house struct {
	t                                    *testing.T
	dir, home, work, rhx, attack, target string
	uid                                  int
	env                                  []string
	// outside is a folder above the hidden ones, which the attack gets open.
	outside *os.File
}

const houseMark = "FAKE-rhx-victim-mark"

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// newHouse makes the machine of a user, in a file system that is gone with this process's
// mount namespace: no tree is removed, so none can be that is mounted in it.
func newHouse(t *testing.T, uid int) *house {
	t.Helper()
	dir := filepath.Join(os.Getenv(houseVar), strconv.Itoa(uid))
	h := &house{t: t, uid: uid, dir: dir, home: dir + "/home", work: dir + "/home/work", rhx: dir + "/rhx", attack: dir + "/attack", target: dir + "/home/work/target.json"}
	h.check(os.Mkdir(dir, 0o755))
	h.check(os.Chmod(dir, 0o755))
	program, err := os.ReadFile(os.Getenv("RHX_TEST_PROGRAM"))
	h.check(err)
	h.check(os.WriteFile(h.rhx, program, 0o755))
	program, err = os.ReadFile(os.Getenv("RHX_TEST_ATTACK"))
	h.check(err)
	h.check(os.WriteFile(h.attack, program, 0o755))
	h.check(os.MkdirAll(h.work, 0o700))
	run := dir + "/run" // XDG_RUNTIME_DIR
	for _, d := range []string{h.home + "/.aws", h.home + "/.config/gh", h.home + "/.gnupg", h.home + "/moved", h.home + "/elsewhere", h.home + "/dots/docker", h.home + "/.kube", h.home + "/agents/deep", h.home + "/.ssh", h.listed() + "/.aws", run, run + "/gnupg", dir + "/made-before"} {
		h.check(os.MkdirAll(d, 0o700))
	}
	h.env = []string{"HOME=" + h.home, "PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=" + run, "KUBECONFIG=" + h.home + "/moved/kube.yaml", "SSH_AUTH_SOCK=" + h.home + "/agent.sock", "KRB5CCNAME=FILE:" + h.home + "/elsewhere/tickets"}
	where := map[string]any{}
	files := []string{"/.aws/credentials", "/.netrc", "/.config/gh/hosts.yml", "/moved/kube.yaml", "/.gnupg/key", "/work/.env", "/.config/rhx/note", "/elsewhere/real", "/dots/docker/config.json", "/.kube/config", "/.ssh/id_fake", "/.Xauthority", "/elsewhere/tickets"}
	h.check(os.MkdirAll(h.home+"/.config/rhx", 0o700))
	var all, ways []string
	for _, f := range files {
		h.check(os.WriteFile(h.home+f, []byte("machine api.example.com\nlogin me\npassword FAKE-hidden\n"), 0o600))
		all = append(all, h.home+f)
	}
	// Hidden by way of links that were there before.
	h.check(os.Remove(h.home + "/.netrc"))
	h.check(os.Symlink("elsewhere/real", h.home+"/.netrc"))
	h.check(os.Symlink(h.home+"/.aws", h.home+"/work/soft-before"))
	h.check(os.Symlink("dots/docker", h.home+"/.docker"))
	all = append(all, h.home+"/work/soft-before/credentials", h.home+"/.docker/config.json", dir+"/run/rhx-secret", h.listed()+"/.aws/credentials")
	h.check(os.WriteFile(h.listed()+"/.aws/credentials", []byte("FAKE-hidden"), 0o600))
	for _, way := range []string{"", "/.aws", "/.netrc", "/.config", "/.config/gh", "/.local", "/.local/share", "/moved", "/work", "/elsewhere", "/elsewhere/real", "/.docker", "/dots", "/dots/docker", "/.kube", "/agents", "/agents/deep"} {
		ways = append(ways, h.home+way)
	}
	h.check(os.WriteFile(dir+"/run/rhx-secret", []byte("FAKE-hidden"), 0o600))
	h.check(h.give())
	h.save("openai", `{"api_key": "sk-`+`FAKEreal0123456789abcdef"}`)
	// Another way to the home folder, that was there before.
	h.check(syscall.Mount(h.home, dir+"/made-before", "", syscall.MS_BIND, ""))
	all = append(all, dir+"/made-before/.aws/credentials", dir+"/made-before/.local/share/rhx/identity.txt")
	if os.Getuid() == 0 {
		all = append(all, h.asRoot()...)
	}
	all = append(all, h.home+"/.local/share/rhx/identity.txt")
	where["Files"] = all
	where["Folders"] = []string{h.home + "/.local/share/rhx", h.home + "/.config/rhx", h.home + "/.local/state/rhx", h.home + "/.gnupg"}
	where["Sockets"], where["Abstract"] = h.sockets(run), dir
	where["Ways"], where["Closed"] = ways, h.home+"/.kube"
	where["TCP"], where["UDP"] = h.network()
	where["PIDs"], where["Mark"] = h.victims(), houseMark
	where["Descriptor"], where["File"] = 3, ".aws/credentials"
	where["Write"], where["Device"] = h.work+"/made", unix.Mkdev(254, 0)
	where["Terminals"] = []string{h.terminal()}
	if os.Getuid() == 0 {
		where["SUID"] = h.suid()
	}
	data, err := json.Marshal(where)
	h.check(err)
	h.check(os.WriteFile(h.target, data, 0o600))
	h.check(h.give())
	h.check(os.Chmod(h.home+"/.kube", 0))
	h.check(os.Chmod(h.home+"/.ssh", 0o300))
	h.outside, err = os.Open(h.home)
	h.check(err)
	t.Cleanup(func() { h.outside.Close() })
	return h
}

// listed is the user's home folder by the user database, where HOME is another one.
func (h *house) listed() string { return h.dir + "/listed" }

// asRoot makes what only root can have: files of others, and file systems of a chroot.
func (h *house) asRoot() []string {
	h.check(os.WriteFile(h.dir+"/of-another", []byte("FAKE-hidden"), 0o600))
	h.check(os.Chown(h.dir+"/of-another", 4242, 4242))
	h.check(os.MkdirAll(h.dir+"/chroot/proc", 0o755))
	h.check(syscall.Mount("proc", h.dir+"/chroot/proc", "proc", 0, ""))
	return []string{h.dir + "/of-another", h.dir + "/chroot/proc/self/status", h.dir + "/chroot/proc/version"}
}

// give makes everything the user's.
func (h *house) give() error {
	if os.Getuid() != 0 || h.uid == 0 {
		return nil
	}
	for _, dir := range []string{h.home, h.listed(), h.dir + "/run", h.dir + "/made-before"} {
		if out, err := exec.Command("chown", "-hR", fmt.Sprintf("%d:%d", h.uid, h.uid), dir).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

func (h *house) command(argv ...string) *exec.Cmd {
	argv = append([]string{h.attack, "without-capabilities"}, argv...) // those of the test's namespace
	if h.uid == 0 {
		argv = argv[2:]
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = h.env, h.work, &syscall.SysProcAttr{}
	if h.uid != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.uid)}
	}
	return cmd
}

func (h *house) save(name, values string) {
	h.t.Helper()
	cmd := h.command(h.rhx, "save", name, "--values", "-")
	cmd.Stdin = strings.NewReader(values)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
}

// sockets are those of agents, and an abstract one.
func (h *house) sockets(run string) []string {
	names := []string{h.home + "/agent.sock", run + "/bus", run + "/gnupg/S.gpg-agent", h.dir + "/docker.sock"}
	for _, name := range append(slices.Clone(names), "@"+h.dir) {
		l, err := net.Listen("unix", name)
		h.check(err)
		h.t.Cleanup(func() { l.Close() })
		if name[0] != '@' {
			h.check(os.Chmod(name, 0o777))
		}
	}
	// One that has another name now, as the sockets of ssh's masters have.
	l, err := net.Listen("unix", h.home+"/agents/deep/first")
	h.check(err)
	h.t.Cleanup(func() { l.Close() })
	h.check(os.Chmod(h.home+"/agents/deep/first", 0o777))
	h.check(os.Rename(h.home+"/agents/deep/first", h.home+"/agents/deep/then"))
	return append(names, h.home+"/agents/deep/then")
}

// network are servers of this machine.
func (h *house) network() (tcp, udp []string) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		h.check(err)
		h.t.Cleanup(func() { l.Close() })
		c, err := net.ListenPacket("udp", at)
		h.check(err)
		h.t.Cleanup(func() { c.Close() })
		go func() {
			buf := make([]byte, 16)
			for {
				n, from, err := c.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(buf[:n], from)
			}
		}()
		tcp, udp = append(tcp, l.Addr().String()), append(udp, c.LocalAddr().String())
	}
	return tcp, udp
}

// victims are processes of the user: one with a secret in its environment.
func (h *house) victims() []int {
	cmd := h.command("/bin/sh", "-c", "read x # rhx-victim")
	cmd.Env = append(slices.Clone(h.env), "TOKEN="+houseMark)
	in, err := cmd.StdinPipe()
	h.check(err)
	h.check(cmd.Start())
	h.t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return []int{cmd.Process.Pid}
}

func (h *house) terminal() string {
	master, slave, err := pty.Open()
	h.check(err)
	h.t.Cleanup(func() { master.Close(); slave.Close() })
	if os.Getuid() == 0 {
		h.check(os.Chown(slave.Name(), h.uid, -1))
	}
	return slave.Name()
}

// suid is a program that makes another user of whoever starts it.
func (h *house) suid() string {
	id, err := os.ReadFile("/usr/bin/id")
	h.check(err)
	name := h.dir + "/id"
	h.check(os.WriteFile(name, id, 0o755))
	h.check(os.Chown(name, 1+h.uid/2, -1))
	h.check(os.Chmod(name, 0o4755))
	return name
}

// attacked runs the attack, by a command before it, and returns what was open, what works,
// and what rhx said.
func (h *house) attacked(before ...string) (open, works []string, said string) {
	h.t.Helper()
	cmd := h.command(append(before, h.attack, h.target)...)
	cmd.ExtraFiles = []*os.File{h.outside}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
	}
	for line := range strings.Lines(stdout.String()) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "open: "); ok {
			open = append(open, strings.ReplaceAll(name, h.dir, ""))
		} else if name, ok := strings.CutPrefix(line, "works: "); ok {
			works = append(works, name)
		} else {
			h.t.Log(line)
		}
	}
	return open, works, stderr.String()
}

var builtAttack = onceBuilt("attack", "./testdata/attack")

// users are those as whom the tests run.
func users() map[string]int {
	if os.Getuid() != 0 {
		return map[string]int{"user": os.Getuid()}
	}
	return map[string]int{"user": 65534, "root": 0}
}

// houseVar names the folder for houses in the namespace of the test.
const houseVar = "RHX_TEST_HOUSES"

// inHouse has a test run again in a mount namespace of its own, with an empty file system
// for its houses. It reports whether this process is the one in there. Nothing is mounted
// and no tree is removed outside: the folder stays empty there, and is removed as such.
func inHouse(t *testing.T) bool {
	t.Helper()
	if dir := os.Getenv(houseVar); dir != "" {
		mine, err := os.Readlink("/proc/self/ns/mnt")
		if err != nil || mine == os.Getenv("RHX_TEST_OUTSIDE") {
			t.Fatal("this process is not in a mount namespace of its own", err)
		}
		// One after the other: what is mounted before the first has worked is outside, too.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			t.Fatal(err)
		}
		listUsers(t, dir)
		return true
	}
	attack, err := builtAttack()
	if err != nil {
		t.Fatal(err)
	}
	outside, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "rhx-houses-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) }) // of an empty folder: never a tree
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	again := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	again.Env = append(os.Environ(), houseVar+"="+dir, "RHX_TEST_PROGRAM="+plainProgram(t), "RHX_TEST_ATTACK="+attack, "RHX_TEST_OUTSIDE="+outside)
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		again.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v", err)
	}
	t.Logf("%s", out)
	return false
}

// listUsers has the user database of this mount namespace say that the home folders of the
// test's users are those of [house.listed].
func listUsers(t *testing.T, dir string) {
	t.Helper()
	var list strings.Builder
	for _, uid := range users() {
		fmt.Fprintf(&list, "user%d:x:%d:%d::%s/%d/listed:/bin/sh\n", uid, uid, uid, dir, uid)
	}
	if err := os.Mkdir(dir+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/etc/passwd", []byte(list.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	// Not the file alone: a mount on it is gone when somebody outside replaces it.
	if err := syscall.Mount("overlay", "/etc", "overlay", syscall.MS_RDONLY, "lowerdir="+dir+"/etc:/etc"); err != nil {
		t.Fatal(err)
	}
}

// A command that tries every way that is known to what --confine hides finds none.
func TestConfinedCommandSeesNothing(t *testing.T) {
	if !inHouse(t) {
		return
	}
	for name, uid := range users() {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, uid)
			// Without --confine what only looks gets there: the attempts are real. What
			// would change something, such as a mount, the attack then does not try.
			open, _, _ := h.attacked("/usr/bin/env", "CONTROL=1")
			for _, want := range []string{"read /home/.aws/credentials", "list /home/.local/share/rhx", "socket /run/bus", "abstract socket", "environments of processes", "names of processes", "another terminal 0", "a folder that was open", "UDP 0", "UDP 1", "signal 2", "descriptors", "socket /home/agents/deep/then", "read /home/.docker/config.json", "read /listed/.aws/credentials"} {
				if !slices.ContainsFunc(open, func(name string) bool { return strings.HasPrefix(name, want) }) {
					t.Errorf("without --confine, %q is not open", want)
				}
			}
			t.Logf("open without --confine: %d", len(open))
			for _, flags := range [][]string{{"--broker", "--confine=strict"}, {"--broker-only", "--confine", "--mask"}} {
				open, works, said := h.attacked(append(append([]string{h.rhx, "run"}, flags...), "-s", "openai", "--")...)
				if len(open) > 0 {
					t.Errorf("%q: open: %q", flags, open)
				}
				if !slices.Equal(works, []string{"working folder", "broker", "children", "terminals"}) {
					t.Errorf("%q: works: %q", flags, works)
				}
				if said != "confined by namespaces and Landlock; of the network there is the broker\n" {
					t.Errorf("%q: it said %q", flags, said)
				}
			}
			// Without the broker the network is as it is, but for abstract sockets.
			open, works, said := h.attacked(h.rhx, "run", "--confine", "-s", "openai", "--")
			if other := others(open, "connection by", "TCP", "UDP", "interfaces"); len(other) > 0 || len(open) == 0 {
				t.Errorf("without the broker: open: %q of %q", other, open)
			}
			if !slices.Contains(works, "working folder") || said != "confined by namespaces and Landlock; the network is as it is\n" {
				t.Errorf("without the broker: works: %q; it said %q", works, said)
			}
			h.withoutNamespaces()
			h.withoutCalls()
		})
	}
}

// others are the names that begin with none of the known ones.
func others(names []string, known ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(name, k) })
	})
}

// withoutNamespaces has Landlock alone: what it leaves open is known, and said.
func (h *house) withoutNamespaces() {
	t := h.t
	abi, err := ll.LandlockGetABIVersion()
	h.check(err)
	open, works, said := h.attacked(h.attack, "without-namespaces", h.rhx, "run", "--broker", "--confine", "-s", "openai", "--")
	left := []string{"names of processes", "signal 2", "another terminal 0", "numbers of descriptors 2", "socket", "move /home/agents", "interfaces"}
	if h.uid != 0 {
		left = append(left, "bounding set") // of a user who has no capability that it would bound
	}
	if other := others(open, left...); len(other) > 0 {
		t.Errorf("Landlock alone: open: %q", other)
	}
	t.Logf("open with Landlock alone (ABI %d): %q", abi, open)
	if !slices.Contains(works, "broker") || !slices.Contains(works, "children") {
		t.Errorf("Landlock alone: works: %q", works)
	}
	if !strings.HasPrefix(said, "confined by Landlock alone, since there are no namespaces (namespaces: start a process: operation not permitted); open: the names and shared memory of your processes, your other terminals, ") || abi >= 4 && !strings.Contains(said, ", connections from outside") || strings.Count(said, "\n") != 1 {
		t.Errorf("it said %q", said)
	}
	cmd := h.command(h.attack, "without-namespaces", h.rhx, "run", "--broker", "--confine=strict", "-s", "openai", "--", "touch", "made")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--confine=strict: this system lets rhx make no namespaces") || !strings.Contains(string(out), "kernel.apparmor_restrict_unprivileged_userns") {
		t.Errorf("%v: %s", err, out)
	}
}

// withoutCalls has the system refuse one of the calls that the walls need: a command is not
// started, and nothing says that they hold.
func (h *house) withoutCalls() {
	for call, want := range map[uintptr]string{
		unix.SYS_OPEN_TREE:               "where it is: operation not permitted",
		unix.SYS_MOVE_MOUNT:              "where it is: operation not permitted",
		unix.SYS_LANDLOCK_CREATE_RULESET: "this kernel has no Landlock",
		unix.SYS_LANDLOCK_ADD_RULE:       "operation not permitted",
		unix.SYS_LANDLOCK_RESTRICT_SELF:  "landlock: operation not permitted",
		unix.SYS_SECCOMP:                 "seccomp: operation not permitted",
	} {
		for _, confine := range []string{"--confine", "--confine=strict"} {
			cmd := h.command(h.attack, "without-call", strconv.Itoa(int(call)), h.rhx, "run", "--broker", confine, "-s", "openai", "--", "echo", "started")
			out, err := cmd.CombinedOutput()
			if text := string(out); err == nil || !strings.Contains(text, want) || strings.Contains(text, "confined by") || strings.Contains(text, "started\n") {
				h.t.Errorf("without call %d, %s: %v: %s", call, confine, err, text)
			}
		}
	}
}
