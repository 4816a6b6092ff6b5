package codec

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readingOf writes what a client reads as lines "group.key=text".
func readingOf(r reading) string {
	var lines []string
	for p, text := range r {
		lines = append(lines, fmt.Sprintf("%s.%s=%s", p.group, p.key, text))
	}
	slices.Sort(lines)
	return strings.Join(lines, "|")
}

// What each client reads of files in which they differ. TestSoak… compares with the
// programs themselves.
func TestClientsRead(t *testing.T) {
	for _, c := range []struct {
		client     string
		read       func([]byte) (reading, *Error)
		file, want string // or an error
	}{
		{"configparser", readConfigParser, "[a]\nK = 1\n  2\n# c\n\n  3\nm:x=y\n[b c]z\nk==\n", "a.k=1\n2\n\n3|a.m=x=y|b c.k=="},
		{"configparser", readConfigParser, "[a]\nk = 1\n# c\n  2\n", "a.k=1\n2"},
		{"configparser", readConfigParser, "[a]\nk = 1 # c ; d\n", "a.k=1 # c ; d"},
		{"configparser", readConfigParser, "[DEFAULT]\nk=1\nl=2\n[a]\nk=3\n[DEFAULT]\nm=4\n", "DEFAULT.k=1|DEFAULT.l=2|DEFAULT.m=4|a.k=3|a.l=2|a.m=4"},
		{"configparser", readConfigParser, "[]\nk=1\n", "line 1: this stands before any [section]"},
		{"configparser", readConfigParser, "[a]\n[]\n", "line 2: neither [section] nor name = value"},
		{"configparser", readConfigParser, "[a\n", "line 1: this stands before any [section]"},
		{"configparser", readConfigParser, "[a]\n= 1\n", "line 2: neither [section] nor name = value"},
		{"configparser", readConfigParser, "[a]\nk\n", "line 2: neither [section] nor name = value"},
		{"configparser", readConfigParser, "[a]\nk=1\n[a]\n", "line 3: a section that is there already"},
		{"configparser", readConfigParser, "[a]\nk=1\n[b]\nk=1\nK:2\n", "line 5: an option that is there already"},
		{"configparser", readConfigParser, "[a]\nk = \xff\n", "line 2: not UTF-8 text"},
		{"configparser", readConfigParser, bom + "[a]\n", "line 1: the file begins with a byte order mark"},
		{"configparser", readConfigParser, " [a]\n  k=1\n l=2\nm=3\n", "a.k=1|a.l=2|a.m=3"},
		{"configparser", readConfigParser, "\n[a]\n\nk=1\nab]=2\nc = \ufffd\n", "a.ab]=2|a.c=\ufffd|a.k=1"},
		{"aws-cli", readAWSCLI, "[DEFAULT]\nk=1\n[a]\n", "a.k=1"},
		{"aws-sdk-js", readAWSForJS, bom + "[a] # c\nK = 1 # c\nl=1;2\nm=\n\tn=3\no = 4\np: 5\n=6\nq=\ufeff7\u00a0\n;r=8\n s=\ufeff#9\n", "a.K=1|a.l=1;2|a.m.n=3|a.o=4|a.q=7"},
		{"aws-sdk-js", readAWSForJS, "k=1\n[a]\nk=2\n[]\nk=3\n[ b ]\r\nk=4\x1c\n[a]\nk=5\nx=\n[c]\ny=6\n", " b .k=4\x1c|a.k=5|c.y=6"},
		{"aws-sdk-js", readAWSForJS, "[a]\nx = 1]\n[b\nk=2\nl=\u0085v\nm=1\x1f\n[c=d]\nn=3\n", "a.k=2|a.l=\u0085v|a.m=1\x1f|a.x=1]|c=d.n=3"},
		{"npm", readNpm, "a=1\n  \nb=\nc= \nk]\nd='x\ne=a;ba\nf=x\\\\y\ng=a#b\nh=a;b\n", ".a=1|.b=|.c=|.d='x|.e=a|.f=x\\y|.g=a|.h=a|.k]=true"},
		{"npm", readNpm, "a=1\n  ;b=2\n#c=3\n\nd = \"x;y\" \ne = x\\;y\\z#w\nf='q'\ng='\"r\"'\nh=\"\ni\n=4\n\\#j=5\rk=\\\n[s]\nl=6\n[t]u=7\n[v\n", ".#j=5|.a=1|.d=x;y|.e=x;y\\z|.f=q|.g=r|.h=\"|.i=true|.k=\\|s.[t]u=7|s.[v=true|s.l=6"},
		{"npm", readNpm, "a='\nb=\"x\\\"\nc=\"x\\ty\"\n", ".a=|.b=\"x\\\"|.c=x\ty"},
		{"python", readNetrcPython, "machine a login u password p # c\nmachine b\n\taccount c user d\ndefault login e\n", "a.login=u|a.password=p|b.account=c|b.login=d|default.login=e"},
		{"python", readNetrcPython, "machine a login u\nmachine a password p\n", "a.password=p"},
		{"python", readNetrcPython, "machine a login \"u v\" password a\\ b\\\"\n", "a.login=u v|a.password=a b\""},
		{"python", readNetrcPython, "macdef m\nmachine x\n\nmachine a login u\n", "a.login=u"},
		{"python", readNetrcPython, "machine a login u\nmacdef m\nput\n\n", "a.login=u"},
		{"python", readNetrcPython, "macdef m\nput\n", "line 2: no empty line ends the macro"},
		{"python", readNetrcPython, "# machine x\nmachine a login u\n# machine b\n#login w\nlogin v\n", "a.login=v"},
		{"python", readNetrcPython, "\n# machine x login y\n", "x.login=y"},
		{"python", readNetrcPython, "machine a login u\n\n# machine x login y\n", "a.login=u|x.login=y"},
		{"python", readNetrcPython, "\nmachine a password \"p\"\n# c d\n", "line 3: this is read as a keyword, and is none"},
		{"python", readNetrcPython, "#c d\n", "line 1: this is read as a keyword, and is none"},
		{"python", readNetrcPython, "machine a\nfoo bar\n", "line 2: this is read as a keyword, and is none"},
		{"python", readNetrcPython, "machine \"\" login u\n", "line 1: the machine has no name"},
		{"python", readNetrcPython, "machine a login u \"\" machine b login v\n", "a.login=u"},
		{"python", readNetrcPython, "machine a login u\\", "a.login=u"},
		{"python", readNetrcPython, "default login e\nmacdef m\n\n# c\nmachine a login u\n", "a.login=u|default.login=e"},
		{"python", readNetrcPython, "default login e\nmacdef m\n\nmachine a login u\n", "a.login=u|default.login=e"},
		{"python", readNetrcPython, "macdef\n\nmachine x login y\n\nmachine a login u\n", "a.login=u"},
		{"python", readNetrcPython, "machine a login u login \"\" password x\"y\n", "a.password=x\"y"},
		{"python", readNetrcPython, "machine a login \"u", "a.login=u"},
		{"curl", readNetrcCurl, "macdef m\r\nmachine x login y\r\n\r\nmachine a login u\r\n", "a.login=u"},
		{"curl", readNetrcCurl, "machine a login u\nmacdef m\nmachine b login v\n", "a.login=u|b.login=v"},
		{"curl", readNetrcCurl, "macdef m machine x login y\nmachine x login z\n\nmachine a login u\n", "a.login=u"},
		{"curl", readNetrcCurl, "machine a login u password p\nmachine a login v password q\nmachine b login w\n\tpassword r # c\ndefault login d\n", "a.login=u|a.password=p|b.login=w|b.password=r|default.login=d"},
		{"curl", readNetrcCurl, "machine a login \"x y\\\"\\\\\\n\\r\\t\" password \"open\nMACHINE b LOGIN c\n", "a.login=x y\"\\\n\r\t"},
		{"curl", readNetrcCurl, "# machine x login y\n#machine x\nmachine a login #u\npassword p\n", "a.login=password"},
		{"curl", readNetrcCurl, "macdef m\nmachine x login y\n\nmachine a login u\nmacdef n\n", "a.login=u"},
		{"curl", readNetrcCurl, "login x machine\na account c foo password p\nmachine a password q\ndefault password d default login e", "a.account=c|a.password=p|default.password=d"},
		{"curl", readNetrcCurl, "machine a password \"p\\", ""},
	} {
		got, err := c.read([]byte(c.file))
		text := readingOf(got)
		if err != nil {
			if text = err.Error(); got != nil {
				t.Errorf("%s, %q: a reading beside an error", c.client, c.file)
			}
		}
		if text != c.want {
			t.Errorf("%s, %q:\n got %q\nwant %q", c.client, c.file, text, c.want)
		}
	}
}

