package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
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

// courier brings secrets to hosts by wrapping tokens.
type courier struct {
	h    *Host
	w    store.Wrapper
	opts SyncOptions
	// reach are the variables by which a host finds the server.
	reach map[string]string
	// records reads the secrets, once, for hosts that only have the vault command.
	records func() ([]*store.Record, error)
}

func (h *Host) courier(ctx context.Context, opts SyncOptions) (*courier, error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	w, ok := st.(store.Wrapper)
	if !ok {
		return nil, fault.WithHint(fault.WithKind(errors.New("only a store in Vault can hand secrets to hosts by itself"), fault.Usage),
			"--store vault://MOUNT/PREFIX; without --via the secrets go over SSH")
	}
	reach, err := w.Reach()
	if err != nil {
		return nil, err
	}
	return &courier{h, w, opts, reach, sync.OnceValues(func() ([]*store.Record, error) { return h.GetAll(ctx, opts.Names) })}, nil
}

// where programs are that a shell without a login does not look for.
const morePath = `PATH=$PATH:/usr/local/bin:$HOME/.local/bin:$HOME/bin:$HOME/go/bin; export PATH; `

// probe says what a host has, in words.
const probe = morePath + `[ -z "${VAULT_ADDR-}" ] || echo addr
if command -v rhx >/dev/null 2>&1; then echo rhx; elif command -v vault >/dev/null 2>&1; then echo vault; fi`

// sync brings the secrets to one host.
func (c *courier) sync(ctx context.Context, m machine.Machine) ([]Loaded, error) {
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
		for name, value := range c.reach {
			vars = append(vars, machine.Var{Name: name, Value: value})
		}
	}
	deliverer, _ := m.(machine.Deliverer)
	switch {
	case slices.Contains(has, "rhx"):
		return c.byRhx(ctx, m.Name(), runner, vars)
	case slices.Contains(has, "vault") && deliverer != nil:
		recs, err := c.records()
		if err != nil {
			return nil, err
		}
		return c.h.syncOne(ctx, &viaVault{m, deliverer, c, vars}, recs, c.opts)
	}
	return nil, fault.WithHint(fmt.Errorf("%s: neither rhx nor vault is there, to use a wrapping token", m.Name()), "without --via the secrets go over SSH, which needs nothing there")
}

// byRhx sends the host's rhx a token for each secret. The values never come here.
func (c *courier) byRhx(ctx context.Context, name string, runner machine.Runner, vars []machine.Var) ([]Loaded, error) {
	tokens := make([]Token, len(c.opts.Names))
	errs := make([]error, len(tokens))
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, secretName := range c.opts.Names {
		g.Go(func() error {
			tokens[i].Name = secretName
			tokens[i].Token, errs[i] = c.w.Wrap(ctx, secretName, c.opts.Wrap)
			if st, err := c.h.Store(ctx); err == nil && errors.Is(errs[i], store.ErrNotFound) {
				errs[i] = c.h.notFound(ctx, st, secretName, 0)
			}
			return nil
		})
	}
	_ = g.Wait()
	var out []Loaded
	var good []Token
	for i, t := range tokens {
		if errs[i] != nil {
			out = append(out, failedOn(name, t.Name, errs[i]))
		} else {
			good = append(good, t)
		}
	}
	if len(good) == 0 {
		return out, nil
	}
	argv := []string{"sh", "-c", morePath + `exec rhx "$@"`, "rhx", "load", "--wrapped", "-", "-o", "json", "--no-input"}
	if c.opts.Env {
		argv = append(argv, "--env")
	}
	if c.opts.Overwrite {
		argv = append(argv, "--overwrite")
	}
	if c.opts.DryRun {
		argv = append(argv, "--dry-run")
	}
	var answer, said bytes.Buffer
	status, err := runner.Run(ctx, machine.RunSpec{Argv: argv, Env: vars, Stdin: bytes.NewReader(formatTokens(good)), Stdout: &answer, Stderr: &said})
	if err != nil {
		return nil, err
	}
	loaded, err := loadedThere(name, status, answer.Bytes(), said.Bytes())
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(said.String(), "\n") {
		if text, ok := strings.CutPrefix(line, "rhx: warning: "); ok && c.opts.Warn != nil {
			c.opts.Warn(name + ": " + plainLine(text))
		}
	}
	asked := func(l Loaded) bool {
		return slices.ContainsFunc(good, func(t Token) bool { return t.Name == l.Secret })
	}
	loaded = slices.DeleteFunc(loaded, func(l Loaded) bool { return !asked(l) })
	for _, t := range good {
		if !slices.ContainsFunc(loaded, func(l Loaded) bool { return l.Secret == t.Name }) {
			loaded = append(loaded, failedOn(name, t.Name, errors.New("the rhx there does not say what became of it")))
		}
	}
	return append(out, loaded...), nil
}

func failedOn(machine, secret string, err error) Loaded {
	return Loaded{machine, secret, provider.Placement{Action: provider.Failed, Err: err}}
}

// loadedThere reads what rhx load -o json printed on another machine.
func loadedThere(name string, status int, answer, said []byte) ([]Loaded, error) {
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
		err := fmt.Errorf("%s: the rhx there ended with status %d: %s", name, status, plainLine(why.Error))
		return nil, fault.WithHint(err, plainLine(why.Hint))
	}
	out := make([]Loaded, len(list))
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
		out[i] = Loaded{name, l.Secret, p}
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
	c    *courier
	vars []machine.Var
}

func (v *viaVault) Write(ctx context.Context, changes []machine.Change) ([]error, error) {
	errs, err := v.to.WriteVia(ctx, changes, func(text []byte) (machine.Fetch, error) {
		token, err := v.c.w.WrapText(ctx, secret.NewValue(string(text)), v.c.opts.Wrap)
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
	return errs, err
}

// DefaultWrap is how long a wrapping token is good for.
const DefaultWrap = 2 * time.Minute
