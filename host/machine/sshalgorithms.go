package machine

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

// spoken is what this program can speak. What is known to be weak is spoken only
// where ssh_config asks for it.
var spoken = func() ssh.Algorithms {
	all, weak := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	all.KeyExchanges = append(all.KeyExchanges, weak.KeyExchanges...)
	all.Ciphers = append(all.Ciphers, weak.Ciphers...)
	all.MACs = append(all.MACs, weak.MACs...)
	all.HostKeys = append(all.HostKeys, weak.HostKeys...)
	all.PublicKeyAuths = append(all.PublicKeyAuths, weak.PublicKeyAuths...)
	return all
}()

// common returns those of wanted that are spoken, in the order of wanted; all
// that is not weak where nothing is wanted.
func common(wanted, spoken, safe []string) []string {
	wanted = assembled(wanted, safe)
	var both []string
	for _, name := range wanted {
		// An older name of the same exchange.
		if name == "curve25519-sha256@libssh.org" {
			name = ssh.KeyExchangeCurve25519
		}
		if slices.Contains(spoken, name) && !slices.Contains(both, name) {
			both = append(both, name)
		}
	}
	return both
}

// assembled resolves what adds to the default, takes from it or orders it, which
// ssh -G before version 8.5 leaves to its reader.
func assembled(wanted, safe []string) []string {
	if len(wanted) == 0 {
		return safe
	}
	names := append([]string{wanted[0][min(1, len(wanted[0])):]}, wanted[1:]...)
	switch {
	case strings.HasPrefix(wanted[0], "+"):
		return slices.Concat(safe, names)
	case strings.HasPrefix(wanted[0], "^"):
		return slices.Concat(names, safe)
	case strings.HasPrefix(wanted[0], "-"):
		return slices.DeleteFunc(slices.Clone(safe), func(a string) bool { return matchesAny(names, a) })
	}
	return wanted
}

// algorithms returns those that ssh_config allows and this program speaks.
// Encryption modes that authenticate by themselves need no MAC.
func (c *sshConfig) algorithms() ssh.Config {
	safe := ssh.SupportedAlgorithms()
	return ssh.Config{
		KeyExchanges: common(c.keyExchanges, spoken.KeyExchanges, safe.KeyExchanges),
		Ciphers:      common(c.ciphers, spoken.Ciphers, safe.Ciphers),
		MACs:         common(c.macs, spoken.MACs, safe.MACs),
	}
}

// speakable returns an error where ssh_config allows nothing that this program
// speaks: a list that is empty would mean the library's own.
func (c *sshConfig) speakable() error {
	config, safe := c.algorithms(), ssh.SupportedAlgorithms()
	for _, list := range []struct {
		key                   string
		wanted, common, speak []string
	}{
		{"KexAlgorithms", c.keyExchanges, config.KeyExchanges, safe.KeyExchanges},
		{"Ciphers", c.ciphers, config.Ciphers, safe.Ciphers},
		{"MACs", c.macs, config.MACs, safe.MACs},
		{"HostKeyAlgorithms", c.hostKeyAlgorithms, common(c.hostKeyAlgorithms, spoken.HostKeys, safe.HostKeys), safe.HostKeys},
	} {
		if len(list.common) == 0 {
			return fault.WithHint(fmt.Errorf("ssh_config allows only %s %s, which rhx does not speak", list.key, printable(strings.Join(list.wanted, ","), 500)),
				"rhx speaks "+strings.Join(list.speak, ", "))
		}
	}
	return nil
}

// noCommon says what a host offers where nothing of it is allowed here.
func noCommon(c *sshConfig, e *ssh.AlgorithmNegotiationError) error {
	what, key := e.What, "ssh_config"
	for word, name := range map[string]string{"key exchange": "KexAlgorithms", "host key": "HostKeyAlgorithms", "cipher": "Ciphers", "MAC": "MACs"} {
		if strings.Contains(what, word) {
			what, key = word, name
		}
	}
	err := fmt.Errorf("%s and this machine have no %s in common: it offers %s", c.address(), what, printable(strings.Join(e.RequestedAlgorithms, ", "), 4000))
	hint := "allowed here are " + strings.Join(e.SupportedAlgorithms, ", ") + "; "
	if slices.ContainsFunc(e.RequestedAlgorithms, func(a string) bool { return slices.Contains(allOf(spoken), a) }) {
		hint += key + " +NAME in ssh_config allows more, if you accept that they may be weak"
	} else {
		hint += "rhx speaks none of those that it offers"
	}
	return fault.WithHint(err, hint)
}

func allOf(a ssh.Algorithms) []string {
	return slices.Concat(a.KeyExchanges, a.Ciphers, a.MACs, a.HostKeys, a.PublicKeyAuths)
}

// disconnected returns the reason and the words with which the host ended the
// connection. The library keeps the type of that error to itself.
func disconnected(err error) (reason int, words string, ok bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		rest, found := strings.CutPrefix(err.Error(), "ssh: disconnect, reason ")
		if !found {
			continue
		}
		number, words, _ := strings.Cut(rest, ": ")
		if plain, err := strconv.Unquote(words); err == nil {
			words = plain
		}
		if reason, err := strconv.Atoi(number); err == nil {
			return reason, printable(words, 300), true
		}
	}
	return 0, "", false
}

// signatures returns those of the algorithms allowed with which a key of the type
// can sign, best first; nil allows those that are not weak. For a certificate
// the list names the certificate's algorithms, and the key's own are returned.
func signatures(keyType string, allowed []string) []string {
	candidates := []string{keyType}
	switch keyType {
	case ssh.KeyAlgoRSA:
		candidates = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA}
	case ssh.CertAlgoRSAv01:
		candidates = []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01, ssh.CertAlgoRSAv01}
	}
	var ok []string
	for _, name := range candidates {
		plain := plainType(name)
		if allowed == nil && slices.Contains(ssh.SupportedAlgorithms().PublicKeyAuths, plain) || slices.Contains(allowed, name) {
			ok = append(ok, plain)
		}
	}
	return ok
}

// plainType returns what a certificate's algorithm is without the certificate.
func plainType(algorithm string) string {
	plain, isCert := strings.CutSuffix(algorithm, "-cert-v01@openssh.com")
	if isCert && strings.HasPrefix(plain, "sk-") {
		return plain + "@openssh.com"
	}
	return plain
}

// rsaBits returns the length of an RSA key, 0 for one of another kind.
func rsaBits(key ssh.PublicKey) int {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	if plainType(key.Type()) != ssh.KeyAlgoRSA {
		return 0
	}
	parsed, err := ssh.ParsePublicKey(key.Marshal())
	if err != nil {
		return 0
	}
	if cert, ok := parsed.(*ssh.Certificate); ok {
		parsed = cert.Key
	}
	if public, ok := parsed.(ssh.CryptoPublicKey); ok {
		if k, ok := public.CryptoPublicKey().(*rsa.PublicKey); ok {
			return k.N.BitLen()
		}
	}
	return 0
}
