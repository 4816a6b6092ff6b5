package provider_test

import (
	"context"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// A copy follows only what was written into the provider's own file.
func TestMirrorFollowsItsOriginalOnly(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/main.json, format: json, keys: {k: k}}\n  - {path: ~/copy.json, format: json, keys: {k: k}, mirror: true}\n")
	m := newMachine(tree{"main.json": `{"k":"other"}`, "copy.json": `{"k":"copy"}`})
	out, n := put(t, m, sp, sec(sp, "", "k", "new"), provider.Options{})
	if same(t, "a conflict", out, "~/main.json conflict k: ~/main.json has other values for k"); n != 0 {
		t.Error("the copy was written")
	}
	out, _ = put(t, m, sp, sec(sp, "", "k", "new"), provider.Options{To: "/srv/x.json"})
	same(t, "another file", out, "/srv/x.json created k")
	same(t, "the copy", content(m, "copy.json"), `{"k":"copy"}`)
	m.PutFile(home+"main.json", []byte("["), 0o600)
	if out, n = put(t, m, sp, sec(sp, "", "k", "new"), provider.Options{}); n != 0 || strings.Contains(out, "copy.json") {
		t.Errorf("a broken original: %s", out)
	}
	// Removing from another file takes the copy's values along.
	m = newMachine(tree{"copy.json": `{"k":"new","x":1}`, "/srv/x.json": `{"k":"new"}`})
	plan := provider.NewPlan(take(t, m, sp, "/srv/x.json"))
	same(t, "removed", outcome(plan.RemoveAt(ctx, sp, sec(sp, "", "k", "new"), "/srv/x.json")), "/srv/x.json removed\n~/copy.json removed")
	plan = provider.NewPlan(take(t, m, sp, "/srv/x.json"))
	same(t, "kept", outcome(plan.RemoveAt(ctx, sp, sec(sp, "", "k", "old"), "/srv/x.json")), "/srv/x.json conflict k: /srv/x.json has other values for k")
	same(t, "not there", outcome(plan.RemoveAt(ctx, sp, sec(sp, "", "k", "old"), "/srv/none.json")), "")
}

// What a "*" key takes is what no other key names.
func TestAnyTakesWhatNoOtherKeyNames(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {id: {public: true}, '*': {}}\nfiles: [{path: ~/f.json, format: json, keys: {id: ident, '*': .}}]\n")
	m := newMachine(tree{"f.json": `{"ident":"i","a":"1","b":{"c":2},"none":null,"empty":""}`})
	same(t, "found", describe(extract(t, m, sp)), `x value from ~/f.json: a=1 b="{\"c\":2}" id=i`)
	out, _ := put(t, m, sp, sec(sp, "", "id", "j", "a", "1", "d", "4"), provider.Options{})
	same(t, "conflict", out, "~/f.json conflict b,empty,id: ~/f.json has other values for b, empty, id")
	put(t, m, sp, sec(sp, "", "id", "j", "a", "1", "d", "4"), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "after", describe(extract(t, m, sp)), `x value from ~/f.json: a=1 d=4 id=j`)
}

// A variable is one of those that a value needs; a value that has none is no matter
// where a document holds all.
func TestEnvOfASpecWithADocument(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {a: {env: A}, b: {}, '*': {}}\ndocument: DOC\n")
	same(t, "document", describe(extract(t, newMachine(tree{"$DOC": `{"a":"1","b":"2"}`}), sp)), "x value from $DOC: a=1 b=2")
	same(t, "variable", describe(extract(t, newMachine(tree{"$A": "1"}), sp)), "x value from $A: a=1")
	same(t, "none", describe(extract(t, newMachine(nil), sp)), "")
	either := parse(t, "spec: 1\nname: x\nvalues: {u: {env: U, public: true}, a: {env: A, optional: true}, b: {env: B, optional: true}}\none_of: [a, b]\n")
	same(t, "one of", describe(extract(t, newMachine(tree{"$U": "u", "$B": "b"}), either)), "x value from $U $B: b=b u=u")
	same(t, "none of", describe(extract(t, newMachine(tree{"$U": "u"}), either)), "x invalid from $U: U is set, but A is not")
}

