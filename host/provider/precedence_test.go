package provider_test

import (
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

// Precedence when extracting: the default file, else the variables; a partly
// set group of variables is reported and never mixed with a file's values.
func TestPrecedence(t *testing.T) {
	file := "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"
	fromFile := "aws value from ~/.aws/credentials"
	values := ": access_key=" + akia + " secret_key=" + awsKey
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"the file alone", tree{".aws/credentials": file}, fromFile + values},
		{"the variables alone", tree{"$AWS_ACCESS_KEY_ID": akia2, "$AWS_SECRET_ACCESS_KEY": awsKey2}, "aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY: access_key=" + akia2 + " secret_key=" + awsKey2},
		{"both, equal", tree{".aws/credentials": file, "$AWS_ACCESS_KEY_ID": akia, "$AWS_SECRET_ACCESS_KEY": awsKey}, fromFile + " $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" + values},
		{"both, other values", tree{".aws/credentials": file, "$AWS_ACCESS_KEY_ID": akia2, "$AWS_SECRET_ACCESS_KEY": awsKey2}, fromFile + " $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY" + values + " (access_key, secret_key: the environment has another value than ~/.aws/credentials, which rhx uses)"},
		{"a token in the variables only is not mixed in", tree{".aws/credentials": file, "$AWS_ACCESS_KEY_ID": akia, "$AWS_SECRET_ACCESS_KEY": awsKey, "$AWS_SESSION_TOKEN": "T"}, fromFile + " $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN" + values},
		{"part of the variables, a file", tree{".aws/credentials": file, "$AWS_SECRET_ACCESS_KEY": awsKey2}, fromFile + values + " (AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not)"},
		{"part of the variables, no file", tree{"$AWS_SECRET_ACCESS_KEY": awsKey2}, "aws invalid from $AWS_SECRET_ACCESS_KEY: AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"},
		{"a file without the default profile, variables", tree{".aws/credentials": "[p]\nregion=x\n", "$AWS_ACCESS_KEY_ID": akia2, "$AWS_SECRET_ACCESS_KEY": awsKey2}, "aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY: access_key=" + akia2 + " secret_key=" + awsKey2},
		{"an alias", tree{"$AWS_ACCESS_KEY_ID": akia2, "$AWS_SECRET_ACCESS_KEY": awsKey2, "$AWS_SECURITY_TOKEN": "T"}, "aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SECURITY_TOKEN: access_key=" + akia2 + " secret_key=" + awsKey2 + " session_token=T"},
	} {
		same(t, c.name, describe(extract(t, newMachine(c.files), builtin(t, "aws"))), c.want)
	}
}

func TestTogether(t *testing.T) {
	sp := builtin(t, "azure")
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"none of the group", tree{"$AZURE_SUBSCRIPTION_ID": "s"}, "azure value from $AZURE_SUBSCRIPTION_ID: subscription_id=s"},
		{"all of the group", tree{"$AZURE_CLIENT_ID": "c", "$AZURE_CLIENT_SECRET": "x", "$AZURE_TENANT_ID": "t"}, "azure value from $AZURE_CLIENT_ID $AZURE_CLIENT_SECRET $AZURE_TENANT_ID: client_id=c client_secret=x tenant_id=t"},
		{"terraform's names", tree{"$ARM_CLIENT_ID": "c", "$ARM_CLIENT_SECRET": "x", "$ARM_TENANT_ID": "t"}, "azure value from $ARM_CLIENT_ID $ARM_CLIENT_SECRET $ARM_TENANT_ID: client_id=c client_secret=x tenant_id=t"},
		{"part of the group", tree{"$AZURE_CLIENT_ID": "c", "$AZURE_SUBSCRIPTION_ID": "s"}, "azure invalid from $AZURE_SUBSCRIPTION_ID $AZURE_CLIENT_ID: AZURE_SUBSCRIPTION_ID, AZURE_CLIENT_ID is set, but AZURE_CLIENT_SECRET, AZURE_TENANT_ID is not"},
	} {
		same(t, c.name, describe(extract(t, newMachine(c.files), sp)), c.want)
	}
}

