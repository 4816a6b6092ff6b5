package codec

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// randomText puts words together.
func randomText(r *rand.Rand, words []string, most int) string {
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteString(words[r.IntN(len(words))])
	}
	return b.String()
}

// agrees fails where a client as this package models it reads a file in another way
// than the program itself.
func agrees(t *testing.T, client string, data []byte, want reading, ok bool) {
	t.Helper()
	set, err := ClientsOf("ini", []string{client})
	if err != nil {
		set, err = ClientsOf("netrc", []string{client})
	}
	if err != nil {
		t.Fatal(err)
	}
	for c := range set.each {
		got, err := c.read(data)
		switch {
		case (err == nil) != ok:
			t.Errorf("%s, %q: error %v, and the program reads it: %v", client, data, err, ok)
		case err == nil && !maps.Equal(got, want):
			t.Errorf("%s, %q:\n got %q\nwant %q", client, data, got, want)
		}
	}
}

var iniWords = []string{"[a]\n", "[b]\n", "[ a ]\n", "[profile x]\n", "[team 'x']\n", "[DEFAULT]\n", "k = x\n", "m: y\n", "K=z # c\n", "k =\n", "  s = 1\n", "  more\n", "# c\n", "; c\n", "\n", "\n", " ", "\t", "=", ":", "#", ";", "x", "[", "]", "\r\n", "'", "\"", "\\", "${V}", "é"}

// awsSections names sections as the AWS SDK for JavaScript does, without those that
// it passes over.
func awsSections(r reading) reading {
	words := regexp.MustCompile(`^([\w-]+)\s([\w@+.%:/-]+|"[\w@+.%:/-]+"|'[\w@+.%:/-]+')$`)
	out := reading{}
	for p, text := range r {
		if m := words.FindStringSubmatch(p.group); m != nil {
			if m[1] != "profile" && m[1] != "sso-session" && m[1] != "services" {
				continue
			}
			p.group = m[1] + "." + strings.Trim(m[2], `"'`)
		}
		out[p] = text
	}
	return out
}

var netrcWords = []string{"machine a", "machine b ", "\nmachine a\n", "default", " login u", "\n  login v", " password x", " password \"y z\"", "\tpassword \"\\\"q\"", " account c", " user w", "# c\n", "#c d\n", "\n# machine x login y\n", "#", "\n", "\n", "\n", " ", "\r\n", "macdef m\nput\n\n", "\"", "\\", "x"}

func TestSoakNetrcClients(t *testing.T) {
	python := startPython(t)
	var formats []Format
	for _, names := range [][]string{{"python"}, {"python", "curl"}} {
		set, err := ClientsOf("netrc", names)
		if err != nil {
			t.Fatal(err)
		}
		format, _ := New("netrc", Options{Clients: set})
		formats = append(formats, format)
	}
	check := func(t *testing.T, data []byte) {
		t.Helper()
		want, ok := python.reads("netrc", data)
		agrees(t, "python", data, want, ok)
	}
	removed := 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 300 {
			data := []byte(randomText(r, netrcWords, 16))
			check(t, data)
			before, readable := python.reads("netrc", data)
			for _, format := range formats {
				machine, field := []string{"a", "b", "new"}[r.IntN(3)], netrcFields()[r.IntN(3)]
				value := randomText(r, []string{"x", "Y z", "#", " ", "\\", "\""}, 3)
				if out, err := Apply(format, data, set(value, machine, field)); err == nil && !bytes.Equal(out, data) {
					check(t, out)
					if got, ok := python.reads("netrc", out); !ok || got[place{machine, field}] != value {
						t.Errorf("Python reads %q from %q, which was %q, not %q", got[place{machine, field}], out, data, value)
					}
				}
				out, err := Apply(format, data, remove(machine))
				if err != nil || !readable {
					continue
				}
				removed++
				after, ok := python.reads("netrc", out)
				maps.DeleteFunc(before, func(p place, _ string) bool { return p.group == machine })
				if !ok || !maps.Equal(before, after) {
					t.Errorf("without %s Python reads %q, not %q:\n%q\n%q", machine, after, before, data, out)
				}
				before, _ = python.reads("netrc", data)
			}
		}
	})
	if removed < 20 {
		t.Errorf("only %d removals were tried", removed)
	}
}

