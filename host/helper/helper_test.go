package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/specs"
)

// house is helpers over a store of their own.
type house struct {
	*Helpers
	t     *testing.T
	st    store.Store
	local *machine.Memory
	said  []string // warnings
	read  []string // what was noted as read
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, st: agestore.Open(agestore.Options{Dir: dir}), local: machine.NewMemory("local")}
	user := filepath.Join(dir, "providers")
	if err := os.MkdirAll(user, 0o700); err != nil {
		t.Fatal(err)
	}
	// One of somebody else, who says nothing of helpers.
	acme := "spec: 1\nname: acme\nvalues: {id: {env: A, public: true}, key: {env: B}}\n" +
		"use: [{hosts: [git.acme.example, \"*.wild.example\", \"port.acme.example:8443\"], basic: {user: \"{id}\", password: \"{key}\"}}, {hosts: api.acme.example, header: {X: \"{key}\"}}]\n"
	if err := os.WriteFile(filepath.Join(user, "acme.yaml"), []byte(acme), 0o600); err != nil {
		t.Fatal(err)
	}
	recs := &records.Records{Open: func(context.Context) (store.Store, error) { return h.st, nil }, Read: func(_ string, read []store.Info) {
		for _, i := range read {
			h.read = append(h.read, i.Name)
		}
	}}
	h.Helpers = &Helpers{Specs: spec.NewRegistry(specs.All(), user), Records: recs, Local: h.local, Warn: func(text string) { h.said = append(h.said, text) }}
	t.Cleanup(func() {
		if err := recs.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// put saves a secret under the name that its provider gives it.
func (h *house) put(name string, pairs ...string) *secret.Secret {
	h.t.Helper()
	provider, profile := secret.SplitName(name)
	return h.putAs(name, provider, profile, pairs...)
}

func (h *house) putAs(name, provider, profile string, pairs ...string) *secret.Secret {
	h.t.Helper()
	sec := &secret.Secret{Name: name, Provider: provider, Profile: profile, Values: values(pairs...)}
	if _, err := h.st.Put(h.t.Context(), sec, store.AnyVersion); err != nil {
		h.t.Fatal(err)
	}
	return sec
}

// stored are the secrets with their versions and values.
func (h *house) stored() string {
	h.t.Helper()
	infos, err := h.st.List(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, i := range infos {
		rec, err := h.st.Get(h.t.Context(), i.Name, 0)
		if err != nil {
			h.t.Fatal(err)
		}
		text := fmt.Sprintf("%s@%d", i.Name, i.Version)
		for _, k := range rec.Secret.Values.Keys() {
			text += " " + k + "=" + rec.Secret.Values[k].Reveal()
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// git asks as git does.
func (h *house) git(verb string, lines ...string) string {
	h.t.Helper()
	out, err := h.gitErr(verb, lines...)
	if err != nil {
		h.t.Fatalf("%s %q: %v", verb, lines, err)
	}
	return out
}

func (h *house) gitErr(verb string, lines ...string) (string, error) {
	var out bytes.Buffer
	err := h.Git(h.t.Context(), verb, strings.NewReader(strings.Join(lines, "\n")+"\n\n"), &out)
	return out.String(), err
}

// A secret goes to the host and the port that it is for, over the scheme that it is for,
// and nowhere else.
func TestHostsAreCompared(t *testing.T) {
	h := newHouse(t)
	h.put("github", "oauth_token", "fake-hub")
	h.put("github/ghe.example", "oauth_token", "fake-ghe")
	h.put("git/alice@git.example", "url", "https://git.example", "username", "alice", "password", "fake-git")
	h.put("git/http:%2F%2Fbob@plain.example", "url", "http://plain.example", "username", "bob", "password", "fake-plain")
	h.put("gitea/x", "url", "https://Gitea.example:8443/", "token", "fake-tea")
	h.put("acme", "id", "me", "key", "fake-acme")
	h.put("acme/other", "id", "me", "key", "fake-other")
	for _, c := range []struct{ protocol, host, want string }{
		{"https", "github.com", "fake-hub"},
		{"https", "GitHub.COM", "fake-hub"},
		{"https", "github.com:443", "fake-hub"},
		{"https", "ghe.example", "fake-ghe"},
		{"https", "git.example", "fake-git"},
		{"http", "plain.example", "fake-plain"},
		{"http", "plain.example:80", "fake-plain"},
		{"https", "gitea.example:8443", "fake-tea"},
		{"https", "git.acme.example", "fake-acme"},
		{"https", "port.acme.example:8443", "fake-acme"},
		{"http", "github.com", ""},
		{"http", "github.com:443", ""},
		{"https", "github.com:80", ""},
		{"https", "github.com:8443", ""},
		{"https", "evil-github.com", ""},
		{"https", "github.com.evil.org", ""},
		{"https", "x.github.com", ""},
		{"https", "github.com.", ""},
		{"https", "github.co", ""},
		{"https", "plain.example", ""},
		{"https", "gitea.example", ""},
		{"https", "wild.example", ""},
		{"https", "a.wild.example", ""},
		{"https", "api.acme.example", ""},
		{"ssh", "github.com", ""},
	} {
		out := h.git("get", "protocol="+c.protocol, "host="+c.host)
		if c.want == "" && out != "" || !strings.Contains(out, c.want) {
			t.Errorf("%s://%s: %q", c.protocol, c.host, out)
		}
	}
	if want := "fake-hub"; !strings.Contains(h.git("get", "protocol=https", "host=github.com", "path=a/b.git", "capability[]=authtype", "wwwauth[]=Basic realm=x", "wwwauth[]=Negotiate", "unknown=1"), want) {
		t.Error("a token of a host is not for its paths")
	}
}

// What an address with an encoded line break makes of git's question is no question.
func TestGitRefuses(t *testing.T) {
	h := newHouse(t)
	h.put("github", "oauth_token", "fake-hub")
	for _, lines := range [][]string{
		{"protocol=https", "host=evil.example", "host=github.com"},
		{"protocol=https", "protocol=https", "host=github.com"},
		{"protocol=https", "host=github.com\r"},
		{"protocol=https", "host=github.com\x00"},
		{"protocol=https", "host=github.com", "path=a\rb"},
		{"protocol=https", "host=github.com", "username=a\x1bb"},
		{"protocol=https", "host=evil@github.com"},
		{"protocol=https", "host=github.com/x"},
		{"protocol=https", "host=github.com?x"},
		{"protocol=https", "host=github.com#x"},
		{"protocol=https", "host=git hub.com"},
		{"protocol=https", `host=github.com\x`},
		{"protocol=https", "host=github.com:"},
		{"protocol=https", "host=github.com:x"},
		{"protocol=https", "host=github.com:443:443"},
		{"protocol=https", "host=[github.com]"},
		{"protocol=", "host=github.com"},
		{"host=github.com"},
		{"protocol=https://x", "host=github.com"},
		{"protocol=https", "host=github.com", "wwwauth[]=a\rb"},
		{"protocol=https", "host=github.com", "password_expiry_utc=x"},
		{"protocol=https", "host=github.com", "password_expiry_utc=253402300800"},
		{"protocol=https", "host=github.com", "=x"},
		{"protocol https"},
		{"protocol=https", "host=github.com", "path=" + strings.Repeat("a", maxAddress+1)},
		{"protocol=https", "host=" + strings.Repeat("a", 254)},
		{"x=" + strings.Repeat("a", maxInput)},
	} {
		for _, verb := range []string{"get", "store", "erase"} {
			if out, err := h.gitErr(verb, lines...); err == nil || out != "" || strings.Contains(err.Error(), "github") {
				t.Errorf("%s %.100q: %q, %v", verb, lines, out, err)
			}
		}
	}
	// Verbs of later gits, and what is for no host, are passed over in silence.
	for _, lines := range [][]string{{"protocol=cert", "path=/x.pem"}, {"protocol=https", "host="}} {
		if out := h.git("get", lines...); out != "" {
			t.Errorf("%q: %q", lines, out)
		}
	}
	if out := h.git("capability", "host=github.com", "protocol=https"); out != "" {
		t.Error(out)
	}
	if len(h.read) != 0 {
		t.Errorf("noted as given: %q", h.read)
	}
}

// Paths and users are compared as git does.
func TestPathsAndUsers(t *testing.T) {
	h := newHouse(t)
	h.put("git/alice@git.example", "url", "https://git.example", "username", "alice", "password", "fake-alice")
	h.put("git/bob@git.example", "url", "https://git.example", "username", "bob", "password", "fake-bob")
	h.put("git/carl@git.example/a%20b", "url", "https://git.example/a%20b", "username", "carl", "password", "fake-carl")
	ask := func(lines ...string) string {
		t.Helper()
		out, err := h.gitErr("get", append([]string{"protocol=https", "host=git.example"}, lines...)...)
		if err != nil {
			return err.Error()
		}
		return out
	}
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"username=alice"}, "username=alice\npassword=fake-alice\n"},
		{[]string{"username=bob"}, "username=bob\npassword=fake-bob\n"},
		{[]string{"username=Bob"}, ""},
		{[]string{"username=dora"}, ""},
		{[]string{"path=a b"}, "username=carl\npassword=fake-carl\n"},
		{[]string{"path=a b/"}, "username=carl\npassword=fake-carl\n"},
		{[]string{"path=a b/c"}, ""},
		{[]string{"path=a b", "username=alice"}, ""},
	} {
		if got := ask(c.lines...); got != c.want {
			t.Errorf("%q: %q", c.lines, got)
		}
	}
	// Of several that fit alike none is taken.
	h.put("git/dora@two.example", "url", "https://two.example", "username", "dora", "password", "fake-d")
	h.put("git/emil@two.example", "url", "https://two.example", "username", "emil", "password", "fake-e")
	_, err := h.gitErr("get", "protocol=https", "host=two.example")
	if err == nil || err.Error() != "several secrets are for this: git/dora@two.example, git/emil@two.example" || fault.Hint(err) == "" {
		t.Error(err)
	}
	// The one that the client stored, and the one that is called by its provider, come first.
	h.put("github", "oauth_token", "fake-1")
	h.putAs("mine", "github", "", "oauth_token", "fake-2")
	if got := h.git("get", "protocol=https", "host=github.com", "username=me"); got != "username=me\npassword=fake-1\n" {
		t.Error(got)
	}
	h.put("git/me@github.com", "url", "https://github.com", "username", "me", "password", "fake-3")
	if got := h.git("get", "protocol=https", "host=github.com"); got != "username=me\npassword=fake-3\n" {
		t.Error(got)
	}
	if want := []string{"git/alice@git.example", "git/bob@git.example", "git/carl@git.example/a%20b", "git/carl@git.example/a%20b", "github", "git/me@github.com"}; strings.Join(h.read, " ") != strings.Join(want, " ") {
		t.Errorf("noted as given: %q", h.read)
	}
	// A token with a user is that user's, though it would go with any.
	h.put("gitea/a", "url", "https://tea.example", "user", "alice", "token", "fake-a")
	h.put("gitea/b", "url", "https://tea.example", "user", "bob", "token", "fake-b")
	if got := h.git("get", "protocol=https", "host=tea.example", "username=bob"); got != "username=bob\npassword=fake-b\n" {
		t.Error(got)
	}
	h.read = nil
	// The one that the user named, or none.
	h.Secret = "mine"
	if got := h.git("get", "protocol=https", "host=github.com"); got != "username=x-access-token\npassword=fake-2\n" {
		t.Error(got)
	}
	if got := h.git("get", "protocol=https", "host=git.example"); got != "" {
		t.Error(got)
	}
	h.Secret = "nothing"
	if _, err := h.gitErr("get", "protocol=https", "host=github.com"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	h.put("openai", "api_key", "fake")
	h.Secret = "openai"
	if _, err := h.gitErr("get", "protocol=https", "host=github.com"); fault.KindOf(err) != fault.Usage {
		t.Error(err)
	}
}

// What git stores is a version once, with the client as its source, and never takes the
// place of what is not the client's.
func TestGitStores(t *testing.T) {
	h := newHouse(t)
	h.put("github", "oauth_token", "fake-hub")
	store := func(lines ...string) {
		t.Helper()
		h.git("store", append([]string{"protocol=https"}, lines...)...)
	}
	check := func(what, want string) {
		t.Helper()
		if got := h.stored(); got != want {
			t.Errorf("%s:\n%s", what, got)
		}
	}
	const hub = "github@1 oauth_token=fake-hub"
	store("host=github.com", "username=whoever", "password=fake-hub")
	store("host=github.com", "username=", "password=fake-hub")
	store("host=github.com", "username=x")
	store("host=github.com", "username=x", "password=")
	check("what is there, and what is not whole", hub)
	for range 2 {
		store("host=git.example", "username=al ice", "password=fake one=:@")
	}
	const alice = "git/al%2520ice@git.example@1 password=fake one=:@ url=https://git.example username=al ice\n"
	check("a new one", alice+hub)
	store("host=git.example", "username=al ice", "password=fake-2")
	alice2 := strings.NewReplacer("@1", "@2", "fake one=:@", "fake-2").Replace(alice)
	check("another password", alice2+hub)
	rec, err := h.st.Get(t.Context(), "git/al%2520ice@git.example", 0)
	if err != nil || len(rec.Secret.Sources) != 1 || rec.Secret.Sources[0].String() != "stored by git" || rec.Secret.Profile != "al%20ice@git.example" {
		t.Errorf("%+v, %v", rec, err)
	}
	// Another account at GitHub is another secret, and another password of git's is not
	// the other provider's.
	store("host=github.com", "username=me", "password=fake-other")
	check("another token", alice2+"git/me@github.com@1 password=fake-other url=https://github.com username=me\n"+hub)
	// With a path, it is another one.
	store("host=git.example", "username=al ice", "password=fake-3", "path=a b.git")
	if got := h.git("get", "protocol=https", "host=git.example", "path=a b.git"); got != "username=al ice\npassword=fake-3\n" {
		t.Error(got)
	}
	// Without one, what is for a path stays as it is.
	store("host=path.example", "username=p", "password=fake-6", "path=only")
	store("host=path.example", "username=p", "password=fake-7")
	if got := h.git("get", "protocol=https", "host=path.example", "path=only"); got != "username=p\npassword=fake-6\n" {
		t.Error(got)
	}
	// A token in the user's place is in no name.
	store("host=t.example", "username=fake-token-1", "password=x-oauth-basic")
	if !strings.Contains(h.stored(), "git/t.example@1 ") {
		t.Error(h.stored())
	}
	// Over http it is another secret than over https.
	h.git("store", "protocol=http", "host=git.example", "username=al ice", "password=fake-4")
	if !strings.Contains(h.stored(), "git/http:%2F%2Fal%2520ice@git.example@1 ") {
		t.Error(h.stored())
	}
	// Until when it works.
	later := time.Now().Add(time.Hour).Unix()
	store("host=e.example", "username=e", "password=fake-5", fmt.Sprintf("password_expiry_utc=%d", later))
	if got := h.git("get", "protocol=https", "host=e.example"); got != fmt.Sprintf("username=e\npassword=fake-5\npassword_expiry_utc=%d\n", later) {
		t.Error(got)
	}
	store("host=e.example", "username=e", "password=fake-5") // who does not say it does not know it
	if !strings.Contains(h.stored(), "git/e@e.example@1 ") {
		t.Error(h.stored())
	}
	store("host=e.example", "username=e", "password=fake-5", "password_expiry_utc=1")
	if _, err := h.gitErr("get", "protocol=https", "host=e.example"); err == nil || err.Error() != "git/e@e.example has expired" {
		t.Error(err)
	}
	// A secret of another kind under the name, and one that is named and not git's.
	h.putAs("git/x@taken.example", "", "", "k", "v")
	if _, err := h.gitErr("store", "protocol=https", "host=taken.example", "username=x", "password=y"); err == nil || fault.Hint(err) == "" {
		t.Error(err)
	}
	h.Secret = "github"
	if _, err := h.gitErr("store", "protocol=https", "host=github.com", "username=x", "password=y"); err == nil {
		t.Error("stored in a secret that is not git's")
	}
}

// A server that refuses a password has git erase it: only the secret that is for this
// server, has this password, and is git's own.
func TestGitErases(t *testing.T) {
	h := newHouse(t)
	h.put("github", "oauth_token", "fake-hub")
	h.put("git/alice@git.example", "url", "https://git.example", "username", "alice", "password", "fake-git")
	before := h.stored()
	for _, lines := range [][]string{
		{"host=evil.example", "username=alice", "password=fake-git"},
		{"host=git.example.evil.example", "username=alice", "password=fake-git"},
		{"host=git.example:8443", "username=alice", "password=fake-git"},
		{"host=git.example", "username=alice", "password=fake-other"},
		{"host=git.example", "username=alice", "password="},
		{"host=git.example", "username=alice"},
		{"host=git.example"},
		{"host=git.example", "username=bob", "password=fake-git"},
		{"host=git.example", "path=x", "username=alice", "password=fake-git"},
		{"host=github.com", "username=x", "password=fake-other"},
	} {
		h.git("erase", append([]string{"protocol=https"}, lines...)...)
		if h.stored() != before || len(h.said) > 0 {
			t.Fatalf("%q: %q\n%s", lines, h.said, h.stored())
		}
	}
	h.git("erase", "protocol=https", "host=github.com", "username=x", "password=fake-hub")
	if h.stored() != before || len(h.said) != 1 || h.said[0] != "github was refused by https://github.com, and stays in the store; rhx delete github deletes it" {
		t.Errorf("%q", h.said)
	}
	h.git("erase", "protocol=https", "host=git.example", "username=alice", "password=fake-git")
	if got := h.stored(); got != "github@1 oauth_token=fake-hub" || h.said[1] != "deleted git/alice@git.example; rhx undelete brings it back" {
		t.Errorf("%q\n%s", h.said, got)
	}
	if err := h.st.Undelete(t.Context(), "git/alice@git.example", 0); err != nil || h.stored() != before {
		t.Error(err, h.stored())
	}
}

// denying is a store of which one secret cannot be read.
type denying struct {
	store.Store
	name string
}

func (d denying) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	if name == d.name {
		return nil, store.ErrDenied
	}
	return d.Store.Get(ctx, name, version)
}

// A secret that cannot be read takes no other one along, and is an error where it might
// have answered.
func TestOneThatCannotBeRead(t *testing.T) {
	h := newHouse(t)
	h.put("git/a@one.example", "url", "https://one.example", "username", "a", "password", "fake-1")
	h.put("git/b@one.example", "url", "https://one.example", "username", "b", "password", "fake-2")
	h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return denying{h.st, "git/a@one.example"}, nil }}
	if out := h.git("get", "protocol=https", "host=one.example"); out != "username=b\npassword=fake-2\n" {
		t.Error(out)
	}
	if out, err := h.gitErr("get", "protocol=https", "host=one.example", "username=a"); !errors.Is(err, store.ErrDenied) || out != "" || !strings.Contains(err.Error(), "git/a@one.example") {
		t.Error(out, err)
	}
}

// counting is a store that counts what is read of it.
type counting struct {
	store.Store
	got []string
}

func (c *counting) Get(ctx context.Context, name string, version int) (*store.Record, error) {
	c.got = append(c.got, name)
	return c.Store.Get(ctx, name, version)
}

// Of many secrets only those are decrypted that their names, or specs, say to be for the
// host; the others where none of these is.
func TestFewAreDecrypted(t *testing.T) {
	h := newHouse(t)
	h.put("git/a@one.example", "url", "https://one.example", "username", "a", "password", "fake-1")
	h.put("git/b@two.example", "url", "https://two.example", "username", "b", "password", "fake-2")
	h.putAs("mine", "git", "c@three.example", "url", "https://three.example", "username", "c", "password", "fake-3")
	h.put("github", "oauth_token", "fake-hub")
	h.put("acme", "id", "me", "key", "fake-acme")
	h.put("openai", "api_key", "fake")
	h.putAs("none", "", "", "k", "v")
	h.putAs("strange", "no-such-provider", "", "k", "v")
	for host, want := range map[string]string{
		"two.example":      "github git/b@two.example",
		"git.acme.example": "acme github",
		"github.com":       "github",
		"three.example":    "github git/a@one.example git/b@two.example mine",
		"none.example":     "github git/a@one.example git/b@two.example mine",
	} {
		st := &counting{Store: h.st}
		h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return st, nil }}
		out := h.git("get", "protocol=https", "host="+host)
		slices.Sort(st.got)
		all := strings.Fields(want)
		slices.Sort(all)
		if !slices.Equal(st.got, all) || (out == "") != (host == "none.example") {
			t.Errorf("%s: %q, %q", host, st.got, out)
		}
	}
	// Where names are cheap, they are asked for first.
	infos, err := h.st.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st := &naming{counting: counting{Store: h.st}}
	for _, i := range infos {
		st.names = append(st.names, i.Name)
	}
	st.names = append(st.names, "git/gone@two.example")
	h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return st, nil }}
	if out := h.git("get", "protocol=https", "host=two.example"); out == "" || st.listed != 0 || strings.Join(st.got, " ") != "git/b@two.example github git/gone@two.example" {
		t.Errorf("%q, %q, listed %d times", out, st.got, st.listed)
	}
	st.got = nil
	if out := h.git("get", "protocol=https", "host=three.example"); out == "" || st.listed != 1 {
		t.Errorf("%q, listed %d times", out, st.listed)
	}
	if slices.Sort(st.got); len(slices.Compact(slices.Clone(st.got))) < len(st.got) {
		t.Errorf("read twice: %q", st.got)
	}
}