// More of what is no path, and of what is no key.
func TestMoreThatIsNoPath(t *testing.T) {
	ghp := "ghp_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE"
	gcp := builtin(t, "gcp")
	same(t, "a token of another", describe(extract(t, newMachine(tree{"$GOOGLE_APPLICATION_CREDENTIALS": ghp}), gcp)),
		"gcp invalid from $GOOGLE_APPLICATION_CREDENTIALS: $GOOGLE_APPLICATION_CREDENTIALS should name a file, but holds a secret itself, which rhx does not show")
	long := "/srv/" + strings.Repeat("a", 255)
	same(t, "a long name", describe(extract(t, newMachine(tree{"$GOOGLE_APPLICATION_CREDENTIALS": long, long: `{"private_key":"k"}`}), gcp)),
		"gcp value from "+long+": private_key=k")
	kube := builtin(t, "kubernetes")
	list := strings.Repeat("/srv/none:", 40) + "~/k"
	if found := describe(extract(t, newMachine(tree{"$KUBECONFIG": list, "k": kubeconfig}), kube)); !strings.HasPrefix(found, "kubernetes/dev value from ~/k") {
		t.Error(found)
	}
	sky := builtin(t, "sky")
	if err := take(t, newMachine(tree{".ssh/sky-key": "x"}), sky).WhyNot(sky, "x"); err != nil {
		t.Error(err)
	}
	m := newMachine(tree{"$AWS_SHARED_CREDENTIALS_FILE": "NUL"})
	aws := builtin(t, "aws")
	plan := provider.NewPlan(take(t, windows{m}, aws))
	same(t, "no file on Windows", outcome(plan.Put(ctx, aws, sec(aws, "", "access_key", akia, "secret_key", awsKey), provider.Options{})), "failed: $AWS_SHARED_CREDENTIALS_FILE says that there is no file")
}

// What a file and the variables are together, where one of them is not whole.
func TestFileAndVariablesThatAreNotWhole(t *testing.T) {
	sp := builtin(t, "aws")
	keys := "aws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	env := func(files tree) tree {
		files["$AWS_ACCESS_KEY_ID"], files["$AWS_SECRET_ACCESS_KEY"] = akia, awsKey
		return files
	}
	values := ": access_key=" + akia + " secret_key=" + awsKey
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"another profile is broken", env(tree{".aws/credentials": "[half]\naws_access_key_id=x\n"}),
			"aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" + values + "\naws/half invalid from ~/.aws/credentials: read ~/.aws/credentials, half: secret_key is missing"},
		{"another file is broken", env(tree{".aws/credentials": "[default]\n" + keys, ".aws/config": "[default]\naws_access_key_id=x\n"}),
			"aws value from ~/.aws/credentials $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" + values + "\naws invalid from ~/.aws/config: read ~/.aws/config, default: secret_key is missing"},
		{"a command, and half of the variables", tree{".aws/credentials": "[default]\ncredential_process = x\n", "$AWS_ACCESS_KEY_ID": akia},
			"aws exec from ~/.aws/credentials:\naws invalid from $AWS_ACCESS_KEY_ID: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"},
		{"a command, and a file with values", tree{".aws/credentials": "[default]\ncredential_process = x\n", ".aws/config": "[default]\n" + keys},
			"aws value from ~/.aws/config" + values},
		{"two variables that name no file", tree{"$AWS_SHARED_CREDENTIALS_FILE": "{}", "$AWS_CONFIG_FILE": "a\nb"},
			"aws invalid from $AWS_SHARED_CREDENTIALS_FILE: $AWS_SHARED_CREDENTIALS_FILE should name a file, but holds a document, which rhx does not show\naws invalid from $AWS_CONFIG_FILE: $AWS_CONFIG_FILE should name a file, but holds control characters, which rhx does not show"},
	} {
		same(t, c.name, describe(extract(t, newMachine(c.files), sp)), c.want)
	}
}

// A file that others can read is of no matter where it holds nothing secret.
func TestFileThatOthersMayRead(t *testing.T) {
	azure := builtin(t, "azure")
	m := newMachine(nil)
	m.PutFile(home+".azure/clouds.config", []byte("[AzureCloud]\nsubscription = sub\n"), 0o644)
	same(t, "public values", describe(extract(t, m, azure)), "azure value from ~/.azure/clouds.config: subscription_id=sub")
	out, n := put(t, m, azure, sec(azure, "", "subscription_id", "sub"), provider.Options{})
	if same(t, "not mended", out, "~/.azure/clouds.config unchanged"); n != 0 {
		t.Error("written")
	}
	gh := builtin(t, "github")
	m.PutFile(home+".config/gh/hosts.yml", []byte("github.com:\n    users:\n        jane: \"\"\n    user: jane\n"), 0o644)
	same(t, "a keyring", describe(extract(t, m, gh)), "github keyring from ~/.config/gh/hosts.yml:")
	ssh := builtin(t, "ssh")
	m.PutFolder(home+".ssh/folder", 0o755)
	m.PutPipe(home + ".ssh/pipe")
	m.PutFile(home+".ssh/k", []byte(pem), 0o600)
	if found := describe(extract(t, m, ssh)); strings.Count(found, "\n") != 1 {
		t.Error(found)
	}
}