// A redacted stub in a variable is no value.
func TestRejectInVariables(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {a: {env: A, reject: '.*[*]{4}.*'}, b: {env: B, public: true}}\n")
	same(t, "alone", describe(extract(t, newMachine(tree{"$A": "sk_****1"}), sp)), "")
	same(t, "beside another", describe(extract(t, newMachine(tree{"$A": "sk_****1", "$B": "b"}), sp)), "x invalid from $B: B is set, but A is not")
}

func TestExtractEnv(t *testing.T) {
	for _, c := range []struct {
		provider, name string
		files          tree
		want, err      string
	}{
		{"openai", "RH-45", tree{"$OPENAI_API_KEY": sk}, "openai value from $OPENAI_API_KEY: api_key=" + sk, ""},
		{"aws", "whatever the files hold", tree{"$AWS_ACCESS_KEY_ID": akia2, "$AWS_SECRET_ACCESS_KEY": awsKey2, ".aws/credentials": "[default]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n"}, "aws value from $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY: access_key=" + akia2 + " secret_key=" + awsKey2, ""},
		{"openai", "not set", nil, "", "no variable of openai is set (OPENAI_API_KEY)"},
		{"aws", "set in part", tree{"$AWS_ACCESS_KEY_ID": akia}, "", "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not"},
		{"ssh", "no variables", nil, "", "ssh has no variables; its secret is in files"},
		{"gcp", "a document", tree{"$GOOGLE_CREDENTIALS": `{"type":"x","private_key":"k"}`}, "gcp value from $GOOGLE_CREDENTIALS: private_key=k type=x", ""},
		{"gcp", "no document", nil, "", "no variable of gcp is set (GOOGLE_CREDENTIALS)"},
	} {
		sp := builtin(t, c.provider)
		f, err := take(t, newMachine(c.files), sp).ExtractEnv(sp)
		switch {
		case c.err != "":
			if err == nil || err.Error() != c.err {
				t.Errorf("%s %s: %v", c.provider, c.name, err)
			}
		case err != nil:
			t.Errorf("%s %s: %v", c.provider, c.name, err)
		default:
			same(t, c.provider+" "+c.name, describe([]provider.Found{f}), c.want)
		}
	}
}

// RH-48: everything on a machine at once, each key pair as a secret of its own.
// W-07: a file without the default profile, or of another host only, stops nothing.
func TestRH48Everything(t *testing.T) {
	m := newMachine(tree{
		".aws/credentials": "[only]\naws_access_key_id=" + akia + "\naws_secret_access_key=" + awsKey + "\n",
		".config/gcloud/application_default_credentials.json": `{"client_id": "test_client_id", "client_secret": "x"}`,
		".config/gh/hosts.yml":                                "ghe.org: {oauth_token: t}\n",
		".lambda_cloud/lambda_keys":                           "api_key = k\n",
		".ssh/sky-key":                                        pem, ".ssh/sky-key.pub": pub, ".ssh/id_a": pem, ".ssh/id_b": pem2,
		".kube/config": "[", "$OPENAI_API_KEY": sk,
	})
	reg := spec.NewRegistry(specs.All(), "")
	all, err := reg.All()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := provider.Take(ctx, m, nil, all)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, sp := range all {
		for _, f := range snap.Extract(ctx, sp) {
			got += f.Name + " " + string(f.State) + "\n"
		}
	}
	same(t, "found", got, `
aws/only value
gcp value
github/ghe.org value
kubernetes invalid
lambda value
ssh/id_a value
ssh/id_b value
sky value
openai value`)
}

// W-06: a Lambda file in any of the forms that people write.
func TestW06Lambda(t *testing.T) {
	sp := builtin(t, "lambda")
	for _, text := range []string{"api_key=V", "api_key = V\n", "\napi_key = V\n", "\tapi_key\t=\tV\r\n", "# note\napi_key: V\n", "[default]\nx=y\n"} {
		want := "lambda value from ~/.lambda_cloud/lambda_keys: api_key=V"
		if text[0] == '[' {
			want = ""
		}
		same(t, text, describe(extract(t, newMachine(tree{".lambda_cloud/lambda_keys": text}), sp)), want)
	}
}