// naming is a store that names its secrets cheaply.
type naming struct {
	counting
	names  []string
	listed int
}

func (n *naming) Names(context.Context) ([]string, error) { return n.names, nil }

func (n *naming) List(ctx context.Context) ([]store.Info, error) {
	n.listed++
	return n.Store.List(ctx)
}

// What cannot be listed is an error, and not nothing.
func TestStoreThatFails(t *testing.T) {
	h := newHouse(t)
	h.put("github", "oauth_token", "fake-hub")
	h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return failing{h.st}, nil }}
	for _, verb := range []string{"get", "store", "erase"} {
		if out, err := h.gitErr(verb, "protocol=https", "host=github.com", "username=u", "password=p"); !errors.Is(err, store.ErrUnavailable) || out != "" {
			t.Errorf("%s: %q, %v", verb, out, err)
		}
	}
}

// failing is a store that cannot be listed.
type failing struct{ store.Store }

func (failing) List(context.Context) ([]store.Info, error) { return nil, store.ErrUnavailable }

// meanwhile is a store in which somebody else does something before the first write.
type meanwhile struct {
	store.Store
	do func()
}

func (m *meanwhile) first() {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
}

func (m *meanwhile) Put(ctx context.Context, s *secret.Secret, expect int) (int, error) {
	m.first()
	return m.Store.Put(ctx, s, expect)
}

