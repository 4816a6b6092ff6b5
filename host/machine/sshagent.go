package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// signWithin is how long an agent may take to sign: it may ask its user, who may
// have to touch a hardware key. It is what sshd gives a user to come in.
const signWithin = 2 * time.Minute

// agentConn is a connection to an agent, which ends with its context and does not
// wait for ever for one that does not answer.
type agentConn struct {
	io.ReadWriteCloser
	agent.ExtendedAgent
	ctx  context.Context
	done func() bool
}

func (c *agentConn) Close() error {
	c.done()
	return c.ReadWriteCloser.Close()
}

// limit bounds what comes until the returned function is called.
func (c *agentConn) limit(d time.Duration) (stop func()) {
	timer := time.AfterFunc(d, func() { c.ReadWriteCloser.Close() })
	return func() { timer.Stop() }
}

// dialAgent connects to an agent's socket or, on Windows, named pipe.
func dialAgent(ctx context.Context, p string, within time.Duration) (*agentConn, error) {
	var conn io.ReadWriteCloser
	var err error
	if strings.HasPrefix(p, `\\.\pipe\`) {
		conn, err = os.OpenFile(p, os.O_RDWR, 0)
	} else {
		conn, err = (&net.Dialer{Timeout: within}).DialContext(ctx, "unix", p)
	}
	if err != nil {
		return nil, err
	}
	c := &agentConn{ReadWriteCloser: conn, ExtendedAgent: agent.NewClient(conn), ctx: ctx}
	c.done = context.AfterFunc(ctx, func() { conn.Close() })
	return c, nil
}

// agentSigners returns the agent's keys; none where no agent answers, which
// must not keep key files from being used. Keys of hardware are among them: the
// agent signs with those.
func (a *auth) agentSigners() []ssh.AlgorithmSigner {
	if a.agent == nil && !a.reachAgent() {
		return nil
	}
	defer a.pause()()
	defer a.agent.limit(a.config.timeout)()
	signers, err := a.agent.Signers()
	if err != nil {
		a.tried = append(a.tried, fmt.Sprintf("the agent at %s does not answer", a.config.agent))
		a.agent.Close()
		a.agent = nil
		return nil
	}
	all := make([]ssh.AlgorithmSigner, 0, len(signers))
	for _, s := range signers {
		if s, ok := s.(ssh.AlgorithmSigner); ok {
			all = append(all, &agentSigner{s, a})
		}
	}
	return all
}

// reachAgent connects to the agent, if there is one.
func (a *auth) reachAgent() bool {
	if a.config.agent == "" {
		return false
	}
	var err error
	if a.agent, err = dialAgent(a.ctx, a.config.agent, a.config.timeout); err != nil {
		a.tried = append(a.tried, "no agent answers at "+a.config.agent)
		return false
	}
	return true
}

// agentSigner signs with a key that an agent has.
type agentSigner struct {
	ssh.AlgorithmSigner
	auth *auth
}

func (s *agentSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if s.auth.agent == nil {
		return nil, errors.New("the agent is gone")
	}
	defer s.auth.pause()()
	defer s.auth.agent.limit(signWithin)()
	signature, err := s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		s.auth.tried = append(s.auth.tried, "the agent does not sign with a key that the host takes")
	}
	return signature, err
}

// learn gives a key that was read from a file to the agent, where AddKeysToAgent
// asks for it. That it cannot is no reason not to connect.
func (a *auth) learn(p string, raw any) {
	mode := strings.Fields(a.config.addKeys)
	if len(mode) == 0 || a.agent == nil {
		return
	}
	key := agent.AddedKey{PrivateKey: raw, Comment: p, ConfirmBeforeUse: mode[0] == "confirm"}
	last := mode[len(mode)-1]
	lifetime, err := strconv.ParseUint(last, 10, 32)
	switch {
	case err == nil:
		key.LifetimeSecs = uint32(lifetime)
	case mode[0] == "ask":
		if a.opts.Prompt == nil || a.config.batch {
			return
		}
		answer, err := a.ask(fmt.Sprintf("Add the key %s to the agent? (yes/no)", p), true)
		if err != nil || !strings.EqualFold(strings.TrimSpace(cmp.Or(answer, "no")), "yes") {
			return
		}
	case mode[0] != "yes" && mode[0] != "true" && mode[0] != "confirm":
		return
	}
	defer a.pause()()
	defer a.agent.limit(a.config.timeout)()
	_ = a.agent.Add(key)
}
