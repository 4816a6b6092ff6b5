//go:build !slim

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store"
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
	h, err := a.host()
	if err != nil {
		return err
	}
	conf, err := a.config()
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
	getenv, err := a.loginEnv(c, conf)
	if err != nil {
		return err
	}
	l, err := a.loginOf(c)
	if err != nil {
		return err
	}
	s, err := vaultstore.Authenticate(ctx, vaultstore.Options{Getenv: getenv}, l)
	if err != nil {
		return err
	}
	old, sealed, err := a.readSession(ctx)
	if err != nil {
		a.warn("the login before is replaced: " + err.Error())
	}
	if err := a.writeSession(ctx, sealed, s); err != nil {
		if s.Method != "token" {
			_ = s.Revoke(ctx, getenv)
		}
		return fmt.Errorf("keep the token: %w", err)
	}
	// A token that somebody made elsewhere and brought along may be in use there.
	if old != nil && old.Token != s.Token && old.Method != "token" {
		bounded, cancel := context.WithTimeout(ctx, revokeTimeout)
		_ = old.Revoke(bounded, a.Getenv) // the server may be gone, and the token ends by itself
		cancel()
	}
	server := config.Vault{Address: s.Address, Namespace: s.Namespace}
	if ca := getenv("VAULT_CACERT"); ca != "" {
		if server.CACert, err = filepath.Abs(ca); err != nil {
			return err
		}
	}
	// The login is noted before a store is chosen: it is done, whatever follows.
	if err := config.SetLogin(ctx, h.Dirs, h.Local, a.Store, server); err != nil {
		return err
	}
	a.tellLogin(s)
	storeURL, err := a.chooseStore(ctx, s, getenv, conf)
	if err != nil {
		return err
	}
	if err := config.SetLogin(ctx, h.Dirs, h.Local, storeURL, server); err != nil {
		return err
	}
	a.Store, a.loggedIn = storeURL, s.Getenv(getenv)
	a.confLock.Lock()
	a.conf = nil // it is another now
	a.confLock.Unlock()
	if a.Output == "table" {
		a.say("Store: " + storeURL)
	}
	out := &loginJSON{Address: s.Address, Namespace: s.Namespace, Method: s.Method, User: s.User, Policies: s.Policies, Store: storeURL,
		Uploaded: []savedJSON{}, Downloaded: []loadedJSON{}}
	if !s.Expires.IsZero() {
		out.Expires = &s.Expires
	}
	upload, upErr := a.offerUpload(ctx, h, c, out)
	download, downErr := a.offerDownload(ctx, h, c, out)
	if done, err := a.data(out); done && err != nil {
		return err
	}
	if err := errors.Join(upErr, downErr); err != nil {
		// The login itself is done.
		return fault.WithKind(err, fault.Partial)
	}
	if upload || download {
		return exitCode(3)
	}
	return nil
}

// revokeTimeout bounds how long a token's end is waited for.
const revokeTimeout = 10 * time.Second

// loginEnv is the environment for a login: the flags first, then the variables,
// then the last login's server.
func (a *app) loginEnv(c *loginCmd, conf *config.Config) (func(string) string, error) {
	if c.Vault == "" {
		base := vaultEnv(a.Getenv, conf.Vault)
		if c.Namespace == "" {
			return base, nil
		}
		return overlay(base, map[string]string{"VAULT_NAMESPACE": c.Namespace}), nil
	}
	u, err := url.Parse(c.Vault)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, fault.WithHint(fault.WithKind(errors.New("--vault is not the address of a server"), fault.Usage),
			"it begins with https://, such as https://vault.example.com:8200")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		a.warn("the connection to " + c.Vault + " is not encrypted: the token and all secrets can be read on their way")
	}
	base := a.Getenv
	if vaultstore.SameServer(c.Vault, conf.Vault.Address) {
		base = vaultEnv(overlay(a.Getenv, map[string]string{"VAULT_ADDR": "", "VAULT_AGENT_ADDR": ""}), conf.Vault)
	}
	with := map[string]string{"VAULT_ADDR": c.Vault, "VAULT_AGENT_ADDR": ""}
	if c.Namespace != "" {
		with["VAULT_NAMESPACE"] = c.Namespace
	}
	return overlay(base, with), nil
}

func overlay(getenv func(string) string, with map[string]string) func(string) string {
	return func(name string) string {
		if v, ok := with[name]; ok {
			return v
		}
		return getenv(name)
	}
}

