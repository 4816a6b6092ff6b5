package doctor

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

var sshAgentCheck = Check{Name: "ssh-agent", Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	socket := d.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err == nil {
		defer conn.Close()
		if until, ok := ctx.Deadline(); ok {
			err = conn.SetDeadline(until.Add(-time.Second))
		}
		if err == nil {
			_, err = agent.NewClient(conn).List()
		}
	}
	if err == nil {
		return nil, nil
	}
	return []Finding{{
		Level: Warning, What: fmt.Sprintf("SSH_AUTH_SOCK names the SSH agent %s, which does not answer", d.short(socket)),
		Why:     "ssh, git and rhx do without its keys, or wait for it.",
		Command: `eval "$(ssh-agent)"`,
	}}, nil
}}
