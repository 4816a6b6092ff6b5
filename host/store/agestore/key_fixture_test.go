package agestore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

const passphrase = "fake passphrase"

// workFactor makes passphrases cheap enough for tests.
const workFactor = 4

// person answers passphrase prompts and remembers them.
type person struct {
	answers []string
	prompts []string
}

func (p *person) ask(prompt string) (string, error) {
	p.prompts = append(p.prompts, prompt)
	if len(p.prompts) > len(p.answers) {
		return "", errors.New("asked too often")
	}
	return p.answers[len(p.prompts)-1], nil
}

func write(t *testing.T, path string, data []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func ageKey(t *testing.T) (file []byte, public string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return []byte("# a comment\n\n" + id.String() + "\n"), id.Recipient().String()
}

// withPassphrase encrypts a file as `age -p` does.
func withPassphrase(t *testing.T, data []byte, armored bool) []byte {
	t.Helper()
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(workFactor)
	return encryptTo(t, data, r, armored)
}

func encryptTo(t *testing.T, data []byte, r age.Recipient, armored bool) []byte {
	t.Helper()
	var (
		b   bytes.Buffer
		dst io.WriteCloser = nopCloser{&b}
	)
	if armored {
		dst = armor.NewWriter(&b)
	}
	w, err := age.Encrypt(dst, r)
	if err == nil {
		_, err = w.Write(data)
	}
	if err := errors.Join(err, w.Close(), dst.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// sshPEM is the file of a private key of SSH. Where ssh-keygen is there, checking the passphrase
// takes one round in the place of 16, which take a second with the race detector.
func sshPEM(t *testing.T, key any, passphrase string) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "fake")
	noError(t, err)
	if passphrase == "" {
		return pem.EncodeToMemory(block)
	}
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		block, err := ssh.MarshalPrivateKeyWithPassphrase(key, "fake", []byte(passphrase))
		noError(t, err)
		return pem.EncodeToMemory(block)
	}
	path := write(t, filepath.Join(t.TempDir(), "key"), pem.EncodeToMemory(block), 0o600)
	out, err := exec.CommandContext(t.Context(), keygen, "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	noError(t, err)
	return data
}

// oldRSA writes what `ssh-keygen -m PEM` does: a private key whose public half
// is in a file beside it only. Its passphrase costs far less to check.
func oldRSA(t *testing.T, path string, key *rsa.PrivateKey) string {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
	return write(t, path, oldPEM(t, x509.MarshalPKCS1PrivateKey(key)), 0o600)
}

// oldPEM is the private key of that format which has its passphrase.
func oldPEM(t *testing.T, der []byte) []byte {
	t.Helper()
	//lint:ignore SA1019 the format is old, and people have keys in it
	//nolint:staticcheck // what ssh-keygen -m PEM still writes
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// keyFiles returns key files of every kind that rhx reads; the second value
// says how often a Put and a Get together ask for the passphrase.
func keyFiles(t *testing.T) map[string]struct {
	path string
	asks int
} {
	t.Helper()
	dir := t.TempDir()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := ageKey(t)
	two, _ := ageKey(t)
	type file = struct {
		path string
		asks int
	}
	files := map[string]file{}
	for name, f := range map[string]struct {
		data []byte
		asks int
	}{
		"age":                       {plain, 0},
		"age with CRLF":             {bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")), 0},
		"age, two keys":             {append(plain, two...), 0},
		"age, post-quantum":         {[]byte(hybrid.String() + "\n"), 0},
		"age -p":                    {withPassphrase(t, plain, false), 1},
		"age -p -a":                 {withPassphrase(t, plain, true), 1},
		"ssh ed25519":               {sshPEM(t, ed, ""), 0},
		"ssh rsa":                   {sshPEM(t, rs, ""), 0},
		"ssh rsa, PKCS #1":          {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rs)}), 0},
		"ssh ed25519 with password": {sshPEM(t, ed, passphrase), 1},
	} {
		files[name] = file{write(t, filepath.Join(dir, name), f.data, 0o600), f.asks}
	}
	files["ssh rsa, old"] = file{oldRSA(t, filepath.Join(dir, "old"), rs), 1}
	return files
}
