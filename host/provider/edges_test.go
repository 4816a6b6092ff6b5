package provider_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// system is a machine with another operating system than Memory's.
type system struct {
	*machine.Memory
	os string
}

func (m system) Info(ctx context.Context, names []string) (machine.Info, error) {
	info, err := m.Memory.Info(ctx, names)
	info.OS = m.os
	return info, err
}

// lost is a machine to which the connection is lost after some calls.
type lost struct {
	*machine.Memory
	infos, reads int
}

var errLost = errors.New("connection lost")

func (m *lost) Info(ctx context.Context, names []string) (machine.Info, error) {
	if m.infos--; m.infos < 0 {
		return machine.Info{}, errLost
	}
	return m.Memory.Info(ctx, names)
}

func (m *lost) Read(ctx context.Context, paths []string) ([]machine.File, error) {
	if m.reads--; m.reads < 0 {
		return nil, errLost
	}
	return m.Memory.Read(ctx, paths)
}

const awsKeys = "aws_access_key_id = " + akia + "\naws_secret_access_key = " + awsKey + "\n"
const awsValues = ": access_key=" + akia + " secret_key=" + awsKey

// A connection that is lost is an error, whichever of the round trips it hits: it is
// never a machine without secrets.
func TestTakeFromAMachineThatIsLost(t *testing.T) {
	files := tree{"$AWS_SHARED_CREDENTIALS_FILE": "$SUB/creds", "$SUB": "/srv", "/srv/creds": "[default]\n" + awsKeys, "$KUBECONFIG": "~/k",
		"k": "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {certificate-authority: ca}}]\nusers: [{name: u, user: {token: t}}]\n", "ca": cert}
	all := []*spec.Spec{builtin(t, "aws"), builtin(t, "kubernetes")}
	for _, c := range []struct{ infos, reads int }{{0, 2}, {1, 2}, {2, 0}, {2, 1}} {
		if snap, err := provider.Take(ctx, &lost{newMachine(files), c.infos, c.reads}, nil, all); !errors.Is(err, errLost) {
			t.Errorf("after %+v: %v, %v", c, snap, err)
		}
	}
	if _, err := provider.Take(ctx, &lost{newMachine(files), 2, 2}, nil, all); err != nil {
		t.Errorf("two round trips of each kind are enough: %v", err)
	}
}

// Only a variable in a path that the tool expands is worth another round trip.
func TestTakeAsksForVariablesOfPathsOnly(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/a, override: A, format: text, keys: {k: .}}\n  - {path: ~/b, override: {path: B, expands: true}, format: text, keys: {k: .}}\n")
	for _, c := range []struct{ a, b, calls string }{
		{"$DIR/a", "", "info read"}, {"", "/srv/b", "info read"}, {"", "$DIR/b", "info info read"}, {"", "${not a name}/b", "info read"},
	} {
		m := newMachine(tree{"$A": c.a, "$B": c.b, "$DIR": "/srv"})
		take(t, m, sp)
		same(t, c.a+c.b, strings.Join(m.Calls(), " "), c.calls)
	}
	m := newMachine(tree{"$B": "$HOME/b", "$HOME": "/other", "/other/b": "moved"})
	same(t, "a HOME of the user's own", describe(extract(t, m, sp)), "x value from /other/b: k=moved")
}

// Which texts of a variable are the path of a file.
func TestPathsInVariables(t *testing.T) {
	aws := builtin(t, "aws")
	for _, c := range []struct{ name, value, at string }{
		{"a colon separates nothing where there is no list", "/srv/a:b", "/srv/a:b"},
		{"NUL is a name like others but on Windows", "NUL", "/srv/NUL"},
		{"so is nul below a folder", "/srv/nul", "/srv/nul"},
	} {
		m := newMachine(tree{"$AWS_SHARED_CREDENTIALS_FILE": c.value, "$PWD": "/srv", c.at: "[default]\n" + awsKeys})
		same(t, c.name, describe(extract(t, m, aws)), "aws value from "+c.at+awsValues)
	}
	sp := parse(t, "spec: 1\nname: x\nvalues: {id: {public: true, optional: true, pattern: '/srv/[a-z]+'}, k: {pattern: 'k-[a-z]+'}}\nfiles: [{path: ~/f, override: F, format: text, keys: {k: .}}]\n")
	m := newMachine(tree{"$F": "/srv/x", "/srv/x": "k-fake"})
	same(t, "a text that a public value may be", describe(extract(t, m, sp)), "x value from /srv/x: k=k-fake")
	same(t, "a text that the secret one may be", describe(extract(t, newMachine(tree{"$F": "k-fake"}), sp)), "x invalid from $F: $F should name a file, but holds a secret itself, which rhx does not show")

	plan := provider.NewPlan(take(t, newMachine(tree{"$F": "k-fake"}), sp))
	placed := plan.Put(ctx, sp, sec(sp, "", "k", "k-new"), provider.Options{})
	if hint := fault.Hint(placed[0].Err); hint != "put the path of a file into $F, or unset it" {
		t.Errorf("%v: hint %q", placed[0].Err, hint)
	}
}

// Several files that a variable lists are one document only for tools that merge them.
func TestListOfFilesThatAreNotMerged(t *testing.T) {
	keyed := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, override: {list: F}, format: json, profiles: {keys: p}, keys: {k: k}}]\n")
	m := newMachine(tree{"$F": "~/a:~/b", "a": `{"p":{"one":{"k":"1"}}}`, "b": `{"p":{"two":{"k":"2"}}}`})
	same(t, "each by itself", describe(extract(t, m, keyed)), "x/one value from ~/a: k=1\nx/two value from ~/b: k=2")
	out, _ := put(t, m, keyed, sec(keyed, "two", "k", "3"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "written where it is", out, "~/b updated k")
	whole := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, override: {list: F}, format: json, keys: {k: k}}]\n")
	m = newMachine(tree{"$F": "~/a:~/b", "a": `{"k":"1"}`, "b": `{"k":"2"}`})
	same(t, "the first one counts", describe(extract(t, m, whole)), "x value from ~/a: k=1")
	out, _ = put(t, m, whole, sec(whole, "", "k", "3"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "and is written", out, "~/a updated k")
}

