package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/parallel"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store"
)

// Token is a wrapping token, and the name of the secret that it is for, "" if
// that is not known.
type Token struct {
	Name  string
	Token secret.Value
}

// ParseTokens reads wrapping tokens: one on each line, which a blank and the
// quoted name of its secret may follow.
func ParseTokens(data []byte) ([]Token, error) {
	var out []Token
	for i, line := range strings.Split(string(data), "\n") {
		token, quoted, named := strings.Cut(strings.TrimSpace(line), " ")
		if token == "" {
			continue
		}
		t := Token{Token: secret.NewValue(token)}
		var err error
		if named {
			if t.Name, err = strconv.Unquote(quoted); err == nil {
				err = secret.ValidName(t.Name)
			}
		}
		if err != nil || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fault.WithKind(fmt.Errorf("line %d is no wrapping token", i+1), fault.Usage)
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, fault.WithKind(errors.New("there is no wrapping token"), fault.Usage)
	}
	return out, nil
}

// formatTokens is what ParseTokens reads.
func formatTokens(tokens []Token) []byte {
	var b bytes.Buffer
	for _, t := range tokens {
		fmt.Fprintf(&b, "%s %s\n", t.Token.Reveal(), strconv.Quote(t.Name))
	}
	return b.Bytes()
}

// ByToken brings secrets to hosts by wrapping tokens of the store: the host gets the
// values from the store itself.
type ByToken struct {
	Deliverer *Deliverer
	Wrapper   store.Wrapper
	// TTL is how long a token is good for.
	TTL time.Duration
	// Keep is after how long the secrets are taken out again; 0 for never.
	Keep time.Duration
	// Names are the secrets. Env brings their variables into the host's env file.
	Names []string
	Env   bool
	// Overwrite replaces values that differ.
	Overwrite bool
	// Missing turns the error of a name that the store does not have into one that
	// says what to do.
	Missing func(ctx context.Context, name string) error
	// Records reads the secrets, for hosts that only have the vault command. It is
	// called for each such host, by several goroutines.
	Records func() ([]*store.Record, error)
	Warn    func(text string)

	reach map[string]string
}

// NewByToken fails where the store cannot do that.
func NewByToken(st store.Store, b ByToken) (*ByToken, error) {
	w, ok := store.As[store.Wrapper](st)
	if !ok {
		return nil, fault.WithHint(fault.WithKind(errors.New("--via vault needs a store in Vault"), fault.Usage),
			"--store vault://MOUNT/PREFIX; without --via the secrets go over SSH")
	}
	reach, err := w.Reach()
	if err != nil {
		return nil, err
	}
	b.Wrapper, b.reach = w, reach
	return &b, nil
}

// morePath adds the folders of programs in which a shell without a login does not look.
const morePath = `PATH=$PATH:/usr/local/bin:$HOME/.local/bin:$HOME/bin:$HOME/go/bin; export PATH; `

// probe says what a host has, in words.
const probe = morePath + `[ -z "${VAULT_ADDR-}" ] || echo addr
if command -v rhx >/dev/null 2>&1; then echo rhx; elif command -v vault >/dev/null 2>&1; then echo vault; fi`

// Deliver brings the secrets to one host. s is nil for a plan.
func (b *ByToken) Deliver(ctx context.Context, s *session.Session, at place.Place, m machine.Machine) ([]session.Outcome, error) {
	runner, ok := m.(machine.Runner)
	if !ok {
		return nil, errors.New("this machine runs no commands")
	}
	var out, said bytes.Buffer
	if _, err := runner.Run(ctx, machine.RunSpec{Argv: []string{"sh", "-c", probe}, Stdout: &out, Stderr: &said}); err != nil {
		return nil, err
	}
	has := strings.Fields(out.String())
	var vars []machine.Var
	if !slices.Contains(has, "addr") {
		for name, value := range b.reach {
			vars = append(vars, machine.Var{Name: name, Value: value})
		}
	}
	fetcher, _ := m.(machine.Deliverer)
	switch {
	case slices.Contains(has, "rhx"):
		outcomes, err := b.byRhx(ctx, s == nil, at, runner, vars)
		if s != nil {
			s.Relay(outcomes)
		}
		return outcomes, err
	case slices.Contains(has, "vault") && fetcher != nil:
		recs, err := b.Records()
		if err != nil {
			return nil, err
		}
		what := Delivery{Files: recs}
		if b.Env {
			what = Delivery{Vars: b.Deliverer.Groups(recs, true)}
		}
		what.Last(b.Keep)
		opts := Options{Warn: b.Warn}
		if b.Overwrite {
			opts.Resolve = ReplaceAll
		}
		return b.Deliverer.deliver(ctx, s, at, &viaVault{m, fetcher, b, vars}, what, opts)
	}
	return nil, fault.WithHint(fmt.Errorf("%s: neither rhx nor vault is there, to use a wrapping token", at), "without --via the secrets go over SSH, which needs nothing there")
}

