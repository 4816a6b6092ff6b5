package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// projectOf makes the working folder one that is called api and has a file .env.
func projectOf(t *testing.T, set func(name, value string), env string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "api")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	set("PWD", dir)
	putEnv(t, dir, env)
	return dir
}

func putEnv(t *testing.T, dir, env string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
}

func imported(t *testing.T, h *house, opts exchange.DotenvOptions, replace bool) string {
	t.Helper()
	im := must(h.Exchange.PlanDotenv(ctx, opts))(t)
	out := saved(must(h.Exchange.SaveDotenv(ctx, im.Plan, replace))(t))
	for _, l := range im.Left {
		out += fmt.Sprintf("left %s: %s %v\n", l.Name, l.Why, l.NoValue)
	}
	return out
}

func TestImportDotenv(t *testing.T) {
	h, m := newHost(t)
	dir := projectOf(t, m.SetEnv, "A=1\nB=2\nE=\nOPENAI_API_KEY="+sk+"\n")
	same(t, "first", imported(t, h, exchange.DotenvOptions{}, false), "openai/api created 1 api_key\napi created 1 A,B\nleft .env: E: it is empty true")
	same(t, "stored", stored(t, h, "openai/api"), "openai/api openai/api v1 api_key="+sk)
	same(t, "again", imported(t, h, exchange.DotenvOptions{}, false), "openai/api unchanged 1\napi unchanged 1\nleft .env: E: it is empty true")

	putEnv(t, dir, "A=1\nB=3\n")
	same(t, "changed", imported(t, h, exchange.DotenvOptions{}, false), "api conflict 1 B: the store has other values for B")
	same(t, "changed, and yes", imported(t, h, exchange.DotenvOptions{}, true), "api updated 2 B")

	// Older than what the store has by now.
	must(h.Exchange.Rollback(ctx, "api", 1))(t)
	same(t, "stale", imported(t, h, exchange.DotenvOptions{}, true), "api conflict 3 B: this machine has version 2, and the store has version 3")
	same(t, "stale, by force", imported(t, h, exchange.DotenvOptions{Overwrite: true}, true), "api updated 4 B")

	// What an import noted as seen is not stale when it changes.
	putEnv(t, dir, "A=1\nB=2\n")
	same(t, "back to what it was", imported(t, h, exchange.DotenvOptions{}, true), "api updated 5 B")

	putEnv(t, dir, "broken line\n")
	same(t, "broken", imported(t, h, exchange.DotenvOptions{}, true), "left .env: line 1: not NAME=value false")
}

// Another project with a folder of the same name takes nothing away from the first one.
func TestImportDotenvOfOthers(t *testing.T) {
	h, m := newHost(t)
	first := projectOf(t, m.SetEnv, "A=1\n")
	imported(t, h, exchange.DotenvOptions{}, false)
	second := projectOf(t, m.SetEnv, "A=2\n")
	same(t, "second", imported(t, h, exchange.DotenvOptions{}, true), "api conflict 1 A: the store has another api, from "+filepath.ToSlash(first)+"/.env")
	same(t, "stored", stored(t, h, "api"), "api / v1 A=1")
	same(t, "by another name", imported(t, h, exchange.DotenvOptions{Project: "b"}, false), "b created 1 A")
	same(t, "a file that is named", imported(t, h, exchange.DotenvOptions{File: filepath.Join(first, ".env"), Project: "c"}, false), "c created 1 A")
	same(t, "by force", imported(t, h, exchange.DotenvOptions{Overwrite: true}, true), "api updated 2 A")

	// The same values are no conflict, whoever had them.
	putEnv(t, first, "A=2\n")
	m.SetEnv("PWD", first)
	same(t, "the same", imported(t, h, exchange.DotenvOptions{}, false), "api unchanged 2")

	// Nor is a secret of the user's own replaced.
	sec := must(h.Exchange.NewSecret("web", ""))(t)
	sec.Values["A"] = must(h.Records.Get(ctx, "api", 0))(t).Secret.Values["A"]
	must(h.Exchange.SaveSecret(ctx, sec))(t)
	putEnv(t, second, "A=3\n")
	m.SetEnv("PWD", second)
	same(t, "one of the user's own", imported(t, h, exchange.DotenvOptions{Project: "web"}, true), "web conflict 1 A: the store has another web, which is not from this file")
}