// What is wrong in a list of kubeconfigs is said once, and hides nothing.
func TestBrokenListOfKubeconfigs(t *testing.T) {
	sp := builtin(t, "kubernetes")
	good := "contexts: [{name: x, context: {cluster: c, user: u}}, {name: z}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {token: t}}]\n"
	x := `kubernetes/x value from ~/b: cluster="{\"server\":\"s\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"t\"}"` + "\n"
	m := newMachine(tree{"$KUBECONFIG": "~/a:~/b:~/a", "a": "contexts: text\n", "b": good})
	same(t, "a broken file that is listed twice", describe(extract(t, m, sp)), x+"kubernetes invalid from ~/a: read ~/a: line 1: a list was expected here")
	m.PutFile(home+"a", []byte(good), 0)
	same(t, "a file that cannot be read", describe(extract(t, m, sp)), x+"kubernetes invalid from ~/a: read ~/a: permission denied")
	half := "contexts: [{name: h, context: {cluster: c, user: none}}]\n"
	m = newMachine(tree{"$KUBECONFIG": "~/a:~/b:~/c", "a": half, "b": good, "c": half})
	same(t, "half a context in two files", describe(extract(t, m, sp)), x+"kubernetes/h invalid from ~/a: read ~/a, h: user is missing")
	m.PutFile(home+"a", []byte("[]"), 0o600)
	out, _ := put(t, m, sp, sec(sp, "x", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token":"new"}`), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "written beside a broken file", out, "~/b updated user")
}

// Which of several findings of one name counts.
func TestFirstFindingCounts(t *testing.T) {
	aws := builtin(t, "aws")
	exec, sso := "[default]\ncredential_process = x\n", "[default]\nsso_session = corp\n"
	same(t, "two signs that the keys are elsewhere", describe(extract(t, newMachine(tree{".aws/credentials": exec, ".aws/config": sso}), aws)), "aws exec from ~/.aws/credentials:")
	m := newMachine(tree{".aws/credentials": exec, ".aws/config": "[default]\naws_access_key_id = x\n", "$AWS_ACCESS_KEY_ID": akia, "$AWS_SECRET_ACCESS_KEY": awsKey})
	same(t, "a broken file is not why the variables count", describe(extract(t, m, aws)),
		"aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"+awsValues+"\naws invalid from ~/.aws/config: read ~/.aws/config, default: secret_key is missing")
	stub := parse(t, "spec: 1\nname: x\nvalues: {k: {reject: '[*]+'}}\nfiles: [{path: ~/f, format: json, keys: {k: k}, states: [{state: exec, at: command}]}]\n")
	same(t, "a stub", describe(extract(t, newMachine(tree{"f": `{"k":"***"}`}), stub)), "x keyring from ~/f:")
	same(t, "a stub where a command gives the value", describe(extract(t, newMachine(tree{"f": `{"k":"***","command":"x"}`}), stub)), "x exec from ~/f:")
}

// A file of the user's is read as the first of the provider's files that it can be;
// where it can be none, the first one says why.
func TestFileThatNoFormFits(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {a: {}, b: {optional: true}, c: {optional: true}}\ntogether: [[a, b]]\nfiles:\n  - {path: ~/one.json, format: json, keys: {a: a, b: b}}\n  - {path: ~/two.json, format: yaml, keys: {a: a, c: x}}\n")
	found, err := take(t, newMachine(tree{"/srv/f": "{"}), sp, "/srv/f").ExtractFile(ctx, sp, "/srv/f")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found", describe(found), "x invalid from /srv/f: read /srv/f: line 2, column 1: not valid JSON: it ends too early")
	same(t, "a file without profiles", describe(extract(t, newMachine(tree{"one.json": `{"a":"1"}`}), sp)), "x invalid from ~/one.json: read ~/one.json: b is missing")
}

// Why a profile whose file is there has no secret.
func TestWhyNot(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {private_key: {}, public_key: {public: true, optional: true}}\nfiles: [{path: '~/.x/{profile}', override: 'X_DIR/{profile}', format: keypair}]\n")
	m := newMachine(tree{".x/k": pem, ".x/note": "x\n", ".x/deep/note": "x\n"})
	snap := take(t, m, sp, home+".x/deep/note")
	for profile, want := range map[string]string{"note": "read ~/.x/note: not a private key", "k": "", "none": "", "deep/note": ""} {
		if err := snap.WhyNot(sp, profile); err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: %v, want %q", profile, err, want)
		}
	}
	m = newMachine(tree{"$X_DIR": "/dev/null"})
	if err := take(t, m, sp).WhyNot(sp, "k"); err != nil {
		t.Error(err)
	}
}

// Notes on a file are on the first of its secrets only.
func TestNotesOfAFileAreSaidOnce(t *testing.T) {
	m := newMachine(tree{".aws/credentials": "\ufeff[a]\n" + awsKeys + "[b]\n" + awsKeys})
	same(t, "found", describe(extract(t, m, builtin(t, "aws"))), "aws/a value from ~/.aws/credentials"+awsValues+
		" (the AWS command line cannot read this file: line 1: the file begins with a byte order mark)\naws/b value from ~/.aws/credentials"+awsValues)
}

// A profile that is called by a secret value has no name here; the value has to be
// long enough not to be in a name by chance.
func TestNameThatHoldsAValue(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: json, profiles: {keys: .}, keys: {k: k}}]\n")
	for n, hidden := range map[int]bool{11: false, 12: true} {
		key := strings.Repeat("k", n)
		found := describe(extract(t, newMachine(tree{"f": `{"my-` + key + `":{"k":"` + key + `"}}`}), sp))
		if strings.Contains(found, "so rhx has no name for it") != hidden || hidden && strings.Contains(found, key) {
			t.Errorf("%d bytes: %s", n, found)
		}
	}
}

