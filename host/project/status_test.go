package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
)

const fleetOf = `
secrets:
  aws: {profile: prod}
  openai:
  db: {values: {user: {default: app}, password: }}
bundles:
  files: {files: [aws]}
  vars: {secrets: [openai, db]}
hosts:
  one: {addresses: [gpu], bundles: [files, vars]}
  two: {addresses: [cpu], bundles: [files]}
  here: {addresses: [local], bundles: [vars]}
`

func (w *world) status(text string) *project.Status {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), w.manifest(text), w.fleet())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// The matrix: each secret in the store, on this machine and on each host that is to
// have it, in each state.
func TestStatusMatrix(t *testing.T) {
	w := newWorld(t)
	gpu, cpu := w.host("gpu"), w.host("cpu")
	s := w.status(fleetOf)
	is(t, "nothing yet", matrix(s), `aws: store=missing local=missing
openai: store=missing local=missing
db: store=missing`)
	if len(s.Broken) != 3 || !slices.Equal(s.Places, []place.Place{place.Store, place.Here, place.Host("gpu"), place.Host("cpu")}) {
		t.Errorf("%v, %v", s.Broken, s.Places)
	}
	if err := s.Err(); err == nil || strings.Count(err.Error(), `no secret "aws/prod"`) != 2 {
		t.Error(err)
	}

	w.aws("aws/prod", "A")
	w.save("openai", "api_key", "sk-fake")
	w.save("-db", "password", "p")
	s = w.status(fleetOf)
	is(t, "saved", matrix(s), `aws: store=same local=missing gpu=missing cpu=missing
openai: store=same local=missing gpu=missing
db: store=same local=missing gpu=missing`)
	if err := s.Err(); err != nil || len(s.Unreachable) != 0 {
		t.Error(err)
	}

	w.apply(w.manifest(fleetOf), w.options())
	s = w.status(fleetOf)
	is(t, "applied", matrix(s), `aws: store=same local=missing gpu=same cpu=same
openai: store=same local=missing gpu=same
db: store=same local=same gpu=same`)

	// By hand: one key of two, a file with other things, a file that is gone.
	const creds = "/home/u/.aws/credentials"
	gpu.PutFile(creds, []byte(strings.Replace(file(t, gpu, creds), "fake-A", "by-hand", 1)), 0o600)
	cpu.PutFile(creds, []byte("[other]\nregion = x\n"), 0o600)
	gpu.PutFile(env, []byte(strings.Replace(file(t, gpu, env), "export password='p'\n", "", 1)), 0o600)
	is(t, "changed", matrix(w.status(fleetOf)), `aws: store=same local=missing gpu=differs cpu=missing
openai: store=same local=missing gpu=same
db: store=same local=same gpu=differs`)

	gpu.PutFile(creds, []byte("[prod]\naws_access_key_id = AKIA"+"IOSFODNN7A\n"), 0o600)
	contains(t, matrix(w.status(fleetOf)), "gpu=differs cpu=missing")

	gpu.Fail(errGone)
	cpu.Delete(creds)
	s = w.status(fleetOf)
	is(t, "a host is away", matrix(s), `aws: store=same local=missing gpu=unreachable cpu=missing
openai: store=same local=missing gpu=unreachable
db: store=same local=same gpu=unreachable`)
	if err := s.Err(); !errors.Is(err, errGone) || s.Unreachable[place.Host("gpu")] == nil || len(s.Unreachable) != 1 {
		t.Errorf("%v, %v", err, s.Unreachable)
	}
}

