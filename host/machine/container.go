package machine

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// container is a running container as a machine: docker exec or kubectl exec stands in the
// place of a session of SSH, and the rest is as on a host: the same scripts, which need an
// sh there and nothing else.
type container struct {
	// program is docker or kubectl.
	program string
	// before and after are the arguments around those that ask for a terminal.
	before, after []string
}

// The names of containers begin with these, so that they stand wherever a host's does.
const (
	dockerPrefix     = "docker:"
	kubernetesPrefix = "k8s:"
)

// parseContainer reads docker:NAME and k8s:NAMESPACE/POD[/CONTAINER]; ok is false for what
// names no container. A number alone is the port of a host that is called so.
func parseContainer(target string) (c *container, ok bool, err error) {
	if name, ok := strings.CutPrefix(target, dockerPrefix); ok && !isPort(name) {
		if !isContainerName(name) {
			return nil, true, usage("%q: want docker:NAME, with the name or the ID of a container", target)
		}
		return &container{"docker", []string{"exec", "-i"}, []string{name}}, true, nil
	}
	path, ok := strings.CutPrefix(target, kubernetesPrefix)
	if !ok || isPort(path) {
		return nil, false, nil
	}
	parts := strings.Split(path, "/")
	for _, part := range parts {
		if !isContainerName(part) {
			parts = nil
		}
	}
	if len(parts) != 2 && len(parts) != 3 {
		return nil, true, usage("%q: want k8s:NAMESPACE/POD or k8s:NAMESPACE/POD/CONTAINER", target)
	}
	c = &container{"kubectl", []string{"exec", "--quiet", "-i"}, []string{"-n", parts[0], parts[1]}}
	if len(parts) == 3 {
		c.after = append(c.after, "-c", parts[2])
	}
	c.after = append(c.after, "--")
	return c, true, nil
}

func isPort(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" && len(s) <= 5 }

// isContainerName reports whether a name can be one to docker and Kubernetes: it is no
// option, and no path.
func isContainerName(name string) bool {
	if name == "" || len(name) > 253 || strings.ContainsRune("_.-", rune(name[0])) {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.-", r)
	})
}

// args are those of the program that runs a command of the shell in the container. They are
// seen by others here, and so is the command there: neither has anything secret.
func (c *container) args(tty bool, command string) []string {
	args := append([]string{}, c.before...)
	if tty {
		args = append(args, "-t")
	}
	return append(append(args, c.after...), "sh", "-c", command)
}

// dial returns a connection that is none yet: each session starts the program, in the
// context that it uses now.
func (c *container) dial(ctx context.Context, named string, contexts *Contexts) (*sshConn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := exec.LookPath(c.program)
	if err != nil {
		return nil, fault.WithHint(fmt.Errorf("%s: the command %s is not here: %w", named, c.program, err), "rhx reaches containers by it; install it, or name a host")
	}
	if contexts == nil {
		contexts = &Contexts{}
	}
	if name := contexts.of(ctx, c.program, path); name != "" {
		c.before = append([]string{"--context=" + name}, c.before...)
	}
	s := &sshConn{named: named, raw: &countingConn{Conn: noConn{}}, gone: make(chan struct{}), turn: make(chan struct{}, 1), dead: deadAfter}
	s.raw.touch()
	s.use(newContainerConn(c, path), closedChan[ssh.NewChannel](), closedChan[*ssh.Request]())
	return s, nil
}

// noConn is the connection of a container: there is nothing to close.
type noConn struct{ net.Conn }

func (noConn) Close() error { return nil }