// vaultEnv is the environment with the server of the last login where the
// variables name none, and with what belongs to that server where they name it.
func vaultEnv(getenv func(string) string, v config.Vault) func(string) string {
	if v.Address == "" || getenv("VAULT_AGENT_ADDR") != "" {
		return getenv
	}
	if addr := getenv("VAULT_ADDR"); addr != "" && !vaultstore.SameServer(addr, v.Address) {
		return getenv
	}
	with := map[string]string{}
	add := func(name, value string, unless ...string) {
		if value != "" && !slices.ContainsFunc(append(unless, name), func(n string) bool { return getenv(n) != "" }) {
			with[name] = value
		}
	}
	add("VAULT_ADDR", v.Address)
	add("VAULT_NAMESPACE", v.Namespace)
	add("VAULT_CACERT", v.CACert, "VAULT_CACERT_BYTES", "VAULT_CAPATH")
	return overlay(getenv, with)
}

// loginOf is the login that the flags ask for, with its secret.
func (a *app) loginOf(c *loginCmd) (vaultstore.Login, error) {
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
		l.Secret, err = a.loginSecret(fmt.Sprintf("Password of %s (not shown): ", l.Username))
	case "approle":
		l.Secret, err = a.loginSecret("Secret ID (not shown): ")
	case "token":
		l.Secret, err = a.loginSecret("Token (not shown): ")
	case "jwt", "kubernetes":
		file := c.JWT
		if file == "" && l.Method == "kubernetes" {
			// Where every pod has it.
			file = "/var/run/secrets/kubernetes.io/serviceaccount/token"
		}
		if file == "" {
			l.Secret, err = a.loginSecret("JWT (not shown): ")
			break
		}
		data, readErr := os.ReadFile(file)
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
func (a *app) loginSecret(prompt string) (secret.Value, error) {
	if a.InTTY {
		text, err := a.hidden(prompt)
		return secret.NewValue(text), err
	}
	data, err := io.ReadAll(io.LimitReader(a.In, 1<<20))
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
	if a.Getenv("VAULT_TOKEN") != "" {
		a.warn("VAULT_TOKEN is set, and commands use it before this login")
	}
	addr := a.Getenv("VAULT_AGENT_ADDR")
	if addr == "" {
		addr = a.Getenv("VAULT_ADDR")
	}
	if addr != "" && !vaultstore.SameServer(addr, s.Address) {
		a.warn("VAULT_ADDR or VAULT_AGENT_ADDR names another server, and commands use that one")
	}
}

// chooseStore returns the store for later commands: the one that is named, the
// one before, or an engine that the login may use.
func (a *app) chooseStore(ctx context.Context, s *vaultstore.Session, getenv func(string) string, conf *config.Config) (string, error) {
	if a.Store != "" {
		return a.Store, nil
	}
	if strings.HasPrefix(conf.Store, vaultstore.Scheme) && (conf.Vault.Address == "" || vaultstore.SameServer(conf.Vault.Address, s.Address)) {
		return conf.Store, nil
	}
	engines, err := s.Engines(ctx, getenv)
	if err != nil {
		return "", fault.WithHint(fmt.Errorf("which stores this login may use: %w", err), "you are logged in; rhx login --store vault://MOUNT/PREFIX names the store")
	}
	usual := ""
	if len(engines) == 1 {
		usual = engines[0]
	} else if slices.Contains(engines, vaultstore.Scheme+"secret") {
		usual = vaultstore.Scheme + "secret"
	}
	if a.canOffer() && len(engines) != 1 {
		answer, err := a.line(fmt.Sprintf("Store (this login may use %s) [%s]: ", strings.Join(engines, ", "), usual))
		if err != nil {
			return "", err
		}
		if answer = strings.TrimSpace(answer); answer != "" {
			usual = answer
			if !strings.HasPrefix(usual, vaultstore.Scheme) {
				usual = vaultstore.Scheme + strings.Trim(usual, "/")
			}
			if err := vaultstore.CheckURL(usual); err != nil {
				return "", err
			}
		}
	}
	switch {
	case usual != "":
		return usual, nil
	case len(engines) == 0:
		return "", fault.WithHint(errors.New("you are logged in, but this login sees no kv engine to keep secrets in"),
			"name the store: rhx login --store vault://MOUNT/PREFIX")
	}
	return "", fault.WithHint(errors.New("you are logged in, but which store is meant is not clear"),
		"name it: rhx login --store "+strings.Join(engines, ", or "))
}

// offerUpload shows what of this machine the store lacks, and uploads it if it
// may. It reports whether a part failed.
func (a *app) offerUpload(ctx context.Context, h *host.Host, c *loginCmd, out *loginJSON) (bool, error) {
	if c.NoUpload || !c.Upload && !c.Yes && !a.canOffer() {
		return false, nil
	}
	plan, err := h.PlanUpload(ctx, h.Local)
	if err != nil {
		return false, err
	}
	var rows [][]string
	var todo []host.Upload
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
			todo = slices.DeleteFunc(todo, func(u host.Upload) bool { return u.Action != provider.Failed })
		}
		replace = true
	}
	saved, err := h.Upload(ctx, todo, replace)
	if err != nil {
		return false, err
	}
	if a.Output != "table" {
		out.Uploaded = savedList(saved)
	} else if err := a.printSaved(saved); err != nil && !errors.As(err, new(exitCode)) {
		return false, err
	}
	return slices.ContainsFunc(saved, func(s host.Saved) bool { return s.Err != nil }), nil
}

