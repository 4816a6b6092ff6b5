//go:build unix

package vaultstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// helperHome is a home folder whose configuration of the vault command names a
// helper with the given script.
func helperHome(t *testing.T, script string) (home, program string) {
	t.Helper()
	home = t.TempDir()
	program = filepath.Join(home, "helper.sh")
	writeFile(t, program, 0o755, "#!/bin/sh\n"+script+"\n")
	writeFile(t, filepath.Join(home, ".vault"), 0o600, "token_helper = \""+program+"\"\n")
	writeFile(t, filepath.Join(home, ".vault-token"), 0o600, "fake-of-the-file\n")
	return home, program
}

func writeFile(t *testing.T, path string, mode os.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestTheTokenHelperOfTheVaultCLI(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("RHX_AGE_PASSPHRASE", "fake-passphrase")
	t.Setenv("RHX_BACKUP_PASSPHRASE", "fake-passphrase")
	t.Setenv("VAULT_TOKEN", "fake-of-the-process")
	home, program := helperHome(t, `echo "$@ $VAULT_ADDR $RHX_AGE_PASSPHRASE$RHX_BACKUP_PASSPHRASE$VAULT_TOKEN" >>`+log+`
read line && echo stdin >>`+log+`
echo 'a note' >&2
echo `+server.RootToken)
	open := func(home string, more ...string) *Store {
		t.Helper()
		s, err := Open(Options{URL: Scheme + mount, Getenv: server.Getenv(t, "", more...), Home: home})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open(home)
	if _, err := os.Stat(log); err == nil {
		t.Error("the helper ran before there was a request")
	}
	put(t, s, awsProd(), 0)
	get(t, s, awsProd().Name, 0)
	if b, err := os.ReadFile(log); err != nil || string(b) != "get "+server.Addr+" \n" {
		t.Errorf("the helper was run with %q, %v", b, err)
	}
	// The vault command of that home gets its token in the same way.
	if out := server.CLIAt(t, home, "print", "token"); strings.TrimSpace(out) != server.RootToken {
		t.Error("the vault command has another token")
	}
	// VAULT_TOKEN goes before it, and a file elsewhere is named by a variable.
	_ = os.Remove(log)
	get(t, open(home, "VAULT_TOKEN", server.RootToken), awsProd().Name, 0)
	if _, err := os.Stat(log); err == nil {
		t.Error("the helper ran though there is VAULT_TOKEN")
	}
	elsewhere := t.TempDir()
	writeFile(t, filepath.Join(elsewhere, "config"), 0o600, `{"token_helper": "`+program+`"}`)
	get(t, open(elsewhere, "VAULT_CONFIG_PATH", filepath.Join(elsewhere, "config")), awsProd().Name, 0)
	get(t, open(elsewhere, "VAULT_CONFIG_PATH", "~/config"), awsProd().Name, 0)
	// OpenBao's, and its own place for the token.
	bao := t.TempDir()
	writeFile(t, filepath.Join(bao, ".bao"), 0o600, `token_helper = "`+program+`"`)
	get(t, open(bao), awsProd().Name, 0)
	writeFile(t, filepath.Join(bao, ".vault"), 0o600, `token_helper = "/bin/false"`)
	get(t, open(bao, "VAULT_ADDR", "", "BAO_ADDR", server.Addr), awsProd().Name, 0)
	_, err := open(bao).Get(t.Context(), awsProd().Name, 0)
	wantFault(t, err, nil, "/bin/false", "")
	file := filepath.Join(t.TempDir(), "token")
	writeFile(t, file, 0o600, server.RootToken+"\n")
	get(t, open(t.TempDir(), "BAO_TOKEN_PATH", file), awsProd().Name, 0)
}

func TestTokenHelpersThatFail(t *testing.T) {
	server := vaulttest.Shared(t)
	mount := server.MountKV(t, "kv", 2, 0)
	for what, c := range map[string]struct{ script, text, hint string }{
		"fails":             {"echo 'the keyring is locked' >&2; exit 3", "exit status 3: the keyring is locked", "VAULT_TOKEN goes before it"},
		"says much":         {"yes 'fake line' | head -n 100000 >&2; exit 1", "fake line", ""},
		"prints much":       {"yes fake | head -n 100000", "prints more than a token", ""},
		"prints no token":   {"echo 'not a token'", "has a character that no token has", ""},
		"prints nothing":    {":", "there is no Vault token: the token helper", "vault login"},
		"hangs":             {"exec sleep 1000", "gave no token within 200ms", ""},
		"leaves a process":  {"sleep 2 & echo hvs.fake", "was refused", ""},
		"gives a wrong one": {"echo hvs.fake-wrong", "the token in the token helper of the vault command was refused", "vault login"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			home, _ := helperHome(t, c.script)
			timeout := "60s"
			if what == "hangs" {
				timeout = "200ms"
			}
			s, err := Open(Options{URL: Scheme + mount, Getenv: server.Getenv(t, "", "VAULT_CLIENT_TIMEOUT", timeout), Home: home})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it is not run again
				_, err = s.Get(t.Context(), "a", 0)
				wantFault(t, err, nil, c.text, c.hint)
				if errors.Is(err, store.ErrNotFound) || len(err.Error()) > 1000 {
					t.Errorf("%.2000v", err)
				}
			}
		})
	}
	// Ctrl-C ends the helper, and is no failure of it.
	home, _ := helperHome(t, "exec sleep 1000")
	s, err := Open(Options{URL: Scheme + mount, Getenv: server.Getenv(t, ""), Home: home})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, "a", 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestTokenHelpersThatAreNotTaken(t *testing.T) {
	home, program := helperHome(t, "echo fake")
	config := filepath.Join(home, ".vault")
	try := func(what, text string) {
		t.Helper()
		_, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault"), Home: home})
		wantFault(t, err, nil, text, "VAULT_TOKEN")
		if err == nil {
			t.Errorf("%s: it is taken", what)
		}
	}
	writeFile(t, config, 0o602, `token_helper = "`+program+`"`)
	try("a configuration that others can write", "/.vault (mode 0602): it is not used")
	writeFile(t, config, 0o600, `token_helper = "`+program+`"`)
	writeFile(t, program, 0o777, "#!/bin/sh\n")
	try("a program that others can write", "helper.sh (mode 0777): it is not used")
	writeFile(t, config, 0o600, `token_helper = "`+program+`-none"`)
	try("a program that is not there", "helper.sh-none: no such file")
	writeFile(t, config, 0o600, `token_helper = "helper.sh"`)
	try("a relative path", "not an absolute path")
	writeFile(t, config, 0o600, `token_helper = helper`)
	try("no text", "not a text in quotes")
	if os.Geteuid() == 0 {
		writeFile(t, config, 0o600, `token_helper = "`+program+`"`)
		writeFile(t, program, 0o755, "#!/bin/sh\n")
		if err := os.Chown(program, 12345, -1); err != nil {
			t.Fatal(err)
		}
		try("another user's program", "helper.sh belongs to user 12345")
	}
	// What is another program's is none of it.
	for _, other := range []string{"", "a password of Ansible Vault\n", "# token_helper = \"/x\"\n", "[defaults]\nx = 1\n"} {
		writeFile(t, config, 0o600, other)
		s, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault"), Home: home})
		if err != nil || s.c.helper != nil {
			t.Errorf("%q: %v", other, err)
		}
	}
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(config, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault"), Home: home}); err != nil {
		t.Errorf("a folder: %v", err)
	}
	// The token's own file is no other program's.
	token := filepath.Join(home, ".vault-token")
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(token, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{URL: "vault://secret", Getenv: vars("VAULT_ADDR", "https://vault"), Home: home})
	wantFault(t, err, nil, "not a plain file", "VAULT_TOKEN")
}

func TestParseHelper(t *testing.T) {
	for text, want := range map[string]string{
		"token_helper = \"/a b/c\"":                                                 "/a b/c",
		"  token_helper=\"/x\" # old\n":                                             "/x",
		"\"token_helper\" = \"/x\"\r\n":                                             "/x",
		"{\"token_helper\":\"/x\"}":                                                 "/x",
		"{\n  \"token_helper\": \"/x\"\n}\n":                                        "/x",
		"// token_helper = \"/a\"\ntoken_helper = \"/b\\\\c\"":                      "/b\\c",
		"/* token_helper = \"/a\"\ntoken_helper = \"/c\" */\ntoken_helper = \"/b\"": "/b",
		"/* token_helper = \"/a\"":                                                  "",
		"token_helper = \"\"":                                                       "",
		"token_helpers = \"/x\"\nmy_token_helper = \"/y\"":                          "",
		"": "",
	} {
		if got, err := parseHelper(text); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"token_helper", "token_helper =", "token_helper = `/x`", "token_helper = \"/x", "token_helper = \"x\"", "token_helper = \"/x\"\ntoken_helper = \"/y\"", "token_helper = <<EOF\n/x\nEOF"} {
		if got, err := parseHelper(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzParseHelper(f *testing.F) {
	for _, s := range []string{"token_helper = \"/x\"", "{\"token_helper\":\"/x\"}", "/* */token_helper=\"\\u0000\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if path, err := parseHelper(text); err == nil && path != "" && (!filepath.IsAbs(path) || !strings.Contains(text, "token_helper")) {
			t.Errorf("%q names %q", text, path)
		} else if err != nil && fault.Hint(err) != "" {
			t.Errorf("%v", err)
		}
	})
}
