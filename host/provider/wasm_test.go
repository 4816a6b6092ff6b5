package provider_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	wasm "github.com/rhx-dev/rhx/providers-wasm"
)

// fakeGuest is a module whose files have lines "PROFILE KEY VALUE".
type fakeGuest struct {
	// after changes what Render gives.
	after func(*sandbox.Response)
	fail  error
	asked []*sandbox.Request
}

func (g *fakeGuest) Run(_ context.Context, _ *spec.Spec, f *spec.File, req *sandbox.Request) (*sandbox.Response, error) {
	g.asked = append(g.asked, req)
	if f.Wasm != "lines" {
		return nil, fmt.Errorf("no module %q", f.Wasm)
	}
	if g.fail != nil {
		return nil, g.fail
	}
	var kept []string
	var secrets []sandbox.Secret
	for line := range strings.Lines(string(req.Files[0].Content)) {
		w := strings.Fields(line)
		if len(w) != 3 {
			return nil, errors.New("line 1: not three words")
		}
		i := slices.IndexFunc(secrets, func(s sandbox.Secret) bool { return s.Profile == w[0] })
		if i < 0 {
			i = len(secrets)
			secrets = append(secrets, sandbox.Secret{Profile: w[0], Values: map[string]string{}, Expires: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)})
		}
		secrets[i].Values[w[1]] = w[2]
		if w[0] != req.Profile {
			kept = append(kept, line)
		}
	}
	if req.Op == sandbox.Extract {
		return &sandbox.Response{Secrets: secrets}, nil
	}
	text := strings.Join(kept, "")
	for _, k := range []string{"user", "password"} {
		if v := req.Secret.Values[k]; v != "" {
			text += req.Secret.Profile + " " + k + " " + v + "\n"
		}
	}
	resp := &sandbox.Response{Files: []sandbox.File{{Path: req.Files[0].Path, Content: []byte(text)}}}
	if g.after != nil {
		g.after(resp)
	}
	return resp, nil
}

const linesSpec = `
spec: 1
name: lines
values: {user: {public: true, env: L_USER}, password: {}, otp: {optional: true}}
files: [{path: ~/lines, override: LINES, format: {wasm: lines}, profiles: {default: main}}]
`

