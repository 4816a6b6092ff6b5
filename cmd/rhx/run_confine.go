package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/nameservice"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/projfile"
	"github.com/rhx-dev/rhx/host/provider"
)

// confineMode is a flag with a value that may be left out.
type confineMode string

const (
	confineAny    confineMode = "any"
	confineStrict confineMode = "strict"
)

// IsBool says that the flag stands alone as well.
func (confineMode) IsBool() bool { return true }

// Decode is that of kong.
func (m *confineMode) Decode(ctx *kong.DecodeContext) error {
	*m = confineAny
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	if v := ctx.Scan.Pop().String(); v != string(confineStrict) {
		return fmt.Errorf("it is --confine, or --confine=strict, and not %q", v)
	}
	*m = confineStrict
	return nil
}

// confined makes ready what hides this machine from the command, and says how it does;
// nil where that is not wanted.
func (c *runCmd) confined(ctx context.Context, a *app, e *engine.Engine) (*confine.Run, error) {
	if c.Confine == "" {
		return nil, nil
	}
	plan, err := confinePlan(ctx, a, e)
	if err != nil {
		return nil, err
	}
	plan.Offline = c.Broker || c.BrokerOnly
	plan, why, err := confine.Check(plan)
	if err != nil {
		return nil, fmt.Errorf("--confine: %w", err)
	}
	linked := plan.Linked()
	switch {
	case c.Confine == confineStrict && why != nil:
		return nil, fault.WithHint(fmt.Errorf("--confine=strict: this system lets rhx make no namespaces: %w", why), confineHint)
	case c.Confine == confineStrict && !plan.Whole():
		return nil, fault.WithHint(fmt.Errorf("--confine=strict: the Landlock of this kernel leaves abstract sockets open in a network that is not the command's own"), "Linux 6.12 and later have that; with --broker the command has a network of its own")
	case c.Confine == confineStrict && linked != "":
		return nil, fault.WithHint(fmt.Errorf("--confine=strict: %s has another name (a hard link), by which the command could read it", linked), "find the other one by find -samefile, and remove it")
	case linked != "":
		a.warn(linked + " has another name (a hard link), by which the command can read it")
	}
	if !a.Quiet || plan.Left() != "" { // that it is less is said in any case
		fmt.Fprintln(a.Err, confineNote(plan, why))
	}
	return confine.New(plan)
}

const confineHint = "--confine alone goes on with Landlock. What usually forbids namespaces: the settings user.max_user_namespaces=0, kernel.unprivileged_userns_clone=0 and kernel.apparmor_restrict_unprivileged_userns=1 of sysctl; in a container, its profile of seccomp and what it masks in /proc"

// confineNote says which of the two walls hold.
func confineNote(p confine.Plan, why error) string {
	network := "the network is as it is"
	if p.Offline {
		network = "of the network there is the broker"
	}
	if why == nil {
		text := "confined by namespaces and Landlock; " + network
		if left := p.Left(); left != "" {
			text += "; open: " + left
		}
		return text
	}
	text := fmt.Sprintf("confined by Landlock alone, since there are no namespaces (%v); open: %s", why, p.Left())
	if p.OnWay() {
		text += "; nothing can be made in the working folder itself, where something is hidden"
	}
	return text
}

