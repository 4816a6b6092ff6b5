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
