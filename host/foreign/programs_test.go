package foreign

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// The passphrase of a file of another person takes no more memory than that of a backup.
func TestAgeBoundsWork(t *testing.T) {
	file := "age-encryption.org/v1\n-> scrypt " + strings.Repeat("A", 22) + " 21\n" + strings.Repeat("A", 43) + "\n--- " + strings.Repeat("A", 43) + "\n" + strings.Repeat("x", 32)
	_, err := Age([]byte(file), nil, 1<<20, func(string) (string, error) { return "FAKE", nil })
	if err == nil || !strings.Contains(err.Error(), "more memory") {
		t.Errorf("%v", err)
	}
}

// What opens with a passphrase says so of a wrong one; what needs a key speaks of keys.
func TestAgeSaysWhatIsWrong(t *testing.T) {
	r, err := age.NewScryptRecipient("FAKE right")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(2)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(identity, []byte(key.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	sealed := filepath.Join(t.TempDir(), "sealed")
	if err := os.WriteFile(sealed, encrypted(t, key.String(), r), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		to         age.Recipient
		identity   string
		passphrase string
		want       string
	}{
		"right passphrase":            {r, "", "FAKE right", ""},
		"wrong passphrase":            {r, "", "FAKE wrong", "wrong passphrase"},
		"a key beside a passphrase":   {r, identity, "FAKE wrong", "wrong passphrase"},
		"right key":                   {key.Recipient(), identity, "", ""},
		"wrong key":                   {other.Recipient(), identity, "", "no key that is given opens it"},
		"sealed key":                  {key.Recipient(), sealed, "FAKE right", ""},
		"sealed key, wrong":           {key.Recipient(), sealed, "FAKE wrong", "the identity " + sealed + ": wrong passphrase"},
		"sealed key, of another file": {other.Recipient(), sealed, "FAKE right", "no key that is given opens it"},
	} {
		var files []string
		if c.identity != "" {
			files = []string{c.identity}
		}
		plain, err := Age(encrypted(t, "text", c.to), files, 1<<20, func(string) (string, error) { return c.passphrase, nil })
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want || err == nil && string(plain) != "text" {
			t.Errorf("%s: %q, %q; not %q", what, plain, got, c.want)
		}
	}
}

func encrypted(t *testing.T, text string, to age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