func takeWith(t *testing.T, m machine.Machine, g provider.Guests, sp *spec.Spec) *provider.Snapshot {
	t.Helper()
	snap, err := provider.Take(ctx, m, g, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func TestWasmExtract(t *testing.T) {
	sp := parse(t, linesSpec)
	g := &fakeGuest{}
	m := newMachine(tree{"lines": "main user u\nmain password p\nwork password q\nnobody user x\n", "$L_USER": "env", "$LINES": home + "lines"})
	same(t, "found", describe(takeWith(t, m, g, sp).Extract(ctx, sp)), `
lines value from ~/lines: password=p user=u until 2030-01-02
lines/work invalid from ~/lines: read ~/lines, work: user is missing until 2030-01-02`)
	req := g.asked[0]
	if req.Provider != "lines" || len(req.Files) != 1 || req.Files[0].Path != "~/lines" || !req.Files[0].Exists || len(req.Env) != 1 || req.Env["L_USER"] != "env" {
		t.Errorf("the module was asked %+v", req)
	}
	g.fail = errors.New("it ran too long")
	same(t, "a module that fails", describe(takeWith(t, m, g, sp).Extract(ctx, sp)), "lines invalid from ~/lines: read ~/lines: it ran too long")
	same(t, "no modules", describe(takeWith(t, m, nil, sp).Extract(ctx, sp)), "lines invalid from ~/lines: read ~/lines: wasm modules cannot be run here")
}

func TestWasmPut(t *testing.T) {
	sp := parse(t, linesSpec)
	s := sec(sp, "", "user", "u", "password", "p")
	before := "work user w\nwork password q\nmain user u\nmain password old\n"
	for _, c := range []struct {
		name, before string
		values       []string
		overwrite    bool
		after        func(*sandbox.Response)
		fail         error
		out, want    string
	}{
		{"into nothing", "", nil, false, nil, nil, "~/lines created password,user", "main user u\nmain password p\n"},
		{"already there", "main password p\nmain user u\n", nil, false, nil, nil, "~/lines unchanged", "main password p\nmain user u\n"},
		{"other values", before, nil, false, nil, nil, "~/lines conflict password: ~/lines has other values for password", before},
		{"overwritten", before, nil, true, nil, nil, "~/lines updated password", "work user w\nwork password q\nmain user u\nmain password p\n"},
		{"a value more and another one", "main password old\n", nil, true, nil, nil, "~/lines updated password,user", "main user u\nmain password p\n"},
		{"a stale secret value", "main user u\nmain password p\nmain otp 1\n", nil, true, nil, nil, "~/lines updated otp", "main user u\nmain password p\n"},
		{"half a secret", "", []string{"password", "p"}, false, nil, nil, "failed: the secret has no value for user", "(none)"},
		{"values the spec does not have", "", []string{"user", "u", "password", "p", "more", "m"}, false, nil, nil, "~/lines created password,user", "main user u\nmain password p\n"},
		{"a file that does not parse", "x\n", nil, true, nil, nil, "~/lines failed: read ~/lines: line 1: not three words", "x\n"},
		{"a module that fails", before, nil, true, nil, errors.New("it ran too long"), "~/lines failed: read ~/lines: it ran too long", before},
		{"a module that writes nothing", before, nil, true, func(r *sandbox.Response) { r.Files = nil }, nil, "~/lines failed: write ~/lines: the module lines gave 0 files instead of one", before},
		{"a module that spoils another profile", before, nil, true, func(r *sandbox.Response) { r.Files[0].Content = []byte("work user w\nmain user u\nmain password p\n") }, nil, "~/lines failed: write ~/lines: what the module lines wrote would not read back as intended; nothing was changed", before},
		{"a module that loses another profile", before, nil, true, func(r *sandbox.Response) { r.Files[0].Content = []byte("main user u\nmain password p\n") }, nil, "~/lines failed: write ~/lines: what the module lines wrote would not read back as intended; nothing was changed", before},
		{"a module that adds a profile", before, nil, true, func(r *sandbox.Response) {
			r.Files[0].Content = append(r.Files[0].Content, "evil user e\nevil password e\n"...)
		}, nil, "~/lines failed: write ~/lines: what the module lines wrote would not read back as intended; nothing was changed", before},
		{"a module that writes another value", before, nil, true, func(r *sandbox.Response) {
			r.Files[0].Content = []byte("work user w\nwork password q\nmain user u\nmain password x\n")
		}, nil, "~/lines failed: write ~/lines: what the module lines wrote would not read back as intended; nothing was changed", before},
		{"a module that writes what it cannot read", before, nil, true, func(r *sandbox.Response) { r.Files[0].Content = []byte("?") }, nil, "~/lines failed: write ~/lines: what the module lines wrote would not read back as intended; nothing was changed", before},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := tree{}
			if c.before != "" {
				files["lines"] = c.before
			}
			m := newMachine(files)
			if c.values == nil {
				c.values = []string{"user", "u", "password", "p"}
			}
			plan := provider.NewPlan(takeWith(t, m, &fakeGuest{after: c.after, fail: c.fail}, sp))
			out := plan.Put(ctx, sp, sec(sp, "", c.values...), overwriting(c.overwrite))
			same(t, "outcome", outcome(out), c.out)
			apply(t, m, plan)
			same(t, "file", content(m, "lines"), c.want)
		})
	}
	plan := provider.NewPlan(takeWith(t, newMachine(nil), nil, sp))
	same(t, "no modules", outcome(plan.Put(ctx, sp, s, provider.Options{})), "~/lines failed: write ~/lines: wasm modules cannot be run here")
}

func TestWasmRemove(t *testing.T) {
	sp := parse(t, linesSpec)
	s := sec(sp, "", "user", "u", "password", "p")
	for before, want := range map[string]string{
		"main user u\nmain password p\n":                    "~/lines removed",
		"main user u\nmain password p\nwork password w\n":   "~/lines failed: ~/lines has other entries too, and rhx cannot take out one; use the vendor's tool",
		"main user u\nmain password other\n":                "~/lines conflict password: ~/lines has other values for password",
		"work user u\nwork password p\nother password p2\n": "",
	} {
		plan := provider.NewPlan(takeWith(t, newMachine(tree{"lines": before}), &fakeGuest{}, sp))
		same(t, before, outcome(plan.Remove(ctx, sp, s)), want)
	}
}

