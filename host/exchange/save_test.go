package exchange_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

func TestSaveAll(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)+awsFile("team two", akia2, awsKey2)+"[half]\naws_access_key_id="+akia+"\n"), 0o600)
	m.PutFile(home+".config/gh/hosts.yml", []byte("github.com:\n  users:\n    j: \"\"\n"), 0o600)
	m.SetEnv("OPENAI_API_KEY", sk)
	all := exchange.SaveOptions{All: true}
	same(t, "first", saved(must(h.Exchange.Save(ctx, m, all))(t)), `
aws created 1 access_key,secret_key
aws/team%20two created 1 access_key,secret_key
openai created 1 api_key
aws/half failed 0: read ~/.aws/credentials, half: secret_key is missing`)
	// RH: saving again makes no version; a changed key makes one.
	m.SetEnv("OPENAI_API_KEY", sk+"2")
	same(t, "second", saved(must(h.Exchange.Save(ctx, m, all))(t)), `
aws unchanged 1
aws/team%20two unchanged 1
openai updated 2 api_key
aws/half failed 0: read ~/.aws/credentials, half: secret_key is missing`)
	same(t, "stored", stored(t, h, "aws/team%20two"), "aws/team%20two aws/team two v1 access_key="+akia2+" secret_key="+awsKey2)
	if infos := must(h.Records.History(ctx, "openai"))(t); len(infos) != 2 {
		t.Errorf("%d versions", len(infos))
	}
	if _, err := h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true, As: "x"}); !usage(err) {
		t.Errorf("one name for several secrets: %v", err)
	}
	m.Fail(context.DeadlineExceeded)
	if _, err := h.Exchange.Save(ctx, m, all); err == nil {
		t.Error("a machine that does not answer is no error")
	}
}

// Opening a store may start rhx anew, as rhx-full: a machine that was read before
// would be read, and asked for its passphrases, twice.
func TestSaveOpensTheStoreFirst(t *testing.T) {
	h, m := newHost(t)
	sealed := errors.New("the store is sealed")
	h.Records.Open = func(context.Context) (store.Store, error) {
		return nil, sealed
	}
	m.Fail(errors.New("the machine was read before the store was opened"))
	if _, err := h.Exchange.Save(ctx, m, exchange.SaveOptions{All: true}); !errors.Is(err, sealed) {
		t.Error(err)
	}
}

func TestSaveByName(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("team two", akia, awsKey)+awsFile("ci", akia2, awsKey2)), 0o600)
	m.PutFile(home+".ssh/id_a", []byte(pem), 0o600)
	m.PutFile(home+".config/gh/hosts.yml", []byte("github.com:\n  users:\n    j: \"\"\nghe.org: {oauth_token: t}\n"), 0o600)
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"aws/ci", "ssh"}, "aws/ci created 1 access_key,secret_key\nssh/id_a created 1 private_key"},
		{[]string{"aws/team two"}, "aws/team%20two created 1 access_key,secret_key"},
		{[]string{"gh/ghe.org"}, "github/ghe.org created 1 oauth_token"},
		{[]string{"ssh/id_a", "ssh"}, "ssh/id_a unchanged 1"},
		{[]string{"aws"}, "aws failed 0: aws has no default profile here"},
		{[]string{"aws/cj"}, "aws/cj failed 0: no aws/cj on this machine"},
		{[]string{"gh", "openai"}, "github failed 0: github: the value is in the system's keyring, not in ~/.config/gh/hosts.yml\nopenai failed 0: no openai on this machine"},
	} {
		same(t, strings.Join(c.names, " "), saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: c.names}))(t)), c.want)
	}
	if _, err := h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"asw"}}); !usage(err) || !strings.Contains(err.Error(), `did you mean "aws"`) {
		t.Error(err)
	}
	// --provider reads it, the name is another one.
	same(t, "other name", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"team/deploy-key"}, Provider: "ssh"}))(t)), "team/deploy-key created 1 private_key")
	same(t, "stored", stored(t, h, "team/deploy-key"), "team/deploy-key ssh/id_a v1 private_key="+pem)
	same(t, "--name", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws/ci"}, As: "ci"}))(t)), "ci created 1 access_key,secret_key")
	same(t, "stored", stored(t, h, "ci"), "ci aws/ci v1 access_key="+akia2+" secret_key="+awsKey2)
}