// W-11: nothing is written outside the places that the spec names.
func TestW11NoStrayFiles(t *testing.T) {
	sp := builtin(t, "gcp")
	m := newMachine(tree{"$PWD": "/srv/app"})
	put(t, m, sp, sec(sp, "", "type", "x", "private_key", "k"), provider.Options{})
	if names := m.Names("/srv/app"); len(names) != 0 {
		t.Error(names)
	}
	if names := m.Names("/home/u"); len(names) != 1 || names[0] != ".config" {
		t.Error(names)
	}
}

// W-12: a percent sign is text.
func TestW12Percent(t *testing.T) {
	sp := builtin(t, "aws")
	m := newMachine(nil)
	put(t, m, sp, sec(sp, "", "access_key", akia, "secret_key", "a%b%(c)s%%"), provider.Options{})
	same(t, "found", describe(extract(t, m, sp)), "aws value from ~/.aws/credentials: access_key="+akia+" secret_key=a%b%(c)s%%")
}

// RH-16: a secret written to an explicit path, its folder missing, and read
// from there is the same.
func TestRH16ExplicitPath(t *testing.T) {
	for _, c := range []struct {
		provider, profile, path string
		values                  []string
	}{
		{"aws", "", "deep/creds", []string{"access_key", akia, "secret_key", awsKey}},
		{"gcp", "", "deep/gcp.json", []string{"client_id", "test_client_id", "client_secret", "test"}},
		{"azure", "", "deep/clouds", []string{"subscription_id", "test"}},
		{"lambda", "", "deep/keys", []string{"api_key", "test"}},
		{"github", "", "deep/hosts", []string{"oauth_token", "test"}},
		{"huggingface", "", "deep/token", []string{"token", hf}},
		{"ssh", "id_test", "deep/id_test", []string{"private_key", pem, "public_key", pub}},
		{"sky", "", "deep/sky-key", []string{"private_key", pem, "public_key", pub}},
	} {
		sp, m := builtin(t, c.provider), newMachine(nil)
		s := sec(sp, c.profile, c.values...)
		put(t, m, sp, s, provider.Options{To: home + c.path})
		found, err := take(t, m, sp, home+c.path, home+c.path+".pub").ExtractFile(ctx, sp, "~/"+c.path)
		if err != nil || len(found) != 1 || !found[0].Values.Equal(s.Values) {
			t.Errorf("%s: %s %v", c.provider, describe(found), err)
		}
		if names := m.Names("/home/u"); len(names) != 1 || names[0] != "deep" {
			t.Errorf("%s: also written: %v", c.provider, names)
		}
	}
}

// RH-44: what is there already is named and not written again.
func TestRH44AlreadyThere(t *testing.T) {
	sp := builtin(t, "lambda")
	m := newMachine(tree{".lambda_cloud/lambda_keys": "api_key=V   \n"})
	out, n := put(t, m, sp, sec(sp, "", "api_key", "V"), provider.Options{Resolve: provider.ReplaceAll})
	if same(t, "outcome", out, "~/.lambda_cloud/lambda_keys unchanged"); n != 0 {
		t.Error("written")
	}
}

// Settings, such as the address of a server, are no secret by themselves; a value
// that is needed, or a secret one, is a broken secret.
func TestSettingsInVariables(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {url: {env: U, public: true, optional: true}, id: {env: I, public: true}, t: {env: T}, old: {env: O, optional: true}}\n")
	for _, c := range []struct {
		name  string
		files tree
		want  string
	}{
		{"a setting", tree{"$U": "u"}, ""},
		{"a setting and a needed value", tree{"$U": "u", "$I": "i"}, "x invalid from $U $I: U, I is set, but T is not"},
		{"an optional secret value", tree{"$O": "o"}, "x invalid from $O: O is set, but I, T is not"},
	} {
		same(t, c.name, describe(extract(t, newMachine(c.files), sp)), c.want)
	}
}

// A file that is a profile has its name, whatever its format.
func TestProfileOfAFile(t *testing.T) {
	sp := parse(t, "spec: 1\nname: x\nvalues: {t: {}}\nfiles: [{path: '~/.x/{profile}.json', format: json, keys: {t: token}}]\n")
	same(t, "two files", describe(extract(t, newMachine(tree{".x/a.json": `{"token": "1"}`, ".x/b.json": `{"token": "2"}`}), sp)), "x/a value from ~/.x/a.json: t=1\nx/b value from ~/.x/b.json: t=2")
}
