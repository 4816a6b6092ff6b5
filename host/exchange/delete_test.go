package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
)

// onDisk is newHost with a home folder on the disk, which is also returned.
func onDisk(t *testing.T) (*house, string) {
	t.Helper()
	h, _ := newHost(t)
	dir := t.TempDir()
	h.Local = machine.Local(dir, func(string) string { return "" })
	h.Book.Local = h.Local
	h.wire()
	return h, dir
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// text is the content of a file; "(none)" where it is not there.
func text(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (h *house) load(t *testing.T, opts exchange.LoadOptions) {
	t.Helper()
	opts.Resolve = deliver.ReplaceAll
	for _, o := range must(h.Exchange.Load(ctx, place.Here, h.Local, opts))(t) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
}

func (h *house) deleteContents(t *testing.T, name string) (exchange.Deleted, string) {
	t.Helper()
	d := must(h.Exchange.Delete(ctx, place.Here, h.Local, []string{name}, exchange.DeleteOptions{Contents: true}))(t)[0]
	var removed []string
	for _, s := range d.Removed {
		removed = append(removed, s.String())
	}
	return d, strings.Join(removed, " ")
}

func (h *house) isStored(t *testing.T, name string) bool {
	t.Helper()
	_, err := h.Records.Get(ctx, name, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// A secret is taken out of its provider's files also where rhx did not put it there.
func TestDeleteWhatRhxDidNotPut(t *testing.T) {
	h, dir := onDisk(t)
	file := filepath.Join(dir, ".aws", "credentials")
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	writeFile(t, file, awsFile("default", akia, awsKey)+awsFile("prod", akia2, awsKey2))
	d, removed := h.deleteContents(t, "aws")
	if same(t, "removed", removed, "~/.aws/credentials"); d.Err != nil || d.Left != nil || d.Name != "aws" {
		t.Errorf("%+v", d)
	}
	same(t, "the file", text(t, file), awsFile("prod", akia2, awsKey2))
	if h.isStored(t, "aws") {
		t.Error("it is still stored")
	}
	events := must(h.Book.Events())(t)
	if len(events) != 1 || events[0].Command != "delete --contents" || events[0].Action != "removed" {
		t.Errorf("%+v", events)
	}
}

// It goes from every place where rhx put it: its own file, another one, the env file;
// and the notes of these.
func TestDeleteFromEveryPlace(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "lambda", "api_key", "k")
	h.load(t, exchange.LoadOptions{All: true})
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, To: "~/x/other.json"})
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, Env: true})
	var where []string
	for _, p := range must(h.Exchange.LocalCopies())(t) {
		where = append(where, p.Name+": "+p.Where())
	}
	same(t, "placed", strings.Join(where, "\n"), "aws: ~/.aws/credentials\naws: ~/x/other.json\nlambda: ~/.lambda_cloud/lambda_keys\naws: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY")
	d, removed := h.deleteContents(t, "aws")
	if same(t, "removed", removed, "~/.aws/credentials ~/x/other.json $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"); d.Err != nil {
		t.Error(d.Err)
	}
	for _, file := range []string{filepath.Join(dir, ".aws", "credentials"), filepath.Join(dir, "x", "other.json"), h.Deliver.EnvFile()} {
		same(t, file, text(t, file), "(none)")
	}
	conf, err := config.Load(h.Dirs)
	if err != nil || len(conf.Secrets) != 1 || conf.Secrets["lambda"].Path == "" {
		t.Errorf("%+v, %v", conf, err)
	}
	if h.isStored(t, "aws") || !h.isStored(t, "lambda") {
		t.Error("what is stored is not what was kept")
	}
}