// The list of what is saved is short, and never leaves out what can do harm.
func TestImportDotenvFrom(t *testing.T) {
	h, m := newHost(t)
	dir := projectOf(t, m.SetEnv, "A=1\nB=1\nC=1\nD=1\nE=1\nF=1\n")
	from := func() string { return must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t).From[0] }
	same(t, "six", from(), ".env: A, B, C, D, E, F")
	putEnv(t, dir, "A=1\nB=1\nC=1\nD=1\nE=1\nF=1\nG=1\nLD_PRELOAD=x\nZ_BASE_URL=x\n")
	same(t, "more", from(), ".env: LD_PRELOAD (RUNS PROGRAMS), Z_BASE_URL (REDIRECTS REQUESTS), A, B, C, D, E and 2 more")
}

func TestImportDotenvOfNothing(t *testing.T) {
	h, m := newHost(t)
	m.SetEnv("PWD", t.TempDir())
	if _, err := h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}); err == nil || !strings.Contains(err.Error(), "there is no .env file in this folder") {
		t.Error(err)
	}
	if _, err := h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{File: "/nowhere/.env"}); err == nil || !strings.Contains(err.Error(), "read /nowhere/.env") {
		t.Error(err)
	}
}

// What opens the store is of no use in it.
func TestImportDotenvOfAToken(t *testing.T) {
	h, m := newHost(t)
	projectOf(t, m.SetEnv, "VAULT_TOKEN=hvs.FAKE\nA=1\n")
	open := h.Records.Open
	h.Records.Open = func(ctx context.Context) (store.Store, error) {
		st, err := open(ctx)
		return atVault{st}, err
	}
	im := must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t)
	if len(im.Plan) != 1 || im.Plan[0].Found.Name != "api" || len(im.From) != 1 || len(im.Left) != 1 || im.Left[0].Why != "it opens the store" {
		t.Errorf("%+v", im)
	}
}

// What a plan says of each secret: the file, the variables there, and what load could
// not write into it again. It is said of that secret alone.
func TestPlanDotenvSays(t *testing.T) {
	for _, c := range []struct{ what, file, text, want string }{
		{"a provider's variables, as the file has them", ".env", "GITHUB_TOKEN=t\nA=1\n", "github/api .env: GITHUB_TOKEN\napi .env: A"},
		{"one value that does not go back", ".env", "A=\"it's \\$5\"\nB=1\nOPENAI_API_KEY=" + sk + "\n",
			"openai/api .env: OPENAI_API_KEY\napi .env: A, B, rhx load cannot write it into .env again: A: the value has ' beside $ or `, for which a shell needs escapes that Node's dotenv and python-dotenv do not know"},
		{"a program, into which nothing goes back", ".envrc", "export A=\"it's \\$5\"\n", "api.envrc .envrc: A"},
		{"a program whose code is left", ".envrc", "export A=1\nuse flake\n", "api.envrc .envrc: A\nleft .envrc: 1 lines: shell code, which rhx does not run"},
	} {
		h, m := newHost(t)
		dir := projectOf(t, m.SetEnv, "")
		writeFile(t, filepath.Join(dir, c.file), c.text)
		im := must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t)
		out := ""
		for i, u := range im.Plan {
			out += strings.Join(append([]string{u.Found.Name + " " + im.From[i]}, u.Found.Notes...), ", ") + "\n"
		}
		for _, l := range im.Left {
			out += "left " + l.Name + ": " + l.Why + "\n"
		}
		same(t, c.what, out, c.want)
	}
}

