package author

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
	"github.com/rhx-dev/rhx/host/sandbox"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
)

// guest is the example provider in one language.
type guest struct {
	lang string
	wasm []byte
	// cache is where compiled code is kept.
	cache string
	// ask has it answer a request that rhx itself need not ever send, in no more
	// memory than rhx gives it.
	ask func(request []byte) ([]byte, error)
}

// guests are the example in each language, as rhx provider build makes it.
var guests = sync.OnceValues(func() ([]*guest, error) {
	tools, err := exec.Command("sh", "../../.ci/tools/guests.sh", "--path").Output()
	if err != nil {
		return nil, err
	}
	path := strings.TrimSpace(string(tools))
	if !exists(path, "done") {
		return nil, errors.New("compilers of the tests are not there: run make test-deps")
	}
	os.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(path, "bin"))
	os.Setenv("ZIG_GLOBAL_CACHE_DIR", filepath.Join(path, "cache", "zig"))
	root, err := os.MkdirTemp("", "rhx-guests-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	ctx := context.Background()
	most := uint32(abi.DefaultLimits().Memory >> 16)
	// The Go module takes a second to compile, and ten with the race detector.
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(path, "cache", "wazero"))
	if err != nil {
		return nil, err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(cache).WithMemoryLimitPages(most).WithCloseOnContextDone(true))
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	var all []*guest
	for _, lang := range guestsdk.Languages() {
		dir := filepath.Join(root, lang)
		g := &guest{lang: lang, cache: filepath.Join(path, "cache", "rhx")}
		files, err := guestsdk.Package(lang, "acme")
		if err != nil {
			return nil, err
		}
		for name, data := range files {
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
				return nil, err
			}
		}
		module, err := Build(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", lang, err)
		}
		if g.wasm, err = os.ReadFile(module); err != nil {
			return nil, err
		}
		compiled, err := rt.CompileModule(ctx, g.wasm)
		if err != nil {
			return nil, err
		}
		g.ask = func(request []byte) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			var out, stderr bytes.Buffer
			m, err := rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName("").WithArgs("acme", "op").
				WithStdin(bytes.NewReader(request)).WithStdout(&out).WithStderr(&stderr))
			if m != nil {
				m.Close(ctx)
			}
			if err != nil && !strings.Contains(err.Error(), "exit_code(0)") {
				return nil, fmt.Errorf("%w: %s", err, stderr.String())
			}
			return out.Bytes(), nil
		}
		all = append(all, g)
	}
	return all, nil
})

// each runs a test for the example in each language.
func each(t *testing.T, test func(*testing.T, *guest)) {
	t.Helper()
	all, err := guests()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		t.Run(g.lang, func(t *testing.T) { test(t, g) })
	}
}

// reply is a response in any language's words.
type reply struct {
	ABI     int
	Secrets []struct {
		Profile string
		Values  map[string]string
		Public  []string
		Expires string
	}
	Files []struct {
		Path    string
		Content []byte
		Mode    int
	}
	Error struct {
		Code, Message, Path string
		Line                int
	}
	Name, Version string
	Ops           []string
}

func read(t testing.TB, lang string, out []byte, err error) *reply {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", lang, err)
	}
	var a reply
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v: %q", lang, err, out)
	}
	if a.ABI != 1 {
		t.Fatalf("%s: answers in ABI %d", lang, a.ABI)
	}
	return &a
}

// The cases of all languages, and the hostile files, through rhx's own sandbox
// with its limits; but for that of time, for the sake of slow machines.
func TestEveryLanguagePassesTheSameCases(t *testing.T) {
	all, err := guests()
	if err != nil {
		t.Fatal(err)
	}
	box := sandbox.New(sandbox.Config{CacheDir: all[0].cache, Limits: sandbox.Limits{Call: time.Minute, Compile: time.Minute}})
	defer box.Close(context.Background())
	tester := &Tester{Run: box.Run, Reported: func(err error) (string, int, bool) {
		var ge *sandbox.GuestError
		if !errors.As(err, &ge) {
			return "", 0, false
		}
		return string(ge.Code), ge.Line, true
	}}
	each(t, func(t *testing.T, g *guest) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../../guest-sdk/acme")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "acme.wasm"), g.wasm, 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		p.Module.Trusted = true // run in this process
		results, err := tester.Test(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Errorf("%s: %v", r.Name, r.Err)
			}
		}
		if len(results) < 30 {
			t.Errorf("only %d checks were made", len(results))
		}
		t.Logf("%d bytes, %d checks", len(g.wasm), len(results))
	})
}

