package machine

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/childenv"
)

// Contexts are those of docker and kubectl: what the name of a container means depends on
// them, and another program can change them at any time. They are asked for once, and each
// call names the answer, so that all that one rhx does is done in the same.
type Contexts struct {
	// Told, where it is set, is told once of each program where its containers are. It may
	// be called from several goroutines.
	Told func(text string)

	mu    sync.Mutex
	asked map[string]string // by program; "" for what does not say
}

// askContextWithin is how long a program may take to say which context it uses.
const askContextWithin = 10 * time.Second

// maxContext is how long the name of a context may be, in bytes.
const maxContext = 1024

// of returns the context that a program uses now; "" where it does not say, as in a pod or
// with another program of that name.
func (c *Contexts) of(ctx context.Context, program, path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name, ok := c.asked[program]; ok {
		return name
	}
	if host := os.Getenv("DOCKER_HOST"); program == "docker" && host != "" { // which no other program changes
		c.keep(program, "", "containers: at DOCKER_HOST "+withoutPassword(host))
		return ""
	}
	ask := map[string][]string{"docker": {"context", "show"}, "kubectl": {"config", "current-context"}}[program]
	ctx, cancel := context.WithTimeout(ctx, askContextWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, ask...)
	cmd.Env, cmd.WaitDelay = childenv.Environ(), time.Second
	var out bytes.Buffer
	cmd.Stdout = &limitedBuffer{Buffer: &out, most: maxContext}
	name := ""
	if err := cmd.Run(); err == nil {
		name = contextName(out.String())
	} else if ctx.Err() != nil {
		return "" // nothing is done any more
	}
	text := ""
	if name != "" && (program != "docker" || name != "default") { // which is this machine
		text = fmt.Sprintf("%s: in the context %s, which %s uses", map[string]string{"docker": "containers", "kubectl": "pods"}[program], name, program)
	}
	c.keep(program, name, text)
	return name
}

func (c *Contexts) keep(program, name, text string) {
	if c.asked == nil {
		c.asked = map[string]string{}
	}
	c.asked[program] = name
	if c.Told != nil && text != "" {
		c.Told(text)
	}
}

func withoutPassword(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "that is no address"
}

// contextName is the name that a program has printed; "" for what is none.
func contextName(out string) string {
	name := strings.TrimRight(out, "\r\n")
	if name == "" || len(name) >= maxContext || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return ""
	}
	return name
}

// limitedBuffer keeps the beginning of what is written.
type limitedBuffer struct {
	*bytes.Buffer
	most int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(0, b.most-b.Len()))])
	return len(p), nil
}
