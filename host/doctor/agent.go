package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/rhx-dev/rhx/host/agent"
	"github.com/rhx-dev/rhx/host/fault"
)

var agentCheck = Check{Name: "agent", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	if !agent.Supported {
		return nil, nil
	}
	_, err := d.Engine.Stores.Agent().Status()
	if err == nil || errors.Is(err, agent.ErrNone) {
		return nil, nil
	}
	f := Finding{Level: Warning, What: "rhx's agent cannot be used: " + err.Error(), Why: "The passphrase of the store's key is asked for again and again.", Command: "rhx agent stop"}
	if hint := fault.Hint(err); strings.HasPrefix(hint, "chmod ") {
		f.Command = hint
	}
	return []Finding{f}, nil
}}
