package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/fleet"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/secret"
)

type runCmd struct {
	Secret        []string    `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Bundle        []string    `short:"b" sep:"none" predictor:"bundle" help:"A bundle of the manifest; may be given several times." placeholder:"BUNDLE"`
	Yes           bool        `short:"y" help:"Trust the manifest without asking."`
	Mask          bool        `short:"m" help:"Show ******** in place of secret values in what the command writes."`
	Broker        bool        `help:"Give the command placeholders; a proxy puts the values into its requests, to the providers' hosts alone."`
	BrokerOnly    bool        `help:"--broker, where the proxy leads to no other host."`
	Plain         []string    `sep:"none" predictor:"stored" help:"With --broker: a secret that the command gets itself; may be given several times." placeholder:"SECRET"`
	Confine       confineMode `help:"Hide keys, rhx's folders, sockets and other processes from the command (Linux). =strict: with namespaces and Landlock, or not at all." placeholder:"[=strict]"`
	SkipUnnamable bool        `help:"Leave out keys of secrets that cannot be the name of a variable."`
	Unsafe        bool        `help:"Also variables by which programs run others, such as LD_PRELOAD."`
	TTY           bool        `short:"t" name:"tty" help:"With --on: give the command a terminal."`
	Cmd           []string    `arg:"" name:"command" passthrough:"" help:"The command and its arguments."`
}

func (c *runCmd) Help() string {
	return `Here, rhx replaces itself by the command: same process, same terminal, same signals. With --on HOST the variables go over the SSH channel, files of a bundle into the memory there for the time of the command; nothing is installed or left there, and input, signals and exit status pass through. With several (--on gpu-[01:64],box) each line is printed behind the host's name, there is no input, and the exit status is 3 where it failed on some of them.

--mask has what the command writes go through rhx, which replaces secret values of 4 characters or more: as they are, line by line, and in base64, hex, URLs and JSON. On a terminal the command has one of its own, with this one's size, keys and signals; else its output and errors stay apart. It is for accidents: a command that shows a value in pieces is not caught.

--broker gives the command a placeholder in the place of each secret value, and a proxy that puts the value in on the way to the hosts that the provider's spec names (rhx providers NAME). The variables HTTPS_PROXY and those that name trusted certificates (SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE, GIT_SSL_CAINFO, NODE_EXTRA_CA_CERTS, AWS_CA_BUNDLE and others) lead its clients there. rhx log has each use. With --on HOST the proxy and the values stay here: the command there reaches it through the SSH connection. docs/broker.md says which clients that is for, and what it cannot stop.

--confine (Linux) hides from the command rhx's folders, the files of all providers, Unix sockets (ssh-agent, docker, D-Bus), other processes and terminals, and it has no capabilities. With --broker it reaches the broker and nothing else; without it the command has the secrets itself, and the network as it is. Where the system allows no namespaces Landlock does what it can, and rhx says what stays open; --confine=strict is an error then. Files that you can write the command can write: docs/confine.md.

Examples:
  rhx run -s openai -- python train.py
  rhx run --broker -s github -- ./agent    # which uses the token and does not have it
  rhx run --broker --confine -s github -- ./agent    # nor can it read another copy of it
  rhx run -- make test                     # with the bundle default of the project's rhx.yaml
  rhx run --mask -b deploy -- terraform apply`
}

func (c *runCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	argv := c.Cmd
	if argv[0] == "--" {
		argv = argv[1:]
	}
	if len(argv) == 0 {
		return fault.WithKind(errors.New("no command given"), fault.Usage)
	}
	if c.TTY && a.On == "" {
		return fault.WithHint(fault.WithKind(errors.New("--tty is for a command on a host: --on"), fault.Usage), "on this machine the command has the terminal that rhx has")
	}
	switch {
	case c.Confine != "" && a.On != "":
		return fault.WithHint(fault.WithKind(errors.New("--confine is for a command on this machine, and cannot be combined with --on"), fault.Usage), "on a host there is nothing of rhx's to hide; run it there as another user")
	case c.Broker || c.BrokerOnly:
		return c.brokered(ctx, a, argv)
	case len(c.Plain) > 0:
		return fault.WithKind(errors.New("--plain is for --broker: without it the command gets all secrets themselves"), fault.Usage)
	}
	if c.Bundle, err = a.bundlesOr(ctx, c.Bundle, c.Secret, c.Yes); err != nil {
		return err
	}
	env, err := a.environment(ctx, e, c.Bundle, c.Secret, bundle.Names{Skip: c.SkipUnnamable, Unsafe: c.Unsafe}, c.Yes)
	if err != nil {
		return err
	}
	files, vars, err := e.Deliver.PrivateFiles(ctx, env.Files, a.On != "", deliver.Options{Unsafe: c.Unsafe})
	if err != nil {
		return hintUnsafe(err)
	}
	masker, err := c.masker(e, env)
	if err != nil {
		return err
	}
	if a.On != "" {
		spec := machine.RunSpec{Argv: argv, Unset: bundleUnsets(env), TTY: c.TTY, Files: files, FileVars: vars}
		for _, v := range env.Vars {
			spec.Env = append(spec.Env, machine.Var{Name: v.Name, Value: v.Value.Reveal()})
		}
		hosts, err := a.hostsOn(ctx)
		if err != nil {
			return err
		}
		return c.remote(ctx, a, e, hosts, spec, masker, nil, func(at place.Place) { logGiven(e, "run", at, argv[0], env) })
	}
	r := a.runner(masker)
	if r.Confined, err = c.confined(ctx, a, e); err != nil {
		return err
	}
	logGiven(e, "run", place.Here, argv[0], env)
	environ := bundle.Environ(a.environ(), env.Vars, env.Strip...)
	if len(files) > 0 {
		return endedAs(c.withFiles(a, r, argv, environ, files, vars))
	}
	a.close()
	if masker != nil || r.Confined != nil {
		return endedAs(r.Supervise(argv, environ))
	}
	a.stopSignals()
	return ended(r.Exec(argv, environ))
}

// defaultBundle is the bundle of a command that names none.
const defaultBundle = "default"

// bundlesOr are the bundles of a command; where it names neither one nor a secret, that of
// the project that is called default, if there is a manifest.
func (a *app) bundlesOr(ctx context.Context, bundles, secrets []string, yes bool) ([]string, error) {
	if len(bundles)+len(secrets) > 0 {
		return bundles, nil
	}
	m, err := a.manifestIfAny(ctx, yes)
	switch {
	case err != nil || m == nil:
		return nil, err
	case m.Bundle(defaultBundle) == nil:
		return nil, fault.WithHint(fault.WithKind(errors.New("no secret or bundle given"), fault.Usage),
			fmt.Sprintf("name secrets with -s, or bundles of %s with -b: %s. One that is called %s is taken where none is named", m.File, list(m.BundleNames()), defaultBundle))
	}
	a.note("the bundle %s of %s", defaultBundle, m.File)
	return []string{defaultBundle}, nil
}

// runner returns what runs commands with this process's streams.
func (a *app) runner(m *mask.Masker) *child.Runner {
	return &child.Runner{Streams: child.Streams(a.Streams()), Getenv: a.Getenv, TakeOver: a.stopSignals, Mask: m}
}

// ended is the error of a command's end: its exit status becomes rhx's.
func ended(status int, err error) error {
	if err != nil {
		return err
	}
	return exitCode(status &^ child.BySignal)
}

// endedAs is ended for a command that rhx has waited for: where a signal has ended it,
// one ends rhx.
func endedAs(status int, err error) error {
	if err == nil {
		child.EndAs(status)
	}
	return ended(status, err)
}

// masker hides what a command gets, and more, in what it writes; nil where that is not wanted.
func (c *runCmd) masker(e *engine.Engine, env *project.Environment, more ...secret.Value) (*mask.Masker, error) {
	if !c.Mask {
		return nil, nil
	}
	hidden, err := e.Project.Hidden(env)
	if err != nil {
		return nil, err
	}
	return mask.New(append(hidden, more...)), nil
}

// withFiles runs a command beside files that are gone when it ends. rhx stays, as
// the command's parent, to remove them; where it is killed, a process that waits for
// that does.
func (c *runCmd) withFiles(a *app, r *child.Runner, argv, environ []string, files []machine.RunFile, vars []machine.Var) (status int, err error) {
	dir, release, err := child.PrivateFolder(a.Getenv)
	if err != nil {
		return 0, err
	}
	defer func() {
		// The command's status stays: it has done what it did.
		if left := release(); left != nil {
			a.warn(left.Error() + "; the next rhx run with files tries again")
		}
	}()
	if r.Confined != nil {
		r.Confined.Plan.Keep = []string{dir}
	}
	if environ, err = filesIn(dir, environ, files, vars); err != nil {
		return 0, err
	}
	a.close()
	return r.Supervise(argv, environ)
}

// filesIn writes the files of a command into a folder, and returns its environment with
// the variables that name them.
func filesIn(dir string, environ []string, files []machine.RunFile, vars []machine.Var) ([]string, error) {
	for _, f := range files {
		file := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, f.Data, f.Mode&0o700); err != nil {
			return nil, err
		}
	}
	var moved []bundle.Var
	for _, v := range vars {
		moved = append(moved, bundle.Var{Name: v.Name, Value: secret.NewValue(path.Join(filepath.ToSlash(dir), v.Value))})
	}
	return bundle.Environ(environ, moved), nil
}

// remote runs the command on hosts. given is told where it was started: a host that was
// not reached, or ran nothing, was given nothing. prepare, where it is not nil, makes what
// is a host's own.
func (c *runCmd) remote(ctx context.Context, a *app, e *engine.Engine, hosts []string, spec machine.RunSpec, m *mask.Masker, prepare child.Prepare, given func(at place.Place)) error {
	spec.Warn = func(err error) { a.warn(err.Error()) }
	r := a.runner(m)
	var logging sync.Mutex
	started := func(at place.Place) {
		logging.Lock()
		defer logging.Unlock()
		given(at)
	}
	defer a.tellInterrupt(ctx)()
	if len(hosts) == 1 {
		at, m := place.Host(hosts[0]), a.ssh(hosts[0], false)
		spec.Started = func() { started(at) }
		end, err := prepare.Do(at, m, &spec)
		if err != nil {
			return err
		}
		defer end()
		return ended(r.RunOn(ctx, m, spec))
	}
	if c.TTY {
		return fault.WithKind(errors.New("-t is for one host"), fault.Usage)
	}
	// Lines with the names of hosts are rhx's: on a terminal no host may write over
	// those of another.
	if a.OutTTY {
		r.Out = a.Out
	}
	if a.ErrTTY {
		r.Err = a.Err
	}
	var failed []place.Place
	tell := a.collectFailures()
	r.RunOnAll(ctx, a.fleet(e, fleet.DefaultParallel, false), hostPlaces(hosts), spec, prepare, started, func(at place.Place, err error) {
		if err != nil {
			failed = append(failed, at)
			a.failedAt(at, "", err)
		}
	})
	tell()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.sayFailed(failed, len(hosts), "")
	return outcome(len(failed), len(hosts))
}

// secretsNamed is the error of a command whose -s is missing.
func secretsNamed(names []string) error {
	if len(names) > 0 {
		return nil
	}
	return fault.WithHint(fault.WithKind(errors.New("no secret given"), fault.Usage), "name each one with -s; rhx list shows what is in the store")
}
