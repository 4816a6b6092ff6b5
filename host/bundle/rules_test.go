package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/secret"
)

// Which keys of a base secret can be names, where the variables go; the others are
// errors, or left out and named.
func TestNamesOfKeys(t *testing.T) {
	keys := []string{"OK", "_1", "1", "a-b", "a.b", "a b", "é", "", strings.Repeat("k", 253), strings.Repeat("k", 254),
		"@", "[", "`", "{", "/", ":", "azAZ09-_."}
	fits := map[string][]string{
		"":     {"OK", "_1", keys[8], keys[9]},
		"json": keys,
		"yaml": keys,
		"k8s":  {"OK", "_1", "1", "a-b", "a.b", keys[8], "azAZ09-_."},
	}
	for format, want := range fits {
		for _, key := range keys {
			good := slices.Contains(want, key)
			e := bundle.Env{Names: bundle.Names{Format: format}}
			e.Add(nil, sec("db", key, "x", "Z", "z"))
			if vars, err := e.Vars(); (err == nil) != good || errors.Is(err, bundle.ErrUnnamable) == good || (len(vars) == 2) != good {
				t.Errorf("%s: %q: %v, %v", format, key, vars, err)
			}
			e = bundle.Env{Names: bundle.Names{Format: format, Skip: true}}
			e.Add(nil, sec("db", key, "x", "Z", "z"))
			vars, err := e.Vars()
			if err != nil || (len(vars) == 2) != good || (len(e.Skipped) == 0) != good || !good && e.Skipped[0] != "db: "+key {
				t.Errorf("%s: %q is skipped: %v, %q, %v", format, key, vars, e.Skipped, err)
			}
		}
	}
}

// Texts beside secrets, what is taken out again, and what is wrong elsewhere.
func TestTextsAndDrops(t *testing.T) {
	var e bundle.Env
	e.Add(builtin(t, "openai"), sec("openai", "api_key", "k"))
	e.AddText("URL", secret.NewValue("x://y"), "the bundle b")
	e.AddText("GONE", secret.NewValue("x"), "the bundle b")
	e.Drop([]string{"GONE", "NONE"})
	vars, err := e.Vars()
	if want := "OPENAI_API_KEY=k (openai)\nURL=x://y (the bundle b)\n"; err != nil || text(vars) != want {
		t.Errorf("%s, %v", text(vars), err)
	}
	e.AddText("URL", secret.NewValue("other"), "the bundle c")
	e.Fail(errors.New("and this"))
	if vars, err := e.Vars(); vars != nil || err == nil || err.Error() != "both the bundle b and the bundle c set URL, to different values\nand this" {
		t.Errorf("%v, %v", vars, err)
	}
	// All is taken out: there is nothing to say beside it.
	var none bundle.Env
	none.Add(builtin(t, "aws"), sec("aws", "access_key", "a", "secret_key", "s"))
	none.Drop([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
	if vars, err := none.Vars(); len(vars) != 0 || err != nil {
		t.Errorf("%v, %v", vars, err)
	}
}

// A secret whose variables another one has set to the same values has variables; one
// with an error has that alone.
func TestTheSameTwice(t *testing.T) {
	gcp := sec("gcp", "type", "x", "private_key", "k")
	var e bundle.Env
	e.Add(builtin(t, "gcp"), gcp)
	e.Add(builtin(t, "gcp"), gcp)
	if vars, err := e.Vars(); len(vars) != 1 || err != nil {
		t.Errorf("%v, %v", vars, err)
	}
	var azure bundle.Env
	azure.Add(builtin(t, "azure"), sec("a", "client_id", "c", "client_secret", "s", "tenant_id", "t"))
	azure.Add(builtin(t, "azure"), sec("b", "client_id", "c"))
	azure.Add(builtin(t, "azure"), sec("c", "other", "x"))
	if vars, err := azure.Vars(); vars != nil || err == nil || strings.Contains(err.Error(), "b has") || !strings.Contains(err.Error(), "c has") {
		t.Errorf("%v, %v", vars, err)
	}
	var clash bundle.Env
	clash.Add(builtin(t, "openai"), sec("a", "api_key", "k"))
	clash.Add(builtin(t, "openai"), sec("b", "api_key", "l"))
	if _, err := clash.Vars(); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("said twice: %v", err)
	}
	// An empty value of what is not optional is missing.
	var empty bundle.Env
	empty.Add(builtin(t, "openai"), sec("o", "api_key", ""))
	if _, err := empty.Vars(); err == nil || err.Error() != "o has no value for api_key" {
		t.Error(err)
	}
	// A value with a NUL is in no variable, and said once.
	var nul bundle.Env
	nul.Add(nil, sec("db", "A", "x\x00", "B", "b"))
	nul.Add(nil, sec("db2", "A", "y"))
	if _, err := nul.Vars(); err == nil || strings.Count(err.Error(), "\n") != 0 {
		t.Error(err)
	}
}

func variable(name, value string) bundle.Var {
	return bundle.Var{Name: name, Value: secret.NewValue(value)}
}

// The first of several other names of a variable counts, too.
func TestBesideOfTheFirst(t *testing.T) {
	vars := []bundle.Var{{Name: "A", Value: secret.NewValue("a"), Also: []string{"OLD_A"}}, {Name: "B", Value: secret.NewValue("b"), Also: []string{"OLD_B"}}}
	for _, name := range []string{"A", "B"} {
		if got := bundle.Beside([]string{"OLD_" + name + "=x"}, vars); len(got) != 3 || got[2].Name != "OLD_"+name || got[2].Value.Reveal() != strings.ToLower(name) {
			t.Errorf("%v", got)
		}
	}
}

// What a form cannot hold is refused with the variable's name, at its very bounds, and
// other forms take it.
func TestBoundsOfForms(t *testing.T) {
	const line = 63 << 10
	for _, c := range []struct {
		format, value string
		refused       bool
	}{
		{"docker", strings.Repeat("x", line), false},
		{"docker", strings.Repeat("x", line+1), true},
		{"dotenv", strings.Repeat("x", line+1), false},
		{"github", strings.Repeat("x", line+1), false},
		{"systemd", strings.Repeat("x", line+1), false},
		{"docker", "a\rb", true},
		{"docker", "a\nb", true},
		{"docker", "a\x01b", false},
		{"systemd", "a\tb\nc d", false},
		{"systemd", "a\x1fb", true},
		{"systemd", "a\x7fb", true},
		{"systemd", "a\rb", true},
		{"github", "a\x1fb\r", false},
		{"systemd", "\xff", true},
		{"json", "\xff", true},
		{"k8s", "\xff", false},
		{"shell", "\xff", false},
		{"fish", "\xff", false},
	} {
		data, err := bundle.Format(c.format, []bundle.Var{variable("V", c.value)})
		if (err != nil) != c.refused || (data == nil) != c.refused || err != nil && !strings.HasPrefix(err.Error(), "V ") {
			t.Errorf("%s: %.20q: %v", c.format, c.value, err)
		}
	}
	if data, err := bundle.Format("toml", nil); data != nil || err == nil {
		t.Errorf("%q, %v", data, err)
	}
}

// Without variables each form is still one that its reader takes; and JSON has its
// characters as they are.
func TestEmptyForms(t *testing.T) {
	for format, want := range map[string]string{
		"shell": "", "fish": "", "dotenv": "", "docker": "", "github": "", "systemd": "",
		"json": "{}\n",
		"k8s":  "apiVersion: v1\nkind: Secret\nmetadata:\n  name: rhx\ntype: Opaque\ndata: {}\n",
	} {
		if data, err := bundle.Format(format, nil); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", format, data, err)
		}
	}
	data, err := bundle.Format("json", []bundle.Var{variable("A", "<&>"), variable("B", "b")})
	if err != nil || string(data) != "{\n  \"A\": \"<&>\",\n  \"B\": \"b\"\n}\n" || !json.Valid(data) {
		t.Errorf("%s, %v", data, err)
	}
	data, err = bundle.Format("k8s", []bundle.Var{variable("A", "a")})
	if err != nil || !bytes.HasSuffix(data, []byte("data:\n  A: YQ==\n")) || bytes.Contains(data, []byte("{}")) {
		t.Errorf("%s, %v", data, err)
	}
}

