//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/store/vaultstore"
)

// loginJSON is login's JSON.
type loginJSON struct {
	Address    string       `json:"address"`
	Namespace  string       `json:"namespace,omitempty"`
	Method     string       `json:"method"`
	User       string       `json:"user,omitempty"`
	Policies   []string     `json:"policies,omitempty"`
	Expires    *time.Time   `json:"expires,omitempty"`
	Store      string       `json:"store,omitempty"`
	Uploaded   []savedJSON  `json:"uploaded"`
	Downloaded []loadedJSON `json:"downloaded"`
}

// login logs in, keeps the token, and offers to exchange secrets.
func (a *app) login(ctx context.Context, c *loginCmd) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	conf, err := e.Stores.Config()
	if err != nil {
		return err
	}
	if a.Store != "" && !strings.HasPrefix(a.Store, vaultstore.Scheme) {
		return fault.WithHint(fault.WithKind(fmt.Errorf("the store %q needs no login", a.Store), fault.Usage), "--store vault://MOUNT/PREFIX, or leave it out")
	}
	if a.Store != "" {
		if err := vaultstore.CheckURL(a.Store); err != nil {
			return err
		}
	}
	logins, err := a.vaultLogins()
	if err != nil {
		return err
	}
	if err := checkServer(c.Vault); err != nil {
		return err
	}
	getenv, err := logins.EnvFor(c.Vault, c.Namespace)
	if err != nil {
		return err
	}
	how, err := a.loginOf(ctx, c)
	if err != nil {
		return err
	}
	s, err := logins.Login(ctx, getenv, how, a.Store)
	if err != nil {
		return err
	}
	e.Book.NoteStore(s.Address, "logged in")
	a.tellLogin(s)
	if a.Store == "" {
		if a.Store, err = logins.StoreFor(ctx, getenv, s, conf, a.chooser()); err != nil {
			return err
		}
		if err := logins.Choose(ctx, getenv, s, a.Store); err != nil {
			return err
		}
	}
	if a.Output == "table" {
		a.say("Store: " + a.Store)
	}
	out := &loginJSON{Address: s.Address, Namespace: s.Namespace, Method: s.Method, User: s.User, Policies: s.Policies, Store: a.Store,
		Uploaded: []savedJSON{}, Downloaded: []loadedJSON{}}
	if !s.Expires.IsZero() {
		out.Expires = &s.Expires
	}
	upload, upErr := a.offerUpload(ctx, e, c, out)
	download, downErr := a.offerDownload(ctx, e, c, out)
	if done, err := a.data(out); done && err != nil {
		return err
	}
	if err := errors.Join(upErr, downErr); err != nil {
		// The login itself is done.
		return fault.WithKind(err, fault.Partial)
	}
	return partlyDone(upload || download)
}

// checkServer checks the address of --vault.
func checkServer(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fault.WithHint(fault.WithKind(errors.New("--vault is not the address of a server"), fault.Usage),
			"it begins with https://, such as https://vault.example.com:8200")
	}
	return nil
}

// chooser asks which store is meant, where somebody can be asked.
func (a *app) chooser() func(engines []string, usual string) (string, error) {
	if !a.canOffer() {
		return nil
	}
	return func(engines []string, usual string) (string, error) {
		return a.line(fmt.Sprintf("Store (this login may use %s) [%s]: ", strings.Join(engines, ", "), usual))
	}
}

// loginOf is the login that the flags ask for, with its secret.
func (a *app) loginOf(ctx context.Context, c *loginCmd) (vaultstore.Login, error) {
	l := vaultstore.Login{Method: c.Method, Mount: c.Mount, Username: c.Username, Role: c.Role}
	if l.Method == "" {
		switch {
		case c.Username != "":
			l.Method = "userpass"
		case c.Role != "" || c.JWT != "" || c.Mount != "":
			return l, fault.WithHint(fault.WithKind(errors.New("which auth method is meant?"), fault.Usage), "--method "+strings.Join(vaultstore.Methods(), ", "))
		default:
			l.Method = "token"
		}
	}
	if !slices.Contains(vaultstore.Methods(), l.Method) {
		return l, fault.WithHint(fault.WithKind(fmt.Errorf("unknown auth method %q%s", l.Method, fault.DidYouMean(l.Method, vaultstore.Methods())), fault.Usage),
			"the methods are "+strings.Join(vaultstore.Methods(), ", "))
	}
	if c.JWT != "" && l.Method != "jwt" && l.Method != "kubernetes" {
		return l, fault.WithKind(errors.New("--jwt is for the methods jwt and kubernetes"), fault.Usage)
	}
	var err error
	switch l.Method {
	case "userpass", "ldap":
		if l.Username == "" && a.InTTY {
			if l.Username, err = a.line("Username: "); err != nil {
				return l, err
			}
		}
		if l.Username == "" {
			return l, fault.WithHint(fault.WithKind(fmt.Errorf("%s needs a user's name", l.Method), fault.Usage), "--username NAME")
		}
		l.Secret, err = a.loginSecret(ctx, fmt.Sprintf("Password of %s (not shown): ", l.Username))
	case "approle":
		l.Secret, err = a.loginSecret(ctx, "Secret ID (not shown): ")
	case "token":
		l.Secret, err = a.loginSecret(ctx, "Token (not shown): ")
	case "jwt", "kubernetes":
		file := c.JWT
		if file == "" && l.Method == "kubernetes" {
			// Where every pod has it.
			file = "/var/run/secrets/kubernetes.io/serviceaccount/token"
		}
		if file == "" {
			l.Secret, err = a.loginSecret(ctx, "JWT (not shown): ")
			break
		}
		data, readErr := a.input(ctx, file, 1<<20)
		if readErr != nil {
			return l, fault.WithHint(fmt.Errorf("read the JWT: %w", readErr), "--jwt FILE names the file")
		}
		l.Secret = secret.NewValue(strings.TrimSpace(string(data)))
	case "oidc":
		l.OIDC = vaultstore.OIDC{Port: c.Port, Show: func(url string) { a.browse(url, !c.NoBrowser) }}
	}
	return l, err
}