// extract is a request for what is in a file; before and after are more of its text.
func extractOf(content, before, after string) []byte {
	return []byte(`{` + before + `"abi":1,"op":"extract","provider":"acme","profile":"","options":{},"files":[{"path":"~/.acme/credentials","content":"` +
		base64.StdEncoding.EncodeToString([]byte(content)) + `","exists":true}],"env":{}` + after + `}`)
}

const fake = "[default]\nuser = alice\ntoken = fake-1\n[work]\ntoken = fake-2\n"

func profiles(a *reply) string {
	var all []string
	for _, s := range a.Secrets {
		all = append(all, fmt.Sprintf("%s %s %s", s.Profile, s.Values["token"], strings.Join(s.Public, ",")))
	}
	return strings.Join(all, "; ")
}

// Requests as rhx might send them one day, and as no rhx would.
func TestEveryLanguageReadsRequests(t *testing.T) {
	const both = "default fake-1 user; work fake-2 "
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	notJSON, noABI := "the request is not a JSON object", "the request does not say which ABI it is of; this module speaks ABI 1"
	good := string(extractOf(fake, "", ""))
	for _, c := range []struct{ name, request, want string }{
		{"plain", good, both},
		{"space", " \n\t\r" + strings.ReplaceAll(good, `":`, "\" : \n") + "\r\n ", both},
		{"fields that are not known", string(extractOf(fake, `"new":{"a":[1,-2.5e+3,{"b":null}],"c":"]}"},`, `,"later":[true,false,""]`)), both},
		{"a field of a file that is not known", strings.Replace(good, `"exists"`, `"mode":384,"owner":{"id":[0]},"exists"`, 1), both},
		{"escapes", strings.NewReplacer(`"abi"`, `"\u0061b\u0069"`, `"op"`, `"o\u0070"`, `"content":"W`, `"content":"\u0057`).Replace(good), both},
		{"an escaped slash", strings.Replace(good, "~/", `~\/`, 1), both},
		{"one profile", strings.Replace(good, `"profile":""`, `"profile":"work"`, 1), "work fake-2 "},
		{"a profile that is not there", strings.Replace(good, `"profile":""`, `"profile":"wor"`, 1), ""},
		{"nested", string(extractOf(fake, "", `,"x":`+nested(60))), both},
		{"no file", `{"abi":1,"op":"extract","files":[]}`, "invalid: the request has no file"},
		{"files of another type", `{"abi":1,"op":"extract","files":{"a":{}},"env":[1],"options":7,"secret":"x"}`, "invalid: the request has no file"},
		{"a later ABI", strings.Replace(good, `"abi":1`, `"abi":2`, 1), "unsupported: the request is of ABI 2; this module speaks ABI 1"},
		{"an ABI of ten digits", strings.Replace(good, `"abi":1`, `"abi":1234567890`, 1), "unsupported: " + noABI},
		{"an ABI that is a text", strings.Replace(good, `"abi":1`, `"abi":"1"`, 1), "unsupported: " + noABI},
		{"an ABI that is no whole number", strings.Replace(good, `"abi":1`, `"abi":1.0`, 1), "unsupported: " + noABI},
		{"an ABI that is null", strings.Replace(good, `"abi":1`, `"abi":null`, 1), "unsupported: " + noABI},
		{"an ABI that is an object", strings.Replace(good, `"abi":1`, `"abi":{"abi":1}`, 1), "unsupported: " + noABI},
		{"no ABI", "{}", "unsupported: " + noABI},
		{"an operation that is not known", `{"abi":1,"op":"remove"}`, "unsupported: this module does not know the operation"},
		{"no operation", `{"abi":1}`, "unsupported: this module does not know the operation"},
		{"nothing", "", "invalid: " + notJSON},
		{"an array", "[]", "invalid: " + notJSON},
		{"a text", `"abi"`, "invalid: " + notJSON},
		{"not JSON", "abi=1", "invalid: " + notJSON},
		{"two documents", good + good, "invalid: " + notJSON},
		{"a byte too many", good + "\x00", "invalid: " + notJSON},
		{"nested too deep", string(extractOf(fake, "", `,"x":`+nested(65))), "invalid: " + notJSON},
		{"nested a million times", string(extractOf(fake, "", `,"x":`+strings.Repeat("[", 1e6))), "invalid: " + notJSON},
		{"objects nested a million times", strings.Repeat(`{"a":`, 1e6), "invalid: " + notJSON},
		{"a comma at the end", string(extractOf(fake, "", ",")), "invalid: " + notJSON},
		{"a comma at the end of an array", string(extractOf(fake, "", `,"x":[1,]`)), "invalid: " + notJSON},
		{"no comma", string(extractOf(fake, "", `"x":1`)), "invalid: " + notJSON},
		{"a key that is no text", string(extractOf(fake, "", `,1:1`)), "invalid: " + notJSON},
		{"no value", string(extractOf(fake, "", `,"x":`)), "invalid: " + notJSON},
		{"brackets that do not match", string(extractOf(fake, "", `,"x":[1}`)), "invalid: " + notJSON},
		{"a number with a zero ahead", string(extractOf(fake, "", `,"x":01`)), "invalid: " + notJSON},
		{"a number without digits", string(extractOf(fake, "", `,"x":-`)), "invalid: " + notJSON},
		{"a fraction without digits", string(extractOf(fake, "", `,"x":1.`)), "invalid: " + notJSON},
		{"an exponent without digits", string(extractOf(fake, "", `,"x":1e+`)), "invalid: " + notJSON},
		{"a word that is none", string(extractOf(fake, "", `,"x":nul`)), "invalid: " + notJSON},
		{"a line break in a text", string(extractOf(fake, "", ",\"x\":\"\n\"")), "invalid: " + notJSON},
		{"an escape that is none", string(extractOf(fake, "", `,"x":"\x41"`)), "invalid: " + notJSON},
		{"half an escape", string(extractOf(fake, "", `,"x":"\u00`)), "invalid: " + notJSON},
		{"an escape into the end of a text", string(extractOf(fake, "", `,"x":"\u00"`)), "invalid: " + notJSON},
		{"half a surrogate pair", string(extractOf(fake, "", `,"x":"\ud83d"`)), "invalid: " + notJSON},
		{"the other half", string(extractOf(fake, "", `,"x":"\ude00"`)), "invalid: " + notJSON},
		{"two first halves", string(extractOf(fake, "", `,"x":"\ud83d\ud83d"`)), "invalid: " + notJSON},
		{"a text that is not UTF-8", string(extractOf(fake, "", ",\"x\":\"\xff\"")), "invalid: " + notJSON},
		{"a key that is not UTF-8", string(extractOf(fake, "", ",\"\xc0\xaf\":1")), "invalid: " + notJSON},
		{"a surrogate in UTF-8", string(extractOf(fake, "", ",\"x\":\"\xed\xa0\x80\"")), "invalid: " + notJSON},
		{"base64 without its end", strings.Replace(good, `"content":"`, `"content":"A`, 1), "invalid: the content of a file is not base64"},
		{"base64 with a sign inside", strings.Replace(good, `"content":"W`, `"content":"!`, 1), "invalid: the content of a file is not base64"},
		{"base64 with padding inside", strings.Replace(good, `"content":"W`, `"content":"AA==W`, 1), "invalid: the content of a file is not base64"},
		{"base64 of padding", `{"abi":1,"op":"extract","files":[{"path":"~/.acme/credentials","content":"===="}]}`, "invalid: the content of a file is not base64"},
		{"many lines", string(extractOf(strings.Repeat("\n", 200_000), "", "")), ""},
		{"a long line", string(extractOf(fake+"x ="+strings.Repeat(" ", 1<<18), "", "")), both},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, g *guest) {
				out, err := g.ask([]byte(c.request))
				a := read(t, g.lang, out, err)
				got := profiles(a)
				if a.Error.Code != "" {
					got = a.Error.Code + ": " + a.Error.Message
				}
				if got != c.want {
					t.Errorf("answers %.300q, not %q", got, c.want)
				}
			})
		})
	}
}