// A secret that was saved from variables and from this file is this file's, too.
func TestImportDotenvOfSeveralSources(t *testing.T) {
	h, m := newHost(t)
	file := filepath.ToSlash(projectOf(t, m.SetEnv, "A=2\n")) + "/.env"
	old := &secret.Secret{Name: "api", Values: secret.Values{"A": secret.NewValue("1")}}
	save := func(kind secret.SourceKind) {
		old.Sources = []secret.Source{{Kind: kind, Path: "~/elsewhere", Var: "A"}, {Kind: secret.SourceFile, Path: file}}
		must(must(h.Records.Store(ctx))(t).Put(ctx, old, store.AnyVersion))(t)
	}
	save(secret.SourceFile)
	same(t, "another file first", imported(t, h, exchange.DotenvOptions{}, true), "api conflict 1 A: the store has another api, from ~/elsewhere")
	save(secret.SourceEnv)
	same(t, "this file alone", imported(t, h, exchange.DotenvOptions{}, true), "api updated 3 A")
}

// Where the two differ, the message says how either of them is kept; a plan that was
// not carried out can be carried out later.
func TestImportDotenvHints(t *testing.T) {
	h, m := newHost(t)
	dir := projectOf(t, m.SetEnv, "A=1\n")
	imported(t, h, exchange.DotenvOptions{}, false)
	putEnv(t, dir, "A=2\n")
	im := must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t)
	list := must(h.Exchange.SaveDotenv(ctx, im.Plan, false))(t)
	same(t, "without yes", hint(list[0].Err), "rhx load api --overwrite writes what is stored into the file; rhx import dotenv --yes saves what the file has")
	same(t, "the plan, with yes", saved(must(h.Exchange.SaveDotenv(ctx, im.Plan, true))(t)), "api updated 2 A")

	must(h.Exchange.Rollback(ctx, "api", 1))(t)
	im = must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t)
	same(t, "stale", hint(im.Plan[0].Err), "rhx load api --overwrite writes what is stored into the file; rhx import dotenv --overwrite saves what the file has")
}

// A store that cannot be had is never one that has nothing, and a folder that cannot be
// read never one without files.
func TestImportDotenvFails(t *testing.T) {
	h, m := newHost(t)
	dir := projectOf(t, m.SetEnv, "A=1\n")
	plan := must(h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}))(t).Plan
	st := strangeStore(t, h)
	st.get = store.ErrUnavailable
	if _, err := h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a store that does not answer: %v", err)
	}
	st.get = nil
	st.put = store.ErrDenied
	if list := must(h.Exchange.SaveDotenv(ctx, plan, false))(t); len(list) != 1 || list[0].Action != provider.Failed || !errors.Is(list[0].Err, store.ErrDenied) {
		t.Errorf("a store that denies: %s", saved(list))
	}
	m.SetEnv("PWD", filepath.Join(dir, "none"))
	if _, err := h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "there is no .env file") {
		t.Errorf("a folder that is not there: %v", err)
	}
	h.noStore()
	if im, err := h.Exchange.PlanDotenv(ctx, exchange.DotenvOptions{}); im != nil || !errors.Is(err, errSealed) {
		t.Errorf("no store: %+v, %v", im, err)
	}
	if list, err := h.Exchange.SaveDotenv(ctx, plan, false); list != nil || !errors.Is(err, errSealed) {
		t.Errorf("no store: %s, %v", saved(list), err)
	}
}

// A secret goes back to the file, by the names that its variables had there.
func TestLoadDotenv(t *testing.T) {
	h, m := newHost(t)
	dir := projectOf(t, m.SetEnv, "GITHUB_TOKEN=t\nA='x y'\n")
	imported(t, h, exchange.DotenvOptions{}, false)
	for _, name := range []string{"github/api", "api"} {
		must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{Names: []string{name}, To: filepath.ToSlash(dir) + "/.env"}))(t)
	}
	data, _, _ := m.File(filepath.ToSlash(dir) + "/.env")
	same(t, "file", string(data), "GITHUB_TOKEN=t\nA='x y'")
}

// atVault is a store that is in Vault, by its URL.
type atVault struct{ store.Store }

func (atVault) URL() string { return "vault://secret/x" }
