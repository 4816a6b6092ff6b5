package wasm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/sandbox"
)

func newClearML(t testing.TB) *guest { return newGuestOf(t, "clearml") }

func clearMLSecret(pairs ...string) *sandbox.Secret {
	s := &sandbox.Secret{Values: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		s.Values[pairs[i]] = pairs[i+1]
	}
	return s
}

// The files were written by clearml-init or are its package's own examples, or
// are what people write; the values are what ClearML's own package reads.
func TestClearMLCases(t *testing.T) {
	t.Parallel()
	newClearML(t).runCases(t, "clearml", "clearml.conf", "access_key", "")
}

// Rendering changes the texts of values that differ, adds what is missing, and
// changes no other byte.
func TestClearMLRenderChangesOnlyItsPlaces(t *testing.T) {
	t.Parallel()
	g := newClearML(t)
	const written = "# mine\napi {\n    # web\n    web_server: http://w # c\n    api_server: http://a\n    credentials {\"access_key\": \"A\", \"secret_key\": \"S\"}\n}\nsdk {x: [1, {y: 2}]}"
	for _, c := range []struct {
		name, before, after string
		secret              *sandbox.Secret
	}{
		{"nothing", written, written, clearMLSecret("access_key", "A", "secret_key", "S", "web_server", "http://w")},
		{"values", written, strings.NewReplacer(`"A"`, `"A\"2"`, `"S"`, `"S\\2"`).Replace(written), clearMLSecret("access_key", `A"2`, "secret_key", `S\2`)},
		{"an unquoted value", written, strings.Replace(written, "http://w", `"https://new"`, 1), clearMLSecret("access_key", "A", "secret_key", "S", "web_server", "https://new")},
		{"a missing server on a line of its own", written, strings.Replace(written, "\n}\n", "\n    files_server: \"http://f\"\n}\n", 1), clearMLSecret("access_key", "A", "secret_key", "S", "files_server", "http://f")},
		{"missing keys in braces on one line", "api { credentials { access_key: A } }", "api { credentials { access_key: A, \"secret_key\": \"S\" } }", clearMLSecret("access_key", "A", "secret_key", "S")},
		{"missing credentials", "api {\r\n  api_server: x # c\r\n}\r\n", "api {\r\n  api_server: x # c\r\n  credentials {\"access_key\": \"A\", \"secret_key\": \"S\"}\r\n}\r\n", clearMLSecret("access_key", "A", "secret_key", "S")},
		{"an empty block", "api {\n    # nothing\n}\n", "api {\n    # nothing\n    api_server: \"x\"\n    credentials {\"access_key\": \"A\", \"secret_key\": \"S\"}\n}\n", clearMLSecret("access_key", "A", "secret_key", "S", "api_server", "x")},
		{"an empty block on a line", "api.credentials {}", `api.credentials {"access_key": "A", "secret_key": "S"}`, clearMLSecret("access_key", "A", "secret_key", "S")},
		{"an entry without a value before", "api {\n  x: # c\n}", "api {\n  x:,\n  web_server: \"w\" # c\n}", clearMLSecret("web_server", "w")},
		{"an empty value is filled", "api.credentials {access_key:}", `api.credentials {access_key: "A"}`, clearMLSecret("access_key", "A")},
		{"null is replaced", "api.credentials {access_key: null}", `api.credentials {access_key: "A"}`, clearMLSecret("access_key", "A")},
		{"keys with dots", "api.credentials.access_key = A\nsdk.x = 1\n", "api.credentials.access_key = \"B\"\nsdk.x = 1\napi.credentials.secret_key: \"S\"\n", clearMLSecret("access_key", "B", "secret_key", "S")},
		{"the last of equal keys", "api.credentials.access_key = A\napi { credentials: {access_key = B} }", "api.credentials.access_key = A\napi { credentials: {access_key = \"C\"} }", clearMLSecret("access_key", "C")},
		{"no block api, no newline at the end", "sdk {\n  x: 1\n}", "sdk {\n  x: 1\n}\napi {\n    # Override with os environment: CLEARML_API_ACCESS_KEY / CLEARML_API_SECRET_KEY\n    credentials {\"access_key\": \"A\", \"secret_key\": \"S\"}\n}", clearMLSecret("access_key", "A", "secret_key", "S")},
		{"braces around all", "{\n  sdk: 1\n}\n", "{\n  sdk: 1\n  api {\n      web_server: \"w\"\n  }\n}\n", clearMLSecret("web_server", "w")},
		{"only comments", "# mine", "# mine\napi {\n    web_server: \"w\"\n}\n", clearMLSecret("web_server", "w")},
		{"the older name of api_server", "api { host: h }", `api { host: "h2" }`, clearMLSecret("api_server", "h2")},
		{"the newer name counts", "api { host: h, api_server: a }", `api { host: h, api_server: "b" }`, clearMLSecret("api_server", "b")},
		{"three quotes", "api.credentials.secret_key: \"\"\"a\"b\"\"\" # c", "api.credentials.secret_key: \"n\" # c", clearMLSecret("secret_key", "n")},
		{"a value after its line", "api.credentials.secret_key:\n # c\n  old\n", "api.credentials.secret_key:\n # c\n  \"\\tnew\\n\"\n", clearMLSecret("secret_key", "\tnew\n")},
		{"a new file", "", "# ClearML SDK configuration file\napi {\n    # Notice: 'host' is the api server (default port 8008), not the web server.\n    api_server: \"http://a\"\n    web_server: \"http://w\"\n    # Override with os environment: CLEARML_API_ACCESS_KEY / CLEARML_API_SECRET_KEY\n    credentials {\"access_key\": \"A\", \"secret_key\": \"S\"}\n}\n",
			clearMLSecret("access_key", "A", "secret_key", "S", "web_server", "http://w", "api_server", "http://a")},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &guest{t, g.box, g.mod}
			got := g.mustRender([]byte(c.before), c.secret)
			if string(got) != c.after {
				t.Fatalf("got\n%s\nwant\n%s", got, c.after)
			}
			if again := g.mustRender(got, c.secret); !bytes.Equal(again, got) {
				t.Errorf("a second render gave\n%s", again)
			}
		})
	}
}

func TestClearMLRenderRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	g := newClearML(t)
	for _, c := range []struct {
		name, before string
		secret       *sandbox.Secret
		code         sandbox.Code
		line         int
	}{
		{"a profile", "", &sandbox.Secret{Profile: "p", Values: map[string]string{"access_key": "A"}}, sandbox.Unsupported, 0},
		{"another value", "", clearMLSecret("token", "A"), sandbox.Unsupported, 0},
		{"a control character", "", clearMLSecret("access_key", "A\x00"), sandbox.Unsupported, 0},
		{"a substitution in its place", "\napi.credentials.access_key: ${?KEY}", clearMLSecret("access_key", "A"), sandbox.Conflict, 2},
		{"a key that would be left", "\n\napi.credentials {access_key: A, secret_key: S}", clearMLSecret("access_key", "B"), sandbox.Conflict, 3},
		{"a duration at the end", "x: 1\ny: 10 s", clearMLSecret("access_key", "A"), sandbox.Unsupported, 2},
		{"a file that cannot be read", "api {\n  x: [ }", clearMLSecret("access_key", "A"), sandbox.Invalid, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := g.render([]byte(c.before), c.secret)
			wantError(t, err, c.code, c.line)
		})
	}
}

// reading is what ClearML's own package has read in a text; nil where it refuses
// the text.
type reading struct {
	Values map[string]*string
	Rest   any
}

func (r *reading) values() map[string]string {
	out := map[string]string{}
	for k, v := range r.Values {
		if v != nil {
			out[k] = *v
		}
	}
	return out
}

