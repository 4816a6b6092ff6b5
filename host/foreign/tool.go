package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// Tool is a program of another tool, which decrypts what it keeps. It is run without a
// shell, and gets nothing of the environment but what it needs.
type Tool struct {
	// Name is the program, as PATH has it.
	Name string
	// Environ is the environment.
	Environ []string
	// Within bounds a call: somebody may have to type a passphrase.
	Within time.Duration
}

// NewTool returns a program of a name. Of the environment it gets what programs with
// keys need, and the variables that begin as prefixes say.
func NewTool(name string, environ []string, within time.Duration, prefixes ...string) *Tool {
	plain := []string{"HOME", "PATH", "USER", "LOGNAME", "TERM", "LANG", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
		"GNUPGHOME", "GPG_TTY", "SSH_AUTH_SOCK", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATHEXT", "TEMP", "TMP"}
	prefixes = append(slices.Clone(prefixes), "LC_", "XDG_")
	t := &Tool{Name: name, Within: within}
	for _, v := range environ {
		key, _, _ := strings.Cut(v, "=")
		if slices.Contains(plain, key) || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Environ = append(t.Environ, v)
		}
	}
	return t
}

// errNoTool is that of a program that is not there.
var errNoTool = errors.New("the program is not there")

// Run runs the program and returns what it prints. A failure has the last line of what it
// says. Nothing secret may be among args.
func (t *Tool) Run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	path, err := exec.LookPath(t.Name)
	if err != nil {
		return nil, fault.WithHint(fault.Mark(fmt.Errorf("%s is needed to decrypt it, and is not in PATH", t.Name), errNoTool), "install "+t.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, t.Within)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = t.Environ
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = time.Second
	out, said := &head{most: MaxSize}, &head{most: 64 << 10}
	cmd.Stdout, cmd.Stderr = out, said
	err = cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s did not answer within %v", t.Name, t.Within)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case out.full:
		return nil, fmt.Errorf("%s gives more than %d MiB", t.Name, MaxSize>>20)
	case err != nil:
		return nil, fmt.Errorf("%s failed: %s", t.Name, lastLine(said.b.Bytes(), err))
	}
	return out.b.Bytes(), nil
}

// lastLine is the last line of what a program said, or what is known without one.
func lastLine(said []byte, err error) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	const most = 300
	switch {
	case line == "":
		return err.Error()
	case len(line) > most:
		return strings.ToValidUTF8(line[:most], "") + " …"
	}
	return line
}

// head takes a number of bytes; more are an error.
type head struct {
	b    bytes.Buffer
	most int
	full bool
}

func (h *head) Write(p []byte) (int, error) {
	if h.b.Len()+len(p) > h.most {
		h.full = true
		return 0, io.ErrShortWrite
	}
	return h.b.Write(p)
}
