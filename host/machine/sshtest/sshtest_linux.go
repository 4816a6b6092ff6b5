package sshtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Options say how a server differs from a plain sshd.
type Options struct {
	// Dropbear starts dropbear, which has no sftp.
	Dropbear bool
	// Shell is the user's login shell, as a path; "" is /bin/sh, dash on Debian.
	Shell string
	// Config holds more lines for sshd_config; they come first.
	Config []string
	// Env is set for the user's sessions; names and values without odd characters.
	Env map[string]string
	// Root lets the test's own user in, root in CI, in place of another one. The
	// home folder is then that of the system: tests must not write there.
	Root bool
	// In is the network that the server and the programs it starts are in; nil is
	// that of the test. Listen is the address there, "" any port of 127.0.0.1.
	In     *Namespace
	Listen string
	// Accepted, where it is set, is called with each new connection, before the
	// server knows of it.
	Accepted func()
}

// Server is a running SSH server, with one user who has a key.
type Server struct {
	// Host and Port are where it listens; Addr is both.
	Host, Addr string
	Port       int
	// User can log in with the private key in IdentityFile. Home is an empty
	// folder; UID and GID are who owns it.
	User, Home   string
	UID, GID     int
	IdentityFile string
	// KnownHosts is a file with the server's host keys.
	KnownHosts string
	// ConfigFile is an ssh_config in which Alias is this server. It can be copied
	// to the .ssh/config of a home folder.
	ConfigFile, Alias string
	// HostKeys are the public keys, as in known_hosts, of the types ed25519 and ecdsa
	// (dropbear: ed25519 only).
	HostKeys []string
	// AuthorizedKeys lists the keys that are let in; tests may add to it.
	AuthorizedKeys string
	// Dir is a folder for the server's files and those of tests.
	Dir string

	t        testing.TB
	options  Options
	program  string
	args     []string
	listener net.Listener

	mu       sync.Mutex
	children map[*exec.Cmd]*os.File
	started  int
}

// Start starts a server that ends with the test. Without the programs it needs
// the test fails: it is not skipped.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	s := &Server{t: t, options: options, Alias: "rhxtest", children: make(map[*exec.Cmd]*os.File)}
	s.Dir = t.TempDir()
	// The user of the server reads what is in here, such as AuthorizedKeys.
	for d := s.Dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		s.check(os.Chmod(d, 0o755))
	}
	s.takeUser()
	s.IdentityFile = filepath.Join(s.Dir, "id_ed25519")
	s.Keygen("ed25519", s.IdentityFile, "")
	if options.Dropbear {
		s.dropbear()
	} else {
		s.sshd()
	}
	s.listen()
	s.writeClientFiles()
	return s
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("sshtest: %v", err)
	}
}

// need returns the path of a program.
func (s *Server) need(name string) string {
	s.t.Helper()
	for _, dir := range append([]string{"/usr/sbin", "/usr/local/sbin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		p := filepath.Join(dir, name)
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p
		}
	}
	s.t.Fatalf("sshtest: there is no %s: run make test-deps", name)
	return ""
}