// Where one place has other values, nothing is taken away, anywhere.
func TestDeleteLeavesAllWhereOneDiffers(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	h.load(t, exchange.LoadOptions{All: true})
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, To: "~/other"})
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, Env: true})
	files := []string{filepath.Join(dir, ".aws", "credentials"), filepath.Join(dir, "other"), h.Deliver.EnvFile()}
	for i, want := range []string{
		"aws: not deleted: ~/.aws/credentials has other values for secret_key",
		"aws: not deleted: ~/other has other values for secret_key",
		"aws: not deleted: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY has other values for AWS_SECRET_ACCESS_KEY",
	} {
		before := text(t, files[i])
		writeFile(t, files[i], strings.Replace(before, awsKey, "by hand", 1))
		d, removed := h.deleteContents(t, "aws")
		if d.Err == nil || d.Err.Error() != want || removed != "" || !strings.Contains(hint(d.Err), "rhx save aws keeps what this machine has") {
			t.Errorf("%v, %q", d.Err, removed)
		}
		for _, file := range files {
			if got := text(t, file); got == "(none)" || !strings.Contains(got, akia) {
				t.Errorf("%s: %s", file, got)
			}
		}
		writeFile(t, files[i], before)
	}
	if !h.isStored(t, "aws") {
		t.Error("it is not stored any more")
	}
}

// full is a machine on which one file cannot be written.
type full struct {
	machine.Machine
	name string
}

func (f full) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	if strings.HasSuffix(changes[0].Path, f.name) {
		errs := make([]error, len(changes))
		errs[0] = errors.New("read-only file system")
		return errs, nil
	}
	return f.Machine.Write(ctx, changes)
}

// A place from which it could not be taken is named, and the secret stays in the store.
func TestDeleteLeavesAPlace(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	h.load(t, exchange.LoadOptions{All: true})
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, To: "~/other"})
	h.Local = full{h.Local, "/other"}
	h.wire()
	d, removed := h.deleteContents(t, "aws")
	same(t, "removed", removed, "~/.aws/credentials")
	if len(d.Left) != 1 || !strings.HasPrefix(d.Left[0].Error(), "aws is still in ~/other: ") || fault.KindOf(d.Err) != fault.Partial || !strings.Contains(hint(d.Err), "take it out by hand") {
		t.Errorf("%+v, %q", d, hint(d.Err))
	}
	if text(t, filepath.Join(dir, "other")) == "(none)" || !h.isStored(t, "aws") {
		t.Error("it is gone")
	}
}

// A secret of a file of its own goes from there, noted or not, and not from its
// provider's files.
func TestDeleteFromAFileOfItsOwn(t *testing.T) {
	h, dir := onDisk(t)
	own, usual := filepath.Join(dir, "proj", "creds"), filepath.Join(dir, ".aws", "credentials")
	writeFile(t, own, awsFile("default", akia, awsKey))
	writeFile(t, usual, awsFile("default", akia, awsKey))
	must(h.Exchange.Save(ctx, h.Local, exchange.SaveOptions{Names: []string{"aws"}, From: "~/proj/creds"}))(t)
	d, removed := h.deleteContents(t, "aws")
	if same(t, "removed", removed, "~/proj/creds"); d.Err != nil {
		t.Error(d.Err)
	}
	same(t, "its own", text(t, own), "")
	same(t, "the usual one", text(t, usual), awsFile("default", akia, awsKey))

	must(h.Exchange.Undelete(ctx, "aws"))(t)
	h.load(t, exchange.LoadOptions{All: true})
	if places := must(h.Exchange.LocalCopies())(t); len(places) != 1 || places[0].Path != "~/proj/creds" {
		t.Fatalf("%+v", places)
	}
	_, removed = h.deleteContents(t, "aws")
	same(t, "once", removed, "~/proj/creds")
}

// It goes from its own file also where rhx put it elsewhere, too.
func TestDeleteFromItsOwnFileAndAnother(t *testing.T) {
	h, dir := onDisk(t)
	writeFile(t, filepath.Join(dir, "proj", "creds"), awsFile("default", akia, awsKey))
	must(h.Exchange.Save(ctx, h.Local, exchange.SaveOptions{Names: []string{"aws"}, From: "~/proj/creds"}))(t)
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}, To: "~/other"})
	d, removed := h.deleteContents(t, "aws")
	if same(t, "removed", removed, "~/other ~/proj/creds"); d.Err != nil {
		t.Error(d.Err)
	}
}

