package provider_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
)

const twoContexts = `apiVersion: v1
kind: Config
current-context: b
clusters: [{name: kubernetes, cluster: {server: https://b}}]
contexts: [{name: b, context: {cluster: kubernetes, user: admin-b}}, {name: c, context: {cluster: kubernetes, user: admin-b}}, {name: far, context: {cluster: far, user: far}}]
users: [{name: admin-b, user: {token: tb}}]
`

func context_(sp string) []string {
	return []string{"context", `{"cluster":"kubernetes","user":"admin-` + sp + `"}`, "cluster", `{"server":"https://` + sp + `"}`, "user", `{"token":"t` + sp + `"}`}
}

// What a write would change for another profile is a conflict that names it.
func TestSharedPartOfAFile(t *testing.T) {
	sp := builtin(t, "kubernetes")
	m := newMachine(tree{".kube/config": twoContexts})
	a := sec(sp, "a", context_("a")...)
	var asked *provider.ConflictError
	refuse := provider.Options{Resolve: func(c *provider.ConflictError) bool { asked = c; return false }}
	out, n := put(t, m, sp, a, refuse)
	if same(t, "a context more", out, "~/.kube/config conflict cluster: ~/.kube/config has other values for cluster, which kubernetes/b, kubernetes/c would get, too"); n != 0 {
		t.Error("written")
	}
	if asked == nil || strings.Join(asked.Others, " ") != "kubernetes/b kubernetes/c" {
		t.Errorf("asked: %+v", asked)
	}
	// A user that only this context has is not shared.
	m = newMachine(tree{".kube/config": twoContexts})
	out, _ = put(t, m, sp, sec(sp, "b", "context", `{"cluster":"kubernetes","user":"admin-b"}`, "cluster", `{"server":"https://b"}`, "user", `{"token":"new"}`), refuse)
	same(t, "a shared user", out, "~/.kube/config conflict user: ~/.kube/config has other values for user, which kubernetes/c would get, too")
	out, _ = put(t, newMachine(tree{".kube/config": strings.Replace(twoContexts, "{name: c, context: {cluster: kubernetes, user: admin-b}}, ", "", 1)}), sp, sec(sp, "b", context_("a")...), refuse)
	same(t, "its own", out, "~/.kube/config conflict cluster,context: ~/.kube/config has other values for cluster, context")
	// A yes replaces it for all of them.
	out, _ = put(t, m, sp, a, provider.Options{Resolve: provider.ReplaceAll})
	same(t, "a yes", out, "~/.kube/config updated cluster,context,user")
	// What is equal can be shared without a word.
	m = newMachine(tree{".kube/config": twoContexts})
	out, _ = put(t, m, sp, sec(sp, "a", "context", `{"cluster":"kubernetes","user":"a"}`, "cluster", `{"server":"https://b"}`, "user", `{"token":"t"}`), refuse)
	same(t, "the same cluster", out, "~/.kube/config updated context,user")
}

// Two secrets of one command with other values for one entry: the second is refused,
// whoever says yes.
func TestSharedByTwoSecretsOfOnePlan(t *testing.T) {
	sp := builtin(t, "kubernetes")
	m := newMachine(nil)
	plan := provider.NewPlan(take(t, m, sp))
	opts := provider.Options{Resolve: provider.ReplaceAll}
	same(t, "the first", outcome(plan.Put(ctx, sp, sec(sp, "a", context_("a")...), opts)), "~/.kube/config created cluster,context,user")
	same(t, "the second", outcome(plan.Put(ctx, sp, sec(sp, "b", context_("b")...), opts)),
		"~/.kube/config failed: write ~/.kube/config: kubernetes/a has other values for the same clusters[name=kubernetes]")
	same(t, "one that agrees", outcome(plan.Put(ctx, sp, sec(sp, "c", "context", `{"cluster":"kubernetes","user":"c"}`, "cluster", `{"server":"https://a"}`, "user", `{"token":"c"}`), opts)), "~/.kube/config created context,user")
	same(t, "the first again", outcome(plan.Put(ctx, sp, sec(sp, "a", "context", `{"cluster":"kubernetes","user":"admin-a"}`, "cluster", `{"server":"https://later"}`, "user", `{"token":"ta"}`), opts)),
		"~/.kube/config failed: write ~/.kube/config: kubernetes/c has other values for the same clusters[name=kubernetes]")
}

