package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/store"
)

// maxManifest is the largest manifest, in bytes.
const maxManifest = 1 << 20

// manifest returns the manifest that applies here, once the user trusts it: the
// one that --manifest names, or rhx.yaml in this folder or the nearest above. It is
// read once for all that a command does.
func (a *app) manifest(ctx context.Context, yes bool) (*manifest.Manifest, error) {
	if a.trusted != nil {
		return a.trusted, ctx.Err()
	}
	e, err := a.engine()
	if err != nil {
		return nil, err
	}
	path, data, err := a.readManifest()
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(a.shortPath(path), data, e.Project.ManifestOptions(a.Profile))
	if err != nil {
		return nil, err
	}
	trusted, before, err := a.made.Added.KnowsManifest(path, data)
	switch {
	case err != nil:
		return nil, err
	case trusted:
	case yes:
		if err := a.made.Added.TrustManifest(path, data); err != nil {
			return nil, err
		}
	default:
		if err := a.askToTrust(m, path, data, before); err != nil {
			return nil, err
		}
	}
	a.use(m)
	return m, ctx.Err()
}

// readManifest finds and reads the manifest.
func (a *app) readManifest() (path string, data []byte, err error) {
	if path = a.Manifest; path == "" {
		if path, err = findManifest(); err != nil {
			return "", nil, err
		}
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxManifest {
		return "", nil, fmt.Errorf("%s is not a file of at most %d KiB", path, maxManifest>>10)
	}
	data, err = os.ReadFile(path)
	return path, data, err
}

// foundIsOwn returns an error where somebody else can have put the manifest there that
// was found above, as in /tmp: it says which secrets go where.
func foundIsOwn(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err == nil && info.IsDir() && info.Mode()&fs.ModeSticky != 0 {
			continue // others can put files there, and not take the place of this one
		}
		if err == nil {
			err = ownfile.Check(p)
		}
		if err != nil {
			return fault.WithHint(err, "if you know whose it is and have read it: --manifest "+path)
		}
	}
	return nil
}

// findManifest looks for rhx.yaml in this folder and those above.
func findManifest() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; {
		path := filepath.Join(at, manifest.FileName)
		if _, err := os.Lstat(path); err == nil {
			return path, foundIsOwn(path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		up := filepath.Dir(at)
		if up == at {
			return "", fault.WithHint(fault.WithKind(fmt.Errorf("there is no %s in %s or above", manifest.FileName, dir), fault.Usage),
				"rhx init writes one; --manifest FILE names another")
		}
		at = up
	}
}

// shortPath is a path as messages have it: from this folder, where it is in it.
func (a *app) shortPath(path string) string {
	if dir, err := os.Getwd(); err == nil {
		if rel, below := paths.Below(dir, path); below {
			return term.Line(rel)
		}
	}
	return term.Line(path)
}

// askToTrust shows what a manifest would do and asks. It may come from somebody
// else, as a part of what was cloned.
func (a *app) askToTrust(m *manifest.Manifest, path string, data []byte, before bool) error {
	text := " is new to rhx.\n"
	if before {
		text = " has changed since you trusted it.\n"
	}
	text = term.Line(path) + text + summaryOf(a.made, m, data)
	if !a.canAsk() {
		fmt.Fprint(a.Err, text)
		return fault.WithHint(fault.Unasked(fmt.Errorf("%s is not trusted", m.File)), "read it, then run rhx trust")
	}
	if !a.ask(text + "Trust it?") {
		return fmt.Errorf("%s is not trusted; nothing was done", m.File)
	}
	return a.made.Added.TrustManifest(path, data)
}

// environment returns what -b and -s of a command come to.
func (a *app) environment(ctx context.Context, e *engine.Engine, bundles, secrets []string, names bundle.Names, yes bool) (*project.Environment, error) {
	return a.swappedEnvironment(ctx, e, bundles, secrets, names, yes, nil)
}

// swappedEnvironment is environment with other values, where swap is not nil.
func (a *app) swappedEnvironment(ctx context.Context, e *engine.Engine, bundles, secrets []string, names bundle.Names, yes bool, swap project.Swap) (*project.Environment, error) {
	var m *manifest.Manifest
	if len(bundles) == 0 {
		if err := secretsNamed(secrets); err != nil {
			return nil, err
		}
	} else {
		var err error
		if m, err = a.manifest(ctx, yes); err != nil {
			return nil, err
		}
	}
	secrets, err := a.stored(secrets...)
	if err != nil {
		return nil, err
	}
	env, err := e.Project.SwappedEnvironment(ctx, m, bundles, secrets, names, swap)
	if errors.Is(err, bundle.ErrUnnamable) {
		err = fault.WithHint(err, "--skip-unnamable leaves such keys out")
	}
	err = hintUnsafe(err)
	if err == nil && len(env.Skipped) > 0 {
		a.warn("left out, because a variable cannot have the name: " + strings.Join(env.Skipped, ", "))
	}
	return env, err
}

// hintUnsafe adds what to do about values by which programs would be run.
func hintUnsafe(err error) error {
	switch {
	case errors.Is(err, bundle.ErrRuns):
		return fault.WithHint(err, "if you trust who wrote it: --unsafe; a manifest may name the variable, too")
	case errors.Is(err, provider.ErrUnsafe):
		return fault.WithHint(err, "if you trust who wrote it: --unsafe")
	}
	return err
}

// noFiles is the error of env, which cannot give the files of bundles.
func noFiles(files []*store.Record) error {
	if len(files) == 0 {
		return nil
	}
	return fault.WithHint(fmt.Errorf("a bundle has files, which rhx env cannot give: %s", files[0].Secret.Name), "rhx run -b can, on hosts too; rhx sync -b writes them on hosts")
}

// trustCmd trusts a manifest.
type trustCmd struct {
	File   string `arg:"" optional:"" help:"The manifest; by default the one that applies here."`
	Revoke bool   `help:"Stop trusting it."`
}

func (c *trustCmd) Help() string {
	return `A manifest can come with what you clone. rhx does nothing by it before you trust it, as it is: a change asks again. This shows what it can do, and trusts it.

Examples:
  rhx trust
  rhx trust --revoke`
}

func (c *trustCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if c.File != "" {
		a.Manifest = c.File
	}
	path, data, err := a.readManifest()
	if err != nil {
		return err
	}
	if c.Revoke {
		found, err := a.made.Added.DistrustManifest(path)
		if err == nil && !found {
			err = fault.WithKind(fmt.Errorf("%s was not trusted", path), fault.Usage)
		}
		if err == nil {
			a.say(term.Line(path) + ": not trusted any more")
		}
		return err
	}
	m, err := manifest.Parse(a.shortPath(path), data, e.Project.ManifestOptions(a.Profile))
	if err != nil {
		return err
	}
	if err := a.made.Added.TrustManifest(path, data); err != nil {
		return err
	}
	a.say(summaryOf(a.made, m, data) + term.Line(path) + ": trusted")
	return ctx.Err()
}

// bundleUnsets are the variables that a remote command must not have.
func bundleUnsets(env *project.Environment) []string {
	unset := slices.Clone(env.Strip)
	for _, v := range env.Vars {
		unset = append(append(unset, v.Clears...), v.Also...)
	}
	return slices.DeleteFunc(unset, func(name string) bool {
		return slices.ContainsFunc(env.Vars, func(v bundle.Var) bool { return v.Name == name })
	})
}
