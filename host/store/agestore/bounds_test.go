package agestore

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// The largest secret is stored, and one byte more is not. What is too large is what is
// stored, where a byte can take six: that is said, and not a size that nobody's file has.
func TestTheLargestSecret(t *testing.T) {
	info, _ := sample()
	to := []age.Recipient{fixedKey(t).Recipient()}
	empty, err := encodeFile(info, nil, to)
	noError(t, err)
	const tag, chunk = 16, 64 << 10 // of age: a tag for every chunk
	room := maxFile - (len(empty) - tag) - maxFile/chunk*tag
	plain := make([]byte, room+1)
	if data, err := encodeFile(info, plain[:room], to); err != nil || len(data) != maxFile {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	_, err = encodeFile(info, plain, to)
	if want := `"aws/prod%20eu" has 65 MiB in the form in which it is stored, where some bytes take up to six; a secret may have 64 MiB there`; err == nil || err.Error() != want {
		t.Error(err)
	}
}

// The longest line of a header is written and read, and a longer one is neither.
func TestTheLongestHeader(t *testing.T) {
	info := store.Info{Name: "a", Version: 1, Updated: time.Unix(1e9, 0).UTC()}
	stanza, err := infoStanza(info)
	noError(t, err)
	info.Provider = strings.Repeat("p", maxStanza-100-len(strings.Join(stanza.Args, " ")))
	stanza, err = infoStanza(info)
	noError(t, err)
	line := "-> " + stanza.Type + " " + strings.Join(stanza.Args, " ")
	if got, err := parseHeader([]byte(ageIntro + line + "\n")); err != nil || got != info {
		t.Errorf("%+v, %v", got, err)
	}
	info.Provider += "p"
	if _, err := infoStanza(info); err == nil || !strings.Contains(err.Error(), "the name of the provider is ") {
		t.Error(err)
	}
	// What a later rhx adds may be as long as the line may be.
	line += " later=" + strings.Repeat("x", maxStanza-len(line)-len(" later="))
	path := filepath.Join(t.TempDir(), "1.age")
	for _, end := range []string{"\n", "\n\n", "\n" + strings.Repeat("x", maxStanza)} {
		write(t, path, []byte(ageIntro+line+end), 0o600)
		if got, err := readHeader(path); err != nil || got.Name != "a" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	for _, bad := range []string{line + "x\n", line} {
		write(t, path, []byte(ageIntro+bad), 0o600)
		if _, err := readHeader(path); err == nil || err.Error() != path+": its header is damaged" {
			t.Error(err)
		}
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	const good = " name=a provider= version=1 updated=2026-11-24T08:25:00Z\n"
	for text, want := range map[string]string{
		"-> " + stanzaType + "\n":        "its header is incomplete",
		"-> " + stanzaType + " name=a\n": "its header is incomplete",
		"->\n":                           "its header is damaged",
		"\n":                             "its header is damaged",
		"":                               "its header is damaged",
		"-- " + stanzaType + good:        "its header is damaged",
		"-> " + stanzaType + " " + good:  "its header is damaged",
		"-> X25519 AAAA\n":               "not a file of this store, or of a newer version of rhx",
		"-> " + stanzaType + " name=%zz" + good[7:]:    `its header is damaged at "name"`,
		"-> " + stanzaType + " provider=%2f" + good:    `its header is damaged at "provider"`,
		"-> " + stanzaType + good:                      "",
		"-> " + stanzaType + " later=x" + good + "...": "",
	} {
		if i, err := parseHeader([]byte(ageIntro + text)); want == "" && (err != nil || i.Name != "a" || i.Version != 1) || want != "" && (err == nil || err.Error() != want || i != (store.Info{})) {
			t.Errorf("%q: %+v, %v, want %q", text, i, err, want)
		}
	}
	if _, err := parseHeader([]byte("x" + ageIntro)); err == nil || err.Error() != "not an age file" {
		t.Error(err)
	}
}

func TestWhatAHeaderEscapes(t *testing.T) {
	for text, want := range map[string]string{"!~": "!~", " ": "%20", "\x1f": "%1F", "\x7f": "%7F", "%": "%25", "é": "%C3%A9", "a/B.c=1": "a/B.c=1"} {
		if got := escapeArg(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if got, err := unescapeArg(want); err != nil || got != text {
			t.Errorf("%q is read as %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{" ", "%7e", "%7E", "%c3%a9", "%2", "%", "%zz", "\x7f"} {
		if got, err := unescapeArg(bad); err == nil {
			t.Errorf("%q is read as %q", bad, got)
		}
	}
}

// A key file may have a size that no key has, and no more.
func TestTheLongestKeyFile(t *testing.T) {
	plain, _ := ageKey(t)
	line := "#" + strings.Repeat("x", 1022) + "\n"
	pad := strings.Repeat(line, maxIdentity/len(line)-1)
	pad += "#" + strings.Repeat("x", maxIdentity-len(pad)-len(plain)-2) + "\n"
	path := filepath.Join(t.TempDir(), "id")
	write(t, path, append([]byte(pad), plain...), 0o600)
	if _, err := Open(Options{Dir: dataDir(t), Identity: path}).Derive(t.Context(), "p"); err != nil {
		t.Error(err)
	}
	write(t, path, append([]byte("#"+pad), plain...), 0o600)
	if _, err := Open(Options{Dir: dataDir(t), Identity: path}).Derive(t.Context(), "p"); err == nil || err.Error() != path+": too long for a key" {
		t.Error(err)
	}
}

// Editors leave white space before a key.
func TestKeysAfterWhiteSpace(t *testing.T) {
	plain, _ := ageKey(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	for what, data := range map[string][]byte{
		"age -p -a": withPassphrase(t, plain, true), "ssh": sshPEM(t, ed, ""),
	} {
		path := write(t, filepath.Join(t.TempDir(), "id"), append([]byte("\n \t\r\n"), data...), 0o600)
		s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
		// A key that is asked for nothing is not opened by what asks nothing.
		if keys, err := s.DeriveAll(t.Context(), "p", false); err != nil || (keys == nil) != (what == "age -p -a") {
			t.Errorf("%s: %x, %v", what, keys, err)
		}
		putFake(t, s, "a", "FAKE")
		if _, err := s.Get(t.Context(), "a", 0); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// SSH keys in the formats of other programs, and those that do not fit.
func TestOtherSSHKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	noError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	noError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noError(t, err)
	for what, key := range map[string]any{"Ed25519": ed, "RSA": rs} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		noError(t, err)
		path := write(t, filepath.Join(t.TempDir(), "id"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
		s := Open(Options{Dir: dataDir(t), Identity: path})
		putFake(t, s, "a", "FAKE")
		again := Open(Options{Dir: s.opt.Dir, Identity: write(t, path+".ssh", sshPEM(t, key, ""), 0o600)})
		if _, err := again.Get(t.Context(), "a", 0); err != nil {
			t.Errorf("%s in another format: %v", what, err)
		}
		one, err1 := s.Derive(t.Context(), "p")
		two, err2 := again.Derive(t.Context(), "p")
		if noError(t, err1, err2); !bytes.Equal(one, two) {
			t.Errorf("%s in another format gives other keys", what)
		}
		if known, err := derive(nil, "p"); err != nil || bytes.Equal(one, known) {
			t.Errorf("%s: what is derived is known to everybody, %v", what, err)
		}
	}
	public := func(key any) []byte {
		signer, err := ssh.NewSignerFromKey(key)
		noError(t, err)
		return ssh.MarshalAuthorizedKey(signer.PublicKey())
	}
	for what, c := range map[string]struct {
		pub  []byte
		want string
	}{
		"of another key":  {public(ed), "and its public key do not belong together"},
		"of another kind": {public(ec), "only Ed25519 and RSA keys of SSH can decrypt, and this one is ecdsa-sha2-nistp256"},
		"no public key":   {[]byte("FAKE"), ".pub: "},
	} {
		path := oldRSA(t, filepath.Join(t.TempDir(), "id"), rs)
		write(t, path+".pub", c.pub, 0o644)
		s := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }})
		_, err := s.Derive(t.Context(), "p")
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) || errors.Is(err, store.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	noError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(exchange)
	noError(t, err)
	path := write(t, filepath.Join(t.TempDir(), "id"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	if _, err := Open(Options{Dir: dataDir(t), Identity: path}).Derive(t.Context(), "p"); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("a key that signs nothing: %v", err)
	}
	// Its passphrase is right, and what it opens is damaged.
	path = oldRSA(t, filepath.Join(t.TempDir(), "id"), rs)
	write(t, path, oldPEM(t, []byte("0\x7f")), 0o600) // cut
	if _, err := Open(Options{Dir: dataDir(t), Identity: path, Passphrase: func(string) (string, error) { return passphrase, nil }}).Derive(t.Context(), "p"); err == nil || !strings.Contains(err.Error(), path+" is not a private key that rhx can read") {
		t.Error(err)
	}
}

// Mistakes with key files are named, by the first line that is none of a comment.
func TestWhatAKeyFileIs(t *testing.T) {
	for text, want := range map[string]string{
		"age1fake": ": it is a public key, and the private one is needed", "# x\n\n  age1fake": ": it is a public key, and the private one is needed",
		"ssh-rsa AAAA": ": it is a public key, and the private one is needed", "ecdsa-sha2 AAAA": ": it is a public key, and the private one is needed",
		"x\nage1fake": "", "xage1": "", " \n\t# x": ": it is empty", "": ": it is empty",
	} {
		if got := whatItIs([]byte(text)); got != want {
			t.Errorf("%q%s, want%s", text, got, want)
		}
	}
}

// age does not mix keys that withstand quantum computers with others: that is said.
func TestKeysThatCannotBeUsedTogether(t *testing.T) {
	hybrid, err := age.GenerateHybridIdentity()
	noError(t, err)
	plain, _ := ageKey(t)
	for _, text := range []string{string(plain) + hybrid.String() + "\n", hybrid.String() + "\n" + string(plain)} {
		path := write(t, filepath.Join(t.TempDir(), "id"), []byte(text), 0o600)
		s := Open(Options{Dir: dataDir(t), Identity: path})
		if n, err := s.Put(t.Context(), &secret.Secret{Name: "a"}, 0); err == nil || n != 0 || !strings.Contains(err.Error(), "a key that withstands quantum computers cannot be used together with one that does not") {
			t.Errorf("%d, %v", n, err)
		}
		if infos, err := s.List(t.Context()); err != nil || len(infos) != 0 {
			t.Errorf("%+v, %v", infos, err)
		}
		// The order of keys is what Derive goes by.
		keys, err := s.DeriveAll(t.Context(), "p", true)
		if err != nil || len(keys) != 2 || bytes.Equal(keys[0], keys[1]) {
			t.Errorf("%x, %v", keys, err)
		}
	}
	info, _ := sample()
	if data, err := encodeFile(info, nil, nil); err == nil || data != nil || !strings.Contains(err.Error(), "there is no key to encrypt to") {
		t.Errorf("%q, %v", data, err)
	}
}

// Each character counts by the alphabet, save what guessing begins with or what goes on.
func TestWhatAPassphraseCounts(t *testing.T) {
	small := math.Log2(27)
	for text, want := range map[string]float64{
		"": 0, "k": small, "kx": 2 * small, "password": 10, "PASSword": 10, "asdfghjkl": 10, "asdf": 10, "rootroot": 20,
		"krootk": 2*small + 10, "kkk": 2*small + 1, "kkkk": 2*small + 2, "klm": 2*small + 1, "mlk": 2*small + 1, "kmo": 3 * small, "omk": 3 * small, "kll": 3 * small,
		"kxqkxq": 5*small + 1, "kxkxk": 4*small + 1, "kxkx": 4 * small,
	} {
		if got := guessBits(text); math.Abs(got-want) > 1e-9 {
			t.Errorf("%q: %.3f bits, want %.3f", text, got, want)
		}
	}
	noError(t, strong("rootadmintestloginmaster", "key file", "no key was made")) // just enough
	if err := strong("rootadmintestlogin", "key file", "no key was made"); err == nil || !strings.Contains(err.Error(), "about 2^40 guesses") || !strings.Contains(fault.Hint(err), "--weak") {
		t.Error(err)
	}
}