// A document takes the files that it names into itself, up to a size, whatever stands
// beside them.
func TestInlinedFiles(t *testing.T) {
	sp := parse(t, `spec: 1
name: x
values: {note: {public: true, optional: true}, user: {}}
files:
  - path: ~/f.yaml
    format: yaml
    keys: {note: note, user: {at: user, tree: true, inline: {ca: {into: data, holds: certificates}}}}
`)
	const most = 512 << 10
	for n, inlined := range map[int]bool{len(cert): true, most: true, most + 1: false} {
		padded := cert + strings.Repeat("\n", n-len(cert))
		want := `{"ca":"ca.pem"}`
		if inlined {
			want = `{"data":"` + base64.StdEncoding.EncodeToString([]byte(padded)) + `"}`
		}
		found := extract(t, newMachine(tree{"f.yaml": "user: {ca: ca.pem}\n", "ca.pem": padded}), sp)
		if len(found) != 1 || found[0].Values["user"].Reveal() != want {
			t.Errorf("a file of %d bytes: inlined is not %v", n, inlined)
		}
	}
	found := extract(t, newMachine(tree{"f.yaml": "note: [1]\nuser: {ca: ca.pem}\n", "ca.pem": cert}), sp)
	same(t, "another value that is broken", describe(found), "x invalid from ~/f.yaml: read ~/f.yaml: note: line 1: a single value was expected here")
}

// Of a key pair a public half that is empty is none; the halves change together.
func TestHalvesOfAKeyPair(t *testing.T) {
	sp := builtin(t, "ssh")
	all := provider.Options{Resolve: provider.ReplaceAll}
	m := newMachine(tree{".ssh/k": pem, ".ssh/k.pub": ""})
	same(t, "found", describe(extract(t, m, sp)), fmt.Sprintf("ssh/k value from ~/.ssh/k: private_key=%q", pem))
	out, _ := put(t, m, sp, sec(sp, "k", "private_key", pem2), all)
	same(t, "an empty public half goes", out, "~/.ssh/k updated private_key\n~/.ssh/k.pub removed public_key")

	plan := provider.NewPlan(take(t, newMachine(tree{".ssh/k": pem, ".ssh/k.pub": pub}), sp))
	plan.Put(ctx, sp, sec(sp, "k", "private_key", pem2), all)
	same(t, "one that is gone already", outcome(plan.Put(ctx, sp, sec(sp, "k", "private_key", tlsKey), all)), "~/.ssh/k updated private_key")

	for _, name := range []string{".ssh/k", ".ssh/k.pub"} {
		m = newMachine(tree{".ssh/k": pem, ".ssh/k.pub": pub})
		m.PutFile(home+name, []byte("x"), 0)
		out, n := put(t, m, sp, sec(sp, "k", "private_key", pem2, "public_key", pub), all)
		if same(t, "one that cannot be read", out, "~/"+name+" failed: read ~/"+name+": permission denied"); n != 0 {
			t.Error("half a pair is written")
		}
	}
	out, n := put(t, newMachine(nil), sp, sec(sp, "k", "private_key", pem, "public_key", "-----BEGIN PUBLIC KEY-----\nZmFrZQ==\n"), all)
	if same(t, "a public half without its end", out, "~/.ssh/k.pub failed: the value public_key is not one line, or one block, with a public key"); n != 0 {
		t.Error("written")
	}
}

// A file whose name looks like the pattern is none of the profiles, and hides none.
func TestFileCalledLikeThePattern(t *testing.T) {
	m := newMachine(tree{".ssh/{profile}": pem2, ".ssh/k": pem})
	same(t, "found", describe(extract(t, m, builtin(t, "ssh"))), fmt.Sprintf("ssh/k value from ~/.ssh/k: private_key=%q", pem))
}

// Where case does not count in names of files, rhx's own are its own in any case.
func TestOwnFilesInAnyCase(t *testing.T) {
	sp := ownSpec(t, "~/.LOCAL/Share/rhx/Identity.txt")
	for _, c := range []struct {
		os  string
		own bool
	}{{"linux", false}, {"darwin", true}, {"windows", true}} {
		m := newMachine(tree{".LOCAL/Share/rhx/Identity.txt": "fake"})
		found := extract(t, system{m, c.os}, sp)
		if len(found) != 1 || errors.Is(found[0].Err, provider.ErrOwn) != c.own {
			t.Errorf("%s: %s", c.os, describe(found))
		}
	}
}

// A file of rhx's own is read where the user names it.
func TestOwnFileThatTheUserNames(t *testing.T) {
	const own = home + ".config/rhx/config.yaml"
	sp := builtin(t, "aws")
	m := newMachine(tree{".config/rhx/config.yaml": "[default]\n" + awsKeys})
	found, err := take(t, m, sp, own).ExtractFile(ctx, sp, own)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found", describe(found), "aws value from ~/.config/rhx/config.yaml"+awsValues)
}

