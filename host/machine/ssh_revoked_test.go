package machine

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func testSigner(t testing.TB, seed byte) ssh.Signer {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(testPrivate(seed))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func testCertificate(t testing.TB, ca ssh.Signer, serial uint64, id string) *ssh.Certificate {
	t.Helper()
	c := &ssh.Certificate{Key: testKey(2), Serial: serial, CertType: ssh.HostCert, KeyId: id, ValidPrincipals: []string{"h"}, ValidBefore: ssh.CertTimeInfinity}
	if err := c.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	return c
}

// What ssh-keygen -k writes is revoked, and nothing else.
func TestKRL(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	line := func(k ssh.PublicKey) string { return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(k))) }
	ca, other := testSigner(t, 8), testSigner(t, 9)
	caFile := write("ca.pub", line(ca.PublicKey())+"\n")
	spec := write("spec", "serial: 5\nserial: 100-200\nserial: 1000\nserial: 1001\nserial: 1003\nserial: 1007\nserial: 1011\nserial: 1013\nid: lost one\n"+
		"key: "+line(testKey(3))+"\nsha1: "+line(testKey(4))+"\nsha256: "+line(testKey(5))+"\n")
	krl := filepath.Join(dir, "krl")
	if out, err := exec.Command("ssh-keygen", "-q", "-k", "-f", krl, "-s", caFile, spec).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, err := readRevoked(krl)
	if err != nil {
		t.Fatal(err)
	}
	for seed, want := range map[byte]bool{2: false, 3: true, 4: true, 5: true, 6: false} {
		if got := r.has(testKey(seed)); got != want {
			t.Errorf("key %d: %v", seed, got)
		}
	}
	for _, tt := range []struct {
		ca     ssh.Signer
		serial uint64
		id     string
		want   bool
	}{
		{ca, 5, "x", true}, {ca, 4, "x", false}, {ca, 6, "x", false}, {ca, 100, "x", true}, {ca, 150, "x", true}, {ca, 200, "x", true}, {ca, 201, "x", false}, {ca, 99, "x", false},
		{ca, 1000, "x", true}, {ca, 1001, "x", true}, {ca, 1002, "x", false}, {ca, 1003, "x", true}, {ca, 1012, "x", false}, {ca, 1013, "x", true}, {ca, 1014, "x", false},
		{ca, 7, "lost one", true}, {ca, 0, "x", false}, {other, 5, "x", false}, {other, 7, "lost one", false}, {testSigner(t, 3), 1, "x", true},
	} {
		cert := testCertificate(t, tt.ca, tt.serial, tt.id)
		if got := r.has(cert); got != tt.want {
			t.Errorf("serial %d, %q: %v", tt.serial, tt.id, got)
		}
		// The real thing says the same.
		p := write("cert.pub", line(cert)+"\n")
		if revoked := exec.Command("ssh-keygen", "-Q", "-f", krl, p).Run() != nil; revoked != tt.want {
			t.Errorf("serial %d, %q: ssh-keygen says %v", tt.serial, tt.id, revoked)
		}
	}
	data, err := os.ReadFile(krl)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := len(krlMagic); n < len(data); n++ {
		if newRevocation("").parseKRL(data[len(krlMagic):n]) != nil {
			refused++
		}
	}
	if refused < len(data)*9/10 {
		t.Errorf("%d of %d cut lists are refused", refused, len(data))
	}
}

// No list of revoked keys makes this machine fail.
func FuzzKRL(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "\x02\x00\x00\x00\x05\x00\x00\x00\x01x"))
	f.Add([]byte("\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x01\x00\x00\x00\x2b\x00\x00\x00\x00\x00\x00\x00\x00\x21\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x23\x00\x00\x00\x05\x00\x00\x00\x01x"))
	cert := testCertificate(f, testSigner(f, 8), 2, "x")
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newRevocation("")
		if r.parseKRL(data) == nil {
			r.has(cert)
			r.has(testKey(1))
		}
	})
}