// byRhx sends the host's rhx a token for each secret. The values never come here.
func (b *ByToken) byRhx(ctx context.Context, dryRun bool, at place.Place, runner machine.Runner, vars []machine.Var) ([]session.Outcome, error) {
	tokens := make([]Token, len(b.Names))
	errs := make([]error, len(tokens))
	parallel.Do(parallel.Requests, len(tokens), func(i int) {
		tokens[i].Name = b.Names[i]
		tokens[i].Token, errs[i] = b.Wrapper.Wrap(ctx, b.Names[i], b.TTL)
		if errors.Is(errs[i], store.ErrNotFound) {
			errs[i] = b.Missing(ctx, b.Names[i])
		}
	})
	var out []session.Outcome
	var good []Token
	for i, t := range tokens {
		if errs[i] != nil {
			out = append(out, session.Failure(at, t.Name, errs[i]))
		} else {
			good = append(good, t)
		}
	}
	if len(good) == 0 {
		return out, nil
	}
	argv := []string{"sh", "-c", morePath + `exec rhx "$@"`, "rhx", "load", "--wrapped", "-", "-o", "json", "--no-input"}
	if b.Env {
		argv = append(argv, "--env")
	}
	if b.Keep > 0 {
		argv = append(argv, "--ttl", b.Keep.String())
	}
	if b.Overwrite {
		argv = append(argv, "--overwrite")
	}
	if dryRun {
		argv = append(argv, "--dry-run")
	}
	var answer, said bytes.Buffer
	status, err := runner.Run(ctx, machine.RunSpec{Argv: argv, Env: vars, Stdin: bytes.NewReader(formatTokens(good)), Stdout: &answer, Stderr: &said})
	if err != nil {
		return nil, err
	}
	loaded, err := outcomesThere(at, status, answer.Bytes(), said.Bytes())
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(said.String(), "\n") {
		if text, ok := strings.CutPrefix(line, "rhx: warning: "); ok && b.Warn != nil {
			b.Warn(at.String() + ": " + plainLine(text))
		}
	}
	asked := func(l session.Outcome) bool {
		return slices.ContainsFunc(good, func(t Token) bool { return t.Name == l.Secret })
	}
	loaded = slices.DeleteFunc(loaded, func(l session.Outcome) bool { return !asked(l) })
	for _, t := range good {
		if !slices.ContainsFunc(loaded, func(l session.Outcome) bool { return l.Secret == t.Name }) {
			loaded = append(loaded, session.Failure(at, t.Name, errors.New("the rhx there does not say what became of it")))
		}
	}
	return append(out, loaded...), nil
}

// outcomesThere reads what rhx load -o json printed on another machine.
func outcomesThere(at place.Place, status int, answer, said []byte) ([]session.Outcome, error) {
	var list []struct {
		Secret, Path, Var, Error string
		Action                   provider.Action
		Keys                     []string
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		var why struct{ Error, Hint string }
		if json.Unmarshal(said, &why) != nil || why.Error == "" {
			why.Error = string(said)
		}
		err := fmt.Errorf("%s: the rhx there ended with status %d: %s", at, status, plainLine(why.Error))
		return nil, fault.WithHint(err, plainLine(why.Hint))
	}
	out := make([]session.Outcome, len(list))
	for i, l := range list {
		p := provider.Placement{Source: secret.Source{Kind: secret.SourceFile, Path: plainLine(l.Path)}, Action: l.Action, Keys: l.Keys}
		if l.Var != "" {
			p.Source = secret.Source{Kind: secret.SourceEnv, Var: plainLine(l.Var)}
		}
		for j, k := range p.Keys {
			p.Keys[j] = plainLine(k)
		}
		switch p.Action {
		case provider.Created, provider.Updated, provider.Unchanged, provider.Removed, provider.Conflict:
		default:
			p.Action = provider.Failed
		}
		if l.Error != "" || p.Action == provider.Failed || p.Action == provider.Conflict {
			p.Err = errors.New(plainLine(l.Error))
			if strings.Contains(l.Error, store.ErrIntercepted.Error()) {
				p.Err = fault.WithHint(fault.Mark(p.Err, store.ErrIntercepted), interceptedHint)
			}
			if l.Error == ErrVariablesOnly.Error() {
				p.Err = ErrVariablesOnly
			}
		}
		out[i] = session.Outcome{At: at, Secret: l.Secret, Stored: l.Secret, Placement: p}
	}
	return out, nil
}

const interceptedHint = "if nobody you know of used it, count the secret as known to others: save a new one, revoke the old one; Vault's audit log says who unwrapped it"

// plainLine is what another machine says, fit for a terminal.
func plainLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return s
}

// viaVault is a machine whose vault command fetches what is written there.
type viaVault struct {
	machine.Machine
	to   machine.Deliverer
	by   *ByToken
	vars []machine.Var
}

func (v *viaVault) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs, err := v.to.WriteVia(ctx, changes, func(text []byte) (machine.Fetch, error) {
		token, err := v.by.Wrapper.WrapText(ctx, secret.NewValue(string(text)), v.by.TTL)
		if err != nil {
			return machine.Fetch{}, err
		}
		return machine.Fetch{
			Command: morePath + "vault unwrap -field=" + store.WrappedField,
			Env:     append(slices.Clone(v.vars), machine.Var{Name: "VAULT_TOKEN", Value: token.Reveal()}),
		}, nil
	})
	if errors.Is(err, machine.ErrNotFetched) && strings.Contains(err.Error(), "wrapping token is not valid") {
		// Nothing was written, so one error says it for all.
		return nil, fault.WithHint(fmt.Errorf("%s: %w", v.Name(), store.ErrIntercepted), interceptedHint)
	}
	if errors.Is(err, machine.ErrAltered) {
		return nil, fault.WithHint(err, "none of it was run: look at the Vault server, and at the vault command there; without --via the secrets go over SSH")
	}
	return errs, err
}

// DefaultWrap is how long a wrapping token is good for.
const DefaultWrap = 2 * time.Minute
