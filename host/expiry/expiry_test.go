package expiry

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/secret"
)

var at = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

func jwt(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + ".c2ln"
}

func certificate(t *testing.T, authority bool, end time.Time) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-time.Hour), NotAfter: end, IsCA: authority, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func sshCertificate(t *testing.T, end uint64) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	c := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidBefore: end}
	if err := c.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(c))
}

func TestOf(t *testing.T) {
	leaf, ca := certificate(t, false, at), certificate(t, true, at.Add(-time.Minute))
	later := certificate(t, false, at.Add(time.Hour))
	unix := at.Unix()
	for name, c := range map[string]struct {
		values map[string]string
		known  bool
	}{
		"nothing":             {map[string]string{"token": "fake", "n": fmt.Sprint(unix)}, false},
		"JWT":                 {map[string]string{"token": jwt(fmt.Sprintf(`{"exp":%d}`, unix))}, true},
		"JWT, a fraction":     {map[string]string{"token": jwt(fmt.Sprintf(`{"exp":%d.5}`, unix))}, true},
		"JWT with no end":     {map[string]string{"token": jwt(`{"sub":"x"}`)}, false},
		"JWT of two parts":    {map[string]string{"token": strings.TrimSuffix(jwt(fmt.Sprintf(`{"exp":%d}`, unix)), ".c2ln")}, false},
		"JWT of 1970":         {map[string]string{"token": jwt(`{"exp":12}`)}, false},
		"no JWT":              {map[string]string{"token": "eyJhIjoxfQ." + strings.Split(jwt(fmt.Sprintf(`{"exp":%d}`, unix)), ".")[1] + ".x"}, false},
		"the earliest":        {map[string]string{"a": jwt(fmt.Sprintf(`{"exp":%d}`, unix)), "b": jwt(fmt.Sprintf(`{"exp":%d}`, unix+60))}, true},
		"a time by name":      {map[string]string{"token": "fake", "expires_at": fmt.Sprint(unix)}, true},
		"in milliseconds":     {map[string]string{"expiresAt": fmt.Sprint(unix * 1000)}, true},
		"in RFC 3339":         {map[string]string{"Expiration": at.In(time.FixedZone("", 7200)).Format(time.RFC3339)}, true},
		"expires_in":          {map[string]string{"expires_in": fmt.Sprint(unix)}, false},
		"a word":              {map[string]string{"expires_at": "never"}, false},
		"too late":            {map[string]string{"expires_at": "1e300"}, false},
		"no number":           {map[string]string{"expires_at": "NaN"}, false},
		"JSON":                {map[string]string{"document": fmt.Sprintf(`{"a": [{"accessToken": "x", "expiresAt": %q}]}`, at.Format(time.RFC3339))}, true},
		"a number in JSON":    {map[string]string{"document": fmt.Sprintf(`{"expiry": %d}`, unix)}, true},
		"JWT in JSON":         {map[string]string{"document": fmt.Sprintf(`{"id": %q}`, jwt(fmt.Sprintf(`{"exp":%d}`, unix)))}, true},
		"certificate":         {map[string]string{"cert": "subject=x\n" + leaf}, true},
		"its chain":           {map[string]string{"cert": leaf + ca + later}, true},
		"an authority alone":  {map[string]string{"ca": ca}, false},
		"kubeconfig":          {map[string]string{"context": fmt.Sprintf(`{"user": {"client-certificate-data": %q}}`, base64.StdEncoding.EncodeToString([]byte(leaf)))}, true},
		"SSH certificate":     {map[string]string{"cert": sshCertificate(t, uint64(unix)) + "\n"}, true},
		"SSH, for ever":       {map[string]string{"cert": sshCertificate(t, ssh.CertTimeInfinity)}, false},
		"refreshed":           {map[string]string{"access_token": jwt(fmt.Sprintf(`{"exp":%d}`, unix)), "refresh_token": "fake"}, false},
		"refresh token's":     {map[string]string{"access_token": jwt(fmt.Sprintf(`{"exp":%d}`, unix-60)), "refreshToken": jwt(fmt.Sprintf(`{"exp":%d}`, unix))}, true},
		"no refresh token":    {map[string]string{"access_token": jwt(fmt.Sprintf(`{"exp":%d}`, unix)), "refresh_token": ""}, true},
		"refreshed in JSON":   {map[string]string{"document": fmt.Sprintf(`{"expiresAt": %d, "refreshToken": "fake"}`, unix)}, false},
		"too large":           {map[string]string{"document": fmt.Sprintf(`{"expiry": %d, "x": %q}`, unix, strings.Repeat("x", longest))}, false},
		"nested without end":  {map[string]string{"document": strings.Repeat("[", 9999)}, false},
		"too deep":            {map[string]string{"document": strings.Repeat("[", 20) + fmt.Sprintf(`{"expiry": %d}`, unix) + strings.Repeat("]", 20)}, false},
		"deep, and not so":    {map[string]string{"document": strings.Repeat("[", 9) + fmt.Sprintf(`{"expiry": %d}`, unix) + strings.Repeat("]", 9)}, true},
		"a damaged PEM block": {map[string]string{"cert": "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"}, false},
	} {
		values := secret.Values{}
		for k, v := range c.values {
			values[k] = secret.NewValue(v)
		}
		want := time.Time{}
		if c.known {
			want = at
		}
		if got := Of(&secret.Secret{Values: values}); !got.Equal(want) {
			t.Errorf("%s: %v, not %v", name, got, want)
		}
	}
}

// What came with a secret is the last word.
func TestKnownExpiryWins(t *testing.T) {
	s := &secret.Secret{Expires: at.In(time.FixedZone("", 3600)), Values: secret.Values{"expires_at": secret.NewValue("2030-01-01T00:00:00Z")}}
	if got := Of(s); got != at {
		t.Errorf("%v", got)
	}
	s.Values["refresh_token"] = secret.NewValue("fake")
	if got := Of(s); !got.IsZero() {
		t.Errorf("renewed: %v", got)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("expires_at", "1900000000")
	f.Add("token", jwt(`{"exp":1900000000}`))
	f.Add("document", `{"a":[{"expiry":"2031-05-06T07:08:09Z"}]}`)
	f.Add("cert", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
	f.Add("c", "ssh-ed25519-cert-v01@openssh.com AAAA")
	f.Add("k", "LS0tLS1CRUdJTi")
	f.Fuzz(func(t *testing.T, key, text string) {
		got := Of(&secret.Secret{Values: secret.Values{key: secret.NewValue(text)}})
		if !got.IsZero() && (got.Year() < 2001 || got.Year() > 9999 || got.Location() != time.UTC) {
			t.Errorf("%v", got)
		}
	})
}