// What was taken off is not noted any more, also where the store then refuses.
func TestDeleteThatTheStoreRefuses(t *testing.T) {
	h, _ := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	h.load(t, exchange.LoadOptions{All: true})
	strangeStore(t, h).del = store.ErrDenied
	d, removed := h.deleteContents(t, "aws")
	if same(t, "removed", removed, "~/.aws/credentials"); !errors.Is(d.Err, store.ErrDenied) || len(must(h.Exchange.LocalCopies())(t)) != 0 {
		t.Errorf("%+v, %+v", d, must(h.Exchange.LocalCopies())(t))
	}
}

// A secret of the user's own name goes out of its profile, and no other does.
func TestRemovalOfAProfile(t *testing.T) {
	h, dir := onDisk(t)
	file := filepath.Join(dir, ".aws", "credentials")
	writeFile(t, file, awsFile("default", akia2, awsKey2)+awsFile("prod", akia, awsKey))
	must(h.Exchange.Save(ctx, h.Local, exchange.SaveOptions{Names: []string{"aws/prod"}, As: "main"}))(t)
	r := must(h.Exchange.PlanRemoval(ctx, exchange.LocalCopy{Name: "main", Location: config.Location{Path: "~/.aws/credentials"}}, true))(t)
	if r.Err != nil || r.Differs != nil {
		t.Fatalf("%+v", r)
	}
	if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); err != nil {
		t.Fatal(err)
	}
	same(t, "the file", text(t, file), awsFile("default", akia2, awsKey2))
}

// On a host a secret goes from its provider's files alone; what is noted of this machine
// is of no concern. What has no file is deleted from the store.
func TestDeleteOnAHost(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "openai", "api_key", sk)
	h.load(t, exchange.LoadOptions{Names: []string{"aws"}})
	gpu := machine.NewMemory("gpu")
	must(h.Exchange.Load(ctx, place.Host("gpu"), gpu, exchange.LoadOptions{Names: []string{"aws"}}))(t)
	out := must(h.Exchange.Delete(ctx, place.Host("gpu"), gpu, []string{"aws", "openai", "nope"}, exchange.DeleteOptions{Contents: true}))(t)
	if out[0].Err != nil || len(out[0].Removed) != 1 || out[1].Err != nil || len(out[1].Removed) != 0 || out[2].Err == nil {
		t.Errorf("%+v", out)
	}
	same(t, "its file", content(gpu, ".aws/credentials"), "(none)")
	if text(t, filepath.Join(dir, ".aws", "credentials")) == "(none)" || h.isStored(t, "aws") || h.isStored(t, "openai") {
		t.Error("it was deleted here, or not in the store")
	}
}

