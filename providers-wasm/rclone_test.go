package wasm_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

const rcloneConf = "~/.config/rclone/rclone.conf"

func newRclone(t testing.TB) *guest { return newGuestOf(t, "rclone") }

// obscuredKey is the key in rclone's fs/config/obscure.
var obscuredKey = []byte{
	0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b,
	0xd3, 0x90, 0x19, 0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
}

// obscure does as rclone does, with Go's own AES.
func obscure(t testing.TB, text, iv string) string {
	block, err := aes.NewCipher(obscuredKey)
	if err != nil {
		t.Fatal(err)
	}
	out := append([]byte(iv), text...)
	cipher.NewCTR(block, []byte(iv)).XORKeyStream(out[16:], out[16:])
	return base64.RawURLEncoding.EncodeToString(out)
}

// reveal undoes obscure, and returns the IV too.
func reveal(t testing.TB, obscured string) (text, iv string) {
	b, err := base64.RawURLEncoding.DecodeString(obscured)
	if err != nil || len(b) < 16 {
		t.Fatalf("%q is not obscured: %v", obscured, err)
	}
	block, err := aes.NewCipher(obscuredKey)
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCTR(block, b[:16]).XORKeyStream(b[16:], b[16:])
	return string(b[16:]), string(b[:16])
}

// The files were written by rclone, or by hand and read by it; the values are
// what rclone config dump and rclone reveal print.
func TestRcloneCases(t *testing.T) {
	t.Parallel()
	newRclone(t).runCases(t, "rclone", ".config/rclone/rclone.conf", "user", "new")
}

const someRemotes = "# mine\n[a]\ntype = sftp\nuser=u\nhost : h \npass = %A%\n; the end of a\n\n[b]\ntype = s3\nsecret_access_key = fake\nregion = r\n"

// Rendering changes the lines of one remote's options and no other byte. "%A%"
// stands for the obscured "fake-a", "<TEXT>" for TEXT obscured with a new IV.
func TestRcloneRenderChangesOnlyItsLines(t *testing.T) {
	t.Parallel()
	g := newRclone(t)
	old := obscure(t, "fake-a", "0123456789abcdef")
	a := map[string]string{"type": "sftp", "user": "u", "host": "h", "pass": "fake-a"}
	for _, c := range []struct {
		name, before string
		profile      string
		values       map[string]string // besides those of the remote a, "" for none
		after        string
	}{
		{"nothing", someRemotes, "a", nil, someRemotes},
		{"a value", someRemotes, "a", map[string]string{"host": "h2"}, strings.Replace(someRemotes, "host : h ", "host : h2 ", 1)},
		{"a password", someRemotes, "a", map[string]string{"pass": "fake-new"}, strings.Replace(someRemotes, "%A%", "<fake-new>", 1)},
		{"a new option after the last", someRemotes, "a", map[string]string{"port": "22"}, strings.Replace(someRemotes, "%A%\n", "%A%\nport = 22\n", 1)},
		{"a public option that the secret does not have stays", someRemotes, "a", map[string]string{"user": ""}, someRemotes},
		{"a secret option that the secret does not have goes", someRemotes, "a", map[string]string{"pass": ""}, strings.Replace(someRemotes, "pass = %A%\n", "", 1)},
		{"an empty option stays", "[a]\ntype = sftp\nuser = u\nhost = h\npass = %A%\nask_password =\n", "a", nil, "[a]\ntype = sftp\nuser = u\nhost = h\npass = %A%\nask_password =\n"},
		{"an empty option is filled", "[a]\ntype = sftp\nuser =\nhost = \npass=\n", "a", nil, "[a]\ntype = sftp\nuser = u\nhost = h\npass= <fake-a>\n"},
		{"another remote", someRemotes, "c", nil, someRemotes + "\n[c]\ntype = sftp\nhost = h\npass = <fake-a>\nuser = u\n\n"},
		{"another remote after a blank line", "[b]\ntype = local\n\n", "c d", nil, "[b]\ntype = local\n\n[c d]\ntype = sftp\nhost = h\npass = <fake-a>\nuser = u\n\n"},
		{"no newline at the end", "[b]\r\ntype = local", "c", nil, "[b]\r\ntype = local\r\n\r\n[c]\r\ntype = sftp\r\nhost = h\r\npass = <fake-a>\r\nuser = u\r\n\r\n"},
		{"no newline at the end of the remote", "[a]\ntype = sftp", "a", nil, "[a]\ntype = sftp\nhost = h\npass = <fake-a>\nuser = u\n"},
		{"nothing new at the end of a file without newline", "[a]\ntype = sftp\nuser = u\nhost = h\npass = %A%", "a", nil, "[a]\ntype = sftp\nuser = u\nhost = h\npass = %A%"},
		{"an empty remote", "\ufeff[a]\n\n[b]\n", "a", nil, "\ufeff[a]\ntype = sftp\nhost = h\npass = <fake-a>\nuser = u\n\n[b]\n"},
		{"a remote in two parts", "[a]\ntype = sftp\nuser = u\n[b]\n[a]\nhost = x\n", "a", nil, "[a]\ntype = sftp\nuser = u\n[b]\n[a]\nhost = h\npass = <fake-a>\n"},
		{"the last of equal keys", "[a]\ntype = sftp\nuser = u\nhost = x\nhost = y\npass = %A%\n", "a", nil, "[a]\ntype = sftp\nuser = u\nhost = x\nhost = h\npass = %A%\n"},
		{"quoted blanks", "[a]\ntype = sftp\nuser = `u `\nhost = h\npass = %A%\n", "a", map[string]string{"host": " h", "user": "`u"}, "[a]\ntype = sftp\nuser = \"\"\"`u\"\"\"\nhost = ` h`\npass = %A%\n"},
		{"options above every remote", "type = sftp\nhost = x\n[b]\ntype = local\n", "DEFAULT", nil, "type = sftp\nhost = h\npass = <fake-a>\nuser = u\n[b]\ntype = local\n"},
		{"a password of another type is obscured now", "[a]\ntype = sftp\nuser = u\nhost = h\npass = %A%\napi_key = fake-key\n", "a", map[string]string{"type": "filen", "api_key": "fake-key"}, "[a]\ntype = filen\nuser = u\nhost = h\npass = %A%\napi_key = <fake-key>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &guest{t, g.box, g.mod}
			values := maps.Clone(a)
			for k, v := range c.values {
				if values[k] = v; v == "" {
					delete(values, k)
				}
			}
			before := []byte(strings.ReplaceAll(c.before, "%A%", old))
			got := g.mustRender(before, &sandbox.Secret{Profile: c.profile, Values: values})
			want := regexp.QuoteMeta(strings.ReplaceAll(c.after, "%A%", old))
			want = regexp.MustCompile(`<[a-z-]+>`).ReplaceAllStringFunc(want, func(m string) string {
				return `([A-Za-z0-9_-]{` + strconv.Itoa(((16+len(m)-2)*8+5)/6) + `})`
			})
			m := regexp.MustCompile(`\A` + want + `\z`).FindSubmatch(got)
			if m == nil {
				t.Fatalf("got\n%s\nwant\n%s", got, c.after)
			}
			for i, text := range regexp.MustCompile(`<([a-z-]+)>`).FindAllStringSubmatch(c.after, -1) {
				if plain, _ := reveal(t, string(m[i+1])); plain != text[1] {
					t.Errorf("%s is revealed as %q", text[0], plain)
				}
			}
			if again := g.mustRender(got, &sandbox.Secret{Profile: c.profile, Values: values}); !bytes.Equal(again, got) {
				t.Error("a second render changed the file")
			}
		})
	}
}