// A place with a star is the first one below which the rest of it is there; an option
// of an ini file is found in any case.
func TestPlacesOfValues(t *testing.T) {
	for _, c := range []struct{ name, format, at, file, want string }{
		{"below the second entry", "json", "hosts.*.token", `{"hosts":{"a":{"x":"1"},"b":{"token":"2"},"c":{"token":"3"}}}`, "k=2"},
		{"a star at the beginning", "json", `"*.token"`, `{"a":{"x":"1"},"b":{"token":"2"}}`, "k=2"},
		{"nowhere", "json", "hosts.*.token", `{"hosts":{"a":{"x":"1"}}}`, ""},
		{"no hosts", "json", "hosts.*.token", `{}`, ""},
		{"an option in upper case", "ini", "API_KEY", "api_key = 1\n", "k=1"},
	} {
		sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: "+c.format+", keys: {k: "+c.at+"}}]\n")
		want := ""
		if c.want != "" {
			want = "x value from ~/f: " + c.want
		}
		same(t, c.name, describe(extract(t, newMachine(tree{"f": c.file}), sp)), want)
	}
}

// What a plan does and takes back again is no change.
func TestPlanThatChangesNothing(t *testing.T) {
	sp := builtin(t, "aws")
	all := provider.Options{Resolve: provider.ReplaceAll}
	one, two := sec(sp, "", "access_key", akia, "secret_key", awsKey), sec(sp, "", "access_key", akia2, "secret_key", awsKey2)
	plan := provider.NewPlan(take(t, newMachine(nil), sp))
	plan.Put(ctx, sp, one, all)
	same(t, "put and removed", outcome(plan.Remove(ctx, sp, one)), "~/.aws/credentials removed")
	if changes := plan.Changes(); len(changes) != 0 {
		t.Errorf("a file that was never there: %+v", changes)
	}
	plan = provider.NewPlan(take(t, newMachine(tree{".aws/credentials": "[default]\n" + awsKeys}), sp))
	plan.Put(ctx, sp, two, all)
	same(t, "another value and back", outcome(plan.Put(ctx, sp, one, all)), "~/.aws/credentials updated access_key,secret_key")
	if changes := plan.Changes(); len(changes) != 0 {
		t.Errorf("the bytes are the same: %+v", changes)
	}
	m := newMachine(nil)
	m.PutFile(home+".aws/credentials", nil, 0o600)
	out, _ := put(t, m, sp, one, all)
	same(t, "an empty file is there", out, "~/.aws/credentials updated access_key,secret_key")
}

// A conflict, or a file that is left alone, is not written for its mode.
func TestConflictInAFileThatOthersCanRead(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(nil)
	m.PutFile(home+".aws/credentials", []byte("[default]\n"+awsKeys), 0o644)
	out, n := put(t, m, sp, sec(sp, "", "access_key", akia2, "secret_key", awsKey), provider.Options{})
	if same(t, "conflict", out, "~/.aws/credentials conflict access_key: ~/.aws/credentials has other values for access_key"); n != 0 {
		t.Error("written")
	}
}

// A copy is kept up where it can hold the profile, and is no more readable than the
// original.
func TestMirrorOfAProfile(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/main.json, format: json, profiles: {keys: p, default: d}, keys: {k: k}}\n  - {path: ~/copy.json, format: json, keys: {k: k}, mirror: true}\n")
	m := newMachine(tree{"copy.json": `{"k":"copy"}`})
	out, _ := put(t, m, sp, sec(sp, "other", "k", "1"), provider.Options{})
	same(t, "a profile that the copy cannot hold", out, "~/main.json created k")
	m = newMachine(nil)
	m.PutFile(home+"copy.json", []byte(`{"k":"1"}`), 0o644)
	out, _ = put(t, m, sp, sec(sp, "", "k", "1"), provider.Options{})
	same(t, "the default one", out, "~/main.json created k\n~/copy.json updated")
	if mode(m, "copy.json") != 0o600 {
		t.Error(mode(m, "copy.json"))
	}
}

// Several specs may have a part of one file each, in one format or another; what one
// plan writes for the first is there for the second.
func TestSpecsThatShareAFile(t *testing.T) {
	of := func(name, format string) *spec.Spec {
		return parse(t, "spec: 1\nname: "+name+"\nvalues: {k: {}}\nfiles: [{path: ~/f, format: "+format+", keys: {k: "+name+"}}]\n")
	}
	for _, c := range []struct{ first, second, before, after string }{
		{"json", "yaml", `{"z": "1"}`, `{"z": "1", "a": "one", "b": "two"}`},
		{"yaml", "json", `{"z": "1"}`, `{"z": "1", "a": "one", "b": "two"}`},
		{"ini", "{ini: {inline_comments: true}}", "z = 1\n", "z = 1\na = one\nb = two\n"},
	} {
		a, b := of("a", c.first), of("b", c.second)
		for _, batch := range []bool{false, true} {
			m := newMachine(tree{"f": c.before})
			snap, err := provider.Take(ctx, m, nil, []*spec.Spec{a, b})
			if err != nil {
				t.Fatal(err)
			}
			plan := provider.NewPlan(snap)
			if batch {
				plan = provider.NewBatch(snap)
			}
			same(t, "the first", outcome(plan.Put(ctx, a, sec(a, "", "k", "one"), provider.Options{})), "~/f updated k")
			same(t, "the second", outcome(plan.Put(ctx, b, sec(b, "", "k", "two"), provider.Options{})), "~/f updated k")
			if failed := plan.Settle(); len(failed) != 0 {
				t.Error(failed)
			}
			apply(t, m, plan)
			same(t, c.first+" and "+c.second, content(m, "f"), c.after)
		}
	}
	// A module is given what the plan has put there for another spec.
	lines := parse(t, linesSpec)
	text := parse(t, "spec: 1\nname: text\nvalues: {k: {}}\nfiles: [{path: ~/lines, format: text, keys: {k: .}}]\n")
	snap, err := provider.Take(ctx, newMachine(nil), &fakeGuest{}, []*spec.Spec{lines, text})
	if err != nil {
		t.Fatal(err)
	}
	plan := provider.NewBatch(snap)
	plan.Put(ctx, text, sec(text, "", "k", "main user u\nmain password old"), provider.Options{})
	same(t, "a module", outcome(plan.Put(ctx, lines, sec(lines, "", "user", "u", "password", "p"), provider.Options{})), "~/lines conflict password: ~/lines has other values for password")
}

