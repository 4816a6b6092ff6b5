package main

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"

	"golang.org/x/crypto/ssh"
)

// inProcess makes a host of an SSH server in this process: a thousand sshd would need more than
// the machine has.
func (f *fleet) inProcess(i int) error {
	key, err := os.ReadFile(f.file("host"))
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(f.file("id.pub"))
	if err != nil {
		return err
	}
	user, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := host{home: f.file(hostName(i)), direct: l.Addr().(*net.TCPAddr).Port}
	f.hosts = append(f.hosts, h)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, config, h.home)
		}
	}()
	return nil
}

func serve(conn net.Conn, config *ssh.ServerConfig, home string) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				var command struct{ Text string }
				ok := r.Type == "exec" && ssh.Unmarshal(r.Payload, &command) == nil
				if r.WantReply {
					_ = r.Reply(ok || r.Type == "env", nil)
				}
				if ok {
					go execute(channel, command.Text, home)
				}
			}
		}()
	}
}

// execute runs a command as sshd does: by the shell, in the home folder.
func execute(channel ssh.Channel, command, home string) {
	defer channel.Close()
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "SHELL=/bin/sh", "USER=root"}
	cmd.Stdout, cmd.Stderr = channel, channel.Stderr()
	in, err := cmd.StdinPipe()
	if err != nil {
		return
	}
	if err := cmd.Start(); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(in, channel)
		_ = in.Close()
	}()
	_ = cmd.Wait()
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(cmd.ProcessState.ExitCode())}))
}