// Without a store, a machine, a provider or a list of places nothing is deleted.
func TestDeleteFails(t *testing.T) {
	h, _ := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	st := must(h.Records.Store(ctx))(t)
	must(st.Put(ctx, &secret.Secret{Name: "strange", Provider: "nobody", Values: secret.Values{"k": secret.NewValue("v")}}, 0))(t)
	m := h.Local.(*machine.Memory)
	del := func(names ...string) []exchange.Deleted {
		t.Helper()
		return must(h.Exchange.Delete(ctx, place.Here, m, names, exchange.DeleteOptions{Contents: true}))(t)
	}
	if d := del("strange")[0]; d.Err == nil || !strings.Contains(d.Err.Error(), "nobody") {
		t.Error(d.Err)
	}
	m.Fail(errors.New("no route to host"))
	if d := del("aws")[0]; d.Err == nil || !strings.Contains(d.Err.Error(), "no route") {
		t.Error(d.Err)
	}
	m.Fail(nil)
	writeFile(t, config.Path(h.Dirs), "broken: [")
	if d := del("aws")[0]; d.Err == nil || len(d.Removed) != 0 || !h.isStored(t, "aws") {
		t.Errorf("%+v", d)
	}
	// The deletion from the store is done; that it could not be noted is said.
	if out := must(h.Exchange.Delete(ctx, place.Here, m, []string{"aws"}, exchange.DeleteOptions{}))(t); out[0].Err == nil {
		t.Errorf("%+v", out)
	}
	if err := os.Remove(config.Path(h.Dirs)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exchange.Undelete(ctx, "aws"); err != nil {
		t.Fatal(err)
	}
	out := must(h.Exchange.Delete(ctx, place.Here, m, []string{"nope", "../x"}, exchange.DeleteOptions{Contents: false}))(t)
	if out[0].Err == nil || !strings.Contains(out[0].Err.Error(), `no secret "nope"`) || !usage(out[1].Err) {
		t.Errorf("%+v", out)
	}
	if !h.isStored(t, "aws") || !h.isStored(t, "strange") {
		t.Error("deleted")
	}
	st2 := strangeStore(t, h)
	st2.del = store.ErrDenied
	if out := must(h.Exchange.Delete(ctx, place.Here, m, []string{"aws"}, exchange.DeleteOptions{}))(t); !errors.Is(out[0].Err, store.ErrDenied) {
		t.Errorf("%+v", out)
	}
	h.noStore()
	if out, err := h.Exchange.Delete(ctx, place.Here, m, []string{"aws"}, exchange.DeleteOptions{}); out != nil || !errors.Is(err, errSealed) {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := h.Exchange.LocalCopies(); err != nil {
		t.Error(err)
	}
	writeFile(t, config.Path(h.Dirs), "broken: [")
	if places, err := h.Exchange.LocalCopies(); places != nil || err == nil {
		t.Errorf("%v, %v", places, err)
	}
}

// What a plan to take a secret off says: what differs, what is gone, what is broken.
func TestPlanRemoval(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws/prod", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "ssh/id_a", "private_key", pem, "public_key", "ssh-ed25519 AAAAC3FAKE\n")
	keep(t, h, "huggingface", "token", "fake")
	file := func(name, path string) exchange.LocalCopy {
		return exchange.LocalCopy{Name: name, Location: config.Location{Path: path}}
	}
	vars := exchange.LocalCopy{Name: "openai", Location: config.Location{Vars: []string{"OPENAI_API_KEY", "OPENAI_ORG"}}}
	env := h.Deliver.EnvFile()
	if got := exchange.ErrGone; must(h.Exchange.PlanRemoval(ctx, vars, true))(t).Err == nil || !errors.Is(must(h.Exchange.PlanRemoval(ctx, vars, true))(t).Err, got) {
		t.Error("variables of no file are there")
	}
	plan := func(p exchange.LocalCopy) string {
		t.Helper()
		r, err := h.Exchange.PlanRemoval(ctx, p, true)
		if err != nil {
			t.Fatal(err)
		}
		out := strings.Join(r.Differs, " ")
		if r.Err != nil {
			out += ": " + r.Err.Error()
		}
		return out
	}
	const gone = ": it is not there any more"
	for _, c := range []struct {
		what, path, text string
		p                exchange.LocalCopy
		want             string
	}{
		{"no such file", "", "", file("aws/prod", "~/none"), gone},
		{"another profile", ".aws/credentials", awsFile("default", akia, awsKey), file("aws/prod", "~/.aws/credentials"), gone},
		{"the profile", ".aws/credentials", awsFile("default", akia2, awsKey2) + awsFile("prod", akia, awsKey), file("aws/prod", "~/.aws/credentials"), ""},
		{"other values", ".aws/credentials", awsFile("prod", akia2, awsKey2), file("aws/prod", "~/.aws/credentials"), "access_key secret_key"},
		{"another profile is broken", ".aws/credentials", "[half]\naws_access_key_id = " + akia + "\n" + awsFile("prod", akia, awsKey), file("aws/prod", "~/.aws/credentials"), ""},
		{"no secret of its kind", ".aws/credentials", "[prod]\nregion = x\n", file("aws/prod", "~/.aws/credentials"), gone},
		{"the public half alone", ".ssh/id_a.pub", "ssh-ed25519 AAAAC3FAKE\n", file("ssh/id_a", "~/.ssh/id_a.pub"), ""},
		{"another public half", ".ssh/id_a.pub", "other\n", file("ssh/id_a", "~/.ssh/id_a.pub"), "public_key"},
		{"no public half", "", "", file("ssh/id_a", "~/.ssh/id_b.pub"), gone},
		{"a file that is called .pub", "x.pub", awsFile("prod", akia, awsKey), file("aws/prod", "~/x.pub"), ""},
		{"a text", ".cache/huggingface/token", "fake", file("huggingface", "~/.cache/huggingface/token"), ""},
	} {
		if c.path != "" {
			writeFile(t, filepath.Join(dir, filepath.FromSlash(c.path)), c.text)
		}
		same(t, c.what, plan(c.p), c.want)
	}
	if r := must(h.Exchange.PlanRemoval(ctx, file("ssh/id_a", "~/.ssh/id_a.pub"), false))(t); r.Err != nil || r.Differs != nil {
		t.Errorf("without the store: %+v", r)
	}
	for _, c := range []struct{ text, want string }{
		{"export OTHER='x'\n", gone},
		{"export OPENAI_API_KEY='" + sk + "'\n", ""},
		{"export OPENAI_API_KEY='other'\nexport OTHER='x'\n", "OPENAI_API_KEY"},
		// rhx put it there, and the store has it no more: it may be nowhere else.
		{"export OPENAI_API_KEY='" + sk + "'\nexport OPENAI_ORG='x'\n", "OPENAI_ORG"},
		{"if true\n", ": " + filepath.ToSlash(env) + " is not as rhx wrote it"},
	} {
		writeFile(t, env, c.text)
		same(t, c.text, plan(vars), c.want)
	}
	writeFile(t, env, "export OPENAI_API_KEY='other'\nexport OTHER='x'\n")
	if r := must(h.Exchange.PlanRemoval(ctx, vars, false))(t); r.Err != nil || r.Differs != nil || r.NotStored {
		t.Errorf("without the store: %+v", r)
	} else if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); err != nil || text(t, env) != "# Written by rhx load --env.\nexport OTHER='x'\n" {
		t.Errorf("%v, %q", err, text(t, env))
	}
	events := must(h.Book.Events())(t)
	if n := len(events); n != 2 || events[0].Var != "OPENAI_API_KEY" || events[0].Action != "removed" || events[0].Secret != "openai" {
		t.Errorf("%+v", events)
	}

	// A store that cannot be asked: the plan does without, and that is said.
	st := strangeStore(t, h)
	st.get = store.ErrUnavailable
	writeFile(t, filepath.Join(dir, ".aws", "credentials"), awsFile("prod", akia2, awsKey2))
	r, err := h.Exchange.PlanRemoval(ctx, file("aws/prod", "~/.aws/credentials"), true)
	if !errors.Is(err, store.ErrUnavailable) || r.Err != nil || r.NotStored || r.Differs != nil {
		t.Errorf("%+v, %v", r, err)
	}
	st.get = nil
	r, err = h.Exchange.PlanRemoval(ctx, file("aws", "~/.aws/credentials"), true)
	if err != nil || !r.NotStored {
		t.Errorf("%+v, %v", r, err)
	}
	must(st.Put(ctx, &secret.Secret{Name: "strange", Provider: "nobody", Values: secret.Values{"k": secret.NewValue("v")}}, 0))(t)
	for _, p := range []exchange.LocalCopy{file("strange", "~/x"), file("openai", "~/x")} {
		if r := must(h.Exchange.PlanRemoval(ctx, p, true))(t); r.Err == nil {
			t.Errorf("%+v", r)
		}
	}
	if r := must(h.Exchange.PlanRemoval(ctx, file("openai", "~/x"), false))(t); r.Err == nil || hint(r.Err) != "take it out by hand" {
		t.Errorf("%+v", r)
	}
}

// A removal is compared with the newest version in the store, variable by variable; a
// key that was put into a file of another name is found there.
func TestPlanRemovalCompares(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws/half", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "aws/half", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "ssh/id_a", "private_key", pem)
	inFile := func(name, path string) exchange.LocalCopy {
		return exchange.LocalCopy{Name: name, Location: config.Location{Path: path}}
	}
	inVars := exchange.LocalCopy{Name: "aws/half", Location: config.Location{Vars: []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}}}
	env, _ := filepath.Rel(dir, h.Deliver.EnvFile())
	for _, c := range []struct {
		what, path, text string
		p                exchange.LocalCopy
		want             string
	}{
		{"the newest version", ".aws/credentials", awsFile("half", akia, awsKey), inFile("aws/half", "~/.aws/credentials"), "[] <nil>"},
		{"an older one", ".aws/credentials", awsFile("half", akia2, awsKey2), inFile("aws/half", "~/.aws/credentials"), "[access_key secret_key] <nil>"},
		{"a key in another file", "keys/other", pem, inFile("ssh/id_a", "~/keys/other"), "[] <nil>"},
		{"variables", env, "export AWS_ACCESS_KEY_ID='" + akia + "'\nexport AWS_SECRET_ACCESS_KEY='" + awsKey + "'\n", inVars, "[] <nil>"},
		{"each has the other's value", env, "export AWS_ACCESS_KEY_ID='" + awsKey + "'\nexport AWS_SECRET_ACCESS_KEY='" + akia + "'\n", inVars, "[AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY] <nil>"},
	} {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(c.path)), c.text)
		r := must(h.Exchange.PlanRemoval(ctx, c.p, true))(t)
		same(t, c.what, fmt.Sprint(r.Differs, r.Err), c.want)
	}
}