// A sandbox has no randomness: the IV is made of what is obscured, so that the
// same is the same everywhere, and what differs in anything shares none.
func TestRcloneIVs(t *testing.T) {
	t.Parallel()
	g := newRclone(t)
	line := regexp.MustCompile(`(?m)^(?:pass|password) = (.*)$`)
	seen := map[string]string{}
	for _, remote := range []string{"a", "b", "ab"} {
		for _, option := range []string{"pass", "password"} {
			for _, value := range []string{"x", "fake", "fakefakefakefake", "fakefakefakefake1", strings.Repeat("long", 100)} {
				var first []byte
				for range 2 {
					out := g.mustRender(nil, &sandbox.Secret{Profile: remote, Values: map[string]string{option: value}})
					if first != nil && !bytes.Equal(out, first) {
						t.Errorf("%s %s is not the same every time", remote, option)
					}
					first = out
				}
				text, iv := reveal(t, string(line.FindSubmatch(first)[1]))
				if text != value {
					t.Errorf("%q is revealed as %q", value, text)
				}
				if seen[iv] != "" {
					t.Errorf("%s %s %s has the IV of %s", remote, option, value, seen[iv])
				}
				seen[iv] = remote + " " + option + " " + value
			}
		}
	}
}

func TestRcloneRenderRefusesWhatTheFileCannotHold(t *testing.T) {
	t.Parallel()
	g := newRclone(t)
	for name, s := range map[string]sandbox.Secret{
		"no name":                {Values: map[string]string{"user": "u"}},
		"a bracket in a name":    {Profile: "a]b", Values: map[string]string{"user": "u"}},
		"a slash in a name":      {Profile: "a/b", Values: map[string]string{"user": "u"}},
		"a newline in a name":    {Profile: "a\nb", Values: map[string]string{"user": "u"}},
		"a dash first":           {Profile: "-a", Values: map[string]string{"user": "u"}},
		"a blank at the end":     {Profile: "a ", Values: map[string]string{"user": "u"}},
		"a newline in a value":   {Profile: "a", Values: map[string]string{"user": "u\nv"}},
		"a zero byte":            {Profile: "a", Values: map[string]string{"user": "u\x00"}},
		"what rclone replaces":   {Profile: "a", Values: map[string]string{"user": "u%(x)s"}},
		"an option with =":       {Profile: "a", Values: map[string]string{"us=er": "u"}},
		"an option with newline": {Profile: "a", Values: map[string]string{"us\ner": "u"}},
		"an option like a note":  {Profile: "a", Values: map[string]string{"#user": "u"}},
		"an option of rclone's":  {Profile: "a", Values: map[string]string{"-": "u"}},
	} {
		_, err := g.render(nil, &s)
		t.Run(name, func(t *testing.T) { wantError(t, err, sandbox.Unsupported, 0) })
	}
	// A password may hold anything: it is obscured.
	hard := &sandbox.Secret{Profile: "a", Values: map[string]string{"pass": " `\n%(x)s\x00\"\"\"☃ "}}
	if back := g.mustExtract(g.mustRender(nil, hard)); back[0].Values["pass"] != hard.Values["pass"] {
		t.Error("a password with every hard sign does not read back")
	}
}