func (m *meanwhile) Delete(ctx context.Context, name string) error {
	m.first()
	return m.Store.Delete(ctx, name)
}

// Two processes of a client store and erase at once: the second one finds it done.
func TestStoresMeanwhile(t *testing.T) {
	h := newHouse(t)
	st := &meanwhile{Store: h.st}
	h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return st, nil }}
	jane := []string{"protocol=https", "host=git.example", "username=jane", "password=fake-1"}
	save := func() {
		h.put("git/jane@git.example", "url", "https://git.example", "username", "jane", "password", "fake-1")
	}
	st.do = save
	h.git("store", jane...)
	if got := h.stored(); got != "git/jane@git.example@1 password=fake-1 url=https://git.example username=jane" {
		t.Error(got)
	}
	// Somebody else's other value is found by the second try, and replaced by what the client has.
	st.do = func() {
		h.put("git/jane@git.example", "url", "https://git.example", "username", "jane", "password", "fake-other")
	}
	h.git("store", "protocol=https", "host=git.example", "username=jane", "password=fake-2")
	if got := h.stored(); got != "git/jane@git.example@3 password=fake-2 url=https://git.example username=jane" {
		t.Error(got)
	}
	st.do = func() {
		if err := h.st.Delete(t.Context(), "git/jane@git.example"); err != nil {
			t.Error(err)
		}
	}
	h.git("erase", "protocol=https", "host=git.example", "username=jane", "password=fake-2")
	if got := h.stored(); got != "" {
		t.Error(got)
	}
	// A store that fails says so.
	save()
	h.Records = &records.Records{Open: func(context.Context) (store.Store, error) { return readOnly{h.st}, nil }}
	if _, err := h.gitErr("erase", jane...); !errors.Is(err, store.ErrDenied) {
		t.Error(err)
	}
	_, err := h.gitErr("store", "protocol=https", "host=git.example", "username=jane", "password=fake-3")
	if !errors.Is(err, store.ErrDenied) || fault.Hint(err) != "" {
		t.Error(err)
	}
}

