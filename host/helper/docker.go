package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// ErrDockerNone is what docker takes for "no credentials": the text is the protocol's.
var ErrDockerNone = errors.New("credentials not found in native keychain")

// dockerTokenUser is the user of an identity token.
const dockerTokenUser = "<token>"

// dockerCredentials are a registry's, as docker sends and takes them.
type dockerCredentials struct {
	ServerURL, Username, Secret string
}

// Docker answers docker and its relatives: verb is get, store, erase or list
// (docker-credential-helpers). Its errors are for stdout.
func (h *Helpers) Docker(ctx context.Context, verb string, in io.Reader, out io.Writer) error {
	switch verb {
	case "get", "store", "erase", "list":
	default:
		return fmt.Errorf("unknown action %q: it is get, store, erase or list", verb)
	}
	if _, err := h.Records.Store(ctx); err != nil {
		return err
	}
	if verb == "list" { // nothing is sent
		return h.dockerList(ctx, out)
	}
	data, err := readAll(ctx, in)
	if err != nil {
		return err
	}
	if verb == "store" {
		o, err := parseDocker(data)
		if err != nil {
			return fmt.Errorf("what docker sent: %w", err)
		}
		return h.keep(ctx, *o)
	}
	q, err := dockerQuestion(string(data))
	if err != nil {
		return fmt.Errorf("what docker sent: %w", err)
	}
	if verb == "erase" {
		_, err := h.erase(ctx, q, "", "", false)
		return err
	}
	a, err := h.one(ctx, q)
	if errors.Is(err, ErrNone) {
		return ErrDockerNone
	}
	if err != nil {
		return err
	}
	return a.writeJSON(out, dockerCredentials{strings.TrimSpace(string(data)), a.parts["username"], a.parts["password"]})
}

// dockerQuestion reads the name of a server.
func dockerQuestion(text string) (question, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return question{}, errNotNamed
	}
	at, ok := parseAddress(text)
	if !ok {
		return question{}, errors.New("it is not the name of a server")
	}
	return question{protocol: spec.ProtocolDocker, at: &at}, nil
}

// parseDocker reads what is to be stored.
func parseDocker(data []byte) (*offer, error) {
	var c dockerCredentials
	if err := oneJSON(data, &c); err != nil {
		return nil, err
	}
	q, err := dockerQuestion(c.ServerURL)
	if err != nil {
		return nil, err
	}
	if err := checkLine("the user", c.Username); err != nil {
		return nil, err
	}
	if c.Username == "" || c.Secret == "" {
		return nil, errors.New("it has no user, or no secret")
	}
	q.user = c.Username
	key := "password"
	if c.Username == dockerTokenUser {
		key = "identity_token"
	}
	// The profile is the server as docker's own file has it.
	profile := strings.TrimSpace(c.ServerURL)
	return &offer{question: q, profile: profile,
		parts:  map[string]string{"username": c.Username, "password": c.Secret},
		values: values("server", profile, "username", c.Username, key, c.Secret)}, nil
}

// dockerList prints the servers and users of the secrets that are for registries.
func (h *Helpers) dockerList(ctx context.Context, out io.Writer) error {
	all, err := h.For(ctx, spec.ProtocolDocker)
	if err != nil {
		return err
	}
	list := map[string]string{}
	for _, a := range all {
		if sp, err := h.Specs.Get(a.rec.Secret.Provider); err == nil && len(sp.Helpers) > 0 {
			list[a.At] = a.parts["username"]
		}
	}
	return writeJSON(out, list)
}

// writeJSON prints an answer as a line of JSON, unless a part of it would be another text there.
func (a *Answer) writeJSON(out io.Writer, v any) error {
	if err := a.fitsJSON(); err != nil {
		return err
	}
	return writeJSON(out, v)
}

// fitsJSON refuses bytes that are not UTF-8, which encoding/json replaces.
func (a *Answer) fitsJSON() error {
	if bad := secret.Binary(maps.Clone(a.parts)); bad != nil {
		return fmt.Errorf("the %s of %s is not UTF-8, which the answer cannot hold", slices.Min(slices.Collect(maps.Keys(bad))), a.Secret)
	}
	return nil
}

// writeJSON prints a line of JSON.
func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// oneJSON reads one JSON value, and nothing behind it. Bytes that are not UTF-8 and halves of
// characters, which json.Unmarshal replaces, are refused. Its errors quote nothing.
func oneJSON(data []byte, v any) error {
	if _, err := codec.FromJSON(data); err != nil {
		return errors.New("it is not JSON")
	}
	if json.Unmarshal(data, v) != nil {
		return errors.New("its JSON has another shape")
	}
	return nil
}
