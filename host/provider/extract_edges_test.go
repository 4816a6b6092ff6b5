package provider_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

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

// A file whose name looks like the pattern is none of the profiles, and hides none.
func TestFileCalledLikeThePattern(t *testing.T) {
	m := newMachine(tree{".ssh/{profile}": pem2, ".ssh/k": pem})
	same(t, "found", describe(extract(t, m, builtin(t, "ssh"))), fmt.Sprintf("ssh/k value from ~/.ssh/k: private_key=%q", pem))
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
		{"a helper beside values that docker does not use", `{"auths":{"r.example":{"auth":"` + auth("u", "p") + `"}},"credsStore":"desktop"}`,
			"docker/r.example keyring from ~/.docker/config.json: (a secret value stands in ~/.docker/config.json all the same, which the tool does not use)"},
		{"a helper, and no value", `{"auths":{"r.example":{}},"credsStore":"desktop"}`, "docker/r.example keyring from ~/.docker/config.json:"},
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
