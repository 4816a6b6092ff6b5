package exchange_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/foreign"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

var (
	gho = "gho_" + strings.Repeat("FAKEfake", 5)
	hf  = "hf_" + strings.Repeat("FAKEfake", 5)
)

// item is an item of a title with fields, by name and value in turn; "~" before a name
// says that the tool shows it.
func item(title string, pairs ...string) foreign.Item {
	it := foreign.Item{Title: title}
	for i := 0; i < len(pairs); i += 2 {
		name, shown := strings.CutPrefix(pairs[i], "~")
		if name == "url" {
			it.URLs = append(it.URLs, pairs[i+1])
		}
		if name == "username" {
			it.User = pairs[i+1]
		}
		it.Fields = append(it.Fields, foreign.Field{Name: name, Value: secret.NewValue(pairs[i+1]), Shown: shown})
	}
	return it
}

// planned is what becomes of items.
func planned(t *testing.T, h *house, name string, items ...foreign.Item) string {
	t.Helper()
	return said(must(h.Exchange.PlanItems(ctx, &foreign.Export{Items: items}, exchange.ItemOptions{Tool: "tool", Name: name}))(t))
}

// The value of one item is in no name of another, whatever is around it and in whichever
// case.
func TestItemsNamesOfOthers(t *testing.T) {
	h, _ := newHost(t)
	const other = "fakeTOPsecret-1234"
	items := []foreign.Item{item("holder", "password", other)}
	for _, around := range []string{"(%s)", "web/k=%s", "a,%s;b", "[%s]", "x-%s-y", "k%s"} {
		text := strings.ReplaceAll(around, "%s", other)
		items = append(items, item(text, "password", "FAKEpw1"), item("Dup", "~username", text+"@h", "label "+text, "FAKEpw2"))
	}
	if got := strings.ToLower(planned(t, h, "", items...)); strings.Contains(got, "faketopsecret") || !strings.Contains(got, "whose name is a secret value") {
		t.Error(got)
	}
}

// An item becomes the secret of the provider that its variables, its addresses, or its
// title say, where it has what the provider needs; else it is one of no provider.
func TestItemsOfProviders(t *testing.T) {
	h, _ := newHost(t)
	for _, c := range []struct {
		what string
		it   foreign.Item
		want string
	}{
		{"a variable", item("My key", "OPENAI_API_KEY", sk, "PORT", "80"), `
openai/my-key openai/my-key from My key: created api_key
my-key / from My key: created PORT`},
		{"an address", item("x", "~url", "https://github.com/settings", "~username", "jane", "token", gho), `
github-x github/ from x: created oauth_token left out, because github has no such value: ["url" "username"]`},
		{"an address of another host of the site", item("OpenAI", "~url", "platform.openai.com", "api key", sk), `
openai openai/ from OpenAI: created api_key left out, because openai has no such value: ["url"]`},
		{"a password beside a token", item("GitHub", "~url", "https://github.com", "password", "FAKEpw", "Personal access token", gho), `
github github/ from GitHub: created oauth_token
github.tool / from GitHub: created password,url`},
		{"a password is an account's", item("GitHub", "~url", "https://github.com", "password", "FAKEpw"), "github.tool / from GitHub: created password,url"},
		{"a password of the provider's own form", item("OpenAI", "~url", "https://platform.openai.com", "password", sk), `
openai openai/ from OpenAI: created api_key left out, because openai has no such value: ["url"]`},
		{"no such form", item("OpenAI", "api key", "FAKEnothing"), "openai.tool / from OpenAI: created api_key"},
		{"two that could be the key", item("GitHub", "key", gho, "secret", "FAKEother"), "github.tool / from GitHub: created key,secret"},
		{"a title", item("AWS prod", "~Access key ID", akia, "Secret access key", awsKey), "aws/prod aws/prod from AWS prod: created access_key,secret_key"},
		{"half of what is needed", item("AWS prod", "~Access key ID", akia), "aws.tool-prod"},
		{"a title that has the word elsewhere", item("Old OpenAI", "api key", sk), "old-openai / from Old OpenAI: created api_key"},
		{"another site", item("x", "~url", "https://github.com.example.net", "token", gho), "x / from x: created token,url"},
		{"a site that ends alike", item("x", "~url", "https://notgithub.com", "token", gho), "x / from x: created token,url"},
		{"broken addresses", item("x", "~url", "://", "token", gho), "x / from x: created token,url"},
		{"generic words are no profile", item("OpenAI API key (team)", "key", sk), "openai/team openai/team from OpenAI API key (team): created api_key"},
		{"a key pair", item("deploy", "private_key", pem, "~public_key", "ssh-ed25519 FAKE"), "ssh/deploy ssh/deploy from deploy: created private_key,public_key"},
		{"no key", item("deploy", "private_key", "FAKE"), "deploy / from deploy: created private_key"},
		{"a section", item("Hugging Face", "Keys.Token", hf), "huggingface huggingface/ from Hugging Face: created token"},
	} {
		got := planned(t, h, "", c.it)
		if c.want == "aws.tool-prod" {
			c.want = "aws-prod / from AWS prod: created Access_key_ID"
		}
		same(t, c.what, got, c.want)
	}
	same(t, "two providers of a site", planned(t, h, "", item("x", "~url", "https://aliyuncs.com", "token", "sk-"+strings.Repeat("FAKEfake", 5))),
		"x / from x: created token,url it could be a key of alibaba-coding-plan or of dashscope, so it is a secret of no provider")
}

