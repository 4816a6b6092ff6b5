package vaultstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/ownfile"
)

const (
	envConfigPath   = "VAULT_CONFIG_PATH"
	envBaoTokenPath = "BAO_TOKEN_PATH"
	// maxOwnFile bounds the vault command's own files, and what a helper prints.
	maxOwnFile = 64 << 10
)

// helper is a token helper of the vault command: a program that keeps its token in
// another place than a file (https://developer.hashicorp.com/vault/docs/commands/token-helper).
// It is asked with "get", and never told to store or to erase.
type helper struct {
	path string
	mu   sync.Mutex
	done bool
	err  error
}

// findHelper returns the helper that the vault command's configuration names, nil
// if there is none.
func findHelper(getenv func(string) string, home string) (*helper, error) {
	files := []string{filepath.Join(home, ".vault"), filepath.Join(home, ".bao")}
	if getenv(usesBao) != "" {
		files[0], files[1] = files[1], files[0]
	}
	if own := getenv(envConfigPath); own != "" {
		if rest, ok := strings.CutPrefix(own, "~/"); ok {
			own = filepath.Join(home, rest)
		}
		files = []string{own}
	}
	for _, file := range files {
		text, err := readOwn(file)
		if errors.Is(err, errNotPlain) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		path, err := parseHelper(text)
		if err != nil {
			return nil, fault.WithHint(fmt.Errorf("%s: %w", file, err), `it is read as token_helper = "/path/of/a/program"; VAULT_TOKEN goes before it`)
		}
		if path == "" {
			continue
		}
		for _, p := range []string{file, path} {
			if err := ownfile.Check(p); err != nil {
				return nil, fault.WithHint(fmt.Errorf("the token helper of the vault command: %w", err), "it must be there and be yours alone to write (chmod go-w); VAULT_TOKEN goes before it")
			}
		}
		return &helper{path: path}, nil
	}
	return nil, nil
}

// errNotPlain is for a folder, or whatever else is no file.
var errNotPlain = errors.New("it is not a plain file")

// readOwn returns a file of the vault command, "" if there is none.
func readOwn(path string) (string, error) {
	info, err := os.Stat(path)
	// What is in the way of the folder of a home (ENOTDIR) is no such file either.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", nil
	}
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: %w", path, errNotPlain)
	case info.Size() > maxOwnFile:
		return "", fmt.Errorf("%s is larger than %d KiB", path, maxOwnFile>>10)
	}
	b, err := os.ReadFile(path)
	return string(b), err
}

// parseHelper returns the token_helper of a configuration, HCL or JSON, of which
// this is all that it may have; "" if it has none. Other text is that of another
// program: Ansible Vault has a ~/.vault too.
func parseHelper(text string) (string, error) {
	const key = "token_helper"
	path := ""
	for line := range strings.Lines(withoutComments(text)) {
		rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t{,\""), key)
		rest = strings.TrimSpace(strings.TrimPrefix(rest, `"`))
		if !ok || rest != "" && !strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, ":") {
			continue
		}
		value, err := "", errors.New("no text")
		if rest = strings.TrimLeft(rest, "=: \t"); strings.HasPrefix(rest, `"`) {
			if value, err = strconv.QuotedPrefix(rest); err == nil {
				value, err = strconv.Unquote(value)
			}
		}
		switch {
		case err != nil:
			return "", errors.New("the value of " + key + " is not a text in quotes")
		case path != "":
			return "", errors.New(key + " is there twice")
		case value != "" && !filepath.IsAbs(value):
			return "", fmt.Errorf("%s is not an absolute path, so the folder that rhx runs in would choose the program", key)
		}
		path = value
	}
	return path, nil
}

// withoutComments takes out /* … */. The other comments of HCL end with the line,
// and begin where a key would.
func withoutComments(text string) string {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(text, "/*")
		b.WriteString(before)
		_, after, closed := strings.Cut(rest, "*/")
		if !open || !closed {
			return b.String()
		}
		text = after
	}
}

// token runs the helper, once, and returns the token that it prints.
func (h *helper) token(ctx context.Context, c *client) (string, error) {
	var out, said limited
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.path, "get")
	// A helper may keep a token for each server.
	cmd.Env = environ(api.EnvVaultAddress+"="+c.addr, "BAO_ADDR="+c.addr, api.EnvVaultNamespace+"="+c.namespace)
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Second // for what the helper has left behind
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has left a process behind, and has ended well
	}
	if out.cut {
		err = errors.New("it prints more than a token")
	}
	if err != nil {
		what := strings.Join(strings.Fields(said.text.String()), " ")
		if what != "" {
			what = ": " + what[:min(len(what), 300)]
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("it gave no token within %v", c.timeout)
		}
		return "", fault.WithHint(fmt.Errorf("the token helper %s: %w%s", h.path, err, what), "it is the one that the vault command is told to use; VAULT_TOKEN goes before it")
	}
	return strings.TrimSpace(out.text.String()), nil
}

// limited keeps the beginning of what is written to it.
type limited struct {
	text bytes.Buffer
	cut  bool
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), maxOwnFile-l.text.Len())
	l.text.Write(p[:n])
	l.cut = l.cut || n < len(p)
	return len(p), nil
}

// askHelper takes the token from the helper, if there is one. It is asked before
// the first request, not before: not every command has one.
func (c *client) askHelper(ctx context.Context) error {
	if c.helper == nil {
		return nil
	}
	c.helper.mu.Lock()
	defer c.helper.mu.Unlock()
	if c.helper.done {
		return c.helper.err
	}
	token, err := c.helper.token(ctx, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = c.setToken(token)
		c.ended = "the token helper " + c.helper.path + " has none"
	}
	c.helper.done, c.helper.err = true, err
	return err
}