// What cannot be read is never gone: it would be forgotten, and stay.
func TestPlanRemovalOfWhatCannotBeRead(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws/half", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "ssh/id_a", "private_key", pem, "public_key", "ssh-ed25519 AAAAC3FAKE\n")
	broken := func(what, name, path, why string) {
		t.Helper()
		r := must(h.Exchange.PlanRemoval(ctx, exchange.LocalCopy{Name: name, Location: config.Location{Path: path}}, true))(t)
		if r.Err == nil || errors.Is(r.Err, exchange.ErrGone) || !strings.Contains(r.Err.Error(), why) {
			t.Errorf("%s: %v", what, r.Err)
		}
	}
	writeFile(t, filepath.Join(dir, ".aws", "credentials"), awsFile("default", akia2, awsKey2)+"[half]\naws_access_key_id = "+akia+"\n")
	broken("a profile without its key", "aws/half", "~/.aws/credentials", "secret_key")
	if err := os.MkdirAll(filepath.Join(dir, ".ssh", "id_a.pub"), 0o700); err != nil {
		t.Fatal(err)
	}
	broken("a folder for a public key", "ssh/id_a", "~/.ssh/id_a.pub", "")
	writeFile(t, filepath.Join(dir, ".aws", "credentials"), awsFile("half", akia, awsKey))
	if err := os.MkdirAll(filepath.Join(h.Dirs.State, "created"), 0o700); err != nil {
		t.Fatal(err)
	}
	broken("the list of rhx's files", "aws/half", "~/.aws/credentials", "which files rhx made")
}