// An edit that the document has no place for is said to be that.
func TestNoPlaceInTheDocument(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: json, keys: {k: a.b}}]\n")
	out, n := put(t, newMachine(tree{"f": `{"a":"text"}`}), sp, sec(sp, "", "k", "1"), provider.Options{Resolve: provider.ReplaceAll})
	if same(t, "outcome", out, "~/f failed: write ~/f: line 1: cannot put b here: the place holds another kind of value"); n != 0 {
		t.Error("written")
	}
}

// An empty value is as one that is not there.
func TestEmptyValueIsNotWritten(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nfiles: [{path: ~/f, format: json, keys: {'*': .}}]\n")
	m := newMachine(tree{"f": "{}"})
	put(t, m, sp, sec(sp, "", "a", "", "b", "x"), provider.Options{})
	same(t, "file", content(m, "f"), "{\n  \"b\": \"x\"\n}")
}

// Paths as users give them, and as they are shown.
func TestPathsOfASnapshot(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(tree{"$PWD": "/srv/app", "/srv/app/here": "x"})
	snap := take(t, m, sp, "here", "none")
	for name, want := range map[string]string{"~": "/home/u", "~/a/../b": "/home/u/b", "/a//b": "/a/b", "a": "/srv/app/a", "../a": "/srv/a", `a\b`: `/srv/app/a\b`, "c": "/srv/app/c", "c:": "/srv/app/c:", "c:d": "c:d"} {
		if got := snap.Abs(name); got != want {
			t.Errorf("%s is %s, not %s", name, got, want)
		}
	}
	if snap.Missing("here") || !snap.Missing("none") || string(snap.File("/srv/app/here").Data) != "x" || snap.File("/srv/app/here").Path != "/srv/app/here" {
		t.Error("a file that is there, or is not")
	}
	if f := snap.File("/srv/app/other"); f.Path != "/srv/app/other" || !errors.Is(f.Err, fs.ErrNotExist) {
		t.Errorf("a file that was not asked for: %+v", f)
	}
	if got := snap.Short("/home/u/x") + " " + snap.Short("/home/ux") + " " + snap.Short("/home/u"); got != "~/x /home/ux /home/u" {
		t.Error(got)
	}
	m = newMachine(tree{"$PWD": ""})
	if got := take(t, m, sp).Abs("a"); got != "/home/u/a" {
		t.Errorf("without a working folder: %s", got)
	}
	m = newMachine(tree{"$PWD": `C:\work`})
	win := take(t, windows{m}, sp)
	if got := win.Abs(`a\b`) + " " + win.Abs(`D:\x`) + " " + win.Abs(`~\x`); got != "C:/work/a/b D:/x /home/u/x" {
		t.Error(got)
	}
}

// A snapshot has more files and variables than the specs name, where they are asked
// for, also files that only the machine's own description leads to.
func TestTakeMore(t *testing.T) {
	m := newMachine(tree{"$MORE": "m", "one": "1", "two": "2"})
	snap, err := provider.TakeWith(ctx, m, nil, nil, provider.Also{Vars: []string{"MORE"}, Paths: []string{"~/one"}, Found: func(info machine.Info) []string { return []string{info.Home + "/two"} }})
	if err != nil {
		t.Fatal(err)
	}
	if snap.Info.Env["MORE"] != "m" || string(snap.File(home+"one").Data) != "1" || string(snap.File(home+"two").Data) != "2" {
		t.Errorf("%+v", snap)
	}
	same(t, "calls", strings.Join(m.Calls(), " "), "info read")
}

// A file below the folder of profiles is none of them.
func TestFilesBelowTheFolderOfProfiles(t *testing.T) {
	m := newMachine(tree{".ssh/deep/k": pem, ".ssh/k": pem, "else/k": pem})
	sp := builtin(t, "ssh")
	found := take(t, m, sp, home+".ssh/deep/k", home+"else/k").Extract(ctx, sp)
	same(t, "found", describe(found), fmt.Sprintf("ssh/k value from ~/.ssh/k: private_key=%q", pem))
	json := parse(t, "spec: 1\nname: x\nvalues: {t: {}}\nfiles: [{path: '~/.x/{profile}.json', format: json, keys: {t: token}}]\n")
	m = newMachine(tree{".x/a.json": `{"token":"1"}`, ".x/.json": `{"token":"2"}`, ".x/b.json.bak": `{"token":"3"}`})
	found = take(t, m, json, home+".x/.json", home+".x/b.json.bak").Extract(ctx, json)
	same(t, "found", describe(found), "x/a value from ~/.x/a.json: t=1")
}