func askClearML(t *testing.T, texts []string) []*reading {
	t.Helper()
	venv, err := exec.Command("sh", "../.ci/tools/python.sh", "--path").Output()
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(strings.TrimSpace(string(venv)), "bin/python"), "testdata/read_clearml.py")
	cmd.Stdin = bytes.NewReader(in)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("ClearML's package could not be asked (%v); run make test-deps\n%s", err, stderr.String())
	}
	var all []*reading
	if err := json.Unmarshal(out.Bytes(), &all); err != nil || len(all) != len(texts) {
		t.Fatalf("%d readings of %d texts: %v", len(all), len(texts), err)
	}
	return all
}

// What the module reads in made-up files is what ClearML's own package reads in
// them; and in what the module wrote, ClearML finds the new values and the rest
// as it was.
func TestClearMLReadsTheSame(t *testing.T) {
	t.Parallel()
	g := newClearML(t)
	texts := handMadeHOCON()
	handMade := len(texts)
	for seed := range uint64(200) {
		texts = append(texts, randomHOCON(rand.New(rand.NewPCG(seed, 4))))
	}
	want := askClearML(t, texts)
	var rendered []string
	var of []int
	var wrote []map[string]string
	fresh := clearMLSecret("access_key", "A2", "secret_key", "S\\2\"#${x}\t", "web_server", "https://w2")
	readable := 0
	for i, text := range texts {
		got, err := g.extract([]byte(text))
		var reported *sandbox.GuestError
		switch {
		case errors.As(err, &reported):
			continue // it may refuse more than ClearML does
		case err != nil:
			t.Fatal(err)
		case want[i] == nil:
			if len(got) > 0 && i < handMade && !laxer(text) {
				t.Errorf("%q is refused by ClearML, and read here", text)
			}
			continue
		}
		values := map[string]string{}
		if len(got) > 0 {
			readable++
			values = got[0].Values
		}
		all := want[i].values()
		if substituted(text) { // ClearML looks them up
			maps.DeleteFunc(all, func(k, _ string) bool { return values[k] == "" })
		}
		if !maps.Equal(values, all) {
			t.Errorf("%q is read as %q, by ClearML as %q", text, values, want[i].values())
		}
		out, err := g.render([]byte(text), fresh)
		if errors.As(err, &reported) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 { // as the module knows them
			maps.Copy(got[0].Values, fresh.Values)
			values = got[0].Values
		} else {
			values = fresh.Values
		}
		wrote = append(wrote, values)
		rendered, of = append(rendered, string(out)), append(of, i)
	}
	if readable < 200 || len(rendered) < 200 {
		t.Errorf("only %d of %d texts had values, %d could be written to", readable, len(texts), len(rendered))
	}
	for i, after := range askClearML(t, rendered) {
		before := texts[of[i]]
		if after == nil {
			if substituted(before) {
				continue // ClearML goes round in circles in some
			}
			t.Errorf("%q was written into %q, which ClearML refuses", rendered[i], before)
			continue
		}
		got := after.values()
		if substituted(before) {
			maps.DeleteFunc(got, func(k, _ string) bool { return wrote[i][k] == "" })
		}
		if !maps.Equal(got, wrote[i]) {
			t.Errorf("%q was written into %q: ClearML reads %q", rendered[i], before, after.values())
		}
		if !substituted(before) && !reflect.DeepEqual(after.Rest, want[of[i]].Rest) {
			t.Errorf("%q was written into %q: the rest changed from %v to %v", rendered[i], before, want[of[i]].Rest, after.Rest)
		}
	}
}

