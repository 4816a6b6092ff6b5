package exchange_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
)

// What is exported comes back as it was: bytes that are no text, profile, places.
func TestExportAndBack(t *testing.T) {
	h, _ := newHost(t)
	sec := secret.Secret{Name: "aws/prod eu", Provider: "aws", Profile: "prod eu", Sources: []secret.Source{{Kind: secret.SourceFile, Path: "~/.aws/credentials"}},
		Values: secret.Values{"access_key": secret.NewValue(akia), "secret_key": secret.NewValue(awsKey), "session_token": secret.NewValue("")}}
	must(h.Exchange.SaveSecret(ctx, &sec))(t)
	raw := secret.Secret{Name: "raw", Values: secret.Values{"bytes": secret.NewValue("\xff\x00"), "empty": secret.NewValue("")}}
	must(h.Exchange.SaveSecret(ctx, &raw))(t)
	keep(t, h, "db", "password", "FAKE")
	doc, left, err := h.Exchange.Export(ctx, nil)
	if err != nil || len(left) != 0 || len(doc.Secrets) != 3 {
		t.Fatal(doc, left, err)
	}
	if got := doc.Secrets[2]; got.Values["bytes"] != "" || got.Binary["bytes"] != "/wA=" || got.Updated.IsZero() {
		t.Errorf("%+v", got)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := newHost(t)
	im := must(other.Exchange.PlanExport(ctx, data))(t)
	for _, s := range must(other.Exchange.Upload(ctx, im.Plan, false))(t) {
		if s.Action != provider.Created {
			t.Errorf("%+v", s)
		}
	}
	got := must(other.Records.Get(ctx, "aws/prod eu", 0))(t).Secret
	if !got.Values.Equal(sec.Values) || got.Provider != "aws" || got.Profile != "prod eu" || len(got.Sources) != 1 || got.Sources[0] != sec.Sources[0] {
		t.Errorf("%+v", got)
	}
	if got := must(other.Records.Get(ctx, "raw", 0))(t).Secret; !got.Values.Equal(raw.Values) {
		t.Errorf("%+v", got)
	}
	// One that is named, and one that is not there.
	doc, left, err = h.Exchange.Export(ctx, []string{"db", "none"})
	if err != nil || len(doc.Secrets) != 1 || len(left) != 1 || left[0].Name != "none" {
		t.Error(doc, left, err)
	}
}

func TestPlanExport(t *testing.T) {
	h, _ := newHost(t)
	for data, want := range map[string]string{
		"FAKE": "not what rhx export writes", "[]": "not what rhx export writes", `{"format":"x"}`: "not what rhx export writes",
		`{"format":"rhx-export","version":2}`: "its version is 2",
	} {
		if im, err := h.Exchange.PlanExport(ctx, []byte(data)); im != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "FAKE") {
			t.Errorf("%s: %v", data, err)
		}
	}
	im := must(h.Exchange.PlanExport(ctx, []byte(`{"format":"rhx-export","version":1,"secrets":[{"name":"a","values":{"k":"FAKE1"}},{"name":"a","values":{"k":"FAKE2"}},{"name":"../x","values":{"k":"FAKE"}},
{"name":"b","values":{"k":"FAKE"},"binary":{"k":"AA=="}},{"name":"c","binary":{"k":"?"}},{"name":"d"}]}`)))(t)
	same(t, "plan", said(im), `
a / from a: created k
left a: it is there twice
left ../x: secret name "../x" has an empty, '.' or '..' step
left b: a value of it is there twice
left c: a value of it is not base64
left d: it has no values`)
}

// A document of another person neither says where a secret is written to nor gives it a
// name within that means another one.
func TestPlanExportOfOthers(t *testing.T) {
	h, _ := newHost(t)
	im := must(h.Exchange.PlanExport(ctx, []byte(`{"format":"rhx-export","version":1,"secrets":[
{"name":"rc","values":{"store":"FAKE"},"locations":[{"kind":"file","path":"~/.config/rhx/config.yaml","own":true},{"kind":"env","var":"X"}]},
{"name":"b","values":{"":"FAKE"}},{"name":"c","values":{"a\nb":"FAKE"}},{"name":"d","values":{"\u001b[31m":"FAKE"}},{"name":"e","values":{"a=b":"FAKE"}},
{"name":"aws/p","provider":"aws","profile":"other","values":{"access_key":"FAKE"}},{"name":"f","provider":"netrc","profile":"x\nmachine y","values":{"password":"FAKE"}}]}`)))(t)
	same(t, "plan", said(im), `
rc / from rc: created store
left b: the name of a value of it is empty, or no printable text without "="
left c: the name of a value of it is empty, or no printable text without "="
left d: the name of a value of it is empty, or no printable text without "="
left e: the name of a value of it is empty, or no printable text without "="
left aws/p: its profile is not that of its name
left f: its profile is no printable text`)
	for _, src := range im.Plan[0].Found.Sources {
		if src.Own {
			t.Errorf("%+v", src)
		}
	}
}