func TestSoakIniClients(t *testing.T) {
	python, node := startPython(t), startNode(t)
	check := func(t *testing.T, data []byte) {
		t.Helper()
		want, ok := python.reads("configparser", data)
		agrees(t, "configparser", data, want, ok)
		want, ok = node.reads("aws", data)
		if got, _ := readAWSForJS(data); !ok || !maps.Equal(awsSections(got), want) {
			t.Errorf("the AWS SDK for JavaScript, %q:\n got %q\nwant %q", data, awsSections(got), want)
		}
	}
	formats := map[string]Format{}
	for name, clients := range map[string][]string{"aws": {"aws-cli", "aws-sdk-js"}, "python": {"configparser"}} {
		set, err := ClientsOf("ini", clients)
		if err != nil {
			t.Fatal(err)
		}
		formats[name], _ = New("ini", Options{InlineComments: name == "aws", Clients: set})
	}
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 250 {
			data := []byte(randomText(r, iniWords, 20))
			check(t, data)
			for name, format := range formats {
				section, key := []string{"a", "b", "new", "profile x", "DEFAULT"}[r.IntN(5)], []string{"k", "m", "s"}[r.IntN(3)]
				value := randomText(r, []string{"x", "Y z", "#", " ;", "=", ":", "%", "'", "\\", "\"", "$", "["}, 3)
				out, err := Apply(format, data, set(value, section, key))
				if err != nil || bytes.Equal(out, data) { // there already: what of it all can read, Unreadable says
					continue
				}
				check(t, out)
				want, ok := python.reads("configparser", out)
				if name == "aws" && section == "DEFAULT" && value != "" {
					t.Errorf("a profile DEFAULT is made, which the AWS command line does not see: %q", out)
				}
				if !ok || want[place{section, key}] != value {
					t.Errorf("%s: configparser reads %q from %q, not %q", name, want[place{section, key}], out, value)
				}
				if name != "aws" {
					continue
				}
				js, _ := readAWSForJS(out)
				if js[place{section, key}] != value {
					t.Errorf("the AWS SDK for JavaScript reads %q from %q, not %q", js[place{section, key}], out, value)
				}
			}
		}
	})
}