// readOnly is a store that takes nothing.
type readOnly struct{ store.Store }

func (readOnly) Put(context.Context, *secret.Secret, int) (int, error) { return 0, store.ErrDenied }
func (readOnly) Delete(context.Context, string) error                  { return store.ErrDenied }

// Which users are tokens, and in no name.
func TestTokenUsers(t *testing.T) {
	for _, c := range []struct {
		user, password string
		token          bool
	}{
		{"short", "x-oauth-basic", true}, {"short", "x-oauth-token", true}, {"short", "other", false},
		{"twelve-bytes", "twelve-bytes", true}, {"elevenbytes", "elevenbytes", false}, {"twelve-bytes", "other-bytes!", false},
		{"ghp_" + strings.Repeat("f", 20), "x", true}, {"ghp_" + strings.Repeat("f", 19), "x", false}, {strings.Repeat("f", 40), "x", false},
	} {
		if tokenUser(c.user, c.password) != c.token {
			t.Errorf("%+v", c)
		}
	}
}

// A value that would be several lines does not go to a client that reads lines.
func TestLineBreaksAreNotGiven(t *testing.T) {
	h := newHouse(t)
	for n, value := range []string{"a\nhost=evil", "a\rb", "a\x00b"} {
		h.put(fmt.Sprintf("git/u@h%d.example", n), "url", fmt.Sprintf("https://h%d.example", n), "username", "u", "password", value)
		if out, err := h.gitErr("get", "protocol=https", fmt.Sprintf("host=h%d.example", n)); err == nil || out != "" || strings.Contains(err.Error(), "evil") {
			t.Errorf("%q, %v", out, err)
		}
	}
	h.put("pypi/x", "repository", "https://x.example", "username", "u", "token", "a\nb")
	var out bytes.Buffer
	if err := h.Keyring(t.Context(), []string{"get", "https://x.example", "u"}, nil, &out); err == nil || errors.Is(err, ErrNone) || out.Len() > 0 {
		t.Error(err)
	}
}

// A client that sends nothing, and does not end, is given up.
func TestClientsThatDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never, w := io.Pipe()
		defer w.Close()
		start := time.Now()
		_, err := readAll(t.Context(), never)
		if err == nil || !strings.Contains(err.Error(), "within 30s") || time.Since(start) != patience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := readAll(ctx, never); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	// To the last byte that is taken.
	if data, err := readAll(t.Context(), strings.NewReader(strings.Repeat("a", maxInput))); err != nil || len(data) != maxInput {
		t.Error(err)
	}
	if _, err := readAll(t.Context(), strings.NewReader(strings.Repeat("a", maxInput+1))); err == nil {
		t.Error("read without a bound")
	}
}
