package machine

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/crypto/ssh"
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
	asked  bool // it is what KnownHostsCommand printed
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
	k.lines = append(k.lines, parseKnownHosts(file, data)...)
}

func parseKnownHosts(file string, data []byte) (lines []knownLine) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil {
			continue
		}
		lines = append(lines, knownLine{marker: marker, hosts: hosts, key: key, file: file, number: number})
	}
	return lines
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

func equalKeys(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// fingerprint is a key as ssh-keygen -l shows it, with its type.
func fingerprint(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }
