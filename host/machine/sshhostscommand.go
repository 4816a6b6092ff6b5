package machine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/childenv"
)

// askCommand adds what KnownHostsCommand prints for a name. Invocation is why it
// is asked, as ssh_config(5) has it; key is nil before the host has shown one.
func (h *hostKeys) askCommand(invocation, name string, key ssh.PublicKey) error {
	if h.config.hostsCommand == "" {
		return nil
	}
	words, err := splitWords(h.config.hostsCommand)
	if err != nil {
		return fmt.Errorf("KnownHostsCommand: %w", err)
	}
	if len(words) == 0 || !filepath.IsAbs(words[0]) {
		return errors.New("KnownHostsCommand: the path of the program is not absolute")
	}
	more := map[byte]string{'H': name, 'I': invocation, 't': "NONE", 'f': "NONE", 'K': "NONE"}
	if key != nil {
		more['t'], more['f'], more['K'] = key.Type(), ssh.FingerprintSHA256(key), base64.StdEncoding.EncodeToString(key.Marshal())
	}
	for i, w := range words[1:] {
		words[i+1] = h.config.expand.with(h.config.expand.variables(w), more)
	}
	within, cancel := context.WithTimeout(h.ctx, h.config.timeout)
	defer cancel()
	cmd := exec.CommandContext(within, words[0], words[1:]...)
	cmd.Env = childenv.Environ()
	stdout, stderr := &headBuffer{limit: 1 << 20}, &headBuffer{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	bounded(cmd)
	err = cmd.Run()
	switch {
	case h.ctx.Err() != nil:
		return h.ctx.Err()
	case within.Err() != nil:
		return fmt.Errorf("KnownHostsCommand: no answer within %v", h.config.timeout)
	case err != nil:
		return fmt.Errorf("KnownHostsCommand: %w%s", err, after(": ", printable(string(stderr.bytes()), 300)))
	case stdout.full():
		return errors.New("KnownHostsCommand: it prints more than 1 MiB")
	}
	lines := parseKnownHosts("KnownHostsCommand", stdout.bytes())
	for i := range lines {
		lines[i].asked = true
	}
	h.lines = append(h.lines, lines...)
	return nil
}

// after returns s behind separator, or nothing where s is empty.
func after(separator, s string) string {
	if s == "" {
		return ""
	}
	return separator + s
}

// splitWords splits a command as OpenSSH does where no shell runs it: by spaces
// outside quotes; a backslash is for a quote, a space or itself.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			word.WriteByte(s[i])
			inWord = true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote != 0 && c == quote:
			quote = 0
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote has no end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
