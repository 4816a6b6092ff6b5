package provider_test

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
)

// What is in a file that its tool refuses is not "already there".
func TestPutIntoAFileThatItsToolRefuses(t *testing.T) {
	sp := builtin(t, "aws")
	s := sec(sp, "", "access_key", akia, "secret_key", awsKey)
	keys := "[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n"
	for file, want := range map[string]string{
		keys + "[default]\n":       "line 4: a section that is there already",
		"region = x\n" + keys:      "line 1: an option stands before the first [section]",
		keys + "flag\n":            "line 4: neither [section] nor name = value",
		"\ufeff" + keys:            "line 1: the file begins with a byte order mark",
		keys + "[a]\nb=1\nB: 2\n":  "line 6: an option that is there already",
		keys + "[a]\nb=1\n[c]\n=2": "line 7: the option has no name",
	} {
		m := newMachine(tree{".aws/credentials": file})
		out, n := put(t, m, sp, s, provider.Options{})
		if n != 0 || !strings.Contains(out, " failed: ") || !strings.Contains(out, want) {
			t.Errorf("%q: %s (%d changes)", file, out, n)
		}
	}
}

// A value that one of the tool's readers takes for another is written anew, without
// a conflict: it is the same.
func TestPutWhatNotAllReadersSee(t *testing.T) {
	sp := builtin(t, "aws")
	s := sec(sp, "", "access_key", akia, "secret_key", awsKey)
	m := newMachine(tree{".aws/credentials": "[default]\naws_access_key_id = " + akia + " # mine\nAWS_SECRET_ACCESS_KEY: " + awsKey + "\n"})
	out, n := put(t, m, sp, s, provider.Options{})
	same(t, "outcome", out, "~/.aws/credentials updated ")
	same(t, "file", content(m, ".aws/credentials"), "[default]\n# mine\naws_access_key_id = "+akia+"\naws_secret_access_key = "+awsKey+"\n")
	if n != 1 {
		t.Error(n)
	}
	if out, n = put(t, m, sp, s, provider.Options{}); n != 0 || !strings.Contains(out, "unchanged") {
		t.Errorf("a second time: %s", out)
	}
}

// An option of an npmrc file is data: a profile for each registry, and a reference to
// a variable is not a value.
// Machines of a netrc file that other specs know are left out, whatever their case.
func TestExcludedProfiles(t *testing.T) {
	sp, err := spec.Parse("netrc.yaml", []byte(`spec: 1
name: netrc
values: {login: {public: true}, password: {}}
files:
  - path: ~/.netrc
    format: netrc
    profiles: {keys: .}
    exclude: [api.other.example, "*.cloud.example"]
    keys: {login: login, password: password}
`))
	if err != nil {
		t.Fatal(err)
	}
	file := "machine a.example login jane password fake-1\nmachine API.other.example login jo password fake-2\nmachine x.cloud.example login jo password fake-3\n"
	m := newMachine(tree{".netrc": file})
	same(t, "found", describe(extract(t, m, sp)), "netrc/a.example value from ~/.netrc: login=jane password=fake-1")
	put(t, m, sp, sec(sp, "a.example", "login", "jane", "password", "fake-4"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "written", content(m, ".netrc"), strings.Replace(file, "fake-1", "fake-4", 1))
	refused, written := put(t, m, sp, sec(sp, "y.cloud.example", "login", "jo", "password", "fake-5"), provider.Options{})
	if written != 0 || !strings.Contains(refused, "no file that can hold the profile") {
		t.Errorf("a profile that the spec leaves out: %s", refused)
	}
}

func TestOptionsAsProfiles(t *testing.T) {
	sp, err := spec.Parse("npm.yaml", []byte(`spec: 1
name: npm
values: {token: {}, user: {optional: true, public: true}}
files:
  - path: ~/.npmrc
    format: {ini: {delimiters: "=", case_sensitive: true, inline_comments: anywhere, continued: never, quotes: true, references: true}}
    clients: npm
    profiles: {option: "//*/:_authToken", default: registry.npmjs.org}
    keys: {token: ., user: {at: '"//{profile}/:username"', root: true}}
`))
	if err != nil {
		t.Fatal(err)
	}
	file := "registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=FAKE-Token1\n//npm.pkg.example/:_authToken=${PKG_TOKEN}\n//npm.pkg.example:8443/a/:_authToken=\"fake;2\"\n//npm.pkg.example:8443/a/:username=Jane\n"
	m := newMachine(tree{".npmrc": file})
	same(t, "found", describe(extract(t, m, sp)), "npm value from ~/.npmrc: token=FAKE-Token1\nnpm/npm.pkg.example:8443%2Fa value from ~/.npmrc: token=fake;2 user=Jane")

	same(t, "an empty file", describe(extract(t, newMachine(tree{".npmrc": ""}), sp)), "")

	put(t, m, sp, sec(sp, "other.example", "token", "fake-3", "user", "Jo"), provider.Options{})
	same(t, "new", content(m, ".npmrc"), file+"//other.example/:_authToken=fake-3\n//other.example/:username=Jo\n")
	remove(t, m, sp, sec(sp, "other.example", "token", "fake-3", "user", "Jo"))
	same(t, "removed", content(m, ".npmrc"), file)

	have := -1
	out, n := put(t, m, sp, sec(sp, "npm.pkg.example", "token", "fake-4"), provider.Options{Resolve: func(c *provider.ConflictError) bool { have = len(c.Have); return false }})
	if have != 0 {
		t.Errorf("%d values are said to be there", have)
	}
	if n != 0 || !strings.Contains(out, "conflict token") {
		t.Errorf("a reference is overwritten: %s", out)
	}
	put(t, m, sp, sec(sp, "npm.pkg.example", "token", "fake-4"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "overwritten", content(m, ".npmrc"), strings.Replace(file, "${PKG_TOKEN}", "fake-4", 1))
	out, _ = put(t, m, sp, sec(sp, "a.example", "token", "fake-${X}"), provider.Options{})
	if !strings.Contains(out, "would be read as the name of a variable") {
		t.Error(out)
	}
}