// Several files that KUBECONFIG lists are one document: what comes first counts, and
// a context may use what another file has.
func TestKubeconfigListIsOneDocument(t *testing.T) {
	sp := builtin(t, "kubernetes")
	files := func() tree {
		return tree{"$KUBECONFIG": "~/a:~/b", "a": "current-context: x\nclusters: [{name: c, cluster: {server: https://a}}]\n",
			"b": "clusters: [{name: c, cluster: {server: https://b}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]\n"}
	}
	want := `kubernetes/x value from ~/b: cluster="{\"server\":\"https://a\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"t\"}"`
	m := newMachine(files())
	same(t, "found", describe(extract(t, m, sp)), want)
	x := func(server, token string) []string {
		return []string{"context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"` + server + `"}`, "user", `{"token":"` + token + `"}`}
	}
	out, n := put(t, m, sp, sec(sp, "x", x("https://a", "t")...), provider.Options{})
	if same(t, "the same", out, "~/b unchanged"); n != 0 {
		t.Error("written")
	}
	out, _ = put(t, m, sp, sec(sp, "x", x("https://a", "new")...), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "a token", out, "~/b updated user")
	out, n = put(t, m, sp, sec(sp, "x", x("https://new", "new")...), provider.Options{Resolve: provider.ReplaceAll})
	if same(t, "what the first file decides", out, "~/b failed: write ~/b: a file that comes before it in the list has another cluster of that name, which the tool would use"); n != 0 {
		t.Error("written")
	}
	// A new context goes to the first file; what the second one has is used there.
	m = newMachine(files())
	out, _ = put(t, m, sp, sec(sp, "y", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://a"}`, "user", `{"token":"t"}`), provider.Options{})
	same(t, "a new one", out, "~/a updated context")
	if a := content(m, "a"); strings.Contains(a, "token") || !strings.Contains(a, "current-context: x") {
		t.Error(a)
	}
	out, _ = put(t, m, sp, sec(sp, "z", "context", `{"cluster":"c","user":"u"}`, "cluster", `{"server":"https://a"}`, "user", `{"token":"other"}`), provider.Options{})
	same(t, "what would shadow the second file's", out, "~/a updated context,user")
	// Only one of them selects a context.
	m = newMachine(tree{"$KUBECONFIG": "~/a:~/b", "a": "kind: Config\n", "b": "current-context: x\n"})
	put(t, m, sp, sec(sp, "y", x("https://y", "t")...), provider.Options{})
	if a := content(m, "a"); strings.Contains(a, "current-context") {
		t.Error("the selection changed: " + a)
	}
	// A broken file is said, and hides nothing.
	m = newMachine(tree{"$KUBECONFIG": "~/a:~/b:~/none:~/b", "a": "clusters: {}\ncontexts: text\n", "b": files()["b"]})
	same(t, "a broken one", describe(extract(t, m, sp)), `
kubernetes/x value from ~/b: cluster="{\"server\":\"https://b\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"t\"}"
kubernetes invalid from ~/a: read ~/a: line 2: a list was expected here`)
}

// A kubeconfig must not make rhx read any file, nor show one.
func TestKubeconfigReadsOnlyWhatItIsFor(t *testing.T) {
	sp := builtin(t, "kubernetes")
	config := func(ca, cert, key string) string {
		return "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {certificate-authority: " + ca + "}}]\nusers: [{name: u, user: {client-certificate: " + cert + ", client-key: " + key + "}}]\n"
	}
	noted := "# a note that says nothing\n" + cert + "another\n" + cert2 + "\n"
	for _, c := range []struct {
		name     string
		ca, cert string
		taken    string // of the authority: "", or what is taken
		takesCrt bool
	}{
		{"certificates", cert + cert2, cert, cert + cert2, true},
		{"certificates with text around", noted, cert, cert + cert2, true},
		{"text before a certificate", "SECRET=hunter2\n" + cert, cert, cert, true},
		{"line ends of Windows", strings.ReplaceAll(cert, "\n", "\r\n"), cert, strings.ReplaceAll(cert, "\n", "\r\n"), true},
		{"blanks at the end", cert + " \n", cert, cert + " \n", true},
		{"an SSH key", pem, pem, "", false},
		{"a TLS key", tlsKey, cert + tlsKey, "", true},
		{"a certificate and a key", cert + tlsKey, cert, "", true},
		{"text", "SECRET=hunter2\n", "hunter2", "", false},
		{"text with a key after a certificate", cert + "x\n" + pem, cert + pem, "", false},
		{"nothing", "", "", "", false},
		{"too much", strings.Repeat(cert, 10000), strings.Repeat(cert, 10000), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(tree{".kube/config": config("/etc/ca", "crt", "crt"), "/etc/ca": c.ca, ".kube/crt": c.cert})
			found := extract(t, m, sp)
			if len(found) != 1 {
				t.Fatal(describe(found))
			}
			want := `{"certificate-authority":"/etc/ca"}`
			if c.taken != "" {
				want = `{"certificate-authority-data":"` + base64.StdEncoding.EncodeToString([]byte(c.taken)) + `"}`
			}
			same(t, "cluster", found[0].Values["cluster"].Reveal(), want)
			if got := strings.Contains(found[0].Values["user"].Reveal(), "client-certificate-data"); got != c.takesCrt {
				t.Error(found[0].Values["user"].Reveal())
			}
			if public := provider.Public(sp, found[0].Values); c.taken != "" && public("cluster") {
				t.Error("what was inlined is public")
			}
		})
	}
}

// Content that stands there already counts before a file that is named beside it.
func TestKubeconfigWithContentAndName(t *testing.T) {
	sp := builtin(t, "kubernetes")
	m := newMachine(tree{".kube/crt": cert, ".kube/config": "contexts: [{name: m, context: {cluster: c, user: u}}, {name: n, context: {cluster: none, user: u}}]\nclusters: [{name: c, cluster: {certificate-authority: crt, certificate-authority-data: OWN}}]\nusers: [{name: u, user: {token: t, client-certificate: ''}}]\n"})
	same(t, "found", describe(extract(t, m, sp)), `
kubernetes/m value from ~/.kube/config: cluster="{\"certificate-authority\":\"crt\",\"certificate-authority-data\":\"OWN\"}" context="{\"cluster\":\"c\",\"user\":\"u\"}" user="{\"token\":\"t\",\"client-certificate\":\"\"}"
kubernetes/n invalid from ~/.kube/config: read ~/.kube/config, n: cluster is missing`)
}

// What makes a tool run a program, or read another file, is written only when asked.
func TestUnsafeIsWrittenOnlyWhenAsked(t *testing.T) {
	kube := []string{"context", `{"cluster":"c","user":"u"}`}
	for _, c := range []struct {
		provider, profile string
		values            []string
		field             string
	}{
		{"kubernetes", "m", append(kube, "cluster", `{"server":"s"}`, "user", `{"tokenFile":"/etc/passwd"}`), "the field tokenFile of the value user"},
		{"kubernetes", "m", append(kube, "cluster", `{"server":"s"}`, "user", `{"client-key":"/k","client-certificate":"/c"}`), "the field client-certificate of the value user"},
		{"kubernetes", "m", append(kube, "cluster", `{"certificate-authority":"/c"}`, "user", `{"token":"t"}`), "the field certificate-authority of the value cluster"},
		{"gcp", "", []string{"type", "external_account", "credential_source", `{"executable":{"command":"/bin/sh"}}`}, "the field executable of the value credential_source"},
	} {
		sp := builtin(t, c.provider)
		m := newMachine(nil)
		out, n := put(t, m, sp, sec(sp, c.profile, c.values...), provider.Options{Resolve: provider.ReplaceAll})
		if want := c.field + " " + provider.ErrUnsafe.Error(); n != 0 || !strings.HasSuffix(out, want) {
			t.Errorf("%d: %s, want %s", n, out, want)
		}
		plan := provider.NewPlan(take(t, m, sp))
		if placed := plan.Put(ctx, sp, sec(sp, c.profile, c.values...), provider.Options{}); !errors.Is(placed[0].Err, provider.ErrUnsafe) {
			t.Error(placed[0].Err)
		}
		out, n = put(t, m, sp, sec(sp, c.profile, c.values...), provider.Options{Unsafe: true})
		if n != 1 {
			t.Errorf("asked for: %s", out)
		}
		// What is there already is no news.
		out, n = put(t, m, sp, sec(sp, c.profile, c.values...), provider.Options{})
		if n != 0 || !strings.HasSuffix(out, "unchanged") {
			t.Errorf("there already: %s", out)
		}
	}
	// Another value beside it can change.
	sp := builtin(t, "kubernetes")
	m := newMachine(tree{".kube/config": "contexts: [{name: m, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: s}}]\nusers: [{name: u, user: {tokenFile: /f, token: old}}]\n"})
	out, _ := put(t, m, sp, sec(sp, "m", append(kube, "cluster", `{"server":"s"}`, "user", `{"tokenFile":"/f","token":"new"}`)...), provider.Options{Resolve: provider.ReplaceAll})
	same(t, "beside it", out, "~/.kube/config updated user")
	// Patterns, and values of a spec of one's own.
	own := parse(t, "spec: 1\nname: x\nvalues: {'*': {}}\nunsafe: [ssh, 'global.*', a.b.c]\nfiles: [{path: ~/f, format: json, keys: {'*': .}}]\n")
	for key, text := range map[string]string{"ssh": "x", "global.x": "x", "a": `{"b":{"c":null}}`} {
		if out, n := put(t, newMachine(nil), own, sec(own, "", key, text), provider.Options{}); n != 0 || !strings.Contains(out, provider.ErrUnsafe.Error()) {
			t.Errorf("%s: %s", key, out)
		}
	}
	for key, text := range map[string]string{"ssh2": "x", "global": "x", "a": `{"b":{"d":1}}`, "b": `{"c":1}`} {
		if out, n := put(t, newMachine(nil), own, sec(own, "", key, text), provider.Options{}); n != 1 {
			t.Errorf("%s: %s", key, out)
		}
	}
}

// A file that a document names and that cannot be read stays a name, and is told.
func TestUnreadableFileOfADocument(t *testing.T) {
	m := newMachine(tree{".kube/ca": cert, ".kube/config": "contexts: [{name: m, context: {cluster: c, user: u}}, {name: n, context: {cluster: c, user: v}}]\nclusters: [{name: c, cluster: {certificate-authority: ca}}]\nusers: [{name: u, user: {client-certificate: crt, token: t}}, {name: v, user: {token: w}}]\n"})
	m.FailRead(home+".kube/crt", fs.ErrPermission)
	found := extract(t, m, builtin(t, "kubernetes"))
	if len(found) != 2 || !strings.Contains(found[0].Values["user"].Reveal(), `"client-certificate":"crt"`) {
		t.Fatal(describe(found))
	}
	for i, want := range []string{"it names ~/.kube/crt, whose content cannot go with it: permission denied", ""} {
		if got := strings.Join(found[i].Notes, "; "); got != want {
			t.Errorf("notes of %s: %q", found[i].Name, got)
		}
	}
}