// The profile counts, and not the name, where the two differ: a profile of the secret's
// name is another secret.
func TestPlanRemovalOfAnotherProfile(t *testing.T) {
	h, dir := onDisk(t)
	odd := &secret.Secret{Name: "aws/q", Provider: "aws", Profile: "another", Values: secret.Values{"access_key": secret.NewValue(akia), "secret_key": secret.NewValue(awsKey)}}
	must(must(h.Records.Store(ctx))(t).Put(ctx, odd, 0))(t)
	p := exchange.LocalCopy{Name: "aws/q", Location: config.Location{Path: "~/.aws/credentials"}}
	file := filepath.Join(dir, ".aws", "credentials")
	writeFile(t, file, awsFile("q", akia, awsKey))
	if r := must(h.Exchange.PlanRemoval(ctx, p, true))(t); !errors.Is(r.Err, exchange.ErrGone) || r.Differs != nil {
		t.Errorf("a profile of its name: %+v", r)
	}
	writeFile(t, file, awsFile("q", akia2, awsKey2)+awsFile("another", akia, awsKey))
	r := must(h.Exchange.PlanRemoval(ctx, p, true))(t)
	if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); err != nil || r.Differs != nil {
		t.Errorf("its profile: %+v, %v", r, err)
	}
	same(t, "the file", text(t, file), awsFile("q", akia2, awsKey2))
}