// A request that ends too early is refused wherever that is.
func TestEveryLanguageRefusesHalfARequest(t *testing.T) {
	request := []byte(`{"abi":1,"op":"extract","x":{"y":["\u00e9\ud83d\ude00",-1.5e3,true,null]},"files":[{"path":"~"}]}`)
	each(t, func(t *testing.T, g *guest) {
		for n := range request {
			out, err := g.ask(request[:n])
			if a := read(t, g.lang, out, err); a.Error.Message != "the request is not a JSON object" {
				t.Fatalf("%d bytes of it give %s", n, out)
			}
		}
	})
}

func TestEveryLanguageDescribesItself(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		out, err := g.ask([]byte(`{"abi":1,"op":"describe"}`))
		a := read(t, g.lang, out, err)
		if a.Name != "acme" || a.Version != "1" || strings.Join(a.Ops, " ") != "extract render describe" {
			t.Errorf("answers %s", out)
		}
	})
}

func renderInto(content, profile, values string) []byte {
	return []byte(`{"abi":1,"op":"render","profile":"x","files":[{"path":"~/.acme/credentials","content":"` + base64.StdEncoding.EncodeToString([]byte(content)) +
		`","exists":true}],"secret":{"profile":"` + profile + `","values":` + values + `}}`)
}