// The module keeps public options that a secret does not have, and rhx asks
// nobody about them: both go by one list.
func TestRclonePublicOptionsAreThoseOfTheSpec(t *testing.T) {
	t.Parallel()
	g := newRclone(t)
	sp, err := spec.NewRegistry(specs.All(), "").Get("rclone")
	if err != nil {
		t.Fatal(err)
	}
	text := "[a]\nnot_in_the_spec = fake\n"
	for _, v := range sp.Values {
		text += v.Name + " = fake\n"
	}
	s := g.mustExtract([]byte(text))[0]
	for k := range s.Values {
		if slices.Contains(s.Public, k) != sp.Public(k) {
			t.Errorf("%s is public in one of the module and the spec", k)
		}
	}
	source := read(t, "rclone/rclone.c")
	list := regexp.MustCompile(`(?s)public\[\] = \{(.*?)\}`).FindSubmatch(source)[1]
	if n := bytes.Count(list, []byte(",")); n != len(sp.Values) {
		t.Errorf("the module has %d public options, the spec %d", n, len(sp.Values))
	}
}

func TestRcloneLargeFiles(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{"remotes": "[a]\nx=y\n", "options": "x = y\n", "passwords": "pass = " + obscure(t, strings.Repeat("x", 5000), "0123456789abcdef") + "\n"} {
		g := newRclone(t)
		if _, err := g.extract([]byte(strings.Repeat(lines, 32<<10/len(lines)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		g = g.hurried()
		if _, err := g.extract([]byte(strings.Repeat(lines, (4<<20-100)/len(lines)))); err != nil && !errors.Is(err, sandbox.ErrLimit) {
			t.Errorf("4 MiB of %s: %v", name, err)
		}
	}
}

// Whatever the bytes, the guest answers: it never traps, what it reads it can
// write back without a change, and what it writes anew it can read.
func FuzzRclone(f *testing.F) {
	g := newRclone(f)
	files, err := filepath.Glob("rclone/cases/*/home/.config/rclone/rclone.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		f.Add(read(f, name), "pass", "fake")
	}
	f.Add([]byte("[]\n[a]\nx=y"), "x", "`")
	f.Add([]byte("`a`b=c\n\"\"\"d\"\"\":e\n"), "a b", " \"\"\" ")
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return // the sandbox is never asked this
		}
		g := &guest{t, g.box, g.mod}
		secrets, err := g.extract(data)
		var reported *sandbox.GuestError
		if err != nil && !errors.As(err, &reported) {
			t.Fatal(err)
		}
		for _, s := range secrets {
			out, err := g.render(data, &s)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out, data) {
				t.Fatalf("rendering what was read changed the file to %q", out)
			}
			s.Values = maps.Clone(s.Values)
			s.Values[key] = value
			out, err = g.render(data, &s)
			if errors.As(err, &reported) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			after := g.mustExtract(out)
			if len(after) != len(secrets) {
				t.Fatalf("%d remotes have become %d", len(secrets), len(after))
			}
			for i, b := range secrets {
				if b.Profile == s.Profile {
					b = s
				}
				if !maps.Equal(after[i].Values, b.Values) {
					t.Fatalf("remote %q reads back as %q from %q", b.Profile, after[i].Values, out)
				}
			}
		}
	})
}

func TestRcloneDescribe(t *testing.T) {
	t.Parallel()
	g := newRclone(t)
	resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Describe})
	if err != nil || resp.Name != "rclone" || resp.Version != "1" || len(resp.Ops) != 3 {
		t.Errorf("describes itself as %+v, %v", resp, err)
	}
	for _, file := range []sandbox.File{{Path: rcloneConf}, {Path: rcloneConf, Exists: true}} {
		resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Extract, Files: []sandbox.File{file}})
		if err != nil || len(resp.Secrets) > 0 {
			t.Errorf("exists=%v: %v, %v", file.Exists, resp, err)
		}
	}
}
