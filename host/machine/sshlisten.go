package machine

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// ServeReach is rhx on a host whose SSH server opens no ports: it opens one itself, on
// 127.0.0.1, and passes on what connects there, until its input ends. Who started it is
// at the other end of in and out, and speaks SSH, for its channels: nobody has to log in.
func ServeReach(in io.Reader, out io.WriteCloser) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	conn, channels, requests, err := ssh.NewServerConn(&streamConn{Reader: in, WriteCloser: out}, config)
	if err != nil {
		return fmt.Errorf("this is for another rhx, which starts it over SSH: %w", err)
	}
	defer conn.Close()
	go func() {
		for c := range channels {
			_ = c.Reject(ssh.Prohibited, "none")
		}
	}()
	var l net.Listener
	defer func() {
		if l != nil {
			_ = l.Close()
		}
	}()
	var all sync.WaitGroup
	for r := range requests {
		if r.Type != "tcpip-forward" || l != nil {
			_ = r.Reply(false, nil)
			continue
		}
		if l, err = net.Listen("tcp4", loopback+":0"); err != nil {
			return err
		}
		port := uint32(l.Addr().(*net.TCPAddr).Port)
		if err := r.Reply(true, ssh.Marshal(struct{ Port uint32 }{port})); err != nil {
			return err
		}
		all.Go(func() { passOn(conn, l, port) })
	}
	err = conn.Wait()
	if l != nil {
		_ = l.Close()
	}
	all.Wait()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// passOn opens a channel for each connection.
func passOn(conn ssh.Conn, l net.Listener, port uint32) {
	slots := make(chan struct{}, maxWaiting)
	for {
		slots <- struct{}{}
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { <-slots }()
			defer c.Close()
			channel, requests, err := conn.OpenChannel("forwarded-tcpip", ssh.Marshal(forwardedMsg{loopback, port, loopback, 1}))
			if err != nil {
				return
			}
			go ssh.DiscardRequests(requests)
			join(context.Background(), channel, c)
		}()
	}
}