// The default profile may be spelled out in the store.
func TestPlanRemovalOfTheDefaultProfile(t *testing.T) {
	h, dir := onDisk(t)
	spelled := &secret.Secret{Name: "aws", Provider: "aws", Profile: "default", Values: secret.Values{"access_key": secret.NewValue(akia), "secret_key": secret.NewValue(awsKey)}}
	must(must(h.Records.Store(ctx))(t).Put(ctx, spelled, 0))(t)
	file := filepath.Join(dir, ".aws", "credentials")
	for _, others := range []string{"", awsFile("prod", akia2, awsKey2)} {
		writeFile(t, file, awsFile("default", akia, awsKey)+others)
		r := must(h.Exchange.PlanRemoval(ctx, exchange.LocalCopy{Name: "aws", Location: config.Location{Path: "~/.aws/credentials"}}, true))(t)
		if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); err != nil || r.Err != nil || r.Differs != nil {
			t.Errorf("beside %q: %+v, %v", others, r, err)
		}
		same(t, "beside "+others, text(t, file), others)
	}
}

// A removal whose file cannot be read or written is an error, and is noted as before.
func TestRemoveFails(t *testing.T) {
	h, dir := onDisk(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	h.load(t, exchange.LoadOptions{All: true})
	p := must(h.Exchange.LocalCopies())(t)[0]
	r := must(h.Exchange.PlanRemoval(ctx, p, true))(t)
	writeFile(t, filepath.Join(dir, ".aws", "credentials"), "changed meanwhile")
	if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); !errors.Is(err, machine.ErrChanged) {
		t.Error(err)
	}
	r.Err = errors.New("as planned")
	if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &r); !errors.Is(err, r.Err) {
		t.Error(err)
	}
	if len(must(h.Exchange.LocalCopies())(t)) != 1 {
		t.Error("forgotten")
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	r.Err = nil
	if err := h.Exchange.Remove(canceled, h.Book.BeginFinal("logout"), &r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// What is gone is forgotten.
	r.Err = exchange.ErrGone
	if err := os.Remove(filepath.Join(dir, ".aws", "credentials")); err != nil {
		t.Fatal(err)
	}
	before := len(must(h.Book.Events())(t))
	gone := must(h.Exchange.PlanRemoval(ctx, p, true))(t)
	if err := h.Exchange.Remove(ctx, h.Book.Begin("logout"), &gone); err != nil || len(must(h.Exchange.LocalCopies())(t)) != 0 {
		t.Errorf("%v", err)
	}

	if n := len(must(h.Book.Events())(t)); n != before {
		t.Errorf("%d events of nothing", n-before)
	}

	h.Local = &lost{h.Local}
	h.wire()
	for _, p := range []exchange.LocalCopy{p, {Name: "openai", Location: config.Location{Vars: []string{"A"}}}} {
		if r := must(h.Exchange.PlanRemoval(ctx, p, false))(t); r.Err == nil || errors.Is(r.Err, exchange.ErrGone) {
			t.Errorf("%+v", r)
		}
	}
}

// lost is a machine that cannot be read.
type lost struct{ machine.Machine }

func (*lost) Read(context.Context, []string) ([]machine.File, error) {
	return nil, errors.New("input/output error")
}
