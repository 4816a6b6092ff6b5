package deliver_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

const hosts = "/home/u/.config/gh/hosts.yml"

// placed brings secrets to a machine for an hour, and returns what is to go.
func placed(t *testing.T, d *deliver.Deliverer, book *session.Book, m machine.Machine, what deliver.Delivery) []session.Expiry {
	t.Helper()
	what.Last(time.Hour)
	s := book.Begin("sync")
	defer s.End()
	out, err := d.Deliver(t.Context(), s, gpu, m, what, deliver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		if o.Err != nil {
			t.Fatal(say(out))
		}
	}
	all, err := book.Expiring()
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return all
}

func swept(t *testing.T, d *deliver.Deliverer, book *session.Book, m machine.Machine, due []session.Expiry) string {
	t.Helper()
	s := book.Begin("sweep")
	defer s.End()
	return say(d.Sweep(t.Context(), book, s, gpu, m, due))
}

func stays(t *testing.T, book *session.Book, n int) {
	t.Helper()
	if all, err := book.Expiring(); err != nil || len(all) != n {
		t.Errorf("%d are to go, not %d, %v", len(all), n, err)
	}
}

// A sweep takes the keys out that have the values that rhx put there, and no others.
func TestSweep(t *testing.T) {
	github := record("github", "oauth_token", "fake-token", "user", "jane")
	key := record("ssh/id_x", "private_key", "-----BEGIN OPENSSH PRIVATE KEY-----\nZmFrZQ==\n-----END OPENSSH PRIVATE KEY-----\n", "public_key", "ssh-ed25519 fake\n")
	for name, c := range map[string]struct {
		rec    *store.Record
		before map[string]string // files
		then   func(m *machine.Memory)
		says   string
		after  map[string]string // "" is no file
	}{
		"a file that rhx made goes": {rec: github,
			says:  "github: ~/.config/gh/hosts.yml removed oauth_token,user",
			after: map[string]string{hosts: ""}},
		"a file that was there stays": {rec: github, before: map[string]string{hosts: "\n"},
			says:  "github: ~/.config/gh/hosts.yml removed oauth_token,user",
			after: map[string]string{hosts: "empty"}},
		"another value is left": {rec: github,
			then: func(m *machine.Memory) {
				m.PutFile(hosts, []byte("github.com:\n    oauth_token: by-hand\n    user: jane\n"), 0o600)
			},
			says:  "github: ~/.config/gh/hosts.yml conflict: its time has passed, and it was changed there since: it is left",
			after: map[string]string{hosts: "github.com:\n    oauth_token: by-hand\n    user: jane\n"}},
		"a public value that somebody changed is left alone": {rec: github,
			then: func(m *machine.Memory) {
				data, _, _ := m.File(hosts)
				m.PutFile(hosts, []byte(strings.ReplaceAll(string(data), "jane", "joe")), 0o600)
			},
			says:  "github: ~/.config/gh/hosts.yml removed oauth_token",
			after: map[string]string{hosts: "joe"}},
		"what is gone is nothing to speak of": {rec: github, then: func(m *machine.Memory) { m.Delete(hosts) },
			after: map[string]string{hosts: ""}},
		"both halves of a pair": {rec: key,
			says:  "ssh/id_x: ~/.ssh/id_x removed private_key,public_key\nssh/id_x: ~/.ssh/id_x.pub removed private_key,public_key",
			after: map[string]string{"/home/u/.ssh/id_x": "", "/home/u/.ssh/id_x.pub": ""}},
		"the public half, where the other is gone": {rec: key, then: func(m *machine.Memory) { m.Delete("/home/u/.ssh/id_x") },
			says:  "ssh/id_x: ~/.ssh/id_x.pub removed public_key",
			after: map[string]string{"/home/u/.ssh/id_x.pub": ""}},
		"another public half": {rec: key, then: func(m *machine.Memory) {
			m.Delete("/home/u/.ssh/id_x")
			m.PutFile("/home/u/.ssh/id_x.pub", []byte("ssh-ed25519 other\n"), 0o600)
		},
			says:  "ssh/id_x: ~/.ssh/id_x.pub conflict: its time has passed, and it was changed there since: it is left",
			after: map[string]string{"/home/u/.ssh/id_x.pub": "ssh-ed25519 other\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, book := newDeliverer(t)
			m := machine.NewMemory("gpu")
			for path, text := range c.before {
				m.PutFile(path, []byte(text), 0o600)
			}
			due := placed(t, d, book, m, deliver.Delivery{Files: []*store.Record{c.rec}})
			if c.then != nil {
				c.then(m)
			}
			is(t, "a plan", say(d.Sweep(t.Context(), book, nil, gpu, m, due)), planned(c.says))
			is(t, "the sweep", swept(t, d, book, m, due), c.says)
			stays(t, book, 0)
			for path, want := range c.after {
				data, _, ok := m.File(path)
				switch {
				case want == "" && ok, want != "" && !ok:
					t.Errorf("%s is there: %v", path, ok)
				case want == "empty" && len(strings.TrimSpace(string(data))) > 0, want != "empty" && !strings.Contains(string(data), want):
					t.Errorf("%s:\n%s", path, data)
				case strings.Contains(string(data), "fake-token"):
					t.Errorf("%s has the value", path)
				}
			}
		})
	}
}

