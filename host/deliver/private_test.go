package deliver_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// A command gets native files of its own, and the variables that have the tools read
// them: a file by its path, or by its folder where that is what the tool takes.
func TestPrivateFiles(t *testing.T) {
	d, _ := newDeliverer(t)
	recs := []*store.Record{aws("aws", "A"), aws("aws/prod", "B"), record("github", "oauth_token", "gho_fake"),
		record("docker", "username", "jane", "password", "fake", "server", "https://index.docker.io/v1/")}
	files, vars, err := d.PrivateFiles(t.Context(), recs, false, deliver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, f := range files {
		content[f.Path] = string(f.Data)
		if f.Mode != 0o600 {
			t.Errorf("%s has mode %v", f.Path, f.Mode)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	contains(t, content["aws/credentials"], "fake-A", "[prod]", "fake-B")
	contains(t, content["github/hosts.yml"], "gho_fake")
	contains(t, content["docker/config.json"], "index.docker.io")
	want := []machine.Var{{Name: "AWS_SHARED_CREDENTIALS_FILE", Value: "aws/credentials"},
		{Name: "GH_CONFIG_DIR", Value: "github"}, {Name: "DOCKER_CONFIG", Value: "docker"}}
	if !slices.Equal(vars, want) {
		t.Errorf("%+v", vars)
	}
}

// What cannot be such a file is refused before anything is made, all at once.
func TestPrivateFilesThatCannotBe(t *testing.T) {
	d, _ := newDeliverer(t)
	recs := []*store.Record{aws("aws", "A"), record("own", "k", "v"), record("nobody", "k", "v"), record("ssh/id", "private_key", "x")}
	files, vars, err := d.PrivateFiles(t.Context(), recs, false, deliver.Options{})
	if files != nil || vars != nil || err == nil {
		t.Fatalf("%v, %v", vars, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || lines[0] != "own cannot be a file of one command: it is no provider's" || !strings.Contains(lines[1], "nobody") ||
		lines[2] != "ssh/id cannot be a file of one command: no variable says where SSH key pairs reads it" {
		t.Errorf("%q", lines)
	}
	for _, c := range []struct {
		rec    *store.Record
		onHost bool
		want   string
	}{
		{recs[1], false, "rhx apply and rhx sync -b write it to its path"},
		{recs[3], false, "rhx load ssh/id writes the file where it is read, and rhx undo takes it away after the command"},
		{recs[3], true, "rhx sync HOST -s ssh/id writes the file where it is read, and rhx undo takes it away after the command"},
		{record("lambda", "api_key", "x"), false, "the bundle sets LAMBDA_API_KEY where lambda is in its secrets; rhx load lambda writes the file where it is read, and rhx undo takes it away after the command"},
	} {
		if _, _, err := d.PrivateFiles(t.Context(), []*store.Record{c.rec}, c.onHost, deliver.Options{}); fault.Hint(err) != c.want {
			t.Errorf("%q", fault.Hint(err))
		}
	}
	// A secret that its provider refuses is an error that names it.
	if _, _, err := d.PrivateFiles(t.Context(), []*store.Record{record("aws", "access_key", "x")}, false, deliver.Options{}); err == nil || !strings.HasPrefix(err.Error(), "aws: ") {
		t.Error(err)
	}
}

// What makes a tool run a program is no file of a command either, unless it is asked for.
func TestPrivateFilesThatRunPrograms(t *testing.T) {
	d, _ := newDeliverer(t)
	recs := []*store.Record{record("gcp", "type", "external_account", "credential_source", `{"executable":{"command":"/tmp/fake"}}`)}
	if files, _, err := d.PrivateFiles(t.Context(), recs, false, deliver.Options{}); len(files) > 0 || !errors.Is(err, provider.ErrUnsafe) {
		t.Error(files, err)
	}
	if files, _, err := d.PrivateFiles(t.Context(), recs, false, deliver.Options{Unsafe: true}); len(files) != 1 || err != nil {
		t.Error(files, err)
	}
}