// budgeted is a module that takes all the time that it may.
type budgeted struct{ asked, had int }

func (g *budgeted) Run(ctx context.Context, _ *spec.Spec, _ *spec.File, _ *abi.Request) (*abi.Response, error) {
	g.asked++
	lim, done, err := abi.DefaultLimits().Share(ctx)
	if err != nil {
		return nil, err
	}
	g.had++
	done(lim.Call)
	return &abi.Response{}, nil
}

// The modules of all files of a spec have the time of one call.
func TestFilesShareOneBudget(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles:\n  - {path: ~/a, format: {wasm: m}}\n  - {path: ~/b, format: {wasm: m}}\n")
	g := &budgeted{}
	snap, err := provider.Take(ctx, newMachine(tree{"a": "x", "b": "x"}), g, []*spec.Spec{sp})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "found", describe(snap.Extract(ctx, sp)), "x invalid from ~/b: read ~/b: took longer than 2s for the files before this one")
	if g.asked != 2 || g.had != 1 {
		t.Errorf("%+v", g)
	}
	if snap.Extract(ctx, sp); g.had != 2 {
		t.Error("another look has no time of its own")
	}
	same(t, "removed", outcome(provider.NewPlan(snap).Remove(ctx, sp, sec(sp, "", "k", "v"))),
		"~/b failed: read ~/b: took longer than 2s for the files before this one")
	if g.had != 3 {
		t.Errorf("removing: %+v", g)
	}
}

// A profile can be a value by itself, and needs no map then.
func TestProfileThatIsAValue(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {k: {}}\nfiles: [{path: ~/f.json, format: json, profiles: {keys: tokens}, keys: {k: .}}]\n")
	m := newMachine(tree{"f.json": `{"tokens":{"a":"1"}}`})
	same(t, "found", describe(extract(t, m, sp)), "x/a value from ~/f.json: k=1")
	put(t, m, sp, sec(sp, "b", "k", "2"), provider.Options{})
	same(t, "both", describe(extract(t, m, sp)), "x/a value from ~/f.json: k=1\nx/b value from ~/f.json: k=2")
	same(t, "no map of profiles", describe(extract(t, newMachine(tree{"f.json": `{"tokens":["a"]}`}), sp)), "x invalid from ~/f.json: read ~/f.json: line 1: a mapping was expected here")
}

// A list of files has another separator on Windows.
func TestListOfFilesOnWindows(t *testing.T) {
	sp := builtin(t, "kubernetes")
	m := newMachine(tree{"$KUBECONFIG": `C:\a;C:\b`, "C:/b": kubeconfig})
	m.PutFile("C:/b", []byte(kubeconfig), 0o600)
	snap := take(t, windows{m}, sp)
	plan := provider.NewPlan(snap)
	out := outcome(plan.Put(ctx, sp, sec(sp, "x", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"s"}`, "user", `{"token":"t"}`), provider.Options{}))
	if !strings.HasPrefix(out, "C:/") || strings.Contains(out, ";") {
		t.Error(out)
	}
}

// What other files of the list have does not matter to a file that the user names.
func TestFileBesideTheList(t *testing.T) {
	sp := builtin(t, "kubernetes")
	one := "contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {token: t}}]\n"
	m := newMachine(tree{"$KUBECONFIG": "~/a:~/b", "a": one, "b": "kind: Config\n"})
	s := sec(sp, "x", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"other"}`, "user", `{"token":"t"}`)
	out, _ := put(t, m, sp, s, provider.Options{To: home + "b"})
	same(t, "named", out, "~/b updated cluster,context,user")
	out, _ = put(t, m, sp, s, provider.Options{})
	same(t, "of the list", out, "~/a conflict cluster: ~/a has other values for cluster")
}
