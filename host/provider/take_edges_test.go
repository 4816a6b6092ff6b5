package provider_test

import (
	"context"
	"errors"
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
