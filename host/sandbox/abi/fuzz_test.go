package abi

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// canary stands for a secret that must not come out.
const canary = "canary-fake-secret-value"

func request(op Op) *Request {
	return &Request{Op: op, Provider: "test",
		Env:    map[string]string{"TEST_TOKEN": canary},
		Files:  []File{{Path: "~/.test", Content: []byte("[a]\ntoken = " + canary + "-file\n"), Exists: true}},
		Secret: &Secret{Profile: "a", Values: map[string]string{"token": canary + "-secret"}}}
}

const okFile = `{"abi":1,"files":[{"path":"~/.test","content":"YQ==","mode":384}]}`

// Whatever a module answers, what is taken of it is what it may give.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		okFile, `{"abi":1}`, `{"abi":1,"secrets":[{"profile":"a","values":{"k":"v","l":""},"public":["k"],"expires":"2030-01-02T03:04:05Z"}],"more":[1,{}]}`,
		`{"abi":1,"error":{"code":"invalid","message":"m","path":"~/.test","line":3}}`, `{"abi":1,"name":"n","version":"1","ops":["extract"]}`,
		`{"abi":2}`, `[`, `"\ud83d\ude00"`, `{"abi":1,"secrets":[{"profile":"\ud83d\ude00","values":{"a":"\ud83d"}}]}`, "\xff",
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(1))
		f.Add([]byte(s), uint8(2))
	}
	f.Fuzz(func(t *testing.T, out []byte, op uint8) {
		req := request([]Op{Extract, Render, Describe}[op%3])
		resp, err := Decode(out, "m", req, Limits{Input: 1000}.OrDefault())
		if (resp == nil) == (err == nil) {
			t.Fatalf("response %v and error %v", resp, err)
		}
		if err != nil {
			var guest *GuestError
			if errors.As(err, &guest) && guest.Path != "" && guest.Path != "~/.test" {
				t.Errorf("an error about %q", guest.Path)
			}
			if strings.Contains(err.Error(), canary) || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the error is not fit to be shown: %q", err)
			}
			return
		}
		if len(resp.Files) > 1 || len(resp.Files) == 1 && (req.Op != Render || resp.Files[0].Path != "~/.test" || resp.Files[0].Mode&^0o600 != 0 || len(resp.Files[0].Content) > 1000) {
			t.Errorf("files %v", resp.Files)
		}
		if len(resp.Secrets) > 0 && req.Op != Extract || len(resp.Secrets) > MaxSecrets {
			t.Errorf("%d secrets", len(resp.Secrets))
		}
		for _, s := range resp.Secrets {
			for k, v := range s.Values {
				// JSON can say U+FFFD; nothing else may become it.
				if !utf8.ValidString(k+v) || strings.Count(k+v, "\ufffd") > 0 && !strings.Contains(string(out), "\ufffd") && !strings.Contains(strings.ToLower(string(out)), `\ufffd`) {
					t.Errorf("%q was replaced", k+v)
				}
			}
		}
	})
}

// Every request that passes check is JSON that says the same, in one buffer.
func FuzzRequest(f *testing.F) {
	f.Add("mysql", "client", "MYSQL_PWD", "fake \"\\\x00\x1f\u2028", []byte{0, 255})
	f.Fuzz(func(t *testing.T, provider, profile, key, value string, content []byte) {
		r := &Request{Op: Render, Provider: provider, Profile: profile, Env: map[string]string{key: value},
			Files: []File{{Path: profile, Content: content, Exists: true}}, Secret: &Secret{Profile: profile, Values: map[string]string{key: value}}}
		if r.Check(DefaultLimits()) != nil {
			return
		}
		var got struct {
			ABI               int
			Provider, Profile string
			Env               map[string]string
			Files             []struct {
				Path    string
				Content []byte
				Exists  bool
			}
			Secret struct {
				Profile string
				Values  map[string]string
			}
		}
		if err := json.Unmarshal(r.Encode(), &got); err != nil {
			t.Fatal(err)
		}
		if got.ABI != Version || got.Provider != provider || got.Profile != profile || !maps.Equal(got.Env, r.Env) || len(got.Files) != 1 ||
			!slices.Equal(got.Files[0].Content, content) || got.Files[0].Path != profile || !got.Files[0].Exists ||
			got.Secret.Profile != profile || !maps.Equal(got.Secret.Values, r.Secret.Values) {
			t.Errorf("came back as %+v", got)
		}
	})
}