func withClients(t *testing.T, format string, opts Options, names ...string) Format {
	t.Helper()
	set, err := ClientsOf(format, names)
	if err != nil {
		t.Fatal(err)
	}
	opts.Clients = set
	f, err := New(format, opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEditsThatAllClientsRead(t *testing.T) {
	aws := withClients(t, "ini", Options{InlineComments: true}, "aws-cli", "aws-sdk-js")
	runEdits(t, aws, []editCase{
		{"a comment behind a value comes to stand above it", "[a]\n\tk = old # rotated 2020\nm=1\n", set("new", "a", "k"), "[a]\n\t# rotated 2020\n\tk = new\nm=1\n"},
		{"also where the value stays: not all read it without the comment", "[a]\r\nk = v ; c\r\n", set("v", "a", "k"), "[a]\r\n; c\r\nk = v\r\n"},
		{"a colon becomes an equals sign", "[a]\nk: v\n", set("w", "a", "k"), "[a]\nk = w\n"},
		{"also where the value stays", "[a]\nk: v\n", set("v", "a", "k"), "[a]\nk = v\n"},
		{"no colon of another option is taken over", "[a]\nregion: x\n", set("v", "a", "k"), "[a]\nregion: x\nk = v\n"},
		{"nor into a new section", "[a]\nregion:x\n", set("v", "b", "k"), "[a]\nregion:x\n\n[b]\nk = v\n"},
		{"a name gets the case that all look for", "[a]\nKey=v\n", set("w", "a", "key"), "[a]\nkey=w\n"},
		{"what is as all read it stays", "[a]\nk=v\n", set("v", "a", "k"), "[a]\nk=v\n"},
		{"blanks in a section's name count", "[ a ]\nk = v\n", set("w", "a", "k"), "[ a ]\nk = v\n\n[a]\nk = w\n"},
		{"an empty value that others read as a group gets one", "[a]\nk =\n", set("w", "a", "k"), "[a]\nk = w\n"},
		{"a value of several lines is refused", "[a]\n", set("v\nw", "a", "k"), "error: not all programs that read this file would find the new value; nothing was changed"},
		{"a name of two words is taken, for there is no other way to write it", "", set("v", "my name", "k"), "[my name]\nk = v\n"},
		{"one that stands twice is refused", "[a]\nk=v\n[b]\n[a]\n", set("w", "b", "k"), "error: the AWS command line cannot read this file: line 4: a section that is there already"},
		{"an option that stands twice is refused", "[a]\nk=v\nK=w\n", set("w", "b", "k"), "error: the AWS command line cannot read this file: line 3: an option that is there already"},
		{"a byte order mark is refused", bom + "[a]\n", set("w", "b", "k"), "error: the AWS command line cannot read this file: line 1: the file begins with a byte order mark"},
		{"an option without a value is refused", "[a]\nflag\n", set("w", "b", "k"), "error: the AWS command line cannot read this file: line 2: neither [section] nor name = value"},
		{"options before any section are refused", "k=v\n[a]\n", set("w", "b", "k"), "error: the AWS command line cannot read this file: line 1: this stands before any [section]"},
		{"but what is there can be taken away", "[a]\nk=v\n[b]\n[a]\nm=1\n", remove("a", "k"), "[a]\n[b]\n[a]\nm=1\n"},
		{"[DEFAULT] is not made", "[a]\nk=v\n", set("w", "DEFAULT", "k"), "error: DEFAULT: a new section [DEFAULT] would give its options to all other sections; write the line [DEFAULT] yourself if it shall"},
		{"nor added to where it is, for other sections would have it", "[DEFAULT]\nr=1\n[a]\nk=v\n", set("w", "DEFAULT", "m"), "error: the AWS command line would read other values of the file differently; nothing was changed"},
	})
	python := withClients(t, "ini", Options{Defaults: true}, "configparser")
	runEdits(t, python, []editCase{
		{"[DEFAULT] is made where the spec says so", "", set("w", "DEFAULT", "k"), "[DEFAULT]\nk = w\n"},
		{"a name may be in any case", "[a]\nKey=v\n", set("v", "a", "key"), "[a]\nKey=v\n"},
		{"a # is a part of the value", "[a]\nk=v\n", set("v # w", "a", "k"), "[a]\nk=v # w\n"},
	})
	runEdits(t, withClients(t, "ini", Options{Inherited: "user"}, "configparser"), []editCase{
		{"[DEFAULT] is made for an option that sections may have", "[a]\nk=v\n", set("w", "DEFAULT", "user"), "[a]\nk=v\n\n[DEFAULT]\nuser=w\n"},
		{"for no other one", "[a]\nk=v\n", set("w", "DEFAULT", "k2"), "error: Python's configparser would read other values of the file differently; nothing was changed"},
	})
	if err := Unreadable(python, []byte("[a]\n[a]\n")); err == nil || err.Error() != "Python's configparser cannot read this file: line 2: a section that is there already" {
		t.Error(err)
	}
	if err := Unreadable(aws, []byte("[a]\nk=v\n")); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]string{{"ini", "perl"}, {"yaml", "perl"}} {
		want := map[string]string{
			"ini":  `unknown client "perl" (known for ini: aws-cli, aws-sdk-js, configparser, npm)`,
			"yaml": "format yaml has no clients that rhx knows",
		}[c[0]]
		if _, err := ClientsOf(c[0], c[1:]); err == nil || err.Error() != want {
			t.Errorf("%s: %v", c[0], err)
		}
	}
}

func TestNetrcEditsThatAllClientsRead(t *testing.T) {
	python := withClients(t, "netrc", Options{}, "python")
	both := withClients(t, "netrc", Options{}, "python", "curl")
	const notAll = "error: not all programs that read this file would find the new value; nothing was changed"
	runEdits(t, both, []editCase{
		{"a password in quotes does not stand before a comment", "machine a login u password p\n# machine b login x\n", set("p q", "a", "password"), "machine a password \"p q\" login u\n# machine b login x\n"},
		{"on lines of their own too", "machine a\n  login u\n  password p\n# old\nmachine b\n", set("p q", "a", "password"), "machine a\n  password \"p q\"\n  login u\n# old\nmachine b\n"},
		{"a new one is put before the login", "machine a\n  login u\n# old\n", set("p q", "a", "password"), "machine a\n  password \"p q\"\n  login u\n# old\n"},
		{"without another field it is refused", "machine a password p\n# old\n", set("p q", "a", "password"), "error: Python could not read the file any more; nothing was changed: line 2: this is read as a keyword, and is none"},
		{"no empty line is left before a comment", "\nmachine a password p\n# machine b login x\n", remove("a"), "# machine b login x\n"},
		{"a comment gets a blank where it is the first", "machine a password p\n#machine b login x\nmachine c login y\n", remove("a"), "# machine b login x\nmachine c login y\n"},
		{"a comment that all take for one stays", "machine a password p\nmachine c login y\n#machine b login x\n", remove("a"), "machine c login y\n#machine b login x\n"},
		{"a file that Python refuses is not written", "machine a password p\n\n# c d\n", set("q", "a", "password"), "error: Python cannot read this file: line 3: this is read as a keyword, and is none"},
		{"but what is there can be taken away", "machine a password p\n\n# c d\nmachine b\n", remove("b"), "machine a password p\n\n# c d\n"},
		{"the first and the last entry of one login are changed", "machine a login u password p\nmachine a login u password q\n", set("r", "a", "password"), "machine a login u password r\nmachine a login u password r\n"},
		{"of two logins each counts for one", "machine a login u password p\nmachine a login v password q\n", set("r", "a", "password"), notAll},
	})
	two := "machine a login u password p\nmachine a login v password q\n"
	runEdits(t, python, []editCase{
		{"for Python the last entry counts", two, set("r", "a", "password"), "machine a login u password p\nmachine a login v password r\n"},
	})
	runEdits(t, withClients(t, "netrc", Options{}, "curl"), []editCase{
		{"for curl the first one", two, set("r", "a", "password"), "machine a login u password r\nmachine a login v password q\n"},
	})
	for _, c := range []struct {
		format Format
		want   string
	}{{python, "{a:{login:v, password:q}}"}, {both, "{a:{login:u, password:p}}"}, {netrc{}, "{a:{login:u, password:p}}"}} {
		if n, err := c.format.Decode([]byte(two)); err != nil || show(n) != c.want {
			t.Errorf("%v: %v, %v", c.format, show(n), err)
		}
	}
}

// npmrc is the dialect of npm's files.
var npmrc = Options{Delimiters: "=", CaseSensitive: true, CommentsAnywhere: true, Continued: OneLine, Quotes: true, References: true}

func TestIniDialects(t *testing.T) {
	npm := withClients(t, "ini", npmrc, "npm")
	file := "registry=https://npm.example/\n//npm.example/:_authToken=fake-1\n  //other.example/:_authToken=${TOKEN}\n//third.example/:_password=\"a;b\\\\\" \n; c\nfund=false # d\n"
	runReads(t, npm, []readCase{
		{"names with colons, references and quotes", file, "{:{registry:https://npm.example/, //npm.example/:_authToken:fake-1, //other.example/:_authToken:${TOKEN}, //third.example/:_password:a;b\\, fund:false}}"},
	})
	n, err := npm.Decode([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if !n.Get("").Get("//other.example/:_authToken").Opaque || n.Get("").Get("//npm.example/:_authToken").Opaque {
		t.Error("a reference is taken for a value, or a value for a reference")
	}
	runEdits(t, npm, []editCase{
		{"a value is replaced", file, set("new", "", "//npm.example/:_authToken"), strings.Replace(file, "fake-1", "new", 1)},
		{"also a reference", file, set("new", "", "//other.example/:_authToken"), strings.Replace(file, "${TOKEN}", "new", 1)},
		{"comment signs need quotes", "", set("a#b", "", "k"), "k = \"a#b\"\n"},
		{"quotes too", "k=1\n", set(`"`, "", "k"), "k=\"\\\"\"\n"},
		{"what is in quotes stays in them", "k=\"1\"\n", set(`x`, "", "k"), "k=x\n"},
		{"a reference is no value", "", set("a${b}", "", "k"), "error: .k: the value has ${ and }, which would be read as the name of a variable"},
		{"nor is a line break", "", set("a\nb", "", "k"), "error: .k: the value has a line break, which this dialect of ini cannot hold"},
		{"case counts", "K=1\n", set("2", "", "k"), "K=1\nk=2\n"},
		{"a colon is a part of the name", "//a/:k=1\n", set("2", "", "//b/:k"), "//a/:k=1\n//b/:k=2\n"},
	})
	git := withClients(t, "ini", Options{Delimiters: "=", CommentsAnywhere: true, Continued: Backslashed, Quotes: true})
	runReads(t, git, []readCase{
		{"sections with names in quotes", "[core]\n\tbare = false\n\t\tdeep = 1\n[url \"https://x\"]\n\ttoken = \"a b\" # c\n\tlong = a\\\n  b\n\tlast = x;y\n", "{core:{bare:false, deep:1}, url \"https://x\":{token:a b, long:a\\\nb, last:x}}"},
	})
	runEdits(t, git, []editCase{
		{"a value on several lines is replaced", "[a]\n\tk = x\\\n  y\n\tm = 1\n", set("z", "a", "k"), "[a]\n\tk = z\n\tm = 1\n"},
		{"and removed", "[a]\n\tk = x\\\n  y\n\tm = 1\n", remove("a", "k"), "[a]\n\tm = 1\n"},
		{"a new section", "[a]\n\tk = x\n", set("z;", `b "c"`, "k"), "[a]\n\tk = x\n\n[b \"c\"]\nk = \"z;\"\n"},
		{"[DEFAULT] is a section like others", "", set("1", "DEFAULT", "k"), "[DEFAULT]\nk = 1\n"},
	})
	systemd := withClients(t, "ini", Options{Delimiters: "=", CaseSensitive: true, Continued: Backslashed})
	runEdits(t, systemd, []editCase{
		{"case and colons count", "[Service]\nExecStart=a:b\n", set("c", "Service", "Key"), "[Service]\nExecStart=a:b\nKey=c\n"},
		{"a backslash at the end is refused", "[a]\nk=1\n", set(`x\`, "a", "k"), `error: a.k: the value ends with a backslash, which would continue it on the next line`},
		{"two of them are text", "[a]\nk=1\n", set(`x\\`, "a", "k"), "[a]\nk=x\\\\\n"},
	})
	semicolon := withClients(t, "ini", Options{Comments: ";"})
	runReads(t, semicolon, []readCase{{"other comment signs", "[a]\n#k = 1\n;m = 2\n", "{a:{#k:1}}"}})
}

func TestSoakNpm(t *testing.T) {
	node := startNode(t)
	npm := withClients(t, "ini", npmrc, "npm")
	words := []string{"//h/:_authToken=", "\n", "\n", "a=", "b = ", "x", "Y", " ", ";", "#", "\"", "'", "\\", "\\\\", "\\;", "${V}", "=", ":", "\r\n", "\t", "é", "; c\n", "[s]\n", "[ s ]\n", "k\n", "\"x;y\"", "'x'"}
	check := func(t *testing.T, data []byte) reading {
		t.Helper()
		want, ok := node.reads("npm", data)
		agrees(t, "npm", data, want, ok)
		return want
	}
	written := 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 300 {
			data := []byte(randomText(r, words, 12))
			check(t, data)
			key, value := []string{"//h/:_authToken", "a", "new"}[r.IntN(3)], randomText(r, []string{"x", "Y", " ", ";", "#", "\"", "'", "\\", "$", "{", "=", "é"}, 4)
			out, err := Apply(npm, data, set(value, "", key))
			if err != nil || bytes.Equal(out, data) {
				continue
			}
			written++
			if got := check(t, out); got[place{"", key}] != value {
				t.Errorf("npm reads %q from %q, not %q", got[place{"", key}], out, value)
			}
		}
	})
	if written < 40 {
		t.Errorf("only %d values were written", written)
	}
}
