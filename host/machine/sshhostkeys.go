package machine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/rhx-dev/rhx/host/fault"
)

// hostKeys verifies the key of one host, as check_host_key of OpenSSH does, but
// with no way to go on where the key is not trusted.
type hostKeys struct {
	*knownHosts
	config  *sshConfig
	named   string // the host as the user named it
	opts    *SSHOptions
	ctx     context.Context
	pause   func() func() // stops the clock while a person is asked
	revoked []*revocation // of RevokedHostKeys

	name, bare string // in known_hosts; bare is without a port, "" where that is the name
	trusted    []byte // the key that was verified; it comes again when keys are changed
	err        error  // why the key was refused
}

func newHostKeys(ctx context.Context, c *sshConfig, named string, o *SSHOptions, pause func() func()) (*hostKeys, error) {
	known, err := readKnownHosts(slices.Concat(c.userHosts, c.globalHosts))
	if err != nil {
		return nil, err
	}
	h := &hostKeys{knownHosts: known, config: c, named: named, opts: o, ctx: ctx, pause: pause, name: knownName(c.host, c.port)}
	if c.alias != "" {
		h.name = strings.ToLower(c.alias) // OpenSSH adds no port to an alias
	} else if c.port != "22" {
		h.bare = knownName(c.host, "22")
	}
	for _, file := range c.revokedKeys {
		r, err := readRevoked(file)
		if err != nil {
			return nil, err
		}
		h.revoked = append(h.revoked, r)
	}
	if err := h.askCommand("ORDER", h.name, nil); err != nil {
		return nil, err
	}
	return h, nil
}

// at returns the lines with marker for a name. What KnownHostsCommand printed
// counts only for the name that it was asked for.
func (h *hostKeys) at(name, marker string) []knownLine {
	if name == "" {
		return nil
	}
	lines := h.matching(name, marker)
	if name == h.bare {
		lines = slices.DeleteFunc(lines, func(l knownLine) bool { return l.asked })
	}
	return lines
}

// algorithms orders the host key algorithms so that the host shows a key that
// is known, if it has it: a host with a known ed25519 key must not seem changed
// because it also has an RSA key. Certificates are asked for only where an
// authority is known, because a host with one may be known by its plain key.
func (h *hostKeys) algorithms() []string {
	known := make(map[string]bool)
	for _, l := range h.at(h.name, "") {
		known[l.key.Type()] = true
	}
	authorities := len(h.at(h.name, "cert-authority"))+len(h.at(h.bare, "cert-authority")) > 0
	all := common(h.config.hostKeyAlgorithms, spoken.HostKeys, safeHostKeys())
	var certs, first, rest []string
	for _, a := range all {
		switch {
		case strings.Contains(a, "-cert-"):
			if authorities {
				certs = append(certs, a)
			}
		case known[keyType(a)]:
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	if ordered := slices.Concat(certs, first, rest); len(ordered) > 0 {
		return ordered
	}
	return all
}

// safeHostKeys are those that are not weak, in the order of OpenSSH, so that a new
// host is remembered with the key that ssh would have remembered.
func safeHostKeys() []string {
	all := ssh.SupportedAlgorithms().HostKeys
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(preference(a), preference(b)) })
	return all
}

// preference orders algorithms as OpenSSH does, so that a new host is remembered
// with the key that ssh would have remembered.
func preference(algorithm string) int {
	for i, kind := range []string{"ed25519", "ecdsa"} {
		if strings.Contains(algorithm, kind) {
			return i
		}
	}
	return 2
}