// curl sends the login and the password that this package says it reads.
func TestSoakCurl(t *testing.T) {
	var auth string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { auth = r.Header.Get("Authorization") }))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "netrc")
	words := []string{"machine 127.0.0.1", "\nmachine 127.0.0.1\n", "machine other", "default", " login u", "\n  login v", " password x", " password \"y z\"", "\tpassword \"\\\"q\\n\"", "# c\n", "\n# machine 127.0.0.1 login y\n", " #", "\n", "\n", " ", "\r\n", "macdef m\nput\n\n"}
	f := withClients(t, "netrc", Options{}, "curl")
	run := func(t *testing.T, data []byte) (login, password string) {
		t.Helper()
		auth = ""
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("curl", "-sS", "--noproxy", "*", "--netrc-file", path, server.URL).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s: %q", err, out, data)
		}
		text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(auth, "Basic "))
		login, password, _ = strings.Cut(string(text), ":")
		return login, password
	}
	checked := 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 40 {
			data := []byte(randomText(r, words, 8))
			value := randomText(r, []string{"x", "Y z", "#", "\"", "\\", "'"}, 3)
			out, err := Apply(f, data, append(set("jane", "127.0.0.1", "login"), set(value, "127.0.0.1", "password")...))
			if err != nil {
				continue
			}
			checked++
			if login, password := run(t, out); login != "jane" || password != value {
				t.Errorf("curl reads %q and %q from %q, which was %q, not %q", login, password, out, data, value)
			}
		}
	})
	if checked < 10 {
		t.Errorf("only %d files were read", checked)
	}
}

