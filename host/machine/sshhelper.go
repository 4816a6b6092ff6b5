package machine

import (
	"os/exec"
	"sync"
	"time"
)

// headBuffer keeps the first limit bytes that are written to it.
type headBuffer struct {
	limit int

	mu sync.Mutex
	b  []byte
}

func (h *headBuffer) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, p[:min(len(p), h.limit-len(h.b))]...)
	return len(p), nil
}

func (h *headBuffer) bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b
}

// full reports whether something may have been left out.
func (h *headBuffer) full() bool { return len(h.bytes()) >= h.limit }

// bounded makes a helper program end when its context does, together with what it
// has started, and not wait for those who inherited its output. cmd must be of
// exec.CommandContext.
func bounded(cmd *exec.Cmd) {
	group := ownGroup(cmd)
	cmd.Cancel = func() error { return end(cmd.Process, group, true) }
	cmd.WaitDelay = time.Second
}
