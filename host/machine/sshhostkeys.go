package machine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/rhx-dev/rhx/host/fault"
)

// knownHosts is what known_hosts files say (sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT). The files are matched here and not by x/crypto/ssh/knownhosts, which
// refuses a whole file for one line with a key type it does not know, and takes
// the key of a @cert-authority for that of a host.
type knownHosts struct{ lines []knownLine }

type knownLine struct {
	marker string // "", cert-authority or revoked
	hosts  []string
	key    ssh.PublicKey
	file   string
	number int
}

// readKnownHosts reads files; missing ones are empty, and what cannot be
// parsed is not there, as in OpenSSH.
func readKnownHosts(files []string) (*knownHosts, error) {
	k := new(knownHosts)
	for _, file := range files {
		data, _, err := readRegular(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotRegular) {
			continue // such as /dev/null
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		k.add(file, data)
	}
	return k, nil
}

func (k *knownHosts) add(file string, data []byte) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil {
			continue
		}
		k.lines = append(k.lines, knownLine{marker, hosts, key, file, number})
	}
}

// matching returns the lines with marker for a host, as knownName gives it.
func (k *knownHosts) matching(name, marker string) []knownLine {
	var found []knownLine
	for _, l := range k.lines {
		if l.marker == marker && l.matches(name) {
			found = append(found, l)
		}
	}
	return found
}

func (l *knownLine) matches(name string) bool {
	matched := false
	for _, pattern := range l.hosts {
		if strings.HasPrefix(pattern, "|1|") {
			matched = matched || matchesHash(pattern, name)
			continue
		}
		pattern, not := strings.CutPrefix(pattern, "!")
		if matchesWildcard(strings.ToLower(pattern), name) {
			if not {
				return false
			}
			matched = true
		}
	}
	return matched
}

// matchesHash compares with |1|SALT|HMAC-SHA1(SALT, NAME).
func matchesHash(pattern, name string) bool {
	salt, sum, ok := strings.Cut(strings.TrimPrefix(pattern, "|1|"), "|")
	rawSalt, err1 := base64.StdEncoding.DecodeString(salt)
	rawSum, err2 := base64.StdEncoding.DecodeString(sum)
	if !ok || err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, rawSalt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), rawSum)
}

// matchesWildcard matches the * and ? of known_hosts, in linear memory and
// without the exponential time of plain recursion.
func matchesWildcard(pattern, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// knownName is what known_hosts calls a host.
func knownName(host, port string) string {
	host = strings.ToLower(host)
	if port == "22" {
		return host
	}
	return "[" + host + "]:" + port
}

// hostKeys verifies the key of one host.
type hostKeys struct {
	*knownHosts
	config *sshConfig
	named  string // the host as the user named it
	opts   *SSHOptions
	ctx    context.Context
	pause  func() func() // stops the clock while a person is asked

	name  string // in known_hosts
	plain []knownLine
	cas   []knownLine
	err   error // why the key was refused
}

func newHostKeys(ctx context.Context, c *sshConfig, named string, o *SSHOptions, pause func() func()) (*hostKeys, error) {
	known, err := readKnownHosts(slices.Concat(c.userHosts, c.globalHosts))
	if err != nil {
		return nil, err
	}
	h := &hostKeys{knownHosts: known, config: c, named: named, opts: o, ctx: ctx, pause: pause}
	h.name = knownName(c.host, c.port)
	if c.alias != "" {
		h.name = strings.ToLower(c.alias) // OpenSSH adds no port to an alias
	}
	h.plain, h.cas = known.matching(h.name, ""), known.matching(h.name, "cert-authority")
	return h, nil
}

// withoutPort returns the keys of the host's default port, which OpenSSH also
// accepts for another port that has no line of its own.
func (h *hostKeys) withoutPort() []knownLine {
	if h.config.alias != "" || h.config.port == "22" || len(h.plain) > 0 {
		return nil
	}
	return h.matching(knownName(h.config.host, "22"), "")
}

// algorithms orders the host key algorithms so that the host shows a key that
// is known, if it has it: a host with a known ed25519 key must not seem changed
// because it also has an RSA key. Certificates are asked for only where an
// authority is known, because a host with one may be known by its plain key.
func (h *hostKeys) algorithms() []string {
	known := make(map[string]bool)
	for _, l := range slices.Concat(h.plain, h.withoutPort()) {
		known[l.key.Type()] = true
	}
	var certs, first, rest []string
	all := ssh.SupportedAlgorithms().HostKeys
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(preference(a), preference(b)) })
	for _, a := range all {
		switch {
		case strings.Contains(a, "-cert-"):
			if len(h.cas) > 0 {
				certs = append(certs, a)
			}
		case known[keyType(a)]:
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	return slices.Concat(certs, first, rest)
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
	h.err = h.verify(remote, key)
	return h.err
}

func (h *hostKeys) verify(remote net.Addr, key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		return h.verifyCertificate(remote, cert)
	}
	if l := h.revoked(key); l != nil {
		return h.revokedError(l, key)
	}
	for _, l := range slices.Concat(h.plain, h.withoutPort()) {
		if equalKeys(l.key, key) {
			return nil
		}
	}
	if len(h.plain) > 0 {
		return h.changed(key)
	}
	return h.unknown(key)
}

