package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/exactjson"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/provider"
	"github.com/rhx-dev/rhx/host/scan"
	"github.com/rhx-dev/rhx/host/store"
)

type scanCmd struct {
	Path        []string `arg:"" optional:"" help:"Files, folders, images as a tar, - for stdin; by default this folder and the histories of shells."`
	Git         bool     `help:"All objects of the git repository at PATH, those of packs and old commits too."`
	Staged      bool     `help:"What git commit would commit now."`
	Patterns    bool     `help:"Also tokens that look like those of known providers, whoever's they are."`
	NoArchives  bool     `help:"Do not unpack archives: search them as they are."`
	Baseline    string   `help:"A file of findings that are known and not told again." placeholder:"FILE"`
	Accept      bool     `help:"Add what is found to the baseline."`
	InstallHook bool     `help:"Have each commit of this git repository searched before it is made."`
}

func (c *scanCmd) Help() string {
	return `Searches for the secret values of your store, of every version that it still has: as they are, in base64, hex and UTF-16, in URLs, JSON and XML, quoted, and broken into lines. It tells the place, the secret's name and the form, and never a value; of a file whose name has one, the name has asterisks. Places where rhx itself put the value are left out, and so are values that many texts have by chance: shorter than 8 bytes, of fewer than 5 different ones, or of small letters or digits alone and shorter than 14.

Exit status: 0 nothing was found, 1 something was, 3 nothing was and not all could be read, or the store has nothing to search for, 130 interrupted: what was found until then is printed.

Examples:
  rhx scan                                  # this folder, and what you typed into shells
  rhx scan --git                            # everything that this repository has ever had
  rhx scan image.tar                        # what docker save wrote, each layer
  rhx scan --install-hook                   # before each commit
  rhx scan --baseline known.json --accept   # from here on, only what is new`
}

