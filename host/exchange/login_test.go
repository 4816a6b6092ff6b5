package exchange_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/store"
)

func uploads(plan []exchange.Upload) string {
	var out []string
	for _, u := range plan {
		line := fmt.Sprintf("%s %s %d %s", u.Found.Name, u.Action, u.Version, strings.Join(u.Keys, ","))
		if u.Err != nil {
			line += ": " + u.Err.Error()
		}
		out = append(out, strings.TrimSpace(line))
	}
	return strings.Join(out, "\n")
}

// What an upload would do, and what it does: new ones are saved, others only where that
// is wanted.
func TestUpload(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)+awsFile("same", akia2, awsKey2)+awsFile("other", akia, "new")+"[half]\naws_access_key_id="+akia+"\n"), 0o600)
	m.PutFile(home+".config/gh/hosts.yml", []byte("github.com:\n  users:\n    j: \"\"\n"), 0o600)
	keep(t, h, "aws/same", "access_key", akia2, "secret_key", awsKey2)
	keep(t, h, "aws/other", "access_key", akia, "secret_key", "one")
	keep(t, h, "aws/other", "access_key", akia, "secret_key", "two")
	plan := must(h.Exchange.PlanUpload(ctx, m))(t)
	same(t, "plan", uploads(plan), `
aws created 0 access_key,secret_key
aws/other updated 2 secret_key
aws/same unchanged 1
aws/half failed 0 : read ~/.aws/credentials, half: secret_key is missing`)
	list := must(h.Exchange.Upload(ctx, plan, false))(t)
	same(t, "upload", saved(list), `
aws created 1 access_key,secret_key
aws/other conflict 2 secret_key: the store has other values for secret_key
aws/same unchanged 1
aws/half failed 0: read ~/.aws/credentials, half: secret_key is missing`)
	if !strings.Contains(hint(list[1].Err), "rhx save aws/other replaces it, rhx load aws/other --overwrite takes it") {
		t.Error(hint(list[1].Err))
	}
	if got := stored(t, h, "aws/other"); !strings.Contains(got, "v2") {
		t.Error(got)
	}
	// Somebody saved in between: a conflict also where it is to be replaced.
	keep(t, h, "aws/other", "access_key", akia, "secret_key", "three")
	list = must(h.Exchange.Upload(ctx, plan[1:2], true))(t)
	if !errors.Is(list[0].Err, store.ErrConflict) || list[0].Action != "failed" {
		t.Error(saved(list))
	}
	plan = must(h.Exchange.PlanUpload(ctx, m))(t)
	same(t, "replace", saved(must(h.Exchange.Upload(ctx, plan[1:2], true))(t)), "aws/other updated 4 secret_key")
}

// A store or a machine that cannot be had is one error; an entry that cannot be read is
// one of the plan.
func TestPlanUploadFails(t *testing.T) {
	h, m := newHost(t)
	m.PutFile(home+".aws/credentials", []byte(awsFile("default", akia, awsKey)), 0o600)
	st := strangeStore(t, h)
	st.get = errors.New("this entry is broken")
	same(t, "broken", uploads(must(h.Exchange.PlanUpload(ctx, m))(t)), "aws failed 0 : this entry is broken")
	st.get = store.ErrUnavailable
	if _, err := h.Exchange.PlanUpload(ctx, m); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
	h.noStore()
	if plan, err := h.Exchange.PlanUpload(ctx, m); plan != nil || !errors.Is(err, errSealed) {
		t.Errorf("%v, %v", plan, err)
	}
	if list, err := h.Exchange.Upload(ctx, nil, false); list != nil || !errors.Is(err, errSealed) {
		t.Errorf("%v, %v", list, err)
	}
	m.Fail(errors.New("gone"))
	if plan, err := h.Exchange.PlanUpload(ctx, m); plan != nil || err == nil {
		t.Errorf("%v, %v", plan, err)
	}
}

