package foreign

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

// The names are those of chezmoi's reference (source state attributes).
func TestChezmoiTarget(t *testing.T) {
	for name, want := range map[string]string{
		"dot_netrc":                                    "",
		"encrypted_dot_netrc.age":                      ".netrc",
		"encrypted_private_dot_netrc.asc":              ".netrc",
		"encrypted_private_readonly_executable_x.age":  "x",
		"private_dot_ssh/encrypted_private_id_rsa.age": ".ssh/id_rsa",
		"exact_private_dot_config/gh/encrypted_a.age":  ".config/gh/a",
		"create_encrypted_dot_x.age":                   ".x",
		"modify_encrypted_dot_x.age":                   ".x: it is a script",
		"encrypted_dot_x.tmpl.age":                     ".x: it is a template",
		"encrypted_literal_dot_x.age":                  "dot_x",
		"encrypted_x.tmpl.literal.age":                 "x.tmpl",
		"encrypted_empty_dot_x":                        ".x",
		"dot_a/dot_b/encrypted_dot_c.age":              ".a/.b/.c",
		"not_encrypted_x.age":                          "",
	} {
		target, encrypted, why := chezmoiTarget(name)
		got := target
		if why != "" {
			got += ": " + why
		}
		if encrypted != (want != "") || got != want {
			t.Errorf("%s: %q, %v, not %q", name, got, encrypted, want)
		}
	}
}

// What its files say leads nowhere else.
func TestChezmoiRoot(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := chezmoiRoot(dir); got != dir || err != nil {
		t.Error(got, err)
	}
	write(".chezmoiroot", "home\n")
	if got, err := chezmoiRoot(dir); got != filepath.Join(dir, "home") || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"../x", "/etc", "", "a/../../b"} {
		write(".chezmoiroot", bad)
		if got, err := chezmoiRoot(dir); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

func TestChezmoiIdentities(t *testing.T) {
	home := t.TempDir()
	for name, text := range map[string]string{"toml": "[age]\nidentity = \"~/a\"\nidentities = [\"/b\"]\n", "yaml": "age:\n  identity: ~/a\n  identities: [/b]\n", "json": `{"age":{"identity":"~/a","identities":["/b"]}}`} {
		conf := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Join(conf, "chezmoi"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(conf, "chezmoi", "chezmoi."+name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ChezmoiIdentities(home, conf)
		if err != nil || strings.Join(got, " ") != filepath.Join(home, "a")+" /b" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := ChezmoiIdentities(home, home); got != nil || err != nil {
		t.Error(got, err)
	}
}

// Of a folder nothing is read through links, and what does not open is not tried for ever.
func TestPassFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.gpg": "bad", "b.gpg": "bad", "c.gpg": "good", "d.gpg": "bad", "e.gpg": "bad", "f.gpg": "bad", "g.gpg": "good", "sub/h.age": "good", ".git/x.gpg": "good", ".gpg-id": "id", "note": "x"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "big.gpg"), bytes.Repeat([]byte("x"), MaxSealed+1), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "x.gpg")
	if err := os.WriteFile(outside, []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.gpg")); err != nil {
		t.Fatal(err)
	}
	tried := 0
	decrypt := func(_ context.Context, end string, data []byte) ([]byte, error) {
		tried++
		if string(data) == "bad" {
			return nil, errors.New("it does not open")
		}
		return []byte("FAKE" + end), nil
	}
	same(t, "folder", said(Pass(t.Context(), dir, decrypt)), `
c | password="FAKE.gpg"
left a: it does not open
left b: it does not open
left big: it is larger than 2 MiB
left d: it does not open
left e: it does not open
left f: it does not open
left g: not tried: those before it could not be decrypted
left link.gpg: it is a link, or no regular file
left note: it is no file of the password store (no value)
left sub/h: not tried: those before it could not be decrypted`)
	if tried != 6 {
		t.Error(tried)
	}
	if _, err := Pass(t.Context(), filepath.Join(dir, "none"), decrypt); err == nil {
		t.Error("no folder")
	}
	gone := func(context.Context, string, []byte) ([]byte, error) {
		return nil, fault.Mark(errors.New("gone"), errNoTool)
	}
	if _, err := Pass(t.Context(), dir, gone); !errors.Is(err, errNoTool) {
		t.Error(err)
	}
}

// A program gets no more than it needs, no shell, and not for ever; what it says is cut.
func TestTool(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "faketool")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncase $1 in\nenv) env | sort ;;\nin) cat ;;\nfail) echo one >&2; echo 'two last' >&2; exit 3 ;;\nquiet) exit 4 ;;\nlong) printf '%01000d' 7 >&2; exit 1 ;;\nhang) exec sleep 60 ;;\nesac\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	tool := NewTool("faketool", []string{"PATH=" + os.Getenv("PATH"), "HOME=/h", "SECRET=FAKE", "OTHER_A=b", "TOOL_X=1", "LC_ALL=C"}, time.Minute, "TOOL_")
	run := func(args ...string) string {
		out, err := tool.Run(t.Context(), []byte("FAKEin"), args...)
		if err != nil {
			return "error: " + err.Error()
		}
		return string(out)
	}
	env := run("env")
	for _, want := range []string{"HOME=/h\n", "LC_ALL=C\n", "TOOL_X=1\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %s in\n%s", want, env)
		}
	}
	if strings.Contains(env, "FAKE") || strings.Contains(env, "OTHER") {
		t.Error(env)
	}
	for args, want := range map[string]string{"in": "FAKEin", "fail": "error: faketool failed: two last", "quiet": "error: faketool failed: exit status 4"} {
		if got := run(args); got != want {
			t.Errorf("%s: %q", args, got)
		}
	}
	if got := run("long"); len(got) > 400 || !strings.HasSuffix(got, " …") {
		t.Errorf("%q", got)
	}
	tool.Within = 100 * time.Millisecond
	if got := run("hang"); got != "error: faketool did not answer within 100ms" {
		t.Error(got)
	}
	tool.Name = "no-such-tool"
	if _, err := tool.Run(t.Context(), nil); !errors.Is(err, errNoTool) || fault.Hint(err) != "install no-such-tool" {
		t.Error(err)
	}
}