// What stands in a file as null, as an empty text or as a value of another kind.
func TestOddValuesInFiles(t *testing.T) {
	docker, kube := builtin(t, "docker"), builtin(t, "kubernetes")
	login := "docker/r.example value from ~/.docker/config.json: password=p server=r.example username=u"
	for _, c := range []struct{ name, file, want string }{
		{"a registry that is null", `{"auths":{"x":null,"r.example":{"auth":"` + auth("u", "p") + `"}}}`, login},
		{"no registries", `{"auths":null}`, ""},
		{"nothing at all", `null`, ""},
		{"a helper that is none", `{"auths":{"r.example":{"auth":"` + auth("u", "p") + `"}},"credsStore":""}`, login},
		{"a helper that is null", `{"auths":{"r.example":{"auth":"` + auth("u", "p") + `"}},"credsStore":null}`, login},
		{"an empty form beside another", `{"auths":{"r.example":{"auth":"","username":"u","password":"p"}}}`, login},
		{"a broken form behind a whole one", `{"auths":{"r.example":{"auth":"` + auth("u", "p") + `","username":[1],"password":null}}}`, login},
	} {
		same(t, c.name, describe(extract(t, newMachine(tree{".docker/config.json": c.file}), docker)), c.want)
	}
	same(t, "no contexts", describe(extract(t, newMachine(tree{".kube/config": "contexts:\nclusters: null\n"}), kube)), "")

	three := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: json, keys: {k: [a, b, c]}}]\n")
	same(t, "three spellings of which one differs", describe(extract(t, newMachine(tree{"f": `{"a":"1","b":"2","c":"1"}`}), three)), "x value from ~/f: k=1 (a and b and c have different values, and tools differ in which they use; rhx reads a)")
	inList := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: json, keys: {k: '[n=x].k'}}]\n")
	same(t, "a value in a list", describe(extract(t, newMachine(tree{"f": `[{"n":"y","k":"0"},{"n":"x","k":"1"}]`}), inList)), "x value from ~/f: k=1")
	lists := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f, format: json, profiles: {keys: p}, keys: {k: '[n=x].k'}}]\n")
	same(t, "profiles that are lists", describe(extract(t, newMachine(tree{"f": `{"p":{"a":[{"n":"x","k":"1"}]}}`}), lists)), "x/a value from ~/f: k=1")
	deep := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nfiles: [{path: ~/f, format: json, keys: {'*': values}}]\n")
	for file, want := range map[string]string{`{}`: "", `{"values":"text"}`: "", `{"values":{"a":"1","b":null}}`: "x value from ~/f: a=1"} {
		same(t, file, describe(extract(t, newMachine(tree{"f": file}), deep)), want)
	}
	m := newMachine(tree{"f": `{}`})
	put(t, m, deep, sec(deep, "", "a", "1", "b", `{"c":2}`), provider.Options{})
	same(t, "trees are written as such", content(m, "f"), "{\n  \"values\": {\n    \"a\": \"1\",\n    \"b\": {\n      \"c\": 2\n    }\n  }\n}")
}

// Options that a section does not set come from the one that all inherit.
func TestInheritedOptions(t *testing.T) {
	sp := builtin(t, "oci")
	file := "[DEFAULT]\nuser = ocid1.user.fake\nkey_content = one\n[p]\nkey_content = two\n"
	m := newMachine(tree{".oci/config": file})
	same(t, "found", describe(extract(t, m, sp)), "oci value from ~/.oci/config: key_content=one user=ocid1.user.fake\noci/p value from ~/.oci/config: key_content=two user=ocid1.user.fake")
	out, n := put(t, m, sp, sec(sp, "p", "user", "ocid1.user.fake", "key_content", "two"), provider.Options{})
	if same(t, "inherited already", out, "~/.oci/config unchanged"); n != 0 {
		t.Error("written")
	}
	out, _ = put(t, m, sp, sec(sp, "p", "user", "ocid1.user.other", "key_content", "two"), provider.Options{})
	same(t, "one of its own", out, "~/.oci/config updated user")
	same(t, "file", content(m, ".oci/config"), file+"user = ocid1.user.other\n")
}

