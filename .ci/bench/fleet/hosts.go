package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type bench struct {
	rhx, ansible string
	dir, home    string
	servers      []*server
	hosts        int // of the row
	round        int
	rhxMedian    time.Duration
}

type server struct {
	home          string
	direct, wired int // ports
	cmd           *exec.Cmd
}

type credential struct{ secret, path, text string }

func credentials() []credential {
	return []credential{
		{"aws", ".aws/credentials", "[default]\naws_access_key_id = " + "AKIA" + "IOSFODNN7EXAMPLE\naws_secret_access_key = " + strings.Repeat("FAKE", 10) + "\n"},
		{"github", ".config/gh/hosts.yml", "github.com:\n    oauth_token: gho_" + strings.Repeat("FAKE", 9) + "\n"},
		{"huggingface", ".cache/huggingface/token", "hf_" + strings.Repeat("FAKE", 8)},
		{"lambda", ".lambda_cloud/lambda_keys", "api_key = FAKE\n"},
		{"docker", ".docker/config.json", `{"auths": {"https://index.docker.io/v1/": {"auth": "amFuZTpGQUtF"}}}`},
		{"gcp", ".config/gcloud/application_default_credentials.json", `{"type": "authorized_user", "client_id": "x", "client_secret": "FAKE", "refresh_token": "FAKE"}`},
	}
}

func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

// prepare makes the client's home folder, with the secrets in a store, and starts
// the hosts, each with a second port that has a delay.
func (b *bench) prepare(n int) error {
	// Short, because sockets are in it.
	dir, err := os.MkdirTemp("/tmp", "fleet")
	if err != nil {
		return err
	}
	b.dir, b.home = dir, filepath.Join(dir, "home")
	for _, c := range credentials() {
		p := filepath.Join(b.home, c.path)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(c.text), 0o600); err != nil {
			return err
		}
	}
	if out, err := b.command(b.rhx, "save", "--all").CombinedOutput(); err != nil {
		return fmt.Errorf("rhx save: %w\n%s", err, out)
	}
	for _, key := range []string{"id", "host"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", b.file(key)).CombinedOutput(); err != nil {
			return fmt.Errorf("ssh-keygen: %w\n%s", err, out)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	for i := range n {
		s, err := b.start(i)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
	}
	return nil
}

func (b *bench) start(i int) (*server, error) {
	s := &server{home: b.file(hostName(i))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.direct = l.Addr().(*net.TCPAddr).Port
	l.Close()
	config := b.file(fmt.Sprintf("sshd%d", i))
	lines := []string{
		"ListenAddress 127.0.0.1:" + fmt.Sprint(s.direct), "HostKey " + b.file("host"), "AuthorizedKeysFile " + b.file("id.pub"), "PidFile none", "StrictModes no", "UsePAM no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "UseDNS no", "MaxStartups 1000", "LogLevel ERROR", "PrintMotd no",
		`SetEnv "HOME=` + s.home + `"`, "Subsystem sftp internal-sftp -d " + s.home,
	}
	if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command("/usr/sbin/sshd", "-D", "-f", config, "-E", config+".log")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.direct))
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("sshd does not start: %w", err)
		}
	}
	s.wired, err = wire(s.direct, 25*time.Millisecond)
	return s, err
}

func (b *bench) close() {
	for _, s := range b.servers {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// clientFiles writes ssh_config, known_hosts, the list of hosts and the playbook.
func (b *bench) clientFiles(n int, delay time.Duration) error {
	b.hosts = n
	public, err := os.ReadFile(b.file("host.pub"))
	if err != nil {
		return err
	}
	var config strings.Builder
	for i, s := range b.servers {
		port := s.direct
		if delay > 0 {
			port = s.wired
		}
		fmt.Fprintf(&config, "Host %s\n  HostName 127.0.0.1\n  Port %d\n", hostName(i), port)
	}
	fmt.Fprintf(&config, "Host *\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n  HostKeyAlias fleet\n  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n",
		b.file("id"), b.file("known_hosts"))
	playbook := "- hosts: all\n  gather_facts: false\n  tasks:\n"
	for _, c := range credentials() {
		playbook += fmt.Sprintf("  - ansible.builtin.copy: {src: %s, dest: ~/%s, mode: '0600'}\n", filepath.Join(b.home, c.path), filepath.Base(c.path))
	}
	for name, text := range map[string]string{
		"known_hosts": "fleet " + string(public), "ssh_config": config.String(), "hosts": strings.Join(b.names(), "\n") + "\n", "playbook.yml": playbook, "bin/ssh": "#!/bin/sh\nexec /usr/bin/ssh -F '" + b.file("ssh_config") + "' \"$@\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(b.file(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(b.file(name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) emptyHomes(n int) error {
	for _, s := range b.servers[:n] {
		if err := errors.Join(os.RemoveAll(s.home), os.Mkdir(s.home, 0o700)); err != nil {
			return err
		}
	}
	return nil
}

// arrived fails unless every host has every file.
func (b *bench) arrived(n int) error {
	for i, s := range b.servers[:n] {
		found := map[string]bool{}
		err := filepath.WalkDir(s.home, func(p string, _ fs.DirEntry, err error) error {
			found[filepath.Base(p)] = true
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range credentials() {
			if !found[filepath.Base(c.path)] {
				return fmt.Errorf("%s has no %s", hostName(i), c.path)
			}
		}
	}
	return nil
}

// wire listens on a port that leads to another one, each direction of it later
// by delay.
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
			server, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
			if err != nil {
				client.Close()
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
			from.Close()
		}
	}
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}
