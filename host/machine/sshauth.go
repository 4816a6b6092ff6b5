package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// auth lets a user in at one host.
type auth struct {
	config *sshConfig
	named  string
	opts   *SSHOptions
	ctx    context.Context
	pause  func() func()

	agent   *agentConn // nil where there is none
	offers  []*offer   // the keys that are left to offer; nil before they were looked for
	offered int        // how many keys the host was shown
	tried   []string   // for the error: what was offered, and what could not be
	locked  bool       // a key needs its passphrase
	allowed []string   // the host's methods, as it last named them
	rounds  map[string]int
	asked   bool  // the host asked something in the last round
	given   int   // how many methods were successful
	stop    error // why no other method is to be tried
}

// errDenied ends the handshake where nothing is left to try.
var errDenied = errors.New("no method is left")

// methodNames are those of OpenSSH, in its order.
var methodNames = []string{"gssapi-with-mic", "hostbased", "publickey", "keyboard-interactive", "password"}

// close ends the connection to the agent.
func (a *auth) close() {
	if a.agent != nil {
		a.agent.Close()
	}
}

// next is an ssh.ClientAuthCallback: it chooses the method to try, in the order of
// PreferredAuthentications.
func (a *auth) next(at *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if a.stop == nil {
		a.stop = a.ctx.Err()
	}
	if a.stop != nil {
		return nil, a.stop
	}
	a.allowed = at.AllowedMethods
	if n := len(at.PartialSuccessMethods); n > a.given {
		// The host wants one more: each method may come again.
		a.given, a.rounds, a.offers = n, nil, nil
	}
	if a.rounds == nil {
		a.rounds = make(map[string]int)
	}
	order := a.config.methods
	if order == nil {
		order = methodNames
	}
	for _, name := range order {
		if !slices.Contains(a.allowed, name) {
			continue
		}
		if m := a.method(name); m != nil {
			a.rounds[name]++
			a.asked = false
			return m, nil
		}
	}
	return nil, errDenied
}

// method returns a method if ssh_config allows it and it may be tried once more.
func (a *auth) method(name string) ssh.AuthMethod {
	round := a.rounds[name]
	canAsk := a.opts.Prompt != nil && !a.config.batch && round < a.config.prompts
	switch {
	case name == "publickey" && a.config.publicKey:
		if a.offers == nil {
			a.offers = a.findKeys()
		}
		// Once more only where a key could not sign, for those after it.
		if len(a.offers) > 0 && (round == 0 || a.offers[0].sign) {
			return ssh.PublicKeysCallback(a.signers)
		}
	case name == "keyboard-interactive" && a.config.kbdInt && canAsk && (round == 0 || a.asked):
		return ssh.KeyboardInteractive(a.challenge)
	case name == "password" && a.config.password && canAsk:
		return ssh.PasswordCallback(a.secret)
	}
	return nil
}

func (a *auth) ask(text string, echo bool) (string, error) {
	resume := a.pause()
	defer resume()
	answer, err := a.opts.Prompt(a.ctx, Question{Host: a.named, Text: text, Echo: echo})
	if err != nil && a.stop == nil {
		a.stop = err
	}
	return answer, err
}

func (a *auth) secret() (string, error) {
	return a.ask(fmt.Sprintf("%s@%s's password:", a.config.user, a.config.host), false)
}

func (a *auth) challenge(_, instruction string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, q := range questions {
		a.asked = true
		if instruction != "" && i == 0 {
			q = instruction + "\n" + q
		}
		// What the server says is shown on a terminal: no control characters.
		var err error
		if answers[i], err = a.ask(printable(q, 1000), echos[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// failure says why a handshake failed with err, by what has happened until then.
func (a *auth) failure(err error) error {
	c := a.config
	var negotiation *ssh.AlgorithmNegotiationError
	reason, words, closed := disconnected(err)
	switch {
	case errors.Is(err, errDenied):
		return a.denied()
	case a.stop != nil:
		return a.stop
	case errors.As(err, &negotiation):
		return noCommon(c, negotiation)
	case closed && a.allowed != nil && (reason == tooManyFailures || strings.Contains(strings.ToLower(words), "too many authentication")):
		return a.tooMany()
	case closed && a.allowed != nil:
		return fmt.Errorf("%w for %s at %s: the host ends the connection: %s", ErrDenied, c.user, c.address(), words)
	case closed:
		return fmt.Errorf("connect to %s: the host ends the connection: %s", c.address(), words)
	case a.allowed != nil:
		return fmt.Errorf("the connection to %s was lost while it let %s in: %s", c.address(), c.user, printable(bare(err), 300))
	}
	return fmt.Errorf("connect to %s: %s", c.address(), printable(bare(err), 300))
}

// tooManyFailures is the reason with which OpenSSH disconnects at MaxAuthTries.
const tooManyFailures = 2

func bare(err error) string {
	said := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "ssh: handshake failed: "), "ssh: ")
	if strings.HasSuffix(said, "EOF") {
		return "the host, or something on the way, closes it"
	}
	return said
}

// tooMany is for a host that would have let the user in, perhaps, with a later key.
func (a *auth) tooMany() error {
	err := fmt.Errorf("%w for %s at %s: the host allows no more attempts, after %d keys were offered (%s)",
		ErrDenied, a.config.user, a.config.address(), a.offered, a.list())
	return fault.WithHint(err, "name the right key for this host in ssh_config: IdentityFile with IdentitiesOnly yes")
}

func (a *auth) list() string {
	if len(a.tried) == 0 {
		return "no key was found"
	}
	return "tried " + strings.Join(a.tried, ", ")
}

// denied says what was tried to be let in.
func (a *auth) denied() error {
	c := a.config
	how := ""
	if len(a.allowed) > 0 {
		how = " (" + printable(strings.Join(a.allowed, ","), 200) + ")"
	}
	err := fmt.Errorf("%w%s for %s at %s (%s)", ErrDenied, how, c.user, c.address(), a.list())
	hint := "check that ssh lets you in; IdentityFile in ssh_config names the key"
	switch {
	case a.locked:
		hint = "add the key to the agent with ssh-add, or run this where you can be asked for the passphrase"
	case slices.ContainsFunc(a.tried, func(s string) bool { return strings.Contains(s, "chmod") }):
		hint = "make the key readable for you alone"
	case c.pkcs11 != "":
		hint = fmt.Sprintf("rhx reads the keys of PKCS11Provider through the agent: ssh-add -s '%s'", c.pkcs11)
	case c.hostBased && slices.Contains(a.allowed, "hostbased"):
		hint = "HostbasedAuthentication in ssh_config is not supported: rhx needs a key"
	case c.gssapi && slices.Contains(a.allowed, "gssapi-with-mic"):
		hint = "rhx does not speak GSSAPI (Kerberos): it needs a key, or an ssh master (ControlPath) that is connected"
	case slices.Contains(a.allowed, "keyboard-interactive") && a.opts.Prompt == nil:
		hint += "; where the host asks for a code, connect once with ssh -M and a ControlPath, or run this at a terminal"
	}
	return fault.WithHint(err, hint)
}
