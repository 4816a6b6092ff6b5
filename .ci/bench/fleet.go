package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const parallel = 32

type credential struct{ secret, path string }

// sent are six of the credentials of machine().
var sent = []credential{
	{"aws", ".aws/credentials"}, {"github", ".config/gh/hosts.yml"}, {"huggingface", ".cache/huggingface/token"}, {"lambda", ".lambda_cloud/lambda_keys"},
	{"docker/ghcr.io", ".docker/config.json"}, {"gcp", ".config/gcloud/application_default_credentials.json"},
}

// fleet is a client's home folder, and hosts.
type fleet struct {
	*place
	b     *bencher
	hosts []host
	round int
}

type host struct {
	home          string
	direct, wired int // ports
}

func (f *fleet) file(name string) string { return filepath.Join(f.b.dir, name) }

func hostName(i int) string { return fmt.Sprintf("h%04d", i+1) }

// newFleet makes the client, with the secrets in a store, and the keys.
func newFleet(b *bencher) (*fleet, error) {
	f := &fleet{b: b}
	var err error
	if f.place, err = newPlace(f.file("home")); err != nil {
		return nil, err
	}
	if err := write(f.dir, machine()); err != nil {
		return nil, err
	}
	if _, err := f.output("", b.rhx, "save", "--all"); err != nil {
		return nil, err
	}
	for _, key := range []string{"id", "host"} {
		if _, err := f.output("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f.file(key)); err != nil {
			return nil, err
		}
	}
	// An ssh that reads the fleet's configuration.
	f.env = append(f.env, "PATH="+f.file("bin")+":"+os.Getenv("PATH"))
	return f, nil
}

// sshd starts one host, with a second port that has a delay.
func (f *fleet) sshd(i int) (stop func(), err error) {
	h := host{home: f.file(hostName(i))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h.direct = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	config := "sshd" + strconv.Itoa(i)
	if err := write(f.b.dir, map[string]string{config: strings.Join([]string{
		"ListenAddress 127.0.0.1:" + strconv.Itoa(h.direct), "HostKey " + f.file("host"), "AuthorizedKeysFile " + f.file("id.pub"), "PidFile none", "StrictModes no", "UsePAM no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "UseDNS no", "MaxStartups 1000", "LogLevel ERROR", "PrintMotd no",
		`SetEnv "HOME=` + h.home + `"`, "Subsystem sftp internal-sftp -d " + h.home, "",
	}, "\n")}); err != nil {
		return nil, err
	}
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-f", f.file(config), "-E", f.file(config+".log"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(h.direct))
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(end) {
			return stop, fmt.Errorf("sshd does not start: %w", err)
		}
	}
	h.wired, err = wire(h.direct, 25*time.Millisecond)
	f.hosts = append(f.hosts, h)
	return stop, err
}

// clientFiles are ssh_config, known_hosts, the list of hosts and the playbook.
func (f *fleet) clientFiles(n int, delayed bool) error {
	public, err := os.ReadFile(f.file("host.pub"))
	if err != nil {
		return err
	}
	var config, names strings.Builder
	for i, h := range f.hosts {
		port := h.direct
		if delayed {
			port = h.wired
		}
		fmt.Fprintf(&config, "Host %s\n  HostName 127.0.0.1\n  Port %d\n", hostName(i), port)
		if i < n {
			names.WriteString(hostName(i) + "\n")
		}
	}
	fmt.Fprintf(&config, "Host *\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n  HostKeyAlias fleet\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n", f.file("id"), f.file("known_hosts"))
	playbook := "- hosts: all\n  gather_facts: false\n  tasks:\n"
	for _, c := range sent {
		playbook += fmt.Sprintf("  - ansible.builtin.copy: {src: %s, dest: ~/%s, mode: '0600'}\n", filepath.Join(f.dir, c.path), filepath.Base(c.path))
	}
	if err := write(f.b.dir, map[string]string{
		"known_hosts": "fleet " + string(public), "ssh_config": config.String(), "hosts": names.String(), "playbook.yml": playbook, "bin/ssh": "#!/bin/sh\nexec /usr/bin/ssh -F '" + f.file("ssh_config") + "' \"$@\"\n",
	}); err != nil {
		return err
	}
	return os.Chmod(f.file("bin/ssh"), 0o700)
}

// onto is one way to bring the six to the first n hosts, each time to empty ones.
func (f *fleet) onto(n int, name string, every int, command func() *exec.Cmd) *thing {
	return &thing{name: name, every: every, do: func() (*os.ProcessState, error) {
		cmd := command()
		out, err := cmd.CombinedOutput()
		return cmd.ProcessState, failed(cmd.Args, err, out)
	}, before: func() error {
		for _, h := range f.hosts[:n] {
			if err := errors.Join(os.RemoveAll(h.home), os.Mkdir(h.home, 0o700)); err != nil {
				return err
			}
		}
		return nil
	}, after: func() error { return f.arrived(n) }}
}

