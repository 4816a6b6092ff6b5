package sandbox

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Whatever the bytes, inspect says yes or no; and what it lets pass, wazero
// compiles or refuses, in memory and time that a test has.
func FuzzModule(f *testing.F) {
	f.Add(mylogin(f).Wasm)
	f.Add(answers(okFile).wasm())
	f.Add(source{table: []byte{1, 1, 5}, locals: vec(cat(u(3), []byte{i64})), start: true, custom: section(0, text("x")),
		body: cat(nested(3), []byte{0xfc, 11, 0}, []byte{0x41, 0, 0x0e, 1, 0, 0})}.wasm())
	f.Add(source{imports: []imported{fdWrite, {wasi, "random_get", 3}}, more: [][]byte{{0x00}, loopForever}}.wasm())
	f.Add(cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, u(1<<32-1))))
	for id := range byte(14) {
		f.Add(cat([]byte("\x00asm\x01\x00\x00\x00"), section(1, types), section(id, cat(u(1), []byte{0, 0, 0x41, 0, 0x0b, 1, 0}))))
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		begin := time.Now()
		m, err := inspect(wasm, DefaultLimits())
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		if len(m.code) > len(wasm) {
			t.Error("the module grew")
		}
		rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigCompiler().
			WithCoreFeatures(api.CoreFeaturesV2.SetEnabled(api.CoreFeatureSIMD, false)).WithCloseOnContextDone(true))
		defer func() { _ = rt.Close(t.Context()) }()
		_, _ = rt.CompileModule(t.Context(), m.code)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

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
		resp, err := decode(out, "m", req, Limits{Input: 1000}.orDefault())
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
		if len(resp.Secrets) > 0 && req.Op != Extract || len(resp.Secrets) > maxSecrets {
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
		if (*wireRequest)(r).check(DefaultLimits()) != nil {
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
		if err := json.Unmarshal((*wireRequest)(r).encode(), &got); err != nil {
			t.Fatal(err)
		}
		if got.ABI != ABI || got.Provider != provider || got.Profile != profile || !maps.Equal(got.Env, r.Env) || len(got.Files) != 1 ||
			!slices.Equal(got.Files[0].Content, content) || got.Files[0].Path != profile || !got.Files[0].Exists ||
			got.Secret.Profile != profile || !maps.Equal(got.Secret.Values, r.Secret.Values) {
			t.Errorf("came back as %+v", got)
		}
	})
}