// What was there before must be there after, but for what the edits name.
func TestFollows(t *testing.T) {
	before := reading{{"a", "k"}: "1", {"a", "l"}: "2", {"b", "k"}: "3"}
	for _, c := range []struct {
		change func(r reading)
		edits  []Edit
		want   bool
	}{
		{func(reading) {}, nil, true},
		{func(r reading) { r[place{"a", "k"}] = "9" }, nil, false},
		{func(r reading) { r[place{"a", "k"}] = "9" }, set("9", "a", "k"), true},
		{func(r reading) { r[place{"a", "K"}] = "9" }, set("9", "a", "k"), true},
		{func(r reading) { r[place{"a", "k"}] = "9" }, set("9", "a", "l"), false},
		{func(r reading) { delete(r, place{"a", "k"}) }, remove("a", "k"), true},
		{func(r reading) { delete(r, place{"a", "k"}) }, remove("b", "k"), false},
		{func(r reading) { delete(r, place{"b", "k"}) }, remove("b"), true},
		{func(r reading) { delete(r, place{"b", "k"}) }, remove("a"), false},
		{func(r reading) { r[place{"c", "k"}] = "" }, nil, false},
		{func(r reading) { r[place{"c", "k"}] = "" }, set("", "c", "k"), true},
		{func(r reading) { clear(r) }, remove(), true},
	} {
		after := maps.Clone(before)
		c.change(after)
		if got := after.follows(before, c.edits); got != c.want {
			t.Errorf("%q after %v: %v", readingOf(after), c.edits, got)
		}
	}
}
