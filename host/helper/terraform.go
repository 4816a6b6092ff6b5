package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rhx-dev/rhx/host/spec"
)

// Terraform answers Terraform and OpenTofu: verb is get, store or forget, and host the
// host with a port where it is not 443.
func (h *Helpers) Terraform(ctx context.Context, verb, host string, in io.Reader, out io.Writer) error {
	at, ok := parseAddress(host)
	if !ok || at.scheme != "" || at.path != "" {
		return errors.New("what was given is not the name of a host")
	}
	q := question{protocol: spec.ProtocolTerraform, at: &at}
	switch verb {
	case "get":
		a, err := h.one(ctx, q)
		if errors.Is(err, ErrNone) {
			_, err = io.WriteString(out, "{}\n")
			return err
		}
		if err != nil {
			return err
		}
		return a.writeJSON(out, map[string]string{"token": a.parts["token"]})
	case "store":
		if _, err := h.Records.Store(ctx); err != nil { // may start rhx anew
			return err
		}
		data, err := readAll(ctx, in)
		if err != nil {
			return err
		}
		token, err := parseTerraform(data)
		if err != nil {
			return fmt.Errorf("what is to be stored: %w", err)
		}
		return h.keep(ctx, offer{question: q, profile: at.host, parts: map[string]string{"token": token}, values: values("token", token)})
	case "forget":
		_, err := h.erase(ctx, q, "", "", false)
		return err
	}
	return fmt.Errorf("unknown action %q: it is get, store or forget", verb)
}

// parseTerraform reads a token. What else an object may have one day cannot be kept, and
// the protocol wants an error then.
func parseTerraform(data []byte) (string, error) {
	var object map[string]json.RawMessage
	if err := oneJSON(data, &object); err != nil {
		return "", err
	}
	var token string
	if len(object) != 1 || json.Unmarshal(object["token"], &token) != nil || token == "" {
		return "", errors.New("rhx keeps an object with a token, and with nothing else")
	}
	return token, checkLine("the token", token)
}