// Names are told apart, never one in place of another.
func TestItemsOfOneName(t *testing.T) {
	h, _ := newHost(t)
	same(t, "names", planned(t, h, "",
		item("Work/Mail", "~username", "jane@x", "password", "FAKE1"),
		item("Home/Mail", "~username", "bob@x", "password", "FAKE2"),
		item("Mail", "~username", "bob@x", "password", "FAKE3"),
		item("Mail", "~username", "jane@x", "password", "FAKE1"),
		item("Mail", "password", "FAKE4"),
		item("GitHub", "token", gho), item("GitHub", "token", gho+"2"), item("GitHub", "token", gho+"2"),
		item("OpenAI", "key", sk), item("OpenAI", "key", sk+"2"),
		item("", "password", "FAKE5"), item("///", "password", "FAKE6")), `
mail / from Work/Mail: created password,username
mail-bob / from Home/Mail: created password,username
mail-2 / from Mail: created password,username
mail-3 / from Mail: created password
github github/ from GitHub: created oauth_token
github-2 github/ from GitHub: created oauth_token
openai openai/ from OpenAI: created api_key
openai/2 openai/2 from OpenAI: created api_key
tool / from item 11: created password
tool-2 / from ///: created password
left Mail: it is the same as Work/Mail, which is taken as mail
left GitHub: it is the same as GitHub, which is taken as github-2`)
	same(t, "one name for all", planned(t, h, "team", item("OpenAI", "key", sk), item("Mail", "password", "FAKE", "a b", "1", "a-b", "2", "a b", "3", "", "4")), `
openai/team openai/team from OpenAI: created api_key
team/mail / from Mail: created a-b,a_b,a_b_2,field_5,password`)
	same(t, "a path", planned(t, h, "", foreign.Item{Title: "a/B c/aws", Name: "a/B c/aws", Fields: item("", "password", "x").Fields}, foreign.Item{Title: "aws/prod", Name: "aws/prod", Fields: item("", "password", "x").Fields}), `
a/B-c/aws / from a/B c/aws: created password
aws.tool/prod / from aws/prod: created password`)
	im, err := h.Exchange.PlanItems(ctx, &foreign.Export{}, exchange.ItemOptions{Tool: "tool", Name: "../x"})
	if im != nil || err == nil || fault.KindOf(err) != fault.Usage {
		t.Error(im, err)
	}
}

// No name, no key and nothing that is said holds a secret value.
func TestItemsDoNotReveal(t *testing.T) {
	h, _ := newHost(t)
	for _, it := range []foreign.Item{
		item("FAKEpassword", "password", "FAKEpassword"),
		item("my FAKEpassword here", "password", "FAKEpassword"),
		item("FAKEpassword/x", "password", "FAKEpassword"),
		item("fakePASSWORD", "password", "fakePASSWORD"),
		item("x", "~username", "FAKEpassword", "password", "FAKEpassword"),
		item("x", "FAKEpassword", "y", "password", "FAKEpassword"),
		{Title: "x", Name: "FAKEpassword", Fields: item("", "password", "FAKEpassword").Fields},
		{Title: "x", Fields: item("", "password", "FAKEpassword").Fields, Left: []foreign.Left{{Name: "FAKEpassword", Why: "y"}}},
	} {
		got := planned(t, h, "", it, item("x", "password", "other"))
		if low := strings.ToLower(got); strings.Contains(low, "fakepassword") {
			t.Errorf("%s:\n%s", it.Title, got)
		}
	}
	got := planned(t, h, "", item("x "+sk, "password", "y"), item("FAKEothers", "password", "y"), item("z", "password", "FAKEothers"))
	if strings.Contains(got, "FAKE") || strings.Contains(got, "fakeothers") {
		t.Error(got)
	}
}

