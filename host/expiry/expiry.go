// Package expiry reads when credentials stop working, where they say so themselves.
package expiry

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/secret"
)

const (
	// longest is the longest value that is looked into, in bytes.
	longest = 1 << 20
	// deepest is how deep that is done in JSON.
	deepest = 16
	// first and last bound what counts as a time: seconds since 1970, from 2001 to 9999.
	first, last = 1e9, 253402300799
)

// Of returns when a secret stops working, in UTC; zero where that is not known. It is the
// time that came with it, or else the earliest that its values say: exp of a JSON Web
// Token, the end of an X.509 certificate that is no authority's or of an SSH certificate,
// and a time by a name such as expires_at, also in JSON. Nothing is verified.
//
// For a secret with a refresh token it is the time that this one says: with it, a client
// gets itself new ones of all others.
func Of(s *secret.Secret) time.Time {
	renews := renews(s.Values)
	if !renews && !s.Expires.IsZero() {
		return s.Expires.UTC()
	}
	var c clock
	for key, v := range s.Values {
		if text := v.Reveal(); len(text) <= longest && (!renews || isRefresh(key)) {
			c.field(key, text, 0)
		}
	}
	return c.at
}

// renews reports whether a client renews a secret of these values by itself.
func renews(values secret.Values) bool {
	for key, v := range values {
		if isRefresh(key) && !v.Empty() {
			return true
		}
	}
	return false
}

func isRefresh(key string) bool { return strings.Contains(strings.ToLower(key), "refresh") }

// clock keeps the earliest time.
type clock struct{ at time.Time }

func (c *clock) add(t time.Time) {
	if s := t.Unix(); s < first || s > last {
		return
	}
	if t = t.UTC().Truncate(time.Second); c.at.IsZero() || t.Before(c.at) {
		c.at = t
	}
}

// field looks into a value that has a name.
func (c *clock) field(name, text string, depth int) {
	if saysEnd(name) {
		c.add(timeOf(text))
		return
	}
	c.text(text, depth)
}

// text looks into a value.
func (c *clock) text(text string, depth int) {
	if depth > deepest {
		return
	}
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		c.document(text, depth)
	case strings.Contains(text, "-----BEGIN CERTIFICATE-----"):
		c.certificates([]byte(text))
	case strings.HasPrefix(text, "LS0tLS1CRUdJTi"): // a PEM block in base64, as in a kubeconfig
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			c.text(string(raw), depth+1)
		}
	case strings.HasPrefix(text, "eyJ"):
		c.token(text)
	case strings.Contains(text, "-cert-v01@openssh.com "):
		c.sshCertificate(text)
	}
}

// document looks into JSON.
func (c *clock) document(text string, depth int) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		c.tree("", v, depth+1)
	}
}

func (c *clock) tree(name string, v any, depth int) {
	if depth > deepest {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		renews := false
		for key, one := range v {
			text, ok := one.(string)
			renews = renews || ok && text != "" && isRefresh(key)
		}
		for key, one := range v {
			if !renews || isRefresh(key) {
				c.tree(key, one, depth+1)
			}
		}
	case []any:
		for _, one := range v {
			c.tree("", one, depth+1)
		}
	case string:
		c.field(name, v, depth)
	case json.Number:
		if saysEnd(name) {
			c.add(timeOf(v.String()))
		}
	}
}

// saysEnd reports whether a name is that of the time at which a credential ends.
func saysEnd(name string) bool {
	switch strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name)) {
	case "expiresat", "expiry", "expires", "expiration", "expireat", "expirydate", "expirationdate", "expirationtime", "expirationtimestamp", "validuntil", "notafter":
		return true
	}
	return false
}

// timeOf reads a time in RFC 3339, or in seconds or milliseconds since 1970.
func timeOf(text string) time.Time {
	text = strings.TrimSpace(text)
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(n) || n < first:
		return time.Time{}
	case n > 1e11:
		n /= 1000
	}
	if n > last {
		return time.Time{}
	}
	return time.Unix(int64(n), 0)
}

// token looks into a JSON Web Token (RFC 7519).
func (c *clock) token(text string) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return
	}
	var header struct {
		Alg string `json:"alg"`
	}
	var claims struct {
		Exp json.Number `json:"exp"`
	}
	if segment(parts[0], &header) && header.Alg != "" && segment(parts[1], &claims) {
		c.add(timeOf(claims.Exp.String()))
	}
}

func segment(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && json.Unmarshal(raw, into) == nil
}

// certificates looks into a chain. Authorities are in it to be trusted, and outlive it.
func (c *clock) certificates(data []byte) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return
		}
		data = rest
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && !cert.IsCA {
			c.add(cert.NotAfter)
		}
	}
}

// sshCertificate looks into a line of an SSH certificate.
func (c *clock) sshCertificate(text string) {
	for line := range bytes.SplitSeq([]byte(text), []byte("\n")) {
		key, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			continue
		}
		if cert, ok := key.(*ssh.Certificate); ok && cert.ValidBefore <= last {
			c.add(time.Unix(int64(cert.ValidBefore), 0))
		}
	}
}
