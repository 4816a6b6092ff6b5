package helper

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// cargoRequest is a line that cargo sends, in version 1 of its protocol.
type cargoRequest struct {
	V        int    `json:"v"`
	Kind     string `json:"kind"`
	Registry struct {
		IndexURL string `json:"index-url"`
		Name     string `json:"name"`
	} `json:"registry"`
	Token string   `json:"token"`
	Args  []string `json:"args"`
}

type cargoOk struct {
	Kind                 string `json:"kind"`
	Token                string `json:"token,omitempty"`
	Cache                string `json:"cache,omitempty"`
	Expiration           int64  `json:"expiration,omitempty"`
	OperationIndependent bool   `json:"operation_independent,omitempty"`
}

type cargoErr struct {
	Kind     string   `json:"kind"`
	Message  string   `json:"message,omitempty"`
	CausedBy []string `json:"caused-by,omitempty"`
}

// cargoAnswer has one of both.
type cargoAnswer struct {
	Ok  *cargoOk  `json:"Ok,omitempty"`
	Err *cargoErr `json:"Err,omitempty"`
}

// Cargo answers cargo's requests, one on each line. A request that fails is answered with
// what failed; Cargo returns an error only if the client does not speak the protocol.
func (h *Helpers) Cargo(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := h.Records.Store(ctx); err != nil { // may start rhx anew
		return err
	}
	if _, err := io.WriteString(out, `{"v":[1]}`+"\n"); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(in, maxInput)
	for {
		line, err := within(ctx, func() ([]byte, error) { return lines.ReadSlice('\n') })
		if errors.Is(err, io.EOF) && len(strings.TrimSpace(string(line))) == 0 {
			return nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = fmt.Errorf("cargo sent more than %d KiB in a line", maxInput>>10)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		r, q, err := parseCargo(line)
		if err != nil {
			return fmt.Errorf("what cargo sent: %w", err)
		}
		if err := writeJSON(out, h.cargo(ctx, r, q)); err != nil {
			return err
		}
	}
}

func parseCargo(line []byte) (*cargoRequest, question, error) {
	r, q := &cargoRequest{}, question{protocol: spec.ProtocolCargo}
	if err := oneJSON(line, r); err != nil {
		return nil, q, err
	}
	if r.V != 1 {
		return nil, q, fmt.Errorf("version %d of the protocol is not known", r.V)
	}
	at, ok := parseAddress(r.Registry.IndexURL)
	if !ok || at.scheme == "" {
		return nil, q, errors.New("the index is not an address")
	}
	q.at, q.name = &at, r.Registry.Name
	if checkLine("name", q.name) != nil || len(q.name) > 200 {
		return nil, q, errors.New("the registry's name is too long, or has control characters")
	}
	return r, q, nil
}

// cargo answers one question.
func (h *Helpers) cargo(ctx context.Context, r *cargoRequest, q question) cargoAnswer {
	own := *h
	if len(r.Args) > 0 {
		if len(r.Args) != 2 || r.Args[0] != "--secret" {
			return cargoFailed(errors.New("the arguments of rhx in cargo's configuration are not --secret NAME"))
		}
		own.Secret = r.Args[1]
	}
	switch r.Kind {
	case "get":
		a, err := own.one(ctx, q)
		if err == nil {
			err = a.fitsJSON()
		}
		if err != nil {
			return cargoFailed(err)
		}
		ok := &cargoOk{Kind: "get", Token: a.parts["token"], Cache: "session", OperationIndependent: true}
		if end := a.rec.Secret.Expires; !end.IsZero() {
			ok.Cache, ok.Expiration = "expires", end.Unix()
		}
		return cargoAnswer{Ok: ok}
	case "login":
		if r.Token == "" {
			// Asking is cargo's, or the pipe's: rhx does not speak on a client's terminal.
			return cargoFailed(errors.New("no token was given: pipe it to cargo login"))
		}
		if err := own.keep(ctx, offer{question: q, profile: r.profile(), parts: map[string]string{"token": r.Token},
			values: r.values()}); err != nil {
			return cargoFailed(err)
		}
		return cargoAnswer{Ok: &cargoOk{Kind: "login"}}
	case "logout":
		found, err := own.erase(ctx, q, "", "", false)
		if err == nil && !found {
			err = ErrNone
		}
		if err != nil {
			return cargoFailed(err)
		}
		return cargoAnswer{Ok: &cargoOk{Kind: "logout"}}
	}
	return cargoAnswer{Err: &cargoErr{Kind: "operation-not-supported"}}
}

// profile is what cargo's own file calls the registry: "" for crates.io.
func (r *cargoRequest) profile() string {
	switch {
	case r.Registry.Name == "crates-io":
		return ""
	case r.Registry.Name != "":
		return r.Registry.Name
	}
	at, _ := parseAddress(r.Registry.IndexURL)
	return strings.ReplaceAll(at.host+"/"+at.path, "/", "-")
}

func (r *cargoRequest) values() secret.Values {
	if r.profile() == "" {
		return values("token", r.Token)
	}
	return values("token", r.Token, "index", r.Registry.IndexURL)
}

func cargoFailed(err error) cargoAnswer {
	if errors.Is(err, ErrNone) {
		return cargoAnswer{Err: &cargoErr{Kind: "not-found"}}
	}
	return cargoAnswer{Err: &cargoErr{Kind: "other", Message: "rhx: " + Message(err)}}
}
