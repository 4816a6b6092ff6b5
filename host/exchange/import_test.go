package exchange_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/machine"
)

const rh = home + ".rh"

// putFiles puts files below a folder, by name and text in turn.
func putFiles(m *machine.Memory, dir string, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		m.PutFile(dir+"/"+pairs[i], []byte(pairs[i+1]), 0o600)
	}
}

// said is an import, a line for each secret and what is left.
func said(im *exchange.Import) string {
	var b strings.Builder
	for i, u := range im.Plan {
		f := u.Found
		fmt.Fprintf(&b, "%s %s/%s from %s: %s %s", f.Name, f.Provider, f.Profile, im.From[i], u.Action, strings.Join(f.Values.Keys(), ","))
		if u.Err != nil {
			fmt.Fprintf(&b, ": %v", u.Err)
		}
		fmt.Fprintln(&b, strings.TrimRight(" "+strings.Join(f.Notes, "; "), " "))
	}
	for _, l := range im.Left {
		fmt.Fprintf(&b, "left %s: %s\n", l.Name, l.Why)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// Secrets of Runhouse become those of providers where their values are what the
// provider has, else secrets of no provider.
func TestImportSecrets(t *testing.T) {
	h, m := newHost(t)
	putFiles(m, rh,
		"secrets/aws.json", `{"name":"aws","provider":"aws","values":{"access_key":"`+akia+`","secret_key":"`+awsKey+`"}}`,
		"secrets/half.json", `{"name":"half","provider":"aws","values":{"access_key":"`+akia+`"}}`,
		"secrets/none.json", `{"name":"none","provider":"openai","values":{"strange":"x"}}`,
		"secrets/gh.json", `{"name":"gh2","provider":"github","values":{"oauth_token":"t","git_protocol":"https","b":"x"}}`,
		"secrets/alias.json", `{"name":"hf","provider":"hf","values":{"token":"t"}}`,
		"secrets/db.json", `{"name":"/jane/db","values":{"password":"p","port":5432}}`,
		"secrets/own.json", `{"name":"own","provider":"acme","values":{"k":"v"}}`,
		"secrets/ssh-id.json", `{"name":"ssh-id","provider":"ssh","values":{"private_key":"`+strings.ReplaceAll(pem, "\n", `\n`)+`"}}`,
		"secrets/ssh-key.json", `{"name":"ssh-key","provider":"ssh","path":"~/.ssh/id_rsa","values":{"private_key":"`+strings.ReplaceAll(pem, "\n", `\n`)+`"}}`,
		"secrets/empty.json", `{"name":"empty","values":{}}`,
		"secrets/broken.json", `{`,
		"secrets/evil.json", `{"name":"../x","values":{"k":"v"}}`,
		"other.json", `{"name":"not a secret","values":{"k":"v"}}`,
	)
	im := must(h.Exchange.PlanRunhouse(ctx, rh))(t)
	got := said(im)
	for _, want := range []string{
		"aws aws/ from secrets/aws.json: created access_key,secret_key\n",
		"half aws/ from secrets/half.json: failed access_key: aws needs a value for secret_key\n",
		"none openai/ from secrets/none.json: failed : openai needs a value for api_key\n",
		`gh2 github/ from secrets/gh.json: created oauth_token left out, because github has no such value: ["b" "git_protocol"]` + "\n",
		"huggingface huggingface/ from secrets/alias.json: created token\n",
		"db / from secrets/db.json: created password,port\n",
		"own / from secrets/own.json: created k its provider is not known to rhx, so it is a secret of no provider\n",
		"ssh/id ssh/id from secrets/ssh-id.json: created private_key\n",
		"ssh/id_rsa ssh/id_rsa from secrets/ssh-key.json: created private_key\n",
		"left empty: secrets/empty.json has no values\n",
		"left secrets/broken.json: ",
		"left secrets/evil.json: secret name \"../x\" has an empty",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if len(im.Plan) != 9 || len(im.Left) != 3 {
		t.Errorf("%d, %d:\n%s", len(im.Plan), len(im.Left), got)
	}
	// The folder is as it was, and nothing was saved.
	for _, call := range m.Calls() {
		if call == "write" {
			t.Error("written")
		}
	}
	if infos := must(h.Records.List(ctx))(t); len(infos) != 0 {
		t.Errorf("%+v", infos)
	}
	// Beside what the store has.
	keep(t, h, "db", "password", "other", "port", "5432")
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	got = said(must(h.Exchange.PlanRunhouse(ctx, rh))(t))
	if !strings.Contains(got, "aws aws/ from secrets/aws.json: unchanged") || !strings.Contains(got, "db / from secrets/db.json: updated") {
		t.Error(got)
	}
}

// A whole kubeconfig is a secret for each context.
func TestImportKubeconfig(t *testing.T) {
	h, m := newHost(t)
	putFiles(m, rh,
		"secrets/kubernetes.json", `{"name":"kubernetes","provider":"kubernetes","values":{"kind":"Config","current-context":"a","note":"} ]","preferences":{},"empty":"",
			"contexts":[{"name":"a","context":{"cluster":"c","user":"u"}},{"name":"b","context":{"cluster":"c","user":"u"}}],
			"clusters":[{"name":"c","cluster":{"server":"https://k"}}],"users":[{"name":"u","user":{"token":"fake"}}]}}`)
	same(t, "contexts", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), `
kubernetes/a kubernetes/a from secrets/kubernetes.json: created cluster,context,user
kubernetes/b kubernetes/b from secrets/kubernetes.json: created cluster,context,user`)
	if im := must(h.Exchange.PlanRunhouse(ctx, rh))(t); len(im.Plan[0].Found.Sources) != 0 {
		t.Errorf("a place of this rhx is noted: %+v", im.Plan[0].Found.Sources)
	}
	putFiles(m, rh, "secrets/kubernetes.json", `{"name":"kube","provider":"kubernetes","values":{"kind":"Config"}}`)
	same(t, "none", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), "kube kubernetes/ from secrets/kubernetes.json: failed : it has no context")
}

// login.env: what providers know are theirs, the others are one secret of no provider,
// and what is broken stays.
func TestImportLoginEnv(t *testing.T) {
	h, m := newHost(t)
	putFiles(m, rh, "secrets/login.env", "OPENAI_API_KEY="+sk+"\nACME=x y\nBAD=\"two\nlines\n")
	same(t, "variables", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), `
openai openai/ from secrets/login.env: created api_key
runhouse-env / from secrets/login.env: created ACME
left BAD: its value in login.env goes on over several lines`)
	if im := must(h.Exchange.PlanRunhouse(ctx, rh))(t); len(im.Plan[0].Found.Sources) != 0 {
		t.Errorf("%+v", im.Plan[0].Found.Sources)
	}
	putFiles(m, rh, "secrets/login.env", "OPENAI_API_KEY="+sk+"\n")
	same(t, "all are known", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), "openai openai/ from secrets/login.env: created api_key")
	putFiles(m, rh, "secrets/login.env", "ACME=x\n")
	same(t, "none is known", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), "runhouse-env / from secrets/login.env: created ACME")
	putFiles(m, rh, "secrets/login.env", "\n")
	same(t, "nothing", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), "")
}