// A text that is not as Format writes it is no env file of rhx's.
func TestParseShellRefuses(t *testing.T) {
	for _, text := range []string{"# no line end", "export A='", "export A='x", "export A='x'", "export A='x' ", "A='x'\n", "export A=x\n", "export 1='x'\n", "export ='x'\n", "export A='x'y'\n", "unset B\nexport A='x'\n"} {
		if head, vars, ok := bundle.ParseShell([]byte(text)); ok || head != nil || vars != nil {
			t.Errorf("%q: %q, %v", text, head, vars)
		}
	}
	for text, want := range map[string]string{"": "", "\n": "\n", "# c\n\n": "# c\n\n", "# c\nexport A='it'\\''s'\nexport B=''\n": "# c\n"} {
		head, vars, ok := bundle.ParseShell([]byte(text))
		if !ok || string(head) != want || strings.Count(text, "export") != len(vars) {
			t.Errorf("%q: %q, %v, %v", text, head, vars, ok)
		}
	}
}

// A base secret names its variables itself: those that run programs are told from others.
// What a provider's spec names is not asked about.
func TestUnasked(t *testing.T) {
	if err := bundle.Unasked(sec("db", "URL", "x", "MY_PATH", "y")); err != nil {
		t.Error(err)
	}
	err := bundle.Unasked(sec("db", "URL", "x", "PATH", "fake-value", "LD_PRELOAD", "fake-value"))
	if !errors.Is(err, bundle.ErrRuns) || !strings.Contains(err.Error(), "db has the key LD_PRELOAD, PATH") || strings.Contains(err.Error(), "fake-value") {
		t.Error(err)
	}
	of := sec("db", "PATH", "x")
	of.Provider = "own"
	if err := bundle.Unasked(of); err != nil {
		t.Error(err)
	}
}