// findingJSON is one element of scan's JSON.
type findingJSON struct {
	Path     string `json:"path,omitempty"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Commit   string `json:"commit,omitempty"`
	Object   string `json:"object,omitempty"`
	Also     int    `json:"also,omitempty"`
	Secret   string `json:"secret,omitempty"`
	Provider string `json:"provider,omitempty"`
	Key      string `json:"key"`
	Version  int    `json:"version,omitempty"`
	Current  bool   `json:"current"`
	Form     string `json:"form"`
	InName   bool   `json:"in_name,omitempty"`
}

func (c *scanCmd) Run(ctx context.Context, a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.InstallHook {
		return c.installHook(ctx, a)
	}
	if err := a.withZstd(); err != nil {
		return err
	}
	e, err := a.engine()
	if err != nil {
		return err
	}
	recs, readErr := e.Records.Versions(ctx, nil)
	if readErr != nil && len(recs) == 0 {
		return readErr
	}
	s, left := scan.New(scan.Holders(recs, publicIn(e)))
	if readErr != nil {
		a.warn(readErr.Error() + ": what cannot be read is not searched for")
	}
	s.Zstd, s.AsTheyAre = unpackZstd, c.NoArchives
	tellLeft(a, left)
	if err := c.prepare(e, s); err != nil {
		return err
	}
	baseline, err := c.openBaseline(ctx, a, e)
	if err != nil {
		return err
	}
	searchErr := c.search(ctx, a, e, s)
	found, more := s.Findings()
	if baseline != nil {
		baseline.Shown = s.Shown
		known := len(found)
		found = baseline.Without(found)
		a.note("%s known by %s", plural(known-len(found), "finding"), c.Baseline)
		switch {
		case c.Accept && searchErr != nil:
			a.warn("the search did not end: nothing was added to " + c.Baseline)
		case c.Accept:
			if err := baseline.Accept(found); err != nil {
				return err
			}
			if a.Output == "table" {
				a.say(fmt.Sprintf("%s added to %s", plural(len(found), "finding"), c.Baseline))
			}
			found = nil
		}
	}
	nothing := readErr != nil || c.seeksNothing(a, s, len(recs))
	if searchErr != nil {
		return c.unfinished(ctx, a, s, found, more, searchErr)
	}
	return c.report(a, s, found, more, nothing)
}

// unfinished reports what was found by a search that did not end.
func (c *scanCmd) unfinished(ctx context.Context, a *app, s *scan.Scanner, found []scan.Finding, more int, err error) error {
	until := ", and nothing was found until then"
	if len(found)+more > 0 {
		until = ", and this is what was found until then"
		var status exitCode
		if err := c.report(a, s, found, more, true); !errors.As(err, &status) {
			return err
		}
		err = fault.WithHint(fmt.Errorf("not everything was searched%s: %w", until, err), fault.Hint(err))
	}
	if ctx.Err() == nil {
		return err
	}
	a.Fail("interrupted: not everything was searched"+until, "")
	return exitCode(130)
}

func (c *scanCmd) check() error {
	wrong := ""
	switch {
	case c.Git && c.Staged:
		wrong = "--git and --staged are two different searches: give one"
	case c.Accept && c.Baseline == "":
		wrong = "--accept needs the file: --baseline FILE"
	case (c.Git || c.Staged || c.InstallHook) && len(c.Path) > 1:
		wrong = "give one repository"
	case c.InstallHook && (c.Git || c.Staged || c.Patterns || c.Baseline != ""):
		wrong = "--install-hook stands alone"
	}
	if wrong == "" {
		return nil
	}
	return fault.WithKind(errors.New(wrong), fault.Usage)
}

// publicIn says of records which of their values may be seen.
func publicIn(e *engine.Engine) func(*store.Record) func(string) bool {
	return func(rec *store.Record) func(string) bool {
		if rec.Provider == "" {
			return provider.Public(nil, rec.Secret.Values)
		}
		sp, err := e.Specs.Get(rec.Provider)
		if err != nil {
			sp = nil // nothing of it is known to be public
		}
		return provider.Public(sp, rec.Secret.Values)
	}
}

// seeksNothing reports, and says, that the store has nothing to search for: of another
// user, or in another place than was thought, it would find nothing anywhere.
func (c *scanCmd) seeksNothing(a *app, s *scan.Scanner, secrets int) bool {
	if s.Seeks() > 0 {
		return false
	}
	why := "the store is empty"
	if secrets > 0 {
		why = "the store has no value that is long enough"
	}
	if c.Patterns {
		a.warn(why + ": only tokens of known forms were searched for")
		return false
	}
	a.Fail(why+": nothing was searched for", "rhx status shows which store it is, rhx list what is in it")
	return true
}

// tellLeft says which values are not searched for.
func tellLeft(a *app, left []scan.Holder) {
	var names []string
	for _, h := range left {
		if h.Current && h.Value.Reveal() != "" && !slices.Contains(names, h.Name()) {
			names = append(names, h.Name())
		}
	}
	if len(names) > 0 {
		a.note("not searched for, because many texts have such a value by chance: %s", strings.Join(names, ", "))
	}
}

// prepare says what is not to be told of, and what more is to be searched for.
func (c *scanCmd) prepare(e *engine.Engine, s *scan.Scanner) error {
	for _, dir := range []string{e.Dirs.Config, e.Dirs.Data, e.Dirs.State, e.Dirs.Cache} {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			s.Skip = append(s.Skip, real)
		}
	}
	conf, err := e.Stores.Config()
	if err != nil {
		return err
	}
	s.Placed = placedBy(conf, e)
	if !c.Patterns {
		return nil
	}
	var list []scan.Pattern
	specs, err := e.Specs.All()
	if err != nil {
		return err
	}
	for _, sp := range specs {
		for _, v := range sp.Values {
			if v.Pattern != nil {
				list = append(list, scan.Pattern{Provider: sp.Name, Key: v.Name, Text: v.Pattern.Text, Public: v.Public})
			}
		}
	}
	for _, form := range provider.TokenForms() {
		list = append(list, scan.Pattern{Key: "token", Text: form})
	}
	s.Patterns = scan.NewPatterns(list)
	return nil
}

// placedBy tells of the files into which rhx put a secret.
func placedBy(conf *config.Config, e *engine.Engine) func(path, name string) bool {
	files := map[string]map[string]bool{}
	for name, at := range conf.Secrets {
		for _, p := range append([]string{at.Path}, at.Also...) {
			if p == "" {
				continue
			}
			if rest, ok := strings.CutPrefix(p, "~/"); ok {
				p = filepath.Join(e.Stores.Home, rest)
			}
			p = paths.Real(p)
			if files[p] == nil {
				files[p] = map[string]bool{}
			}
			files[p][name] = true
		}
	}
	return func(path, name string) bool { return files[paths.Real(path)][name] }
}

func (c *scanCmd) openBaseline(ctx context.Context, a *app, e *engine.Engine) (*scan.Baseline, error) {
	if c.Baseline == "" {
		return nil, nil
	}
	key, err := e.Stores.Derive(ctx, "scan baseline")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.Baseline); errors.Is(err, fs.ErrNotExist) && !c.Accept {
		a.warn(c.Baseline + " is not there: no finding is known")
	}
	return scan.OpenBaseline(c.Baseline, key)
}

// search searches what was asked for.
func (c *scanCmd) search(ctx context.Context, a *app, e *engine.Engine, s *scan.Scanner) error {
	switch {
	case c.Git:
		return s.History(ctx, c.git(a))
	case c.Staged:
		return s.Staged(ctx, c.git(a))
	}
	roots := slices.Clone(c.Path)
	if slices.Contains(roots, "-") {
		if err := s.Text(ctx, "-", a.reader(ctx, "-")); err != nil {
			return err
		}
		roots = slices.DeleteFunc(roots, func(p string) bool { return p == "-" })
	}
	if len(c.Path) == 0 {
		roots = []string{"."}
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		for _, p := range scan.Histories(e.Stores.Home, a.Getenv) {
			// One below this folder comes with it.
			if _, below := paths.Below(paths.Real(here), paths.Real(p)); !below {
				roots = append(roots, p)
			}
		}
	}
	return s.Trees(ctx, roots)
}

// git runs git in the repository that was named. A hook is told by git's variables which
// one that is.
func (c *scanCmd) git(a *app) *scan.Git {
	dir := "."
	if len(c.Path) > 0 {
		dir = c.Path[0]
	}
	return scan.NewGit(dir, a.environ(), c.Staged && len(c.Path) == 0)
}

func (c *scanCmd) installHook(ctx context.Context, a *app) error {
	path, already, err := c.git(a).InstallHook(ctx)
	switch {
	case err != nil:
		return err
	case already:
		a.say("It is there already: " + term.Line(path))
	default:
		a.say("Each commit is searched before it is made, by " + term.Line(path) + "\nTo take that out, remove the file. git commit --no-verify goes past it.")
	}
	return nil
}

func (c *scanCmd) report(a *app, s *scan.Scanner, found []scan.Finding, more int, partly bool) error {
	out := make([]findingJSON, 0, len(found))
	rows := make([][]string, 0, len(found))
	for _, f := range found {
		j := findingJSON{Path: exactjson.Text(f.Path), Line: f.Line, Column: f.Column, Commit: f.Commit, Object: f.Object, Also: f.Also, Secret: f.Secret, Key: f.Key, Version: f.Version, Current: f.Current, Form: f.Form, InName: f.InName}
		place := f.String()
		if !f.InName {
			place += ":" + strconv.Itoa(f.Line) + ":" + strconv.Itoa(f.Column)
		}
		what := f.Name()
		switch {
		case f.Version == 0:
			j.Secret, j.Provider = "", f.Secret
			if what = strings.TrimSuffix("a token of "+f.Secret, " of "); f.ID {
				what = "the ID of a key of " + f.Secret
			}
		case !f.Current:
			what += " (version " + strconv.Itoa(f.Version) + ")"
		}
		form := f.Form
		if f.InName {
			form += ", in its name"
		}
		if f.Also > 0 {
			form += ", and in " + plural(f.Also, "later version")
		}
		out, rows = append(out, j), append(rows, []string{place, what, form})
	}
	for _, u := range s.Unread() {
		a.report(u.Place, errNotSearched(u.Err))
		partly = true
	}
	if done, err := a.data(out); done {
		if err != nil {
			return err
		}
	} else if len(rows) > 0 {
		if err := a.table([]string{"PLACE", "SECRET", "FORM"}, rows); err != nil {
			return err
		}
	}
	if more > 0 {
		a.warn(fmt.Sprintf("%d more were found, and are not listed: search a part of it at a time", more))
	}
	if n := s.PlacedCount(); n > 0 {
		a.note("%s where rhx put them", plural(n, "value"))
	}
	if n := s.NotUnpacked(); n > 0 {
		a.warn("not unpacked, as --no-archives says: " + plural(n, "archive"))
	}
	if all, unpacked := s.Bytes(); unpacked > 0 {
		a.note("%d MB searched, %d MB of that out of archives", all/1e6, unpacked/1e6)
	} else {
		a.note("%d MB searched", all/1e6)
	}
	switch {
	case len(found) > 0, more > 0:
		return exitCode(1)
	case partly:
		return exitCode(3)
	case a.Output == "table" && !c.Accept && !c.Staged:
		what := "No value of the store"
		if c.Patterns {
			what += " and no token of a known form"
		}
		a.say(what + " was found.")
	}
	return nil
}

func errNotSearched(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, scan.ErrNotRegular) {
		return fmt.Errorf("not searched: %w", err)
	}
	return fmt.Errorf("not searched to its end: %w", err)
}
