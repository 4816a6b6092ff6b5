package codec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pemBlock returns the frame of a key with nothing secret in it. Its first line
// is put together here so that scanners do not take this file for a key.
func pemBlock(kind string) string {
	return "-----BEGIN " + kind + "-----\nZmFrZSBrZXk=\n-----END " + kind + "-----\n"
}

func TestKeypairRead(t *testing.T) {
	for _, kind := range []string{"PRIVATE KEY", "OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"} {
		file := pemBlock(kind)
		runReads(t, keypair{}, []readCase{
			{kind + " is read with every byte", file, file},
			{kind + " with the line endings of Windows", strings.ReplaceAll(file, "\n", "\r\n"), strings.ReplaceAll(file, "\n", "\r\n")},
			{kind + " without a last line ending", strings.TrimSpace(file), strings.TrimSpace(file)},
			{kind + " with attributes before it, as openssl writes", "Bag Attributes\n    friendlyName: x\n" + file, "Bag Attributes\n    friendlyName: x\n" + file},
			{kind + " with a label after it, as oci has", file + "OCI_API_KEY\n", file + "OCI_API_KEY\n"},
			{kind + " behind a certificate", pemBlock("CERTIFICATE") + file, pemBlock("CERTIFICATE") + file},
		})
	}
	runReads(t, keypair{}, []readCase{{"an empty file is an empty text", "", ""}})
	runErrors(t, keypair{}, []errorCase{
		{"a public key", "ssh-ed25519 AAAAfakefakefakefake me@host\n", "not a private key"},
		{"a certificate", pemBlock("CERTIFICATE"), "not a private key"},
		{"a PGP key", pemBlock("PGP PRIVATE KEY BLOCK"), "not a private key"},
		{"a public key in PEM", pemBlock("PUBLIC KEY"), "not a private key"},
		{"a key that was cut off", pemBlock("RSA PRIVATE KEY")[:40], "the private key has no end line"},
		{"two keys run into one another", pemBlock("RSA PRIVATE KEY")[:45] + pemBlock("RSA PRIVATE KEY"), "line 3: the private key has no end line"},
		{"a begin line that is not closed", "-----BEGIN PRIVATE KEY\n-----END PRIVATE KEY-----\n", "not a private key"},
		{"a file of blank lines", "\n\n", "not a private key"},
	})
}

func TestKeypairEdit(t *testing.T) {
	a, b := pemBlock("RSA PRIVATE KEY"), pemBlock("OPENSSH PRIVATE KEY")
	runEdits(t, keypair{}, []editCase{
		{"a new key replaces every byte", a, set(b), b},
		{"also in an empty file", "", set(b), b},
		{"the same key changes nothing", a, set(a), a},
		{"removing it makes the file empty", a, remove(), ""},
		{"what is not a key is refused", a, set("fake"), "error: the new value is not a private key"},
	})
}

func TestKeypairReadsWhatSSHKeygenWrites(t *testing.T) {
	for _, args := range [][]string{{"-t", "ed25519"}, {"-t", "rsa", "-b", "2048", "-m", "PEM"}, {"-t", "ecdsa", "-m", "PKCS8"}, {"-t", "rsa", "-m", "PKCS8", "-N", "passphrase"}} {
		path := filepath.Join(t.TempDir(), "key")
		if args[len(args)-2] != "-N" {
			args = append(args, "-N", "")
		}
		if out, err := exec.Command("ssh-keygen", append(args, "-q", "-f", path)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		key, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := (keypair{}).Decode(key); err != nil || n.Text != string(key) {
			t.Errorf("%v: %v", args, err)
		}
		public, err := os.ReadFile(path + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (keypair{}).Decode(public); err == nil {
			t.Errorf("%v: the public key is taken for a private one", args)
		}
	}
}

func FuzzKeypair(f *testing.F) {
	for _, s := range []string{"", pemBlock("RSA PRIVATE KEY"), bom + pemBlock("PRIVATE KEY"), "x\r" + pemBlock("OPENSSH PRIVATE KEY"), "ssh-rsa AAAA"} {
		f.Add([]byte(s), uint(0), "", "", pemBlock("EC PRIVATE KEY"))
		f.Add([]byte(s), uint(0), "", "", "fake")
	}
	fuzzEdit(f, keypair{}, func(_, _ string) Path { return nil })
}