// All that is not the secret's stays, byte for byte.
func TestEveryLanguageRendersTheSameBytes(t *testing.T) {
	large := strings.Repeat("#"+strings.Repeat(" comment", 25)+"\n", 20_000) // 4 MB
	for _, c := range []struct{ name, content, profile, values, want string }{
		{"a new file", "", "work", `{"user":"alice","token":"fake"}`, "[work]\nuser = alice\ntoken = fake\n"},
		{"the default profile", "", "", `{"token":"fake"}`, "[default]\ntoken = fake\n"},
		{"what is there already", "[a]\n\ttoken=fake  \r\n", "a", `{"token":"fake"}`, "[a]\n\ttoken=fake  \r\n"},
		{"another value, in its place", "# c\n[a]\n token =old # \n\n\xff\xfe = x\n[b]\ntoken = old\n", "a", `{"token":"new"}`, "# c\n[a]\n token =new \n\n\xff\xfe = x\n[b]\ntoken = old\n"},
		{"a new value, before the space behind a section", "[a]\ntoken = t\n# c\n\n\n[b]\n", "a", `{"token":"t","user":"u"}`, "[a]\ntoken = t\n# c\nuser = u\n\n\n[b]\n"},
		{"no line break at the end", "[a]\ntoken = t", "b", `{"token":"t2"}`, "[a]\ntoken = t\n[b]\ntoken = t2\n"},
		{"none, and in the section", "[a]\nuser = u", "a", `{"token":"t"}`, "[a]\nuser = u\ntoken = t\n"},
		{"Windows' line ends", "[a]\r\ntoken = old\r\n", "a", `{"token":"new","user":"u"}`, "[a]\r\ntoken = new\r\nuser = u\r\n"},
		{"Windows' line ends, a new section", "[a]\r\n", "b", `{"token":"t"}`, "[a]\r\n[b]\r\ntoken = t\r\n"},
		{"a token that the secret lacks goes, a user stays", "[a]\ntoken = t\nuser = u\n", "a", `{}`, "[a]\nuser = u\n"},
		{"quotes and other signs", "", "a", `{"token":"\"fake\\n' \u00e9\ud83d\ude00 #=[]"}`, "[a]\ntoken = \"fake\\n' \u00e9\U0001f600 #=[]\n"},
		{"a profile with signs", "", `a]b \\\"c`, `{"token":"t"}`, "[a]b \\\"c]\ntoken = t\n"},
		{"an empty value", "[a]\ntoken =\n", "a", `{"token":"","user":""}`, "[a]\ntoken =\nuser = \n"},
		{"a value with a line break", "", "a", `{"token":"a\nb"}`, "!unsupported: a line break in a value cannot be kept"},
		{"a value with space at its end", "", "a", `{"token":"a "}`, "!unsupported: space at the ends of a value cannot be kept"},
		{"a value that the file has no place for", "", "a", `{"region":"x"}`, "!unsupported: only token and user can be kept"},
		{"a profile with a line break", "", `a\nb`, `{"token":"t"}`, "!unsupported: no section can have the profile's name"},
		{"a file that is broken", "[a]\nnonsense\n", "a", `{"token":"t"}`, "!invalid: neither [PROFILE] nor KEY = VALUE"},
		{"as much as fits", large, "a", `{"token":"t"}`, large + "[a]\ntoken = t\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, g *guest) {
				out, err := g.ask(renderInto(c.content, c.profile, c.values))
				a := read(t, g.lang, out, err)
				got := ""
				switch {
				case a.Error.Code != "":
					got = "!" + a.Error.Code + ": " + a.Error.Message
				case len(a.Files) != 1 || a.Files[0].Path != "~/.acme/credentials" || a.Files[0].Mode != 0o600:
					t.Fatalf("answers %.300s", out)
				default:
					got = string(a.Files[0].Content)
				}
				if got != c.want {
					t.Errorf("gives %.300q, not %.300q", got, c.want)
				}
			})
		})
	}
}

