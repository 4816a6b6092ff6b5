package agestore

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/secret"
)

// secretName is the inverse of [folderName]. ok is false for what folderName
// does not return, and for the hash of a long name.
func secretName(folder string) (name string, ok bool) {
	name, ok = percentDecode(folder)
	return name, ok && folder != "" && folderName(name) == folder
}

func TestFolderName(t *testing.T) {
	for name, want := range map[string]string{
		"openai":                 "openai",
		"aws/prod":               "aws%2fprod",
		"aws/prod%20eu":          "aws%2fprod%2520eu",
		"A":                      "%41",
		"a":                      "a",
		"az09_-@+.x":             "az09_-@+.x",
		"`{/:!~":                 "%60%7b%2f%3a%21%7e",
		"ssh/id_ed25519":         "ssh%2fid_ed25519",
		".hidden":                "%2ehidden",
		"dot.":                   "dot%2e",
		"...":                    "%2e.%2e",
		"con":                    "%63on",
		"con.txt":                "%63on.txt",
		"CON":                    "%43%4f%4e",
		"com1":                   "%63om1",
		"com10":                  "com10",
		"console":                "console",
		"é":                      "%c3%a9",
		"e\u0301":                "e%cc%81",
		"a b ":                   "a%20b%20",
		`a\b:c*`:                 "a%5cb%3ac%2a",
		strings.Repeat("n", 128): strings.Repeat("n", 128),
		strings.Repeat("n", 129): "=",
		strings.Repeat("é", 30):  "=",
	} {
		got := folderName(name)
		if strings.HasPrefix(want, "=") {
			if len(got) != 65 || got[0] != '=' {
				t.Errorf("folderName(%q) = %q, want a hash", name, got)
			}
			if _, ok := secretName(got); ok {
				t.Errorf("the hash of %q is read as a name", name)
			}
			continue
		}
		if got != want {
			t.Errorf("folderName(%q) = %q, want %q", name, got, want)
		}
		if back, ok := secretName(got); !ok || back != name {
			t.Errorf("secretName(%q) = %q, %v, want %q", got, back, ok, name)
		}
	}
}

func TestSecretNameRefusesWhatFolderNameDoesNotMake(t *testing.T) {
	for _, folder := range []string{"", "A", "a%2Fb", "%61", "a%", "a%2", "a%zz", ".tmp", "con", "dot.", "a b", strings.Repeat("n", 129), "=00"} {
		if name, ok := secretName(folder); ok {
			t.Errorf("secretName(%q) = %q, want none", folder, name)
		}
	}
}

// FuzzFileName proves that names and folders map one to one, onto folder names
// that every file system keeps as they are.
func FuzzFileName(f *testing.F) {
	for _, name := range []string{"a", "A", "a/b", "aws/prod%20eu", ".hidden", "dot.", "con", "CON.age", "lpt9.x", "é", "e\u0301", "\xff", " ", "a\\b", "=00", "~", strings.Repeat("N", 43), strings.Repeat("n", 300)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if secret.ValidName(name) != nil {
			return
		}
		folder := folderName(name)
		if len(folder) > maxFolderName || folder == "" || folder[0] == '.' || folder[len(folder)-1] == '.' || reservedName(folder) {
			t.Fatalf("folderName(%q) = %q", name, folder)
		}
		for i := 0; i < len(folder); i++ {
			if c := folder[i]; !plainByte(c) && c != '%' && (c != '=' || i > 0) {
				t.Fatalf("folderName(%q) = %q has %q", name, folder, c)
			}
		}
		back, ok := secretName(folder)
		if hashed := folder[0] == '='; ok == hashed || ok && back != name {
			t.Fatalf("secretName(%q) = %q, %v, want %q", folder, back, ok, name)
		}
	})
}