// What this machine has: in the file, with another value, in the environment, or in a
// file with a broken entry; and without a manifest all that the store has.
func TestStatusOfThisMachine(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	w.save("github", "oauth_token", "gho_fake", "user", "jane")
	w.save("openai", "api_key", "sk-fake-fake-fake-fake-fake")
	w.save("cohere", "api_key", "fake-cohere")
	w.save("-own", "k", "v")
	w.save("strange", "k", "v")
	w.write(".aws/credentials", "[default]\naws_access_key_id = AKIAIOSFODNN7A\naws_secret_access_key = fake-A\n")
	w.write(".config/gh/hosts.yml", "github.com:\n    user: jane\n    oauth_token: gho_other\n")
	w.env["OPENAI_API_KEY"] = "sk-fake-fake-fake-fake-fake"
	w.env["CO_API_KEY"] = "another"
	state := func() string {
		t.Helper()
		s, err := w.Status(t.Context(), nil, w.fleet())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.Places, []place.Place{place.Store, place.Here}) {
			t.Error(s.Places)
		}
		return matrix(s)
	}
	is(t, "all", state(), `aws: store=same local=same
cohere: store=same local=differs
github: store=same local=differs
openai: store=same local=same
own: store=same
strange: store=same local=missing`)
	// The values are the same whatever the permissions of their file are.
	if err := os.Chmod(filepath.Join(w.home, ".aws", "credentials"), 0o644); err != nil {
		t.Fatal(err)
	}
	contains(t, state(), "aws: store=same local=same\n")
	// A part of the keys is a difference, and a file of others has nothing of it.
	w.write(".aws/credentials", "[default]\naws_access_key_id = AKIAIOSFODNN7A\n")
	w.write(".config/gh/hosts.yml", "example.com:\n    user: jane\n    oauth_token: gho_fake\n")
	contains(t, state(), "aws: store=same local=differs\n", "github: store=same local=missing\n")
}

// A secret in two files that are not in the same state differs.
func TestStatusOfTwoFiles(t *testing.T) {
	w := newWorld(t)
	private, public, err := (&manifest.Generate{Kind: "ed25519"}).Make()
	if err != nil {
		t.Fatal(err)
	}
	w.save("ssh/id", "private_key", private, "public_key", public)
	status := func() string {
		t.Helper()
		s, err := w.Status(t.Context(), nil, w.fleet())
		if err != nil {
			t.Fatal(err)
		}
		return matrix(s)
	}
	is(t, "none", status(), "ssh/id: store=same local=missing")
	w.write(".ssh/id.pub", public)
	is(t, "the public one", status(), "ssh/id: store=same local=differs")
	w.write(".ssh/id", private)
	is(t, "both", status(), "ssh/id: store=same local=same")
	if err := os.Remove(filepath.Join(w.home, ".ssh", "id.pub")); err != nil {
		t.Fatal(err)
	}
	is(t, "the private one", status(), "ssh/id: store=same local=differs")
}

// What cannot be asked is an error, and not "missing".
func TestStatusErrors(t *testing.T) {
	w := newWorld(t)
	w.aws("aws", "A")
	local := w.Local
	w.Local = failing{local}
	if s, err := w.Status(t.Context(), nil, w.fleet()); s != nil || !errors.Is(err, errGone) {
		t.Errorf("%+v, %v", s, err)
	}
	w.Local = local
	w.noStore()
	if s, err := w.Status(t.Context(), nil, w.fleet()); s != nil || !errors.Is(err, errGone) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := w.Status(t.Context(), w.manifest(fleetOf), w.fleet()); s != nil || !errors.Is(err, errGone) {
		t.Errorf("%+v, %v", s, err)
	}
}

// Hosts called as the places that are none have columns of their own.
func TestStatusOfHostsWithNamesOfPlaces(t *testing.T) {
	w := newWorld(t)
	w.save("openai", "api_key", "sk-fake")
	w.host("store")
	w.host("local")
	w.host("local2")
	is(t, "matrix", matrix(w.status("secrets: {openai: }\nbundles: {b: {secrets: [openai]}}\nhosts: {g: {addresses: [store, local2, 'host:local'], bundles: [b]}}")),
		"openai: store=same local=missing host:store=missing local2=missing host:local=missing")
}