func TestSaveFrom(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+"one", []byte(awsFile("ci", akia, awsKey)), 0o600)
	m.PutFile(home+"two", []byte(awsFile("default", akia, awsKey)+awsFile("ci", akia2, awsKey2)), 0o600)
	m.PutFile("/srv/keys/id_x", []byte(pem), 0o600)
	m.PutFile("/srv/a[1]", []byte(awsFile("default", akia, awsKey)), 0o600)
	m.SetEnv("PWD", "/srv")
	m.SetEnv("AWS_ACCESS_KEY_ID", akia2)
	for _, c := range []struct {
		opts exchange.SaveOptions
		want string // of the store
	}{
		{exchange.SaveOptions{Names: []string{"aws"}, From: "~/one"}, "aws aws/ v1 access_key=" + akia + " secret_key=" + awsKey},
		{exchange.SaveOptions{Names: []string{"aws/x y"}, From: "~/one"}, "aws/x%20y aws/x y v1 access_key=" + akia + " secret_key=" + awsKey},
		{exchange.SaveOptions{Names: []string{"aws/ci"}, From: home + "two"}, "aws/ci aws/ci v1 access_key=" + akia2 + " secret_key=" + awsKey2},
		{exchange.SaveOptions{Names: []string{"ci-aws"}, Provider: "aws", From: "~/two"}, "ci-aws aws/ v1 access_key=" + akia + " secret_key=" + awsKey},
		{exchange.SaveOptions{Names: []string{"aws"}, From: "a[1]", As: "here"}, "here aws/ v1 access_key=" + akia + " secret_key=" + awsKey},
		{exchange.SaveOptions{Names: []string{"ssh"}, From: "keys/id_x"}, "ssh/id_x ssh/id_x v1 private_key=" + pem},
		{exchange.SaveOptions{Names: []string{"ssh/mine"}, From: "keys/id_x"}, "ssh/mine ssh/mine v1 private_key=" + pem},
		{exchange.SaveOptions{Provider: "ssh", From: "keys/id_x", As: "deploy"}, "deploy ssh/id_x v1 private_key=" + pem},
	} {
		list := must(h.Exchange.Save(ctx, m, c.opts))(t)
		if len(list) != 1 || list[0].Err != nil {
			t.Errorf("%+v: %s", c.opts, saved(list))
			continue
		}
		same(t, c.opts.From, stored(t, h, list[0].Name), c.want)
	}
	for want, opts := range map[string]exchange.SaveOptions{
		"read ~/none: no such file":                                  {Names: []string{"aws"}, From: "~/none"},
		"no aws/cj on this machine":                                  {Names: []string{"aws/cj"}, From: "~/two"},
		"AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not": {Names: []string{"aws"}, FromEnv: true},
		"no variable of openai is set (OPENAI_API_KEY)":              {Names: []string{"openai"}, FromEnv: true},
		"one source, --from or --from-env, is for one secret":        {Names: []string{"aws"}, FromEnv: true, From: "x"},
		"--from and --from-env are for one secret":                   {Names: []string{"aws", "aws/x"}, From: "x"},
		"openai keeps its secret in variables, not in a file":        {Names: []string{"openai"}, From: "~/one"},
		"read ~/two: line 1: a mapping was expected here":            {Names: []string{"gcp"}, From: "~/two"},
		`unknown provider "awss"; did you mean "aws"?`:               {Names: []string{"x"}, Provider: "awss", From: "~/one"},
		"read ~/one: line 1: neither [section] nor name = value":     {Names: []string{"lambda"}, From: "~/one"},
	} {
		_, err := h.Exchange.Save(ctx, m, opts)
		if err == nil || err.Error() != want && !strings.HasPrefix(want, "read ~/") {
			t.Errorf("%+v: %v, not %s", opts, err, want)
		}
	}
	m.SetEnv("AWS_SECRET_ACCESS_KEY", awsKey2)
	same(t, "--from-env", saved(must(h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws/env"}, FromEnv: true}))(t)), "aws/env created 1 access_key,secret_key")
	same(t, "stored", stored(t, h, "aws/env"), "aws/env aws/env v1 access_key="+akia2+" secret_key="+awsKey2)
	same(t, "by an alias", saved(must(func() ([]exchange.Saved, error) {
		m.SetEnv("HF_TOKEN", "t")
		return h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"hf"}, FromEnv: true})
	}())(t)), "huggingface created 1 token")
}

// RH-06 of runhouse: a secret has one source.
func TestRH06OneSource(t *testing.T) {
	h, m := newHost(t)
	if _, err := h.Exchange.Save(ctx, m, exchange.SaveOptions{Names: []string{"aws"}, From: "x", FromEnv: true}); !usage(err) {
		t.Error(err)
	}
}

// Of two savers of one secret one is told that the other was there.
func TestSaveConflict(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "db", "k", "0")
	st := must(h.Records.Store(ctx))(t)
	racy := &racyStore{Store: st}
	h2, _ := newHost(t)
	h2.Records.Open = func(context.Context) (store.Store, error) { return racy, nil }
	racy.between = func() { keep(t, h, "db", "k", "other") }
	s, err := h2.Exchange.SaveSecret(ctx, &secret.Secret{Name: "db", Values: secret.Values{"k": secret.NewValue("mine")}})
	if !errors.Is(err, store.ErrConflict) || s.Action != provider.Failed || !strings.Contains(hint(err), "rhx show db") {
		t.Errorf("%v %v", s, err)
	}
	same(t, "stored", stored(t, h, "db"), "db / v2 k=other")
}

// racyStore lets somebody else write between Get and Put.
type racyStore struct {
	store.Store
	once    sync.Once
	between func()
}

func (s *racyStore) Put(ctx context.Context, sec *secret.Secret, expect int) (int, error) {
	s.once.Do(s.between)
	return s.Store.Put(ctx, sec, expect)
}

func TestSaveSecret(t *testing.T) {
	h, _ := newHost(t)
	for _, name := range []string{"", "../x", "a\nb"} {
		if _, err := h.Exchange.SaveSecret(ctx, &secret.Secret{Name: name, Values: secret.Values{"k": secret.NewValue("v")}}); !usage(err) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// RH-09: a base secret called as a provider is what was saved.
	keep(t, h, "cohere", "anything", "v")
	same(t, "stored", stored(t, h, "cohere"), "cohere cohere/ v1 anything=v")
	// A deleted secret can be saved again.
	must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{"cohere"}, exchange.DeleteOptions{}))(t)
	if _, err := h.Records.Get(ctx, "cohere", 0); err == nil || !strings.Contains(hint(err), "it was deleted") {
		t.Errorf("after its deletion: %v", err)
	}
	keep(t, h, "cohere", "anything", "v")
}