// loginSecret asks for a secret, or reads it from stdin where that is no terminal.
func (a *app) loginSecret(ctx context.Context, prompt string) (secret.Value, error) {
	if a.InTTY {
		text, err := a.hidden(prompt)
		return secret.NewValue(text), err
	}
	data, err := a.input(ctx, "-", 1<<20)
	if err != nil {
		return secret.Value{}, err
	}
	return secret.NewValue(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")), nil
}

func (a *app) tellLogin(s *vaultstore.Session) {
	if a.Output == "table" {
		text := "Logged in at " + s.Address
		if s.User != "" {
			text += " as " + term.Line(s.User)
		}
		if s.Expires.IsZero() {
			text += "; the token does not expire"
		} else {
			text += ", until " + s.Expires.Local().Format("2006-01-02 15:04")
		}
		a.say(text)
	}
	if s.Root {
		a.warn("this is a root token: it may do everything. Log in as a user for daily work")
	}
	vars := vaultstore.Environment(a.Getenv)
	if vars("VAULT_TOKEN") != "" {
		a.warn("VAULT_TOKEN is set, and commands use it before this login")
	}
	addr := vars("VAULT_AGENT_ADDR")
	if addr == "" {
		addr = vars("VAULT_ADDR")
	}
	if addr != "" && !vaultstore.SameServer(addr, s.Address) {
		a.warn("VAULT_ADDR or VAULT_AGENT_ADDR names another server, and commands use that one")
	}
}

// offerUpload shows what of this machine the store lacks, and uploads it if it
// may. It reports whether a part failed.
func (a *app) offerUpload(ctx context.Context, e *engine.Engine, c *loginCmd, out *loginJSON) (bool, error) {
	if c.NoUpload || !c.Upload && !c.Yes && !a.canOffer() {
		return false, nil
	}
	plan, err := e.Exchange.PlanUpload(ctx, e.Local)
	if err != nil {
		return false, err
	}
	var rows [][]string
	var todo []exchange.Upload
	n := counts{}
	for _, u := range plan {
		n[u.Action]++
		switch u.Action {
		case provider.Created:
			rows = append(rows, []string{u.Found.Name, placesCell(u.Found.Sources), "new"})
		case provider.Updated:
			rows = append(rows, []string{u.Found.Name, placesCell(u.Found.Sources), fmt.Sprintf("differs from version %d: %s", u.Version, strings.Join(u.Keys, ", "))})
		case provider.Unchanged:
			rows = append(rows, []string{u.Found.Name, placesCell(u.Found.Sources), "same"})
			continue
		}
		todo = append(todo, u)
	}
	if n[provider.Created]+n[provider.Updated]+n[provider.Failed] == 0 {
		if a.Output == "table" {
			a.say(fmt.Sprintf("Upload: nothing; the store has all of this machine's secrets (%d).", len(plan)))
		}
		return false, nil
	}
	if err := a.showPlan("Upload to "+a.Store+": "+n.text(), "FROM", rows); err != nil {
		return false, err
	}
	replace := c.Yes
	if !c.Upload && !c.Yes && n[provider.Created]+n[provider.Updated] > 0 {
		if !a.ask("Upload " + n.does("version")) {
			todo = slices.DeleteFunc(todo, func(u exchange.Upload) bool { return u.Action != provider.Failed })
		}
		replace = true
	}
	saved, err := e.Exchange.Upload(ctx, todo, replace)
	if err != nil {
		return false, err
	}
	if a.Output != "table" {
		out.Uploaded = savedList(saved)
	} else if err := a.printSaved(saved); err != nil && !errors.As(err, new(exitCode)) {
		return false, err
	}
	return slices.ContainsFunc(saved, func(s exchange.Saved) bool { return s.Err != nil }), nil
}

// offerDownload shows what of the store this machine lacks, and loads it if it may.
func (a *app) offerDownload(ctx context.Context, e *engine.Engine, c *loginCmd, out *loginJSON) (bool, error) {
	if c.NoDownload || !c.Download && !c.Yes && !a.canOffer() {
		return false, nil
	}
	plan, err := e.Exchange.PlanDownload(ctx)
	if err != nil && (plan == nil || len(plan.Outcomes) == 0) {
		return false, err
	}
	if err != nil {
		a.report("download", err)
	}
	var rows [][]string
	n, of := counts{}, map[string]provider.Action{}
	for _, l := range plan.Outcomes {
		action, what := l.Action, ""
		switch l.Action {
		case provider.Conflict:
			action, what = provider.Updated, "differs: "+strings.Join(l.Keys, ", ")
		case provider.Created, provider.Updated: // a new file, or new keys in one
			action, what = provider.Created, "new"
		case provider.Unchanged:
			what = "same"
		case provider.Removed:
			action, what = provider.Updated, "to be removed"
		}
		if what != "" {
			rows = append(rows, []string{l.Secret, l.Source.String(), what})
		}
		// A secret in several places counts once, as what is most to it.
		if was, ok := of[l.Secret]; !ok || weight(action) > weight(was) {
			of[l.Secret] = action
		}
	}
	for _, action := range of {
		n[action]++
	}
	for _, name := range plan.Left {
		rows = append(rows, []string{name, "-", "stays in the store: no file or variable is for it"})
	}
	if n[provider.Created]+n[provider.Updated]+n[provider.Failed] == 0 {
		if a.Output == "table" {
			a.say(fmt.Sprintf("Download: nothing; this machine has all that the store has for it (%d).", n[provider.Unchanged]))
		}
		return err != nil, nil
	}
	if err := a.showPlan("Download from "+a.Store+": "+n.text(), "TO", rows); err != nil {
		return false, err
	}
	overwrite := c.Yes
	if !c.Download && !c.Yes {
		if n[provider.Created]+n[provider.Updated] == 0 || !a.ask("Download "+n.does("file's values")) {
			for _, l := range plan.Outcomes {
				if l.Action == provider.Failed {
					a.printPlacement(l, false)
				}
			}
			return err != nil || n[provider.Failed] > 0, nil //nolint:nilerr // the report has it
		}
		overwrite = true
	}
	loaded, err2 := e.Exchange.Download(ctx, plan, overwrite)
	if err2 != nil {
		a.report("download", err2)
	}
	if a.Output != "table" {
		out.Downloaded = loadedList(loaded)
	} else if err := a.printLoaded(loaded, false); err != nil && !errors.As(err, new(exitCode)) {
		return false, err
	}
	if slices.ContainsFunc(loaded, func(l session.Outcome) bool { return l.Source.Kind == secret.SourceEnv && l.Action == provider.Created }) && a.Output == "table" {
		a.say("To have the variables in this shell: . " + e.Deliver.EnvFile())
	}
	return err != nil || err2 != nil || loadedStatus(loaded) != nil, nil //nolint:nilerr // the report has them
}

// canOffer reports whether a list can be shown and asked about.
func (a *app) canOffer() bool { return a.canAsk() && a.Output == "table" }

// weight orders actions by how much they are to a person.
func weight(a provider.Action) int {
	return slices.Index([]provider.Action{provider.Unchanged, provider.Created, provider.Updated, provider.Failed}, a)
}

// counts says how many secrets a plan has of each action.
type counts map[provider.Action]int

func (n counts) text() string {
	var parts []string
	for _, p := range []struct {
		action provider.Action
		what   string
	}{{provider.Created, "new"}, {provider.Updated, "differs"}, {provider.Failed, "failed"}, {provider.Unchanged, "same"}} {
		if n[p.action] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[p.action], p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// does is the end of a question: what a yes does.
func (n counts) does(replaced string) string {
	switch {
	case n[provider.Updated] == 0:
		return plural(n[provider.Created], "secret") + "?"
	case n[provider.Created] == 0:
		return fmt.Sprintf("%s, in place of the other %s?", plural(n[provider.Updated], "secret"), replaced)
	}
	return fmt.Sprintf("%s, %d of them in place of the other %s?", plural(n[provider.Created]+n[provider.Updated], "secret"), n[provider.Updated], replaced)
}

// showPlan prints what would happen.
func (a *app) showPlan(title, place string, rows [][]string) error {
	if a.Output != "table" || a.Quiet && !a.canAsk() {
		return nil
	}
	fmt.Fprintln(a.Out, title)
	if len(rows) == 0 {
		return nil
	}
	return a.stateTable([]string{"SECRET", place, "WHAT"}, rows, 2)
}