// confinePlan is what no command of the user's needs, and from which it could get keys.
func confinePlan(ctx context.Context, a *app, e *engine.Engine) (confine.Plan, error) {
	p := confine.Plan{}
	var err error
	if p.Dir, err = os.Getwd(); err != nil {
		return p, fmt.Errorf("the working folder: %w", err)
	}
	homes, err := confineHomes(a)
	if err != nil {
		return p, err
	}
	add := func(names ...string) {
		for _, name := range names {
			if name != "" && !filepath.IsAbs(name) {
				name = filepath.Join(p.Dir, name)
			}
			if name != "" {
				p.Hidden = append(p.Hidden, filepath.Clean(name))
			}
		}
	}
	// rhx's own, also where they are not yet: a command must not make them for rhx.
	for _, dir := range []string{e.Dirs.Config, e.Dirs.Data, e.Dirs.State, e.Dirs.Cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil && !errors.Is(err, syscall.EROFS) { // where nobody makes them
			return p, err
		}
		add(dir)
	}
	none := func(string) string { return "" }
	for _, home := range homes { // where they are when no variable moves them
		dirs := config.NewDirs(home, none)
		add(dirs.Config, dirs.Data, dirs.State, dirs.Cache)
	}
	add(a.Getenv("RHX_HOME"))
	add(e.Stores.AgentDirs()...)
	identity, err := e.Stores.IdentityFile()
	if err != nil {
		return p, err
	}
	add(identity)
	conf, err := e.Stores.Config()
	if err != nil {
		return p, err
	}
	for _, l := range conf.Secrets {
		for _, name := range append([]string{l.Path}, l.Also...) {
			if rest, ok := strings.CutPrefix(name, "~/"); ok {
				name = filepath.Join(homes[0], rest)
			}
			add(name)
		}
	}
	for i, home := range homes {
		m := e.Local
		if i > 0 {
			m = machine.Local(home, none)
		}
		if err := addSpecs(ctx, e, m, homes, &p); err != nil {
			return p, err
		}
		add(filepath.Join(home, ".gnupg"), filepath.Join(home, ".local/share/keyrings"), filepath.Join(home, ".local/share/kwalletd"), filepath.Join(home, ".password-store"))
		// Who has the cookie of a display types into its windows, also over TCP (ssh -X).
		add(filepath.Join(home, ".Xauthority"), filepath.Join(home, ".ICEauthority"))
	}
	work, err := projfile.Names(p.Dir)
	if err != nil {
		return p, err
	}
	add(work...)
	add(a.Getenv("GNUPGHOME"), a.Getenv("PASSWORD_STORE_DIR"), a.Getenv("XAUTHORITY"), a.Getenv("ICEAUTHORITY"))
	uid := strconv.Itoa(os.Getuid())
	tickets, err := kerberos(a.Getenv, uid)
	if err != nil {
		return p, err
	}
	add(tickets...)
	add("/tmp/.X11-unix", "/tmp/.ICE-unix", "/tmp/tmux-"+uid, "/run/screen/S-"+filepath.Base(homes[len(homes)-1]))
	p.Private = append(p.Private, "/run/user/"+uid)
	if run := a.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		p.Private = append(p.Private, filepath.Clean(run))
	}
	others, err := child.PrivateFolders(a.Getenv)
	if err != nil {
		return p, err
	}
	add(others...)
	add(a.Getenv("SSH_AUTH_SOCK"))
	p.Sockets, err = confine.Sockets(homes...)
	return p, err
}

// kerberos are the files with tickets: the one of the variable, and those that are there by
// the name that login programs give them.
func kerberos(getenv func(string) string, uid string) ([]string, error) {
	list, err := os.ReadDir("/tmp")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--confine hides Kerberos tickets: %w", err)
	}
	var out []string
	for _, e := range list {
		if rest, ok := strings.CutPrefix(e.Name(), "krb5cc_"+uid); ok && (rest == "" || rest[0] == '_') {
			out = append(out, filepath.Join("/tmp", e.Name()))
		}
	}
	name := getenv("KRB5CCNAME")
	if kind, rest, ok := strings.Cut(name, ":"); ok {
		if kind != "FILE" && kind != "DIR" { // in the kernel or a service: no file
			return out, nil
		}
		name = strings.TrimPrefix(rest, ":") // DIR::FILE is one of a folder
	}
	return append(out, name), nil
}

// confineHomes are the home folder and, where that is another one, the user's of the user
// database: HOME may name any folder, and what is in the user's own can still be read.
func confineHomes(a *app) ([]string, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	homes := []string{home}
	// A user who is in no database has no other one.
	if u, err := nameservice.Current(); err == nil && filepath.IsAbs(u.HomeDir) && !paths.Same(u.HomeDir, home) {
		homes = append(homes, u.HomeDir)
	}
	return homes, nil
}

// addSpecs hides the files of all providers.
func addSpecs(ctx context.Context, e *engine.Engine, m machine.Machine, homes []string, p *confine.Plan) error {
	specs, err := e.Specs.All()
	if err != nil {
		return fmt.Errorf("--confine hides the files of all providers: %w", err)
	}
	files, err := provider.Paths(ctx, m, specs)
	if err != nil {
		return err
	}
	for _, path := range files {
		names, err := ofProfiles(path)
		if err != nil {
			return fmt.Errorf("--confine hides the files of all providers: %w", err)
		}
		for _, name := range names {
			// A variable may name any folder; a file of keys is none, and one that has
			// the home or the working folder in it is not that of a provider.
			if info, err := os.Stat(name); err == nil && info.IsDir() && slices.ContainsFunc(append(slices.Clone(homes), p.Dir), func(in string) bool { return holds(name, in) }) {
				continue
			}
			p.Hidden = append(p.Hidden, name)
		}
	}
	return nil
}

// ofProfiles are the files that a path stands for which may have "{profile}" in its name; in
// a folder that cannot be listed, all of it.
func ofProfiles(path string) ([]string, error) {
	before, after, ok := strings.Cut(filepath.Base(path), "{profile}")
	if !ok {
		return []string{path}, nil
	}
	var out []string
	list, err := os.ReadDir(filepath.Dir(path))
	switch {
	case errors.Is(err, os.ErrPermission):
		return []string{filepath.Dir(path)}, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, e := range list {
		if name := e.Name(); len(name) >= len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) {
			out = append(out, filepath.Join(filepath.Dir(path), name))
		}
	}
	return out, nil
}

// holds reports whether a folder is another one, or above it.
func holds(dir, name string) bool {
	_, ok := paths.Below(paths.Real(dir), paths.Real(name))
	return ok
}