// offerDownload shows what of the store this machine lacks, and loads it if it may.
func (a *app) offerDownload(ctx context.Context, h *host.Host, c *loginCmd, out *loginJSON) (bool, error) {
	if c.NoDownload || !c.Download && !c.Yes && !a.canOffer() {
		return false, nil
	}
	plan, err := h.PlanDownload(ctx)
	if err != nil && (plan == nil || len(plan.Loaded) == 0) {
		return false, err
	}
	if err != nil {
		a.report("download", err)
	}
	var rows [][]string
	n, of := counts{}, map[string]provider.Action{}
	for _, l := range plan.Loaded {
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
			for _, l := range plan.Loaded {
				if l.Action == provider.Failed {
					a.printPlacement(l, false)
				}
			}
			return err != nil || n[provider.Failed] > 0, nil
		}
		overwrite = true
	}
	h.Begin("login")
	loaded, err2 := h.Download(ctx, plan, overwrite)
	if err := h.Record(ctx, loaded); err != nil {
		a.warn("the places were not noted in rhx's configuration: " + err.Error())
	}
	if err2 != nil {
		a.report("download", err2)
	}
	if a.Output != "table" {
		out.Downloaded = loadedList(loaded)
	} else if err := a.printLoaded(loaded, false); err != nil && !errors.As(err, new(exitCode)) {
		return false, err
	}
	if slices.ContainsFunc(loaded, func(l host.Loaded) bool { return l.Source.Kind == secret.SourceEnv && l.Action == provider.Created }) && a.Output == "table" {
		a.say("To have the variables in this shell: . " + h.EnvFile())
	}
	return err != nil || err2 != nil || loadedStatus(loaded) != nil, nil
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

// sessionPath is the file of the token.
func (a *app) sessionPath() string { return filepath.Join(a.dirs.Data, "vault-token.age") }

// readSession returns the login that is kept, nil if there is none, and the
// file as it is.
func (a *app) readSession(ctx context.Context) (*vaultstore.Session, []byte, error) {
	sealed, err := os.ReadFile(a.sessionPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	local, err := a.localStore()
	if err != nil {
		return nil, sealed, err
	}
	data, err := local.Unseal(ctx, sealed)
	if err == nil {
		var s *vaultstore.Session
		if s, err = vaultstore.DecodeSession(data); err == nil {
			return s, sealed, nil
		}
	}
	return nil, sealed, fmt.Errorf("%s: %w", a.sessionPath(), err)
}

// writeSession keeps a login in place of the file as it was read.
func (a *app) writeSession(ctx context.Context, old []byte, s *vaultstore.Session) error {
	local, err := a.localStore()
	if err != nil {
		return err
	}
	data, err := s.Encode()
	if err != nil {
		return err
	}
	sealed, err := local.Seal(ctx, data)
	if err != nil {
		return err
	}
	return a.replaceOwn(ctx, a.sessionPath(), old, sealed)
}

// unwrapper returns what uses wrapping tokens.
func (a *app) unwrapper() (func(context.Context, string, secret.Value) (*store.Record, error), error) {
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	getenv := vaultEnv(a.Getenv, conf.Vault)
	return func(ctx context.Context, name string, token secret.Value) (*store.Record, error) {
		return vaultstore.Unwrap(ctx, getenv, name, token)
	}, nil
}

// openVault opens a store in HashiCorp Vault, and renews the login that it uses
// where its end is near, beside the command's own work.
func (a *app) openVault(url, home string) (store.Store, error) {
	conf, err := a.config()
	if err != nil {
		return nil, err
	}
	getenv := a.loggedIn
	if getenv == nil {
		getenv = vaultEnv(a.Getenv, conf.Vault)
	}
	var sealed []byte
	st, err := vaultstore.Open(vaultstore.Options{URL: url, Getenv: getenv, Home: home, Login: func() (s *vaultstore.Session, err error) {
		s, sealed, err = a.readSession(context.Background())
		return s, err
	}})
	if err != nil {
		return nil, err // and not a nil *vaultstore.Store, which is no nil store.Store
	}
	if s := st.LoginDue(); s != nil {
		a.inBackground(func(ctx context.Context) {
			renewed, err := s.Renew(ctx, getenv)
			if err == nil {
				// Not over a new login, nor after a logout.
				err = a.writeSession(ctx, sealed, renewed)
			}
			if err != nil {
				a.note("the token of rhx login was not renewed: %v", err)
			}
		})
	}
	return st, nil
}