// Values that have no place in the file, or may not be written there.
func TestPutRefusesPlaces(t *testing.T) {
	docker, kube := builtin(t, "docker"), builtin(t, "kubernetes")
	hole := parse(t, "spec: 1\nname: x\nvalues: {a: {}, b: {optional: true, public: true}}\nfiles: [{path: ~/f, format: json, keys: {b: b, a: 'm.{b}.a'}}]\n")
	plain := parse(t, "spec: 1\nname: x\nvalues: {a: {}}\nfiles: [{path: ~/f, format: json, keys: {a: a}}]\n")
	entry := `{"auth":"` + auth("u", "p") + `"}`
	login := []string{"username", "u", "password", "p"}
	for _, c := range []struct {
		name    string
		sp      *spec.Spec
		profile string
		values  []string
		files   tree
		want    string
	}{
		{"another server than the profile", docker, "x", append([]string{"server", "y"}, login...), nil, `~/.docker/config.json failed: write ~/.docker/config.json: the value server is not the profile "x"`},
		{"values that docker would not use", docker, "x", login, tree{".docker/config.json": `{"auths":{"x":` + entry + `},"credsStore":"desktop"}`},
			"~/.docker/config.json failed: write ~/.docker/config.json: the file says that the tool keeps its secrets in the system's keyring; it would not use what is written here"},
		{"values that kubectl would not use", kube, "x", []string{"context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"exec":{"command":"x"}}`},
			tree{".kube/config": "contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {exec: {command: x}}}]\n"},
			"~/.kube/config failed: write ~/.kube/config: the file says that a command gives the secret; the tool would not use what is written here"},
		{"what is no JSON", kube, "x", []string{"context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token`}, nil, "~/.kube/config failed: write ~/.kube/config: the value user is not JSON"},
		{"a place that cannot be named", hole, "", []string{"a", "1"}, nil, "~/f failed: write ~/f: there is no place for a"},
		{"a group in place of the value", plain, "", []string{"a", "1"}, tree{"f": `{"a":{"b":"c"}}`}, "~/f failed: write ~/f: line 1: a single value was expected here"},
	} {
		if c.files == nil {
			c.files = tree{}
		}
		m := newMachine(c.files)
		out, n := put(t, m, c.sp, sec(c.sp, c.profile, c.values...), provider.Options{Resolve: provider.ReplaceAll, Unsafe: true})
		if same(t, c.name, out, c.want); n != 0 {
			t.Errorf("%s: written", c.name)
		}
	}
}

// What differs and what is only added: null and empty texts are nothing, a text that
// cannot be decoded is something.
func TestWhatIsThereAlready(t *testing.T) {
	docker, github := builtin(t, "docker"), builtin(t, "github")
	login := sec(docker, "x", "username", "u", "password", "p")
	file := func(entry string) tree { return tree{".docker/config.json": `{"auths":{"x":` + entry + `}}`} }
	out, _ := put(t, newMachine(file(`{"auth":"`+auth("u", "p")+`","identitytoken":""}`)), docker, login, provider.Options{})
	same(t, "an empty token is none", out, "~/.docker/config.json unchanged")
	m := newMachine(file(`{"auth":"%%"}`))
	out, _ = put(t, m, docker, login, provider.Options{})
	same(t, "a text of another form", out, "~/.docker/config.json conflict password,username: ~/.docker/config.json has other values for password, username")
	out, _ = put(t, m, docker, login, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "replaced", out, "~/.docker/config.json updated password,username")
	same(t, "with both values", content(m, ".docker/config.json"), `{"auths":{"x":{"auth":"`+auth("u", "p")+`"}}}`)
	out, n := put(t, newMachine(tree{".config/gh/hosts.yml": "github.com:\n  user: jane\n  oauth_token: " + gho + "\n"}), github, sec(github, "", "oauth_token", gho), provider.Options{})
	if same(t, "a public value more", out, "~/.config/gh/hosts.yml unchanged"); n != 0 {
		t.Error("written")
	}
	tree1 := parse(t, "spec: 1\nname: x\nvalues: {t: {}}\nfiles: [{path: ~/f, format: json, keys: {t: {at: t, tree: true}}}]\n")
	out, _ = put(t, newMachine(tree{"f": `{"t":null}`}), tree1, sec(tree1, "", "t", `{"a":1}`), provider.Options{})
	same(t, "null", out, "~/f updated t")
	out, n = put(t, newMachine(tree{"f": `{"t":{"a":1,"b":[2]}}`}), tree1, sec(tree1, "", "t", "\n{ \"b\": [2], \"a\": 1 }\n"), provider.Options{})
	if same(t, "the same tree in another way", out, "~/f unchanged"); n != 0 {
		t.Error("written")
	}
	url := parse(t, "spec: 1\nname: x\nvalues: {user: {}, password: {optional: true}}\nfiles: [{path: ~/f, format: json, keys: {user: {at: u, as: url-user}, password: {at: u, as: url-password}}}]\n")
	m = newMachine(tree{"f": `{"u":"https://a@h/"}`})
	out, _ = put(t, m, url, sec(url, "", "user", "a"), provider.Options{})
	same(t, "a URL without a password", out, "~/f unchanged")
	m = newMachine(tree{"f": `{"u":"https://a:b@h/"}`})
	out, _ = put(t, m, url, sec(url, "", "user", "a"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "a password that the secret does not have", out, "~/f updated password")
	same(t, "is taken out of the URL", content(m, "f"), `{"u":"https://a:@h/"}`)
}

// The file that can hold all of a secret is chosen, then the one with the fewest places
// left empty; one that the user's variables rule out is an error, and the first of them.
func TestWhichFileIsWritten(t *testing.T) {
	optional := "values: {a: {}, b: {optional: true}, c: {optional: true}, d: {optional: true}, '*': {}}\n"
	for _, c := range []struct {
		name, files string
		values      []string
		want        string
	}{
		{"the one that holds all", "[{path: ~/one, format: json, keys: {a: a}}, {path: ~/two, format: json, keys: {a: a, b: b, c: c, d: d}}]", []string{"a", "1", "b", "2"}, "~/two created a,b"},
		{"the one with fewer places", "[{path: ~/one, format: json, keys: {a: a, b: b}}, {path: ~/two, format: json, keys: {a: a}}]", []string{"a", "1"}, "~/two created a"},
		{"the first of two that are alike", "[{path: ~/one, format: json, keys: {a: a}}, {path: ~/two, format: json, keys: {a: a}}]", []string{"a", "1"}, "~/one created a"},
		{"one for values of any name", "[{path: ~/one, format: json, keys: {a: a}}, {path: ~/two, format: json, keys: {a: a, '*': .}}]", []string{"a", "1", "z", "2"}, "~/two created a,z"},
		{"values that no file has", "[{path: ~/one, format: json, keys: {a: a}}, {path: ~/two, format: json, keys: {a: a, b: b}}]", []string{"a", "1", "z", "2"}, "~/one created a"},
	} {
		sp := parse(t, "spec: 1\nname: x\n"+optional+"files: "+c.files+"\n")
		out, _ := put(t, newMachine(nil), sp, sec(sp, "", c.values...), provider.Options{})
		same(t, c.name, out, c.want)
	}
	aws := builtin(t, "aws")
	out, _ := put(t, newMachine(tree{"$AWS_SHARED_CREDENTIALS_FILE": "{}", "$AWS_CONFIG_FILE": "a\nb"}), aws, sec(aws, "", "access_key", akia, "secret_key", awsKey), provider.Options{})
	same(t, "two variables that name no file", out, "failed: $AWS_SHARED_CREDENTIALS_FILE should name a file, but holds a document, which rhx does not show")
	ssh := builtin(t, "ssh")
	for profile, bad := range map[string]bool{"a:b": true, "a*": true, "k.": true, "k ": true, "k.x": false} {
		for _, win := range []bool{false, true} {
			var m machine.Machine = newMachine(nil)
			if win {
				m = windows{newMachine(nil)}
			}
			placed := provider.NewPlan(take(t, m, ssh)).Put(ctx, ssh, sec(ssh, profile, "private_key", pem), provider.Options{})
			if refused := placed[0].Action == provider.Failed; refused != (win && bad) {
				t.Errorf("%q, on Windows %v: %s", profile, win, outcome(placed))
			}
		}
	}
}

// What is unsafe may go, and be where the spec does not mean it.
func TestUnsafeValuesThatGo(t *testing.T) {
	own := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nunsafe: [ssh, a.b.c]\nfiles: [{path: ~/f, format: json, keys: {'*': .}}]\n")
	all := provider.Options{Resolve: provider.ReplaceAll}
	out, _ := put(t, newMachine(tree{"f": `{"ssh":"x","k":"1"}`}), own, sec(own, "", "k", "1"), all)
	same(t, "a value", out, "~/f updated ssh")
	out, _ = put(t, newMachine(tree{"f": `{"a":{"b":{"c":1,"d":2}}}`}), own, sec(own, "", "a", `{"b":{"d":2}}`), all)
	same(t, "a field", out, "~/f updated a")
	out, _ = put(t, newMachine(nil), own, sec(own, "", "b", `{"c":1}`, "z", `{"b":{"c":1}}`), all)
	same(t, "a field of another value", out, "~/f created b,z")
}

// The same secret may be put twice with other values; only another one's stay.
func TestSharedPartPutTwice(t *testing.T) {
	sp := builtin(t, "kubernetes")
	plan := provider.NewPlan(take(t, newMachine(nil), sp))
	s := sec(sp, "a", context_("a")...)
	plan.Put(ctx, sp, s, provider.Options{})
	s.Values["cluster"] = secret.NewValue(`{"server":"https://later"}`)
	same(t, "again", outcome(plan.Put(ctx, sp, s, provider.Options{Resolve: provider.ReplaceAll})), "~/.kube/config created cluster")
}

// What is removed, and what stays, in files of several forms.
func TestRemoveAtEdges(t *testing.T) {
	aws, ssh, sky := builtin(t, "aws"), builtin(t, "ssh"), builtin(t, "sky")
	keys := sec(aws, "p", "access_key", akia, "secret_key", awsKey)

	plan := provider.NewBatch(take(t, newMachine(nil), aws))
	plan.Put(ctx, aws, keys, provider.Options{})
	same(t, "what is pending", outcome(plan.Remove(ctx, aws, keys)), "~/.aws/credentials removed")
	out, n := remove(t, newMachine(tree{".aws/credentials": "[p]\ncredential_process = x\n"}), aws, keys)
	if same(t, "a command", out, ""); n != 0 {
		t.Error("written")
	}
	plan = provider.NewPlan(take(t, newMachine(tree{"/srv/x": "[profile p]\n" + awsKeys}), aws, "/srv/x"))
	same(t, "in the form of the second file", outcome(plan.RemoveAt(ctx, aws, keys, "/srv/x")), "/srv/x removed")
	plan = provider.NewPlan(take(t, newMachine(tree{"/srv/config": "[profile p]\n" + awsKeys}), aws, "/srv/config"))
	same(t, "by its name", outcome(plan.RemoveAt(ctx, aws, keys, "/srv/config")), "/srv/config removed")

	out, _ = remove(t, newMachine(tree{".ssh/k": pem}), ssh, sec(ssh, "k", "private_key", pem, "public_key", pub))
	same(t, "a key without a public half", out, "~/.ssh/k removed")
	plan = provider.NewPlan(take(t, newMachine(tree{".ssh/sky-key": pem}), sky))
	key := sec(sky, "", "private_key", pem)
	same(t, "once", outcome(plan.Remove(ctx, sky, key)), "~/.ssh/sky-key removed")
	same(t, "twice", outcome(plan.Remove(ctx, sky, key)), "")

	many := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nfiles: [{path: ~/f, format: json, profiles: {keys: p}, keys: {'*': .}}]\n")
	m := newMachine(tree{"f": `{"p":{"a":{"k":"1"},"b":{"k":"2"}}}`})
	out, _ = remove(t, m, many, sec(many, "a", "k", "1"))
	same(t, "one of the profiles of a whole document", out+" "+describe(extract(t, m, many)), "~/f removed x/b value from ~/f: k=2")
	whole := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nfiles: [{path: ~/f, format: json, keys: {'*': .}}]\n")
	out, _ = remove(t, newMachine(tree{"f": `{"a":{"b":1,"c":2}}`}), whole, sec(whole, "", "a", `{ "c": 2, "b": 1 }`))
	same(t, "a tree in another way", out, "~/f removed")

	forms := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/one, format: json, keys: {k: k}}\n  - {path: ~/two, format: yaml, keys: {k: k}}\n  - {path: ~/copy, format: json, keys: {k: k}, mirror: true}\n")
	k := sec(forms, "", "k", "v")
	plan = provider.NewPlan(take(t, newMachine(tree{"/srv/f": "k: v\n", "two": "k: v\n", "copy": `{"k":"v"}`}), forms, "/srv/f"))
	same(t, "a file that only the second form fits, and its copy", outcome(plan.RemoveAt(ctx, forms, k, "/srv/f")), "/srv/f removed\n~/copy removed")
	if changes := plan.Changes(); len(changes) != 2 {
		t.Errorf("%d changes: another file of the spec went, too", len(changes))
	}
	plan = provider.NewPlan(take(t, newMachine(tree{"/srv/f": `{"k":"v","z":1}`}), forms, "/srv/f"))
	same(t, "a file that both fit", outcome(plan.RemoveAt(ctx, forms, k, "/srv/f")), "/srv/f removed")
	plan = provider.NewPlan(take(t, newMachine(tree{"copy": `{"k":"v","z":1}`}), forms))
	same(t, "the copy itself", outcome(plan.RemoveAt(ctx, forms, k, home+"copy")), "~/copy removed")
}
