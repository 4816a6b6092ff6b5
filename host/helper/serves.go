package helper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
)

// readers are the clients that read what is in the files of a provider, and would ask
// rhx in their place. One that is not the first counts where it has a configuration of
// its own: else it reads the first one's.
var readers = map[string][]string{
	"aws":             {"aws"},
	"cargo":           {"cargo"},
	"docker":          {"docker"},
	"git":             {"git"},
	"kubernetes":      {"kubectl"},
	"podman":          {"podman"},
	"terraform-cloud": {"terraform", "tofu"},
}

// Readers returns the clients that read the files of a provider and could ask rhx instead.
func Readers(provider string) []Client {
	var out []Client
	for _, c := range clients() {
		for _, name := range readers[provider] {
			if c.Name == name {
				out = append(out, c)
			}
		}
	}
	return out
}

// Configured reports whether a client has a configuration of its own.
func (i *Installer) Configured(ctx context.Context, c Client) (bool, error) {
	info, err := i.Local.Info(ctx, c.vars)
	if err != nil {
		return false, err
	}
	files, err := i.read(ctx, c.files(info))
	return slices.ContainsFunc(files, func(f machine.File) bool { return f.Err == nil }), err
}

// Would returns what a secret answers by a protocol, in the store or not; nil for
// nothing.
func (h *Helpers) Would(ctx context.Context, protocol string, sec *secret.Secret) *Answer {
	sp, err := h.Specs.Get(sec.Provider)
	if err != nil {
		return nil
	}
	for _, one := range sp.HelpersFor(protocol) {
		parts, ok := filled(one.Parts, sp, sec)
		if !ok {
			continue
		}
		if parts["username"] == "*" {
			parts["username"] = anyUser
		}
		a := &Answer{Secret: sec.Name, At: h.isFor(ctx, protocol, sp, sec), parts: parts,
			rec: &store.Record{Info: store.Info{Name: sec.Name, Provider: sec.Provider}, Secret: *sec}}
		var valid bool
		if a.at, valid = parseAddress(a.At); !valid && len(one.For) > 0 {
			return nil
		}
		return a
	}
	return nil
}

// errOther says that the answer is not the secret's.
var errOther = errors.New("it is answered with something else")

// Asked asks for an answer as its client does, and returns an error where it does not
// come. The secret is in the store by now.
func (h *Helpers) Asked(ctx context.Context, protocol string, want *Answer) error {
	own := *h
	if protocol == spec.ProtocolAWS || protocol == spec.ProtocolKubectl {
		own.Secret = want.Secret
	}
	var out bytes.Buffer
	var err error
	switch protocol {
	case spec.ProtocolAWS:
		err = own.AWS(ctx, "", &out)
	case spec.ProtocolCargo:
		request := map[string]any{"v": 1, "kind": "get", "operation": "read", "registry": map[string]string{
			"index-url": want.At, "name": cmp.Or(want.rec.Secret.Profile, "crates-io")}}
		data, _ := json.Marshal(request)
		err = own.Cargo(ctx, bytes.NewReader(append(data, '\n')), &out)
	case spec.ProtocolDocker:
		err = own.Docker(ctx, "get", strings.NewReader(want.At+"\n"), &out)
	case spec.ProtocolGit:
		err = own.Git(ctx, "get", bytes.NewReader(want.gitQuestion()), &out)
	case spec.ProtocolKubectl:
		err = own.Kubectl(ctx, "", &out)
	case spec.ProtocolTerraform:
		err = own.Terraform(ctx, "get", want.At, strings.NewReader(""), &out)
	default:
		err = fmt.Errorf("rhx cannot ask itself by %s", protocol)
	}
	if err == nil && !want.in(protocol, out.Bytes()) {
		err = errOther
	}
	return err
}

// gitQuestion is what git asks.
func (a *Answer) gitQuestion() []byte {
	lines := []string{"protocol=" + a.at.scheme, "host=" + a.at.host}
	if a.at.path != "" {
		lines = append(lines, "path="+a.at.path)
	}
	if user := a.parts["username"]; user != anyUser {
		lines = append(lines, "username="+user)
	}
	return []byte(strings.Join(lines, "\n") + "\n\n")
}

// in reports whether what a client was answered is the answer.
func (a *Answer) in(protocol string, data []byte) bool {
	if protocol == spec.ProtocolGit {
		return bytes.Contains(append([]byte("\n"), data...), []byte("\npassword="+a.parts["password"]+"\n"))
	}
	// Cargo's begins with a line about versions.
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	var answer map[string]any
	for _, text := range [][]byte{data, lines[len(lines)-1]} {
		if json.Unmarshal(text, &answer) == nil {
			break
		}
	}
	got := map[string]bool{}
	textsIn(answer, got)
	for part, text := range a.parts {
		if protocol == spec.ProtocolKubectl {
			text = pemText(text)
		}
		if part != "username" && !got[text] {
			return false
		}
	}
	return len(a.parts) > 0
}

// textsIn collects the texts of a tree.
func textsIn(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case map[string]any:
		for x := range maps.Values(v) {
			textsIn(x, into)
		}
	}
}

// Question is what the real client is run with to show that it gets an answer, without a
// network.
type Question struct {
	Argv  []string
	Stdin []byte
	Env   []string
	shown func(out []byte) bool
}

// Shown reports whether what the client printed is the answer.
func (q *Question) Shown(out []byte) bool { return q.shown(out) }

// RealClient returns what to run for that; nil where there is nothing such.
func (a *Answer) RealClient(client string) *Question {
	switch client {
	case "aws":
		profile := "default"
		if a.rec.Secret.Provider == "aws" && a.rec.Secret.Profile != "" {
			profile = a.rec.Secret.Profile
		}
		// Every version has this one. It shows the ends of the keys, and where they are from.
		return &Question{Argv: []string{"aws", "configure", "list", "--profile", profile}, Env: []string{"AWS_EC2_METADATA_DISABLED=true"},
			shown: func(out []byte) bool { return a.awsLists(out, "access_key") && a.awsLists(out, "secret_key") }}
	case "docker", "podman":
		return &Question{Argv: []string{"docker-credential-rhx", "get"}, Stdin: []byte(a.At),
			shown: func(out []byte) bool { return a.in(spec.ProtocolDocker, out) }}
	case "git":
		return &Question{Argv: []string{"git", "credential", "fill"}, Stdin: a.gitQuestion(), Env: []string{"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS="},
			shown: func(out []byte) bool { return a.in(spec.ProtocolGit, out) }}
	}
	return nil
}

// awsLists reports whether the AWS command line lists a key with its end, and as one that
// a process gave.
func (a *Answer) awsLists(out []byte, key string) bool {
	end := a.parts[key]
	end = end[max(0, len(end)-4):]
	for line := range strings.Lines(string(out)) {
		if name, rest, _ := strings.Cut(strings.TrimSpace(line), " "); name == key {
			return strings.Contains(rest, "*"+end) && strings.Contains(rest, "custom-process")
		}
	}
	return false
}

// ByName reports whether the client looks in PATH for a program of a name of its own.
func (c *Client) ByName() bool { return c.link != "" && c.own == nil }