// alike fails where a language answers another thing than the first.
func alike(t testing.TB, all []*guest, request []byte) {
	var first *reply
	for _, g := range all {
		out, err := g.ask(request)
		a := read(t, g.lang, out, err)
		a.Error.Message = "" // of two errors of one secret, which is first is no matter
		for i := range a.Secrets {
			if len(a.Secrets[i].Public) == 0 {
				a.Secrets[i].Public = nil
			}
		}
		if first == nil {
			first = a
		} else if !reflect.DeepEqual(a, first) {
			t.Fatalf("%s answers %+v, %s %+v, to %q", g.lang, a, all[0].lang, first, request)
		}
	}
}

// samples are requests to begin from.
func samples() [][]byte {
	return [][]byte{
		extractOf(fake, "", ""),
		extractOf("[a]\r\n \ttoken\t=\t\"x\" \r\n\r\nother\n# c\n[b", `"x":[{"y":-1.5e3}],`, `,"z":"\ud83d\ude00\n"`),
		renderInto(fake, "work", `{"user":"bob","token":"fake \u00e9"}`),
		extractOf("[a]\n# "+strings.Repeat("x", 40)+"\n", `"long":"0123456789\u00e9 0123456 \" 0123456789",`, ""),
		renderInto("[a]\r\nuser = u\r\n\r\n[b]\r\n", "a", `{"token":"fake"}`),
	}
}

// Requests, and the files in them, with bytes changed at random: all languages
// give the same answer, be it an error or not.
func TestEveryLanguageAnswersAlike(t *testing.T) {
	all, err := guests()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	const signs = "\n\r\t =[]#\"\\{},:0123eEtu\x00\x7f\x80\xc3\xa9\xff"
	change := func(b []byte) []byte {
		b = bytes.Clone(b)
		for range 1 + r.IntN(3) {
			i := r.IntN(len(b))
			switch c := signs[r.IntN(len(signs))]; r.IntN(3) {
			case 0:
				b[i] = c
			case 1:
				b = append(b[:i], append([]byte{c}, b[i:]...)...)
			default:
				b = append(b[:i], b[i+1:]...)
			}
		}
		return b
	}
	for range 25 {
		for _, s := range samples() {
			alike(t, all, change(s))
		}
		alike(t, all, extractOf(string(change([]byte(fake))), "", ""))
		alike(t, all, renderInto(string(change([]byte(fake))), "work", `{"user":"bob"}`))
	}
}

func FuzzEveryLanguageAnswersAlike(f *testing.F) {
	all, err := guests()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range samples() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, request []byte) { alike(t, all, request) })
}