// What a download would do, and what it does: files, variables that the environment
// does not have already, and nothing for secrets of no provider.
func TestDownload(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	keep(t, h, "lambda", "api_key", "ours")
	keep(t, h, "openai", "api_key", sk)
	keep(t, h, "cohere", "api_key", "fake-ours")
	keep(t, h, "db", "k", "v")
	m.SetEnv("OPENAI_API_KEY", sk)
	m.SetEnv("COHERE_API_KEY", "fake-theirs")
	m.PutFile(home+".lambda_cloud/lambda_keys", []byte("api_key = theirs\n"), 0o600)
	d := must(h.Exchange.PlanDownload(ctx))(t)
	want := `
local aws ~/.aws/credentials created access_key,secret_key
local lambda ~/.lambda_cloud/lambda_keys conflict api_key: ~/.lambda_cloud/lambda_keys has other values for api_key
local cohere $COHERE_API_KEY created
local openai $OPENAI_API_KEY unchanged`
	same(t, "plan", loaded(d.Outcomes), want)
	same(t, "left", strings.Join(d.Left, " "), "db")
	if content(m, ".aws/credentials") != "(none)" {
		t.Error("a plan wrote")
	}
	same(t, "download", loaded(must(h.Exchange.Download(ctx, d, false))(t)), want)
	same(t, "the file", content(m, ".lambda_cloud/lambda_keys"), "api_key = theirs")
	if v := must(h.Book.Seen(ctx, place.Here, "aws", "local"))(t); v != 1 {
		t.Errorf("version %d", v)
	}
	d = must(h.Exchange.PlanDownload(ctx))(t)
	same(t, "overwrite", loaded(must(h.Exchange.Download(ctx, d, true))(t)), `
local aws ~/.aws/credentials unchanged
local lambda ~/.lambda_cloud/lambda_keys updated api_key
local cohere $COHERE_API_KEY unchanged
local openai $OPENAI_API_KEY unchanged`)
	events := must(h.Book.Events())(t)
	if len(events) == 0 || events[0].Command != "login" {
		t.Errorf("%+v", events)
	}
}

// An entry that cannot be read is said, and stops no other; a store or a machine that
// cannot be had is the error.
func TestDownloadFails(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "aws", "access_key", akia, "secret_key", awsKey)
	st := strangeStore(t, h)
	st.get = errors.New("this entry is broken")
	d := must(h.Exchange.PlanDownload(ctx))(t)
	same(t, "plan", loaded(d.Outcomes), "local aws  failed: this entry is broken")
	same(t, "download", loaded(must(h.Exchange.Download(ctx, d, false))(t)), "local aws  failed: this entry is broken")
	st.get = fmt.Errorf("read it: %w", store.ErrNotFound) // deleted meanwhile
	if d := must(h.Exchange.PlanDownload(ctx))(t); len(d.Outcomes) != 0 {
		t.Errorf("%s", loaded(d.Outcomes))
	}
	st.get = store.ErrUnavailable
	if d, err := h.Exchange.PlanDownload(ctx); d != nil || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%+v, %v", d, err)
	}
	st.get = nil
	d = must(h.Exchange.PlanDownload(ctx))(t)
	m.Fail(errors.New("gone"))
	if _, err := h.Exchange.Download(ctx, d, false); err == nil {
		t.Error("no error")
	}
	if _, err := h.Exchange.PlanDownload(ctx); err == nil {
		t.Error("a machine that cannot be had is no error")
	}
	st.list = store.ErrDenied
	if d, err := h.Exchange.PlanDownload(ctx); d != nil || !errors.Is(err, store.ErrDenied) {
		t.Errorf("%+v, %v", d, err)
	}
}

// A variable that the environment has is there, the only one too.
func TestDownloadOfOneVariable(t *testing.T) {
	h, m := newHost(t)
	keep(t, h, "openai", "api_key", sk)
	m.SetEnv("OPENAI_API_KEY", sk)
	same(t, "plan", loaded(must(h.Exchange.PlanDownload(ctx))(t).Outcomes), "local openai $OPENAI_API_KEY unchanged")
}
