package wasm_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/sandbox"
)

// The modules whose files have one credential in each line.
var lineModules = map[string]string{"gitcredentials": ".git-credentials", "pgpass": ".pgpass"}

func newLineGuest(t testing.TB, name string) *guest {
	g := newGuestOf(t, name)
	if n := len(g.mod.Wasm); n > 60<<10 {
		t.Errorf("%s has %d bytes", name, n)
	}
	return g
}

// What a file has is what its expect.json says; it renders into its own file
// without a change, and alone into a new one that reads back, twice the same.
func TestLineCases(t *testing.T) {
	t.Parallel()
	for name, base := range lineModules {
		folders, err := filepath.Glob(name + "/cases/*/expect.json")
		if err != nil || len(folders) < 2 {
			t.Fatalf("%d cases of %s found: %v", len(folders), name, err)
		}
		g := newLineGuest(t, name)
		for _, file := range folders {
			t.Run(name+"/"+filepath.Base(filepath.Dir(file)), func(t *testing.T) {
				var want expectation
				readJSON(t, file, &want)
				data := read(t, filepath.Join(filepath.Dir(file), "home", base))
				got, err := g.extract(data)
				if want.Error != nil {
					wantError(t, err, want.Error.Code, want.Error.Line)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				g := &guest{t, g.box, g.mod}
				g.keeps(data, got, want.Secrets)
			})
		}
	}
}

func TestLinesChangeOnlyWhatTheyMust(t *testing.T) {
	t.Parallel()
	git := func(profile, url, user, password string) sandbox.Secret {
		return sandbox.Secret{Profile: profile, Values: map[string]string{"url": url, "username": user, "password": password}}
	}
	pg := func(profile, password string) sandbox.Secret {
		return sandbox.Secret{Profile: profile, Values: map[string]string{"password": password}}
	}
	for _, c := range []struct {
		rule, module, before, after string
		secret                      sandbox.Secret
	}{
		{"a password is replaced in its line", "gitcredentials", "#\nhttps://a:b@h\nx", "#\nhttps://a:n%3aw%c3%a9@h\nx", git("a@h", "https://h", "a", "n:wé")},
		{"a line is added after one without a newline", "gitcredentials", "https://a:b@h", "https://a:b@h\nhttps://c:d@h\n", git("c@h", "https://h", "c", "d")},
		{"an encoded spelling of the same password stays", "gitcredentials", "https://a:%62@h\n", "https://a:%62@h\n", git("a@h", "https://h", "a", "b")},
		{"a token in the user's place is replaced", "gitcredentials", "https://t-old:x-oauth-basic@h\nhttps://a:b@h\n", "https://t-new:x-oauth-basic@h\nhttps://a:b@h\n", git("h", "https://h", "t-new", "x-oauth-basic")},
		{"a password is replaced in its line", "pgpass", "# c\nh:1:d:u:old:rest\r\nx", "# c\nh:1:d:u:n\\:\\\\w:rest\r\nx", pg("h:1:d:u", `n:\w`)},
		{"a line is added before those that fit all", "pgpass", "# c\n*:*:*:u:any\n", "# c\nh:1:d:u:new\n*:*:*:u:any\n", pg("h:1:d:u", "new")},
		{"a line that fits all is added last", "pgpass", "*:*:*:v:any\nh:1:d:u:p", "*:*:*:v:any\nh:1:d:u:p\n*:*:*:*:new\n", pg("*:*:*:*", "new")},
		{"line endings are those of the file", "pgpass", "h:1:d:u:p\r\n", "h:1:d:u:p\r\nh:1:d:v:new\r\n", pg("h:1:d:v", "new")},
		{"an escaped spelling of the same password stays", "pgpass", "h:1:d:u:\\p\n", "h:1:d:u:\\p\n", pg("h:1:d:u", "p")},
	} {
		t.Run(c.module+"/"+c.rule, func(t *testing.T) {
			got := newLineGuest(t, c.module).mustRender([]byte(c.before), &c.secret)
			if string(got) != c.after {
				t.Errorf("got\n%q, want\n%q", got, c.after)
			}
		})
	}
}

func TestLinesRefuseWhatTheyCannotHold(t *testing.T) {
	t.Parallel()
	ok := map[string]string{"url": "https://h", "username": "a", "password": "fake"}
	with := func(k, v string) map[string]string {
		m := map[string]string{}
		for key, text := range ok {
			m[key] = text
		}
		m[k] = v
		return m
	}
	for _, c := range []struct {
		rule, module string
		secret       sandbox.Secret
	}{
		{"another profile", "gitcredentials", sandbox.Secret{Profile: "b@h", Values: ok}},
		{"another value", "gitcredentials", sandbox.Secret{Profile: "a@h", Values: with("token", "fake")}},
		{"a newline in the password", "gitcredentials", sandbox.Secret{Profile: "a@h", Values: with("password", "fa\nke")}},
		{"a newline in the url", "gitcredentials", sandbox.Secret{Profile: "a@h\n", Values: with("url", "https://h\n")}},
		{"a url without a protocol", "gitcredentials", sandbox.Secret{Profile: "a@h", Values: with("url", "h")}},
		{"a user in the url", "gitcredentials", sandbox.Secret{Profile: "a@b@h", Values: with("url", "https://b@h")}},
		{"no profile", "pgpass", sandbox.Secret{Values: map[string]string{"password": "fake"}}},
		{"a profile of three fields", "pgpass", sandbox.Secret{Profile: "h:1:d", Values: map[string]string{"password": "fake"}}},
		{"a profile of five fields", "pgpass", sandbox.Secret{Profile: "h:1:d:u:x", Values: map[string]string{"password": "fake"}}},
		{"a profile that is a comment", "pgpass", sandbox.Secret{Profile: "#h:1:d:u", Values: map[string]string{"password": "fake"}}},
		{"a newline in the profile", "pgpass", sandbox.Secret{Profile: "h:1:d:\nu", Values: map[string]string{"password": "fake"}}},
		{"a newline in the password", "pgpass", sandbox.Secret{Profile: "h:1:d:u", Values: map[string]string{"password": "fa\nke"}}},
		{"another value", "pgpass", sandbox.Secret{Profile: "h:1:d:u", Values: with("password", "fake")}},
	} {
		t.Run(c.module+"/"+c.rule, func(t *testing.T) {
			_, err := newLineGuest(t, c.module).render(nil, &c.secret)
			wantError(t, err, sandbox.Unsupported, 0)
		})
	}
}

// Whatever the file, the module answers in time: with secrets or an error.
func TestLinesSurviveHostileFiles(t *testing.T) {
	t.Parallel()
	random := make([]byte, 64<<10)
	source := rand.NewChaCha8([32]byte{1})
	if _, err := source.Read(random); err != nil {
		t.Fatal(err)
	}
	for name, base := range lineModules {
		g := newLineGuest(t, name)
		basic := read(t, filepath.Join(name, "cases/basic/home", base))
		files := map[string][]byte{"empty": {}, "random": random}
		for i := range basic {
			files["cut"] = basic[:i]
			if _, err := g.extract(basic[:i]); err != nil {
				t.Errorf("%s: cut after %d bytes: %v", name, i, err)
			}
		}
		for _, part := range []string{"x", "\n", ":", "%", "\\", "h:1:d:u:p\n", "https://a:b@h\n", "https://"} {
			files["64 KiB of "+part] = []byte(strings.Repeat(part, (64<<10)/len(part)))
		}
		for what, data := range files {
			var reported *sandbox.GuestError
			if _, err := g.extract(data); err != nil && !errors.As(err, &reported) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		// Such a file is past anything that people have: an answer or the limit.
		var reported *sandbox.GuestError
		g = g.hurried()
		_, err := g.extract([]byte(strings.Repeat("https://a:b@h\n", 4<<20/14)))
		if err != nil && !errors.As(err, &reported) && !errors.Is(err, sandbox.ErrLimit) {
			t.Errorf("%s: 4 MiB: %v", name, err)
		}
	}
}

// What is read from any bytes can be written back without a change.
func FuzzLines(f *testing.F) {
	guests := map[string]*guest{}
	for name, base := range lineModules {
		guests[name] = newLineGuest(f, name)
		f.Add(read(f, filepath.Join(name, "cases/basic/home", base)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, shared := range guests {
			g := &guest{t, shared.box, shared.mod}
			secrets, err := g.extract(data)
			var reported *sandbox.GuestError
			if err != nil && !errors.As(err, &reported) {
				t.Fatalf("%s: %v", name, err)
			}
			for _, s := range secrets {
				if out := g.mustRender(data, &s); !bytes.Equal(out, data) {
					t.Fatalf("%s: rendering what was read changed the file", name)
				}
			}
		}
	})
}

// A token that stands in the user's place is in no profile's name, whatever stands
// for the password.
func TestTokensAreInNoName(t *testing.T) {
	t.Parallel()
	g := newGuestOf(t, "gitcredentials")
	for _, form := range []string{"ghp_", "gho_", "github_pat_", "glpat-", "hf_", "npm_", "pypi-", "sk-", "hvs.", "ATATT3", "eyJ"} {
		token := form + strings.Repeat("fake", 7)
		got, err := g.extract([]byte("https://" + token + ":pass@h\n"))
		if err != nil || len(got) != 1 || got[0].Profile != "h" || got[0].Values["username"] != token {
			t.Errorf("%s: %v %v", form, got, err)
		}
	}
	got, err := g.extract([]byte("https://ghp_short:pass@h\n"))
	if err != nil || len(got) != 1 || got[0].Profile != "ghp_short@h" {
		t.Errorf("a user's name: %v %v", got, err)
	}
}