func (s *Server) run(name string, args ...string) string {
	s.t.Helper()
	out, err := exec.Command(s.need(name), args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("sshtest: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Keygen makes a key pair in file and file.pub, with a passphrase or "".
func (s *Server) Keygen(kind, file, passphrase string, more ...string) {
	s.t.Helper()
	s.run("ssh-keygen", append([]string{"-q", "-t", kind, "-N", passphrase, "-C", "rhxtest", "-f", file}, more...)...)
}

// maxUsers is how many servers can run at once on a machine.
const maxUsers = 200

// takeUser chooses a system user that no other test uses, also not one in
// another process, and empties its home folder. Who is not root can only let
// itself in, with HOME set to another folder.
func (s *Server) takeUser() {
	s.t.Helper()
	if os.Geteuid() != 0 || s.options.Root {
		u, err := user.Current()
		s.check(err)
		s.User, s.Home = u.Username, u.HomeDir
		if !s.options.Root {
			s.Home = filepath.Join(s.Dir, "home")
			s.check(os.Mkdir(s.Home, 0o700))
		}
		return
	}
	for i := 1; i <= maxUsers; i++ {
		name := fmt.Sprintf("rhxtest%d", i)
		lock, err := os.OpenFile(filepath.Join(os.TempDir(), name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
		s.check(err)
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			continue
		}
		s.t.Cleanup(func() { lock.Close() })
		s.useUser(name)
		return
	}
	s.t.Fatal("sshtest: every test user is taken")
}

func (s *Server) useUser(name string) {
	s.t.Helper()
	shell := s.options.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		s.exclusive(func() {
			s.run("useradd", "--create-home", "--home-dir", "/home/"+name, "--shell", shell, "--password", "*", name)
		})
		u, err = user.Lookup(name)
	}
	s.check(err)
	s.exclusive(func() { s.run("usermod", "--shell", shell, name) })
	s.User, s.Home = name, u.HomeDir
	s.UID, err = strconv.Atoi(u.Uid)
	s.check(err)
	s.GID, err = strconv.Atoi(u.Gid)
	s.check(err)
	s.Empty()
	s.t.Cleanup(s.Empty)
}

// exclusive keeps two tests from changing the user database at once.
func (s *Server) exclusive(change func()) {
	s.t.Helper()
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "rhxtest.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	s.check(err)
	defer lock.Close()
	s.check(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	change()
}

// Empty makes the home folder an empty one.
func (s *Server) Empty() {
	s.t.Helper()
	if !strings.HasPrefix(s.Home, "/home/rhxtest") {
		s.t.Fatalf("sshtest: the home folder of %s is %s", s.User, s.Home)
	}
	s.check(os.RemoveAll(s.Home))
	s.check(os.Mkdir(s.Home, 0o700))
	s.check(os.Chown(s.Home, s.UID, s.GID))
}

func (s *Server) sshd() {
	s.t.Helper()
	s.program = s.need("sshd")
	s.AuthorizedKeys = filepath.Join(s.Dir, "authorized_keys")
	public, err := os.ReadFile(s.IdentityFile + ".pub")
	s.check(err)
	s.check(os.WriteFile(s.AuthorizedKeys, public, 0o644))
	lines := append([]string{}, s.options.Config...)
	for _, kind := range []string{"ed25519", "ecdsa"} {
		file := filepath.Join(s.Dir, "host_"+kind)
		s.Keygen(kind, file, "")
		s.addHostKey(file + ".pub")
		lines = append(lines, "HostKey "+file)
	}
	env := []string{}
	for name, value := range s.options.Env {
		env = append(env, fmt.Sprintf(`"%s=%s"`, name, value))
	}
	if os.Geteuid() != 0 {
		env = append(env, fmt.Sprintf(`"HOME=%s"`, s.Home))
	} else {
		s.check(os.MkdirAll("/run/sshd", 0o755)) // for privilege separation
	}
	if len(env) > 0 {
		lines = append(lines, "SetEnv "+strings.Join(env, " "))
	}
	lines = append(lines,
		"AuthorizedKeysFile "+s.AuthorizedKeys, "StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PrintMotd no",
		"PermitRootLogin yes", "AllowTcpForwarding yes", "AllowAgentForwarding yes", "UseDNS no", "Subsystem sftp internal-sftp", "LogLevel ERROR", "MaxAuthTries 20")
	config := filepath.Join(s.Dir, "sshd_config")
	s.check(os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	s.args = []string{"-i", "-f", config, "-E", filepath.Join(s.Dir, "sshd.log")}
	s.run("sshd", "-t", "-f", config)
}

func (s *Server) dropbear() {
	s.t.Helper()
	s.program = s.need("dropbear")
	// dropbear reads only this file, and only if nobody else can write it.
	dir := filepath.Join(s.Home, ".ssh")
	s.check(os.MkdirAll(dir, 0o700))
	s.AuthorizedKeys = filepath.Join(dir, "authorized_keys")
	public, err := os.ReadFile(s.IdentityFile + ".pub")
	s.check(err)
	s.check(os.WriteFile(s.AuthorizedKeys, public, 0o600))
	s.check(os.Chown(dir, s.UID, s.GID))
	s.check(os.Chown(s.AuthorizedKeys, s.UID, s.GID))
	file := filepath.Join(s.Dir, "host_dropbear")
	for line := range strings.Lines(s.run("dropbearkey", "-t", "ed25519", "-f", file)) {
		if strings.HasPrefix(line, "ssh-ed25519 ") {
			s.check(os.WriteFile(file+".pub", []byte(line), 0o644))
		}
	}
	s.addHostKey(file + ".pub")
	s.args = []string{"-i", "-e", "-r", file}
}

func (s *Server) addHostKey(public string) {
	s.t.Helper()
	data, err := os.ReadFile(public)
	s.check(err)
	fields := strings.Fields(string(data))
	s.HostKeys = append(s.HostKeys, fields[0]+" "+fields[1])
}

// listen takes a free port and gives every connection a server of its own, as
// inetd does: there is no port to guess, and no time at which the server is
// not ready yet.
func (s *Server) listen() {
	s.t.Helper()
	address := s.options.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	s.listener = listen(s.t, s.options.In, address)
	s.Addr = s.listener.Addr().String()
	at := s.listener.Addr().(*net.TCPAddr)
	s.Host, s.Port = at.IP.String(), at.Port
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The kernel ends the children with the thread that started them.
		runtime.LockOSThread()
		var waits sync.WaitGroup
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				break
			}
			if s.options.Accepted != nil {
				s.options.Accepted()
			}
			s.serve(conn.(*net.TCPConn), &waits)
		}
		waits.Wait()
	}()
	s.t.Cleanup(func() {
		s.listener.Close()
		s.CutAll()
		<-done
	})
}

func (s *Server) serve(conn *net.TCPConn, waits *sync.WaitGroup) {
	defer conn.Close()
	file, err := conn.File()
	if err != nil {
		return
	}
	cmd := exec.Command(s.program, s.args...)
	cmd.Stdin, cmd.Stdout = file, file
	if s.options.Dropbear {
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		for name, value := range s.options.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.options.In.Do(func() { err = cmd.Start() })
	if err != nil {
		file.Close()
		return
	}
	s.mu.Lock()
	s.children[cmd] = file
	s.started++
	s.mu.Unlock()
	waits.Go(func() {
		cmd.Wait()
		s.mu.Lock()
		delete(s.children, cmd)
		s.mu.Unlock()
		file.Close()
	})
}

// CutAll cuts every connection, and ends the server's side of it.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd, file := range s.children {
		// sshd has children of its own that hold the connection too.
		syscall.Shutdown(int(file.Fd()), syscall.SHUT_RDWR)
		cmd.Process.Kill()
	}
}

// Connections returns how many connections there have been.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// writeClientFiles writes known_hosts and ssh_config.
func (s *Server) writeClientFiles() {
	s.t.Helper()
	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	var known strings.Builder
	for _, key := range s.HostKeys {
		fmt.Fprintf(&known, "%s %s\n", knownHost(s.Host, s.Port), key)
	}
	s.check(os.WriteFile(s.KnownHosts, []byte(known.String()), 0o600))
	s.ConfigFile = filepath.Join(s.Dir, "ssh_config")
	s.check(os.WriteFile(s.ConfigFile, []byte(s.HostBlock(s.Alias)), 0o600))
}

// knownHost is what known_hosts calls a host.
func knownHost(host string, port int) string {
	if port == 22 {
		return host
	}
	return fmt.Sprintf("[%s]:%d", host, port)
}

// HostBlock returns the lines of an ssh_config in which name is this server.
func (s *Server) HostBlock(name string, more ...string) string {
	lines := append([]string{
		"HostName " + s.Host, fmt.Sprintf("Port %d", s.Port), "User " + s.User, "IdentityFile " + s.IdentityFile, "IdentitiesOnly yes", "IdentityAgent none",
		"UserKnownHostsFile " + s.KnownHosts, "GlobalKnownHostsFile none",
	}, more...)
	return "Host " + name + "\n  " + strings.Join(lines, "\n  ") + "\n"
}

// Config writes an ssh_config and returns its path.
func (s *Server) Config(blocks ...string) string {
	s.t.Helper()
	f, err := os.CreateTemp(s.Dir, "config")
	s.check(err)
	defer f.Close()
	_, err = io.WriteString(f, strings.Join(blocks, "\n"))
	s.check(err)
	return f.Name()
}

// Log returns what sshd logged.
func (s *Server) Log() string {
	data, _ := os.ReadFile(filepath.Join(s.Dir, "sshd.log"))
	return string(data)
}

// Commands returns how many commands and shells sshd has started, where Config
// has "LogLevel VERBOSE".
func (s *Server) Commands() int { return strings.Count(s.Log(), "Starting session: ") }

// Open returns how many connections the server has now.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.children)
}
