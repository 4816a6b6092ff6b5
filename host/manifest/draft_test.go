package manifest

import (
	"regexp"
	"strings"
	"testing"
)

func drafts() []Draft {
	return []Draft{
		{},
		{Store: "vault://secret/team", Secrets: []DraftSecret{{Name: "aws", Title: "AWS", Bundled: true}, {Name: "aws/prod:x", Title: "AWS", Why: "it sets the same"}}},
		{Store: "local", Secrets: []DraftSecret{{Name: "ssh/id", Title: "SSH\nkeys"}, {Name: "openai", Bundled: true}, {Name: "hf/%20a: #b", Bundled: true}}},
	}
}

// A new manifest can be read, as it is and with every example in its comments.
func TestDraft(t *testing.T) {
	example := regexp.MustCompile(`(?m)^( *)# ( *[a-zA-Z_]+:( .*)?)$`)
	for _, d := range drafts() {
		m := parse(t, string(d.Text()), "")
		if len(m.Secrets) != len(d.Secrets) || m.Store != d.Store || m.Bundle("default") == nil {
			t.Errorf("%+v", m)
		}
		for _, s := range d.Secrets {
			got := false
			for _, name := range m.Bundle("default").Secrets {
				got = got || name == s.Name
			}
			if m.Secret(s.Name) == nil || got != s.Bundled {
				t.Errorf("%s: %+v", s.Name, m.Bundle("default"))
			}
		}
		all := example.ReplaceAllString(string(d.Text()), "$1$2")
		if len(d.Secrets) == 0 {
			all = strings.Replace(all, "# secrets:", "secrets:", 1)
		}
		for _, m := range []*Manifest{parse(t, all, ""), parse(t, all, "prod")} {
			if m.Secret("db") == nil || m.Bundle("serve") == nil || len(m.Bundle("default").Env) != 2 || len(m.Group("gpu").Addresses) != 5 {
				t.Errorf("%+v\n%s", m, all)
			}
		}
	}
}

// Whatever is found, a new manifest names it and nothing else.
func FuzzDraft(f *testing.F) {
	f.Add("aws/prod", "AWS", "it is so", "KEY")
	f.Add("aws/a: b #c", "a\nb: c", "x\r\ny", "a: b")
	f.Add("aws/a", "", "", "null")
	f.Fuzz(func(t *testing.T, name, title, why, key string) {
		name = "aws/" + name
		text := Draft{Secrets: []DraftSecret{{Name: name, Title: title, Bundled: true}, {Name: "ssh/x", Title: title, Why: why}, {Name: "own", Keys: []string{key, "K"}}}}.Text()
		m, err := Parse("f", text, Options{Providers: providers})
		if err != nil {
			if strings.ContainsAny(name, "}|") || !plainName(name) || !plainName(key) || strings.EqualFold(key, "K") {
				return
			}
			t.Fatalf("%v\n%s", err, text)
		}
		if len(m.Secrets) != 3 || len(m.Secrets[2].Values) != 2 || m.Secrets[2].Values[0].Key != key || m.Secrets[0].Name != name || len(m.Bundles) != 1 || len(m.Bundles[0].Secrets) != 1 {
			t.Errorf("%+v\n%s", m, text)
		}
	})
}

// plainName reports whether a name is as rhx detect makes them.
func plainName(name string) bool {
	if len(name) > 512 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+-%/") != "" {
		return false
	}
	for step := range strings.SplitSeq(name, "/") {
		if step == "" || step == "." || step == ".." {
			return false
		}
	}
	return true
}