// realGuests runs the modules that are part of rhx.
type realGuests struct{ box *sandbox.Sandbox }

func (g realGuests) Run(ctx context.Context, _ *spec.Spec, f *spec.File, req *sandbox.Request) (*sandbox.Response, error) {
	code, ok := wasm.Module(f.Wasm)
	if !ok {
		return nil, fmt.Errorf("no module %q", f.Wasm)
	}
	return g.box.Run(ctx, sandbox.Module{Name: f.Wasm, Wasm: code, Trusted: true}, req)
}

// A secret that is a line goes by itself, and all other lines stay.
func TestRemoveLine(t *testing.T) {
	sp := builtin(t, "git")
	box := sandbox.New(sandbox.Config{})
	t.Cleanup(func() { _ = box.Close(ctx) })
	for _, c := range []struct{ before, out, after string }{
		{"https://jane:fake@a.example\n", "~/.git-credentials removed", "(none)"},
		{"https://bob:fake2@b.example\nhttps://jane:fake@a.example\n\n# mine", "~/.git-credentials removed", "https://bob:fake2@b.example\n\n# mine"},
		{"https://jane:fake@a.example\n# mine\n", "~/.git-credentials removed", "# mine\n"},
		{"https://jane:fake@a.example\nhttps://jane:old@a.example\nhttps://bob:fake2@b.example\n", "~/.git-credentials failed: ~/.git-credentials has other entries too, and rhx cannot take out one; use the vendor's tool", "https://jane:fake@a.example\nhttps://jane:old@a.example\nhttps://bob:fake2@b.example\n"},
	} {
		m := newMachine(tree{".git-credentials": c.before})
		plan := provider.NewPlan(takeWith(t, m, realGuests{box}, sp))
		s := sec(sp, "jane@a.example", "url", "https://a.example", "username", "jane", "password", "fake")
		same(t, c.before, outcome(plan.Remove(ctx, sp, s)), c.out)
		apply(t, m, plan)
		same(t, c.before, content(m, ".git-credentials"), c.after)
	}
	m := newMachine(tree{".git-credentials": "https://jane:fake@a.example\nhttps://bob:fake2@b.example\n"})
	plan := provider.NewPlan(takeWith(t, m, realGuests{box}, sp))
	for _, s := range []*secret.Secret{
		sec(sp, "jane@a.example", "url", "https://a.example", "username", "jane", "password", "fake"),
		sec(sp, "bob@b.example", "url", "https://b.example", "username", "bob", "password", "fake2"),
	} {
		same(t, "both", outcome(plan.Remove(ctx, sp, s)), "~/.git-credentials removed")
	}
	apply(t, m, plan)
	same(t, "both", content(m, ".git-credentials"), "(none)")
}

