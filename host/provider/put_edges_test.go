package provider_test

import (
	"fmt"
	"testing"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

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
	for name, odd := range map[string]string{
		"without its end":  "-----BEGIN PUBLIC KEY-----\nZmFrZQ==\n",
		"with options":     `command="/tmp/fake" ` + pub,
		"with an option":   "cert-authority " + pub,
		"of two lines":     pub + pub,
		"behind a comment": "# a comment",
	} {
		out, n := put(t, newMachine(nil), sp, sec(sp, "k", "private_key", pem, "public_key", odd), all)
		if same(t, "a public half "+name, out, "~/.ssh/k.pub failed: the value public_key is not one line, or one block, with a public key"); n != 0 {
			t.Error("written")
		}
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

// Of several files that a variable lists, the one with the profile's values is written,
// else one with the profile, else the first that is there, else the last.
func TestWhichFileOfAListIsWritten(t *testing.T) {
	sp := builtin(t, "kubernetes")
	x := sec(sp, "x", context_("x")...)
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"none is there", tree{}, "~/c created cluster,context,user"},
		{"the first that is", tree{"b": "kind: Config\n", "c": "kind: Config\n"}, "~/b updated cluster,context,user"},
		{"one with the profile", tree{"a": "kind: Config\n", "b": "kind: Config\n", "c": "contexts: [{name: x}]\n"}, "~/c updated cluster,context,user"},
		{"one with its values", tree{"a": "kind: Config\n", "c": "contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: []\nusers: []\n"}, "~/c updated cluster,context,user"},
	} {
		c.files["$KUBECONFIG"] = "~/a:~/b:~/c"
		out, _ := put(t, newMachine(c.files), sp, x, provider.Options{Resolve: provider.ReplaceAll})
		same(t, c.name, out, c.want)
	}
	docker := builtin(t, "docker")
	m := newMachine(nil)
	put(t, m, docker, sec(docker, "", "username", "u", "password", "p", "server", ""), provider.Options{})
	same(t, "an empty value names no profile", describe(extract(t, m, docker)), "docker value from ~/.docker/config.json: password=p server=https://index.docker.io/v1/ username=u")
	ssh := builtin(t, "ssh")
	out, n := remove(t, newMachine(tree{".ssh/k": pem}), ssh, sec(ssh, "", "private_key", pem))
	if same(t, "no file for the default profile", out, ""); n != 0 {
		t.Error("written")
	}
}
