package machine

import (
	"strings"

	"golang.org/x/crypto/ssh"
)

// environ returns the variables that ssh_config gives to commands there: those of
// this machine that match SendEnv, and those of SetEnv, which count more.
func (c *sshConfig) environ(o *SSHOptions) []Var {
	var vars []Var
	var patterns []string
	for _, line := range c.sendEnv {
		patterns = append(patterns, strings.Fields(line)...)
	}
	for _, pair := range o.Environ() {
		name, value, ok := strings.Cut(pair, "=")
		if ok && matchesAny(patterns, name) {
			vars = append(vars, Var{name, value})
		}
	}
	for _, pair := range c.setEnv {
		if name, value, ok := strings.Cut(pair, "="); ok {
			vars = append(vars, Var{name, value})
		}
	}
	return vars
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchesWildcard(p, name) {
			return true
		}
	}
	return false
}

// sendEnv sends the variables of ssh_config for one session. No answer is waited
// for: the host's AcceptEnv decides, and what it does not accept is not there, as
// with ssh.
func (c *sshConn) sendEnv(channel ssh.Channel) {
	for _, v := range c.env {
		_, _ = channel.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{v.Name, v.Value}))
	}
}