// What a file says is checked as what is typed is; and no location of it chooses a path.
func TestPlanExportBelievesLittle(t *testing.T) {
	h, _ := newHost(t)
	keys := `"values":{"access_key":"` + akia + `","secret_key":"` + awsKey + `"}`
	im := must(h.Exchange.PlanExport(ctx, []byte(`{"format":"rhx-export","version":1,"secrets":[
{"name":"empty","values":{"":"FAKE"}},{"name":"line","values":{"a\nb":"FAKE"}},{"name":"esc","binary":{"\u001b[31m":"AA=="}},
{"name":"x","provider":"aws","profile":"evil\nmachine good.example",`+keys+`},{"name":"aws/p","provider":"aws","profile":"other",`+keys+`},{"name":"aws/q","provider":"aws",`+keys+`},
{"name":"y","profile":"p","values":{"k":"FAKE"}},{"name":"z","provider":"nobody","values":{"k":"FAKE"}},
{"name":"aws/n","provider":"aws","profile":"n","values":{"nonsense":"FAKE"}},{"name":"aws/h","provider":"aws","profile":"h","values":{"access_key":"`+akia+`"}},
{"name":"mine","provider":"aws","profile":"p",`+keys+`,"locations":[{"kind":"file","path":"~/.aws/credentials","own":true},{"kind":"file","path":"~/.config/rhx/config.yaml","own":true},{"kind":"file","path":"~/x.ini"},
{"kind":"file","path":"~/p/.env","var":"A","own":true},{"kind":"file","path":"~/p\n/.env","var":"A"},{"kind":"file","path":"~/p/.env","var":"A B"},{"kind":"env","var":"B"},{"kind":"env"},{"kind":"import","path":"pass"},{"kind":"odd","path":"a"}]},
{"name":"rc","values":{"store":"FAKE"},"locations":[{"kind":"file","path":"~/.config/rhx/config.yaml","own":true}]}]}`)))(t)
	why := map[string]string{}
	for _, l := range im.Left {
		why[l.Name] = l.Why
		if strings.Contains(l.Why, "FAKE") {
			t.Error(l.Why)
		}
	}
	for name, want := range map[string]string{"empty": "is empty", "line": "printable", "esc": "printable", "x": "profile", "aws/p": "its profile is not", "aws/q": `profile ""`,
		"y": "of no provider", "z": "nobody", "aws/n": `no value "nonsense"`, "aws/h": "needs a value for secret_key"} {
		if !strings.Contains(why[name], want) {
			t.Errorf("%s: %q", name, why[name])
		}
	}
	if len(im.Left) != 10 || len(im.Plan) != 2 || len(im.Plan[1].Found.Sources) != 0 {
		t.Fatal(said(im))
	}
	var got []string
	for _, src := range im.Plan[0].Found.Sources {
		if got = append(got, src.String()); src.Own {
			t.Error(src)
		}
	}
	same(t, "locations", strings.Join(got, ", "), "~/.aws/credentials, $A in ~/p/.env, $B, imported from pass")
}

// Whatever a document says: only what it names arrives, once.
func FuzzPlanExport(f *testing.F) {
	h, _ := newHost(f)
	f.Add([]byte(`{"format":"rhx-export","version":1,"secrets":[{"name":"a","provider":"aws","profile":"p","values":{"k":"FAKE"},"binary":{"b":"AA=="},"locations":[{"kind":"file","path":"~/x"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := h.Exchange.PlanExport(ctx, data)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, u := range im.Plan {
			if seen[u.Found.Name] || secret.ValidName(u.Found.Name) != nil || len(u.Found.Values) == 0 {
				t.Errorf("%q", u.Found.Name)
			}
			seen[u.Found.Name] = true
			for _, src := range u.Found.Sources {
				if src.Own {
					t.Error(src)
				}
			}
		}
	})
}