// arrived fails unless every host has every file.
func (f *fleet) arrived(n int) error {
	for _, h := range f.hosts[:n] {
		found := map[string]bool{}
		err := filepath.WalkDir(h.home, func(p string, _ fs.DirEntry, err error) error {
			found[filepath.Base(p)] = true
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range sent {
			if !found[filepath.Base(c.path)] {
				return fmt.Errorf("%s has no %s", filepath.Base(h.home), c.path)
			}
		}
	}
	return nil
}

func (f *fleet) sync(n int) func() *exec.Cmd {
	args := []string{f.b.rhx, "sync", "-q", "--parallel", strconv.Itoa(parallel)}
	for _, c := range sent {
		args = append(args, "-s", c.secret)
	}
	for i := range n {
		args = append(args, hostName(i))
	}
	return func() *exec.Cmd { return f.command("", args...) }
}

// fleets are ways to bring six credentials to 1, 16 and 64 hosts, near and far.
func fleets(b *bencher) (string, error) {
	f, err := newFleet(b)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return "", err
	}
	for i := range 64 {
		stop, err := f.sshd(i)
		if stop != nil {
			defer stop()
		}
		if err != nil {
			return "", err
		}
	}
	var files []string
	for _, c := range sent {
		files = append(files, filepath.Join(f.dir, c.path))
	}
	out := "The hosts are sshd processes on this machine, so that with many of them what sshd needs is most of every time; far ones have a round trip of 50 ms. Each has " + strconv.Itoa(parallel) + ` at once. The others have it as easy as can be:
ansible gathers no facts and uses pipelining, scp puts all six files into one folder, makes no folder, sets no mode, and neither looks at what is there.

`
	var pairs []pair
	for _, delayed := range []bool{false, true} {
		for _, n := range []int{1, 16, 64} {
			if err := f.clientFiles(n, delayed); err != nil {
				return "", err
			}
			where := fmt.Sprintf(", %d near", n)
			if delayed {
				where = fmt.Sprintf(", %d far", n)
			}
			rhx := f.onto(n, "`rhx sync`"+where, 1, f.sync(n))
			pscp := f.onto(n, "`parallel-scp`", 1, func() *exec.Cmd {
				args := []string{b.has("pssh"), "-h", f.file("hosts"), "-p", strconv.Itoa(parallel), "-t", "0", "-x", "-q -F " + f.file("ssh_config")}
				return f.command("", append(append(args, files...), ".")...)
			})
			loop := f.onto(n, "a loop of `scp`", 10, func() *exec.Cmd {
				script := `config=$1; hosts=$2; shift 2; while read -r h; do scp -q -F "$config" "$@" "$h:." </dev/null || exit; done <"$hosts"`
				return f.command("", append([]string{"sh", "-c", script, "sh", f.file("ssh_config"), f.file("hosts")}, files...)...)
			})
			ansible := f.onto(n, "`ansible` copy", 10, func() *exec.Cmd {
				cmd := f.command("", b.has("ansible-core"), "-i", f.file("hosts"), "-f", strconv.Itoa(parallel), f.file("playbook.yml"))
				// A new connection for each run, kept for its tasks.
				f.round++
				cmd.Env = append(cmd.Env, "ANSIBLE_PIPELINING=1", "ANSIBLE_SSH_CONTROL_PATH_DIR="+f.file("c"+strconv.Itoa(f.round)), "ANSIBLE_LOCAL_TEMP="+f.file("ansible"), "ANSIBLE_HOST_KEY_CHECKING=1",
					"ANSIBLE_SSH_ARGS=-F "+f.file("ssh_config")+" -o ControlMaster=auto -o ControlPersist=5s")
				return cmd
			})
			things := []*thing{rhx, pscp, loop, ansible}
			if delayed && n == 64 {
				things = things[:2] // minutes each
			}
			if err := inTurn(0, 5, things...); err != nil {
				return "", err
			}
			list := beside(rhx, things[1:]...)
			if list[0].why = "it reads what is there before it writes, and asks each host three times"; n == 64 && !delayed {
				list[0].goal = 0.5
			}
			pairs = append(pairs, list...)
		}
	}
	return out + rows(pairs), nil
}

// wire listens on a port that leads to another one, each direction of it later by delay.
func wire(to int, delay time.Duration) (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(to))
			if err != nil {
				_ = client.Close()
				continue
			}
			go pass(server, client, delay)
			go pass(client, server, delay)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func pass(to, from net.Conn, delay time.Duration) {
	type packet struct {
		data []byte
		due  time.Time
	}
	under := make(chan packet, 4096)
	go func() {
		defer close(under)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				under <- packet{buf[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range under {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			_ = from.Close()
		}
	}
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}