// planned is what a plan says: the second half of a pair is taken with the first one,
// which it knows only when that is done.
func planned(says string) string {
	if strings.Contains(says, "id_x removed private_key") {
		return says + "\nssh/id_x: ~/.ssh/id_x.pub removed public_key"
	}
	return says
}

// What cannot be done now waits for the next sweep.
func TestSweepWaits(t *testing.T) {
	for name, c := range map[string]struct {
		then func(m *machine.Memory)
		says string
	}{
		"the file cannot be read":    {func(m *machine.Memory) { m.FailRead(hosts, errors.New("no")) }, "failed: "},
		"the file cannot be written": {func(m *machine.Memory) { m.FailWrite(hosts, errors.New("no space left on device")) }, "no space left on device"},
		"the file is broken":         {func(m *machine.Memory) { m.PutFile(hosts, []byte("github.com: ["), 0o600) }, "failed: "},
		"the host is away":           {func(m *machine.Memory) { m.Fail(errors.New("away")) }, "failed: away"},
	} {
		t.Run(name, func(t *testing.T) {
			d, book := newDeliverer(t)
			m := machine.NewMemory("gpu")
			due := placed(t, d, book, m, deliver.Delivery{Files: []*store.Record{record("github", "oauth_token", "fake-token", "user", "jane")}})
			c.then(m)
			contains(t, swept(t, d, book, m, due), c.says)
			stays(t, book, 1)
		})
	}
}

// Variables go from the env file together, or stay together.
func TestSweepVars(t *testing.T) {
	d, book := newDeliverer(t)
	m := machine.NewMemory("gpu")
	rec := aws("aws", "A")
	for _, changed := range []bool{true, false} {
		due := placed(t, d, book, m, deliver.Delivery{Vars: d.Groups([]*store.Record{rec, record("openai", "api_key", "sk-fake")}, true)})
		if changed {
			data, mode, _ := m.File("/home/u/.config/rhx/env")
			m.PutFile("/home/u/.config/rhx/env", []byte(strings.ReplaceAll(string(data), "fake-A", "by-hand")), mode)
			contains(t, swept(t, d, book, m, due), "aws: $AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY conflict", "openai: $OPENAI_API_KEY removed OPENAI_API_KEY")
			data, _, _ = m.File("/home/u/.config/rhx/env")
			contains(t, string(data), "AWS_ACCESS_KEY_ID", "by-hand")
			m.Delete("/home/u/.config/rhx/env")
			continue
		}
		is(t, "the sweep", swept(t, d, book, m, due), "aws: $AWS_ACCESS_KEY_ID removed AWS_ACCESS_KEY_ID\naws: $AWS_SECRET_ACCESS_KEY removed AWS_SECRET_ACCESS_KEY\nopenai: $OPENAI_API_KEY removed OPENAI_API_KEY")
		if _, _, ok := m.File("/home/u/.config/rhx/env"); ok {
			t.Error("rhx's own file stays")
		}
	}
	stays(t, book, 0)
}