// Of some secrets Runhouse has the place only: they are taken where rhx detect finds
// them there, and no other file is opened for it.
func TestImportPlaces(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)+awsFile("prod", akia2, awsKey2)), 0o600)
	m.PutFile(home+".ssh/id_rsa", []byte(pem), 0o600)
	m.SetEnv("COHERE_API_KEY", "fake-cohere")
	putFiles(m, rh, "config.yaml", `secrets:
  aws: ~/.aws/credentials
  ssh-id_rsa: ~/.ssh/id_rsa
  cohere: [COHERE_API_KEY]
  gcp: [CLIENT_ID, CLIENT_SECRET]
  shadow: /etc/shadow
  lambda: ~/.lambda_cloud/lambda_keys
`, "secrets/gh.json", `{"name":"gh","provider":"github","path":"~/.config/gh/hosts.yml","values":{}}`,
		"secrets/lambda.json", `{"name":"lambda","provider":"lambda","values":{"api_key":"k"}}`)
	same(t, "places", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), `
lambda lambda/ from secrets/lambda.json: created api_key
aws aws/ from ~/.aws/credentials: created access_key,secret_key
ssh/id_rsa ssh/id_rsa from ~/.ssh/id_rsa: created private_key
cohere cohere/ from $COHERE_API_KEY: created api_key
left gh: rhx detect does not find it in ~/.config/gh/hosts.yml; rhx save --provider P --name N --from FILE takes it from there
left gcp: its variables are not set: CLIENT_ID, CLIENT_SECRET
left shadow: rhx detect does not find it in /etc/shadow; rhx save --provider P --name N --from FILE takes it from there`)
	putFiles(m, rh, "config.yaml", "secrets: [")
	if got := said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)); !strings.Contains(got, "left config.yaml: ") {
		t.Error(got)
	}
}

