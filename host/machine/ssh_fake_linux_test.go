package machine_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/machine"
)

// fake is an SSH server inside the test, which counts what it is asked for and
// can be told to misbehave. Commands run as nobody, in a shell of choice.
type fake struct {
	t        *testing.T
	addr     string
	home     string
	shell    []string // in place of sh
	env      []string // of the commands, beside what all have
	sessions int      // at most so many at a time; 0 is any number
	// instead, when set, answers an exec request in place of a shell.
	instead func(ch ssh.Channel)
	signer  ssh.Signer
	// password, when set, is asked for.
	password string
	// config, when set, changes how users are let in.
	config func(*ssh.ServerConfig)

	mu                        sync.Mutex
	opens, execs, open, conns int
	commands                  []string
	requests                  []string
}

const nobody = 65534

func newFake(t *testing.T, shell ...string) *fake {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	check(t, err)
	f := &fake{t: t, shell: shell, home: openDir(t), signer: signer}
	if os.Geteuid() == 0 {
		check(t, os.Chown(f.home, nobody, nobody))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	f.addr = l.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return f
}

// openDir is a temporary folder that every user can reach.
func openDir(t *testing.T) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		check(t, os.Chmod(d, 0o755))
	}
	return dir
}

func (f *fake) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	password, change := f.password, f.config
	f.mu.Unlock()
	config := &ssh.ServerConfig{NoClientAuth: password == "", ServerVersion: "SSH-2.0-OpenSSH_fake"}
	if password != "" {
		config.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || len(answers) != 1 || answers[0] != password {
				return nil, errors.New("wrong")
			}
			return nil, nil
		}
	}
	if change != nil {
		change(config)
	}
	config.AddHostKey(f.signer)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.conns++
	f.mu.Unlock()
	go ssh.DiscardRequests(requests)
	for c := range channels {
		f.mu.Lock()
		f.opens++
		full := f.sessions > 0 && f.open >= f.sessions
		if !full {
			f.open++
		}
		f.mu.Unlock()
		if full {
			c.Reject(ssh.ResourceShortage, "no more sessions")
			continue
		}
		channel, reqs, err := c.Accept()
		if err != nil {
			return
		}
		go f.session(channel, reqs)
	}
}

func (f *fake) session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer func() {
		f.mu.Lock()
		f.open--
		f.mu.Unlock()
	}()
	defer channel.Close()
	for r := range requests {
		f.mu.Lock()
		f.requests = append(f.requests, r.Type)
		f.mu.Unlock()
		if r.Type != "exec" {
			if r.WantReply {
				r.Reply(false, nil)
			}
			continue
		}
		var msg struct{ Command string }
		ssh.Unmarshal(r.Payload, &msg)
		f.mu.Lock()
		f.execs++
		f.commands = append(f.commands, msg.Command)
		f.mu.Unlock()
		if r.WantReply {
			r.Reply(true, nil)
		}
		go func() {
			defer channel.Close()
			if f.instead != nil {
				f.instead(channel)
				return
			}
			f.exec(channel, msg.Command)
		}()
	}
}

// exec runs the command with sh replaced.
func (f *fake) exec(channel ssh.Channel, command string) {
	rest, ok := strings.CutPrefix(command, "exec sh -c '")
	inner, ok2 := strings.CutSuffix(rest, "'")
	if !ok || !ok2 {
		f.t.Errorf("unexpected command %q", command)
		return
	}
	cmd := exec.Command(f.shell[0], append(f.shell[1:len(f.shell):len(f.shell)], "-c", inner)...)
	cmd.Dir = f.home
	cmd.Env = []string{"HOME=" + f.home, "PATH=/usr/bin:/bin", "RHX_TEST_A=one", "RHX_TEST_B=two\nlines '$x'\n"}
	cmd.Env = append(cmd.Env, f.env...)
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		f.t.Error(err)
		return
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := cmd.Start(); err != nil {
		f.t.Error(err)
		return
	}
	go func() {
		io.Copy(stdin, channel)
		stdin.Close()
	}()
	err = cmd.Wait()
	status := uint32(0)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = uint32(exit.ExitCode())
	}
	channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}

// configure sets config.
func (f *fake) configure(change func(*ssh.ServerConfig)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.config = change
}

// machine returns the fake as a machine whose host key is known.
func (f *fake) machine(change ...func(*machine.SSHOptions)) machine.Machine {
	dir := f.t.TempDir()
	host, port, _ := net.SplitHostPort(f.addr)
	known := filepath.Join(dir, "known_hosts")
	check(f.t, os.WriteFile(known, fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(f.signer.PublicKey())), 0o600))
	config := filepath.Join(dir, "config")
	check(f.t, os.WriteFile(config, fmt.Appendf(nil, "Host fake\n HostName %s\n Port %s\n User x\n IdentityFile none\n UserKnownHostsFile %s\n", host, port, known), 0o600))
	o := machine.SSHOptions{ConfigFile: config}
	for _, c := range change {
		c(&o)
	}
	m := machine.SSH("fake", o)
	f.t.Cleanup(func() { m.Close() })
	return m
}

// counts returns how many channels were opened and commands run.
func (f *fake) counts() (opens, execs int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opens, f.execs
}