// Whatever the bytes, the guest answers; what it reads it can write back without
// a change, and what it writes reads back.
func FuzzClearML(f *testing.F) {
	g := newClearML(f)
	files, err := filepath.Glob("clearml/cases/*/home/clearml.conf")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		f.Add(read(f, name), "fake")
	}
	for i, text := range handMadeHOCON() {
		if i%8 == 0 {
			f.Add([]byte(text), `\"`)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		if !utf8.ValidString(value) {
			return // the sandbox is never asked this
		}
		g := &guest{t, g.box, g.mod}
		secrets, err := g.extract(data)
		var reported *sandbox.GuestError
		if err != nil && !errors.As(err, &reported) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		s := clearMLSecret()
		if len(secrets) > 0 {
			s = &secrets[0]
			if same := g.mustRender(data, s); !bytes.Equal(same, data) {
				t.Fatalf("rendering what was read changed the file to %q", same)
			}
		}
		for _, key := range []string{"secret_key", "files_server"} {
			s.Values[key] = value
		}
		out, err := g.render(data, s)
		if errors.As(err, &reported) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if value == "" {
			delete(s.Values, "secret_key")
			delete(s.Values, "files_server")
		}
		back := g.mustExtract(out)
		if len(back) != min(1, len(s.Values)) || len(back) > 0 && !maps.Equal(back[0].Values, s.Values) {
			t.Fatalf("%q reads back as %v", out, back)
		}
		if again := g.mustRender(out, s); !bytes.Equal(again, out) {
			t.Fatalf("a second render changed %q to %q", out, again)
		}
	})
}

func TestClearMLDeepAndLargeFiles(t *testing.T) {
	t.Parallel()
	g := newClearML(t)
	for name, text := range map[string]string{"blocks": "a{", "lists": "[", "values": "a=[{", "dots": "a.", "closed": "a{}"} {
		for _, n := range []int{100, 4000} {
			_, err := g.extract([]byte("x: " + strings.Repeat(text, n)))
			var reported *sandbox.GuestError
			if err != nil && !errors.As(err, &reported) {
				t.Errorf("%d %s: %v", n, name, err)
			}
		}
	}
	if s := g.mustExtract([]byte("sdk " + strings.Repeat("{a ", 44) + "{}" + strings.Repeat("}", 44) + "\napi.credentials {access_key: A, secret_key: S}")); len(s) != 1 {
		t.Error("a file with as many levels as ClearML reads is not read")
	}
	for name, lines := range map[string]string{"entries": "api.host: x\n", "blocks": "api {host: x}\n", "comments": "# x\n", "lists": "x: [1, 2]\n"} {
		if _, err := g.extract([]byte(strings.Repeat(lines, 16<<10/len(lines)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, lines := range map[string]string{"entries": "api.host: x\n", "lists": "x: [1, 2]\n"} {
		var reported *sandbox.GuestError
		if _, err := g.hurried().extract([]byte(strings.Repeat(lines, (4<<20-100)/len(lines)))); err != nil && !errors.Is(err, sandbox.ErrLimit) && !errors.As(err, &reported) {
			t.Errorf("4 MiB of %s: %v", name, err)
		}
	}
}

func TestClearMLDescribe(t *testing.T) {
	t.Parallel()
	g := newClearML(t)
	resp, err := g.box.Run(t.Context(), g.mod, &sandbox.Request{Op: sandbox.Describe})
	if err != nil || resp.Name != "clearml" || resp.Version != "1" || len(resp.Ops) != 3 {
		t.Errorf("describes itself as %+v, %v", resp, err)
	}
	if n := len(g.mod.Wasm); n > 60<<10 {
		t.Errorf("the module has %d bytes", n)
	}
	full := []byte("api.credentials {access_key: A, secret_key: S}")
	for _, r := range []sandbox.Request{
		{Files: []sandbox.File{{Path: "~/clearml.conf"}}},
		{Files: []sandbox.File{{Path: "~/clearml.conf", Exists: true}}},
		{Files: []sandbox.File{{Path: "~/clearml.conf", Exists: true, Content: full}}, Profile: "other"},
	} {
		r.Op = sandbox.Extract
		if resp, err := g.box.Run(t.Context(), g.mod, &r); err != nil || len(resp.Secrets) > 0 {
			t.Errorf("%v: %v, %v", r.Files, resp, err)
		}
	}
}