// keyType is the type of key that a signature algorithm uses (RFC 8332).
func keyType(algorithm string) string {
	if strings.HasPrefix(algorithm, "rsa-sha2-") {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// check is an ssh.HostKeyCallback.
func (h *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if h.trusted != nil && bytes.Equal(h.trusted, key.Marshal()) {
		return nil
	}
	if h.err = h.verify(remote, key); h.err == nil {
		h.trusted = key.Marshal()
	}
	return h.err
}

func (h *hostKeys) verify(remote net.Addr, key ssh.PublicKey) error {
	if bits := rsaBits(key); bits > 0 && bits < h.config.rsaBits {
		return fmt.Errorf("the host's RSA key has %d bits, and RequiredRSASize in ssh_config asks for %d", bits, h.config.rsaBits)
	}
	for _, r := range h.revoked {
		if r.has(key) {
			return fault.WithHint(fmt.Errorf("%w: %s (%s)", ErrHostKeyRevoked, fingerprint(key), r.file), revokedHint)
		}
	}
	if err := h.askCommand("HOSTNAME", h.name, key); err != nil {
		return err
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return h.verifyPlain(remote, key, nil)
	}
	err := h.verifyCertificate(remote, cert)
	if err == nil || errors.Is(err, ErrHostKeyRevoked) {
		return err
	}
	// As OpenSSH does: a host may be known by its plain key.
	if !h.allows(cert.Key.Type()) {
		return err
	}
	return h.verifyPlain(remote, cert.Key, err)
}

// allows reports whether HostKeyAlgorithms has one for a key of that type.
func (h *hostKeys) allows(key string) bool {
	return slices.ContainsFunc(common(h.config.hostKeyAlgorithms, spoken.HostKeys, safeHostKeys()), func(a string) bool { return keyType(a) == key })
}

// verifyPlain looks for a key in known_hosts. OpenSSH also accepts the keys of the
// default port for another port that has no line of its own. Because says what
// was wrong with the certificate of this key, if it came with one.
func (h *hostKeys) verifyPlain(remote net.Addr, key ssh.PublicKey, because error) error {
	if err := h.revokedAt(h.name, key); err != nil {
		return err
	}
	plain := h.at(h.name, "")
	is := func(l knownLine) bool { return equalKeys(l.key, key) }
	switch {
	case slices.ContainsFunc(plain, is):
		return h.verifyAddress(remote, key)
	case len(plain) > 0:
		return h.changed(plain, key)
	case slices.ContainsFunc(h.at(h.bare, ""), is) && h.revokedAt(h.bare, key) == nil:
		return h.verifyAddress(remote, key)
	}
	return h.unknown(key, because)
}

// verifyAddress does what CheckHostIP asks for: the address of a host that is
// known by its name must not be known with another key.
func (h *hostKeys) verifyAddress(remote net.Addr, key ssh.PublicKey) error {
	tcp, ok := remote.(*net.TCPAddr)
	if !h.config.checkIP || !ok || tcp.IP.IsLoopback() || h.config.proxyCommand != "" || h.config.jump != "" || tcp.IP.String() == h.config.host {
		return nil
	}
	lines := h.matching(knownName(tcp.IP.String(), h.config.port), "")
	if len(lines) == 0 || slices.ContainsFunc(lines, func(l knownLine) bool { return equalKeys(l.key, key) }) {
		return nil
	}
	return h.changed(lines, key)
}

func (h *hostKeys) verifyCertificate(remote net.Addr, cert *ssh.Certificate) error {
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if err := h.revokedAt(h.name, key); err != nil {
			return err
		}
	}
	cas := slices.Concat(h.at(h.name, "cert-authority"), h.at(h.bare, "cert-authority"))
	trusted := func(ca ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(cas, func(l knownLine) bool { return equalKeys(l.key, ca) })
	}
	hint := "the authorities that are trusted for this host are the @cert-authority lines in " + strings.Join(h.config.userHosts, ", ")
	if allowed := h.config.caAlgorithms; allowed != nil && !slices.Contains(allowed, cert.Signature.Format) {
		return fault.WithHint(fmt.Errorf("the host certificate is not valid: it is signed with %s", printable(cert.Signature.Format, 60)),
			"CASignatureAlgorithms in ssh_config says what is allowed")
	}
	principal := strings.ToLower(h.config.host)
	if h.config.alias != "" {
		principal = h.config.alias
	}
	checker := &ssh.CertChecker{IsHostAuthority: trusted}
	if err := checker.CheckHostKey(net.JoinHostPort(principal, h.config.port), remote, cert); err != nil {
		return fault.WithHint(fmt.Errorf("the host certificate is not valid: %s", printable(strings.TrimPrefix(err.Error(), "ssh: "), 300)), hint)
	}
	return nil
}

const revokedHint = "do not use this host until its owner has given it a new key"

// revokedAt returns an error where a @revoked line for the host has the key.
func (h *hostKeys) revokedAt(name string, key ssh.PublicKey) error {
	for _, l := range h.at(name, "revoked") {
		if equalKeys(l.key, key) {
			return fault.WithHint(fmt.Errorf("%w: %s (%s, line %d)", ErrHostKeyRevoked, fingerprint(key), l.file, l.number), revokedHint)
		}
	}
	return nil
}

func (h *hostKeys) changed(known []knownLine, key ssh.PublicKey) error {
	// Where several are known, the one of the same type tells most.
	old := known[0]
	for _, l := range known {
		if l.key.Type() == key.Type() {
			old = l
			break
		}
	}
	err := fmt.Errorf("%w: known is %s (%s, line %d), the host shows %s", ErrHostKeyChanged, fingerprint(old.key), old.file, old.number, fingerprint(key))
	return fault.WithHint(err, fmt.Sprintf(
		"someone may be intercepting the connection. If the host got a new key, check its fingerprint with its owner, then: ssh-keygen -R '%s' -f '%s'", h.name, old.file))
}

func (h *hostKeys) unknown(key ssh.PublicKey, because error) error {
	err := fmt.Errorf("%w: %s shows %s", ErrHostKeyUnknown, h.name, fingerprint(key))
	if because != nil {
		err = fmt.Errorf("%w; %w", err, because)
	}
	refused := fault.WithHint(err, "check the fingerprint with the host's owner, then connect once with ssh, or accept new hosts with --accept-new")
	switch {
	case h.config.strict == "yes":
		return fault.WithHint(err, "ssh_config says StrictHostKeyChecking yes: add the key to "+h.file()+" first")
	case h.file() == "" || strings.ContainsAny(h.config.host, "@?*#[]|'\"\\"):
		return fault.WithHint(err, "there is no file to remember it in: UserKnownHostsFile in ssh_config names one")
	case h.opts.AcceptNew || h.config.strict == "accept-new":
	case h.opts.Confirm == nil || h.config.batch:
		return refused
	default:
		resume := h.pause()
		yes, err := h.opts.Confirm(h.ctx, HostKey{Host: h.named, Address: h.name, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), File: h.file()})
		resume()
		if err != nil {
			return err
		}
		if !yes {
			return refused
		}
	}
	if err := h.remember(key); err != nil {
		return fmt.Errorf("add the host key to %s: %w", h.file(), fault.Cause(err))
	}
	return nil
}

// file is where new keys go.
func (h *hostKeys) file() string {
	if len(h.config.userHosts) == 0 {
		return ""
	}
	return h.config.userHosts[0]
}

// remember adds the key to known_hosts, in one write, so that several machines
// can be added at the same time.
func (h *hostKeys) remember(key ssh.PublicKey) error {
	file := h.file()
	name := h.name
	if h.config.hashHosts {
		name = knownhosts.HashHostname(name)
	}
	line := name + " " + string(ssh.MarshalAuthorizedKey(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Close()
}