// The real module for MySQL's login path file, on a file that MySQL's own
// editor wrote.
func TestMySQL(t *testing.T) {
	data, err := os.ReadFile("../../providers-wasm/mylogin/cases/editor/home/.mylogin.cnf")
	if err != nil {
		t.Fatal(err)
	}
	sp := builtin(t, "mysql")
	box := sandbox.New(sandbox.Config{})
	t.Cleanup(func() { _ = box.Close(ctx) })
	g := realGuests{box}
	m := newMachine(tree{".mylogin.cnf": string(data)})
	found := takeWith(t, m, g, sp).Extract(ctx, sp)
	if len(found) == 0 {
		t.Fatal("nothing found")
	}
	for _, f := range found {
		if f.State != provider.HasValue || f.Values["password"].Empty() {
			t.Errorf("%s", describe([]provider.Found{f}))
		}
	}
	others := describe(found)

	put := func(s *secret.Secret, opts provider.Options) string {
		t.Helper()
		plan := provider.NewPlan(takeWith(t, m, g, sp))
		out := outcome(plan.Put(ctx, sp, s, opts))
		apply(t, m, plan)
		return out
	}
	s := sec(sp, "rhx-test", "user", "jane", "password", "p#a \"ss'\\", "host", "db.example", "port", "3307")
	same(t, "put", put(s, provider.Options{}), "~/.mylogin.cnf updated host,password,port,user")
	same(t, "again", put(s, provider.Options{}), "~/.mylogin.cnf unchanged")
	after := takeWith(t, m, g, sp).Extract(ctx, sp)
	i := slices.IndexFunc(after, func(f provider.Found) bool { return f.Profile == "rhx-test" })
	if i < 0 || !after[i].Values.Equal(s.Values) {
		t.Fatalf("read back: %s", describe(after))
	}
	same(t, "others", describe(slices.Delete(after, i, i+1)), others)
	s.Values["password"] = secret.NewValue("other")
	same(t, "conflict", put(s, provider.Options{}), "~/.mylogin.cnf conflict password: ~/.mylogin.cnf has other values for password")
	same(t, "overwrite", put(s, provider.Options{Resolve: provider.ReplaceAll}), "~/.mylogin.cnf updated password")
	if out := put(sec(sp, "a]\n[b", "password", "p"), provider.Options{}); !strings.Contains(out, "failed") {
		t.Errorf("a login path with a line break: %s", out)
	}

	// Into nothing, without a user, and as the default login path.
	m = newMachine(nil)
	same(t, "new", put(sec(sp, "", "password", "p"), provider.Options{}), "~/.mylogin.cnf created password")
	same(t, "found", describe(takeWith(t, m, g, sp).Extract(ctx, sp)), "mysql value from ~/.mylogin.cnf: password=p")
	m.PutFile(home+".mylogin.cnf", data[:len(data)-3], 0o600)
	found = takeWith(t, m, g, sp).Extract(ctx, sp)
	if len(found) != 1 || found[0].State != provider.Invalid || !strings.Contains(found[0].Err.Error(), "~/.mylogin.cnf") {
		t.Errorf("a file cut short: %s", describe(found))
	}
}

// The real module for rclone.conf: a spec with "*" takes every option that the
// module gives, and no remote is the default.
func TestRclone(t *testing.T) {
	sp := builtin(t, "rclone")
	box := sandbox.New(sandbox.Config{})
	t.Cleanup(func() { _ = box.Close(ctx) })
	g := realGuests{box}
	before := "[here]\ntype = local\n\n[s3]\ntype = s3\nsecret_access_key = fake\nnot_in_the_spec = more\nempty =\n"
	m := newMachine(tree{".config/rclone/rclone.conf": before})
	found := "rclone/s3 value from ~/.config/rclone/rclone.conf: not_in_the_spec=more secret_access_key=fake type=s3"
	same(t, "found", describe(takeWith(t, m, g, sp).Extract(ctx, sp)), found)
	put := func(s *secret.Secret, opts provider.Options) string {
		t.Helper()
		plan := provider.NewPlan(takeWith(t, m, g, sp))
		out := outcome(plan.Put(ctx, sp, s, opts))
		apply(t, m, plan)
		return out
	}
	s := sec(sp, "s3", "type", "s3", "secret_access_key", "fake", "not_in_the_spec", "more")
	same(t, "there", put(s, provider.Options{}), "~/.config/rclone/rclone.conf unchanged")
	s = sec(sp, "s3", "type", "s3", "secret_access_key", "fake", "another", "one")
	same(t, "conflict", put(s, provider.Options{}), "~/.config/rclone/rclone.conf conflict not_in_the_spec: ~/.config/rclone/rclone.conf has other values for not_in_the_spec")
	same(t, "overwrite", put(s, provider.Options{Resolve: provider.ReplaceAll}), "~/.config/rclone/rclone.conf updated another,not_in_the_spec")
	same(t, "file", content(m, ".config/rclone/rclone.conf"), strings.Replace(before, "not_in_the_spec = more\nempty =\n", "empty =\nanother = one\n", 1))
	same(t, "no profile", put(sec(sp, "", "type", "s3"), provider.Options{}), "failed: rclone has no default profile, so a secret needs one: name it rclone/PROFILE")
	if sp.HasDefault() {
		t.Error("rclone has a default profile")
	}
}