// What the store has from elsewhere is a conflict; what an import of the same tool saved
// is replaced with a yes, and only then.
func TestItemsBesideTheStore(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "mail", "password", "FAKEelsewhere")
	export := &foreign.Export{Items: []foreign.Item{item("Mail", "password", "FAKE1"), item("Note", "notes", "FAKE2")}}
	opts := exchange.ItemOptions{Tool: "tool"}
	save := func(replace bool) string {
		im := must(h.Exchange.PlanItems(ctx, export, opts))(t)
		var out []string
		for _, s := range must(h.Exchange.SaveItems(ctx, im.Plan, replace, "tool"))(t) {
			out = append(out, s.Name+" "+string(s.Action))
			if s.Err != nil && fault.Hint(s.Err) == "" {
				t.Errorf("%v has no hint", s.Err)
			}
		}
		return strings.Join(out, ", ")
	}
	same(t, "first", save(true), "mail conflict, note created")
	same(t, "again", save(false), "mail conflict, note unchanged")
	export.Items[1] = item("Note", "notes", "FAKE3")
	same(t, "without a yes", save(false), "mail conflict, note conflict")
	opts.Tool = "other"
	same(t, "of another tool", save(true), "mail conflict, note conflict")
	opts.Tool = "tool"
	same(t, "with a yes", save(true), "mail conflict, note updated")
	opts.Overwrite = true
	same(t, "all", save(true), "mail updated, note unchanged")
	rec := must(h.Records.Get(ctx, "mail", 0))(t)
	if !slices.Equal(rec.Secret.Sources, []secret.Source{{Kind: secret.SourceTool, Path: "tool"}}) {
		t.Errorf("%+v", rec.Secret.Sources)
	}
	im := must(h.Exchange.PlanItems(ctx, &foreign.Export{Items: []foreign.Item{item("Note", "notes", "FAKE9")}}, exchange.ItemOptions{Tool: "x"}))(t)
	if others := new(exchange.OthersError); !errors.As(im.Plan[0].Err, &others) || others.Tool != "x" {
		t.Error(im.Plan[0].Err)
	}
}

// A file that a provider knows by its path becomes the provider's secrets.
func TestItemsOfFiles(t *testing.T) {
	h, _ := newHost(t)
	file := func(path, text string) foreign.Item {
		return foreign.Item{Title: path, Name: path, File: path, Fields: []foreign.Field{{Name: "content", Value: secret.NewValue(text)}}}
	}
	same(t, "files", planned(t, h, "", file(".aws/credentials", awsFile("default", akia, awsKey)+awsFile("prod", akia2, awsKey2)), file(".config/x/key.txt", "FAKE")), `
aws aws/ from .aws/credentials: created access_key,secret_key
aws/prod aws/prod from .aws/credentials: created access_key,secret_key
config/x/key.txt / from .config/x/key.txt: created content`)
}

// Whatever the items are: names are valid, each is there once, and none holds a value.
func FuzzItems(f *testing.F) {
	h, _ := newHost(f)
	f.Add("GitHub", "token", "FAKEfakeFAKE", "jane", "https://github.com", "")
	f.Add("a/b", "OPENAI_API_KEY", "FAKEfakeFAKE", "", "://", "team")
	f.Add("FAKEfakeFAKE", "x", "FAKEfakeFAKE", "FAKEfakeFAKE", "FAKEfakeFAKE", "")
	f.Fuzz(func(t *testing.T, title, key, value, user, url, name string) {
		a := item(title, key, value, "~url", url)
		a.User = user
		b := item(title, key, value+"x", "password", value)
		im, err := h.Exchange.PlanItems(ctx, &foreign.Export{Items: []foreign.Item{a, b, a}}, exchange.ItemOptions{Tool: "tool", Name: name})
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, u := range im.Plan {
			n := u.Found.Name
			if seen[n] {
				t.Errorf("%q is there twice", n)
			}
			seen[n] = true
			if err := secret.ValidName(n); err != nil && u.Action != provider.Failed {
				t.Errorf("%q: %v", n, err)
			}
			if len(value) >= 12 && strings.Contains(n, value) && !strings.Contains(name, value) && value != "tool" {
				t.Errorf("%q holds a value", n)
			}
		}
	})
}

// The profile of another tool is the provider's, exactly.
func TestItemsOfProfiles(t *testing.T) {
	h, _ := newHost(t)
	of := func(profile string) foreign.Item {
		it := item(profile, "~AWS_ACCESS_KEY_ID", akia, "AWS_SECRET_ACCESS_KEY", awsKey+profile)
		it.Name, it.Profile = profile, profile
		return it
	}
	same(t, "profiles", planned(t, h, "", of("default"), of("prod eu"), of("aws"), of("key")), `
aws aws/ from default: created access_key,secret_key
aws/prod%20eu aws/prod eu from prod eu: created access_key,secret_key
aws/aws aws/aws from aws: created access_key,secret_key
aws/key aws/key from key: created access_key,secret_key`)
}