func (h *hostKeys) verifyCertificate(remote net.Addr, cert *ssh.Certificate) error {
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if l := h.revoked(key); l != nil {
			return h.revokedError(l, key)
		}
	}
	trusted := func(ca ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(h.cas, func(l knownLine) bool { return equalKeys(l.key, ca) })
	}
	principal := h.config.host
	if h.config.alias != "" {
		principal = h.config.alias
	}
	checker := &ssh.CertChecker{IsHostAuthority: trusted}
	if err := checker.CheckHostKey(net.JoinHostPort(strings.ToLower(principal), h.config.port), remote, cert); err != nil {
		err = fmt.Errorf("the host certificate is not valid: %w", err)
		return fault.WithHint(err, "the authorities that are trusted for this host are the @cert-authority lines in "+strings.Join(h.config.userHosts, ", "))
	}
	return nil
}

func (h *hostKeys) revoked(key ssh.PublicKey) *knownLine {
	for i, l := range h.lines {
		if l.marker == "revoked" && equalKeys(l.key, key) {
			return &h.lines[i]
		}
	}
	return nil
}

func (h *hostKeys) revokedError(l *knownLine, key ssh.PublicKey) error {
	err := fmt.Errorf("%w: %s (%s, line %d)", ErrHostKeyRevoked, fingerprint(key), l.file, l.number)
	return fault.WithHint(err, "do not use this host until its owner has given it a new key")
}

func (h *hostKeys) changed(key ssh.PublicKey) error {
	// Where several are known, the one of the same type tells most.
	old := h.plain[0]
	for _, l := range h.plain {
		if l.key.Type() == key.Type() {
			old = l
			break
		}
	}
	err := fmt.Errorf("%w: known is %s (%s, line %d), the host shows %s", ErrHostKeyChanged, fingerprint(old.key), old.file, old.number, fingerprint(key))
	return fault.WithHint(err, fmt.Sprintf(
		"someone may be intercepting the connection. If the host got a new key, check its fingerprint with its owner, then: ssh-keygen -R '%s' -f '%s'", h.name, old.file))
}

func (h *hostKeys) unknown(key ssh.PublicKey) error {
	refused := fault.WithHint(fmt.Errorf("%w: %s shows %s", ErrHostKeyUnknown, h.name, fingerprint(key)),
		"check the fingerprint with the host's owner, then connect once with ssh, or accept new hosts with --accept-new")
	if h.config.strict == "yes" {
		return fault.WithHint(refused, "ssh_config says StrictHostKeyChecking yes: add the key to "+h.file()+" first")
	}
	if !h.opts.AcceptNew && h.config.strict != "accept-new" {
		if h.opts.Confirm == nil {
			return refused
		}
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
	if file == "" {
		return nil // UserKnownHostsFile none: nothing is to be remembered
	}
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

func equalKeys(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// fingerprint is a key as ssh-keygen -l shows it, with its type.
func fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }
