package guest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// echo gives back what it was asked.
type echo struct{ err error }

func (e echo) Extract(req Request) ([]Secret, error) {
	s := Secret{Profile: req.Profile, Values: map[string]string{"provider": req.Provider}, Public: []string{"provider"}, Expires: "2030-01-02T15:04:05Z"}
	for k, v := range req.Env {
		s.Values["env "+k] = v
	}
	for k, v := range req.Options {
		s.Values["option "+k] = v
	}
	for _, f := range req.Files {
		s.Values[f.Path] = string(f.Content)
	}
	return []Secret{s}, e.err
}

func (e echo) Render(req Request, s Secret) ([]File, error) {
	f := req.Files[0]
	f.Content = []byte(s.Profile + s.Values["k"])
	f.Mode = 0o640
	return []File{f}, e.err
}

func (echo) Describe() (name, version string) { return "echo", `1 "β"` }

type readOnly struct{ ReadOnly }

func (readOnly) Extract(Request) ([]Secret, error) { return nil, nil }

func TestAnswers(t *testing.T) {
	const files = `"files":[{"path":"~/a","content":"ZmFrZQ==","exists":true}]`
	for _, c := range []struct {
		name, request, want string
		provider            Provider
	}{
		{"extract", `{"abi":1,"op":"extract","provider":"p","profile":"w","options":{"o":5},"env":{"E":"\"\\\u0001"},` + files + `}`,
			`{"abi":1,"secrets":[{"profile":"w","values":{"env E":"\"\\\u0001","option o":"5","provider":"p","~/a":"fake"},"public":["provider"],"expires":"2030-01-02T15:04:05Z"}]}`, echo{}},
		{"render", `{"abi":1,"op":"render",` + files + `,"secret":{"profile":"w","values":{"k":"v"}}}`,
			`{"abi":1,"files":[{"path":"~/a","mode":416,"content":"d3Y="}]}`, echo{}},
		{"describe", `{"abi":1,"op":"describe"}`, `{"abi":1,"name":"echo","version":"1 \"β\"","ops":["extract","render","describe"]}`, echo{}},
		{"describe, without a description", `{"abi":1,"op":"describe"}`, `{"abi":1,"name":"prog","version":"","ops":["extract","describe"]}`, readOnly{}},
		{"no secrets", `{"abi":1,"op":"extract"}`, `{"abi":1,"secrets":[]}`, readOnly{}},
		{"render by one that cannot", `{"abi":1,"op":"render"}`, `{"abi":1,"error":{"code":"unsupported","message":"this module does not know the operation"}}`, readOnly{}},
		{"an error with its place", `{"abi":1,"op":"extract"}`, `{"abi":1,"error":{"code":"conflict","message":"a \"b\"","path":"~/a","line":7}}`, echo{Conflict("~/a", 7, `a "b"`)}},
		{"any error", `{"abi":1,"op":"extract"}`, `{"abi":1,"error":{"code":"invalid","message":"x` + "\uFFFD" + `"}}`, echo{errors.New("x\xff")}},
		{"a value that is not UTF-8", `{"abi":1,"op":"extract","files":[{"path":"~/a","content":"/w=="}]}`, `{"abi":1,"error":{"code":"unsupported","message":"a value is not UTF-8"}}`, echo{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(Answer(c.provider, "prog", []byte(c.request))); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Whatever the request, the answer is JSON; and what encoding/json refuses is
// refused, as is what it changes: text that is not UTF-8.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"abi":1,"op":"extract","env":{"A":"\ud83d\ude00\n"},"files":[{"path":"~/a","content":"ZmFrZQ==","exists":true}]}`,
		`{"abi":2}`, `{"abi":1,"op":"describe","x":[1,-2.5E+3,null,true,false,{"a":{}}]}`, `{"abi":1,"op":"extract","env":{"A":"\ud83d"}}`,
		`{"abi":1,"op":"extract","profile":"` + "\xff" + `"}`, strings.Repeat("[", 100), `{"abi":01}`, `{"abi":1,}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		out := Answer(echo{}, "prog", request)
		var a struct {
			ABI   int
			Error struct{ Message string }
		}
		if err := json.Unmarshal(out, &a); err != nil || a.ABI != 1 || !utf8.Valid(out) {
			t.Fatalf("%v: %q", err, out)
		}
		refused := a.Error.Message == "the request is not a JSON object"
		if !refused && (!json.Valid(request) || !utf8.Valid(request)) {
			t.Fatalf("took %q", request)
		}
		// What it may refuse beside that: halves of surrogate pairs, and depth.
		if refused && json.Valid(request) && utf8.Valid(request) && bytes.HasPrefix(bytes.TrimLeft(request, " \t\r\n"), []byte("{")) &&
			!bytes.Contains(bytes.ToLower(request), []byte(`\ud`)) && bytes.Count(request, []byte("["))+bytes.Count(request, []byte("{")) <= maxDepth {
			t.Fatalf("refused %q", request)
		}
	})
}

func FuzzBase64(f *testing.F) {
	for _, s := range []string{"", "f", "fa", "fak", "fake\x00\xff"} {
		f.Add([]byte(s))
	}
	for _, s := range []string{"====", "A===", "AA=A", "AAA", "A\nA=", "AA=="} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := append64(nil, data)
		if string(text) != base64.StdEncoding.EncodeToString(data) {
			t.Fatalf("%q is encoded as %q", data, text)
		}
		if back, ok := decode64(text); !ok || !bytes.Equal(back, data) {
			t.Fatalf("%q is decoded as %q", text, back)
		}
		got, ok := decode64(data)
		want, err := base64.StdEncoding.DecodeString(string(data))
		if bytes.ContainsAny(data, "\r\n") {
			err = errors.New("line breaks are not passed over")
		}
		if ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, %v; the standard library: %q, %v", data, got, ok, want, err)
		}
	})
}