// A spec of the user's that is broken stops no import; and of places nothing may be there.
func TestImportWithABrokenSpec(t *testing.T) {
	h, m := newHost(t, "spec: 1\nname: broken\nvalues: 7\n")
	putFiles(m, rh, "secrets/login.env", "OPENAI_API_KEY="+sk+"\n", "config.yaml", "secrets: {aws: ~/.aws/credentials}\n")
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	same(t, "both", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), "openai openai/ from secrets/login.env: created api_key\naws aws/ from ~/.aws/credentials: created access_key,secret_key")
	same(t, "save --all", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}))(t)), "aws created 1 access_key,secret_key")
	same(t, "upload", uploads(must(h.Exchange.PlanUpload(ctx, m))(t)), "aws unchanged 1")

	h, m = newHost(t)
	putFiles(m, rh, "config.yaml", "secrets: {aws: ~/.aws/credentials}\n")
	if got := said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)); !strings.HasPrefix(got, "left aws: rhx detect does not find it") {
		t.Error(got)
	}
}

// The first of two of one name is taken, and the other named where it differs.
func TestImportTwice(t *testing.T) {
	h, m := newHost(t)
	putFiles(m, rh,
		"secrets/a.json", `{"name":"db","values":{"k":"1"}}`,
		"secrets/b.json", `{"name":"db","values":{"k":"2"}}`,
		"secrets/c.json", `{"name":"db","values":{"k":"1"}}`,
		"secrets/d.json", `{"name":"ssh-x","provider":"ssh","values":{"private_key":"`+strings.ReplaceAll(pem, "\n", `\n`)+`"}}`,
		"config.yaml", "secrets: {ssh-x: ~/.ssh/x, db: ~/db}\n")
	same(t, "twice", said(must(h.Exchange.PlanRunhouse(ctx, rh))(t)), `
db / from secrets/a.json: created k
ssh/x ssh/x from secrets/d.json: created private_key
left db: secrets/b.json has other values than secrets/a.json, which is taken`)
}

// What cannot be read is left and said; a folder without anything is an error.
func TestImportUnreadable(t *testing.T) {
	h, m := newHost(t)
	if im, err := h.Exchange.PlanRunhouse(ctx, rh); im != nil || err == nil || err.Error() != rh+" has nothing of Runhouse" || !strings.Contains(hint(err), "--from DIR") {
		t.Errorf("%+v, %v", im, err)
	}
	putFiles(m, rh, "secrets/a.json", `{"name":"db","values":{"k":"1"}}`, "secrets/b.json", `{}`, "secrets/login.env", "A=b", "config.yaml", "{}")
	m.FailRead(rh+"/secrets/b.json", errors.New("input/output error"))
	m.FailRead(rh+"/secrets/login.env", errors.New("input/output error"))
	m.FailRead(rh+"/config.yaml", errors.New("input/output error"))
	got := said(must(h.Exchange.PlanRunhouse(ctx, rh))(t))
	for _, want := range []string{"db / from", "left b.json: ", "left login.env: ", "left config.yaml: "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	m.Fail(errors.New("gone"))
	if im, err := h.Exchange.PlanRunhouse(ctx, rh); im != nil || err == nil {
		t.Errorf("%+v, %v", im, err)
	}
	m.Fail(nil)
	h.noStore()
	if im, err := h.Exchange.PlanRunhouse(ctx, rh); im != nil || !errors.Is(err, errSealed) {
		t.Errorf("%+v, %v", im, err)
	}
}
