//go:build !slim

package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/host/broker"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/paths"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/session"
)

const (
	// agentTimeout is when a command is ended where the manifest does not say it.
	agentTimeout = 2 * time.Minute
	// maxAgentOutput bounds what an agent gets of a command's output, and of its errors.
	maxAgentOutput = 32 << 10
)

// agentRan is what an agent is told of a command.
type agentRan struct {
	Status int    `json:"status"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
	// Ended says why rhx ended it.
	Ended string `json:"ended,omitempty"`
	// Notes are rhx's own.
	Notes string `json:"notes,omitempty"`
}

// run runs a command of the manifest with what the agent chose.
func (c *agentCall) run(ctx context.Context, name string, args json.RawMessage) (*agentRan, error) {
	a := c.app
	m, err := a.manifest(ctx, false)
	if err != nil {
		return nil, err
	}
	command := m.Command(name)
	if command == nil {
		return nil, fmt.Errorf("%s has no command %s any more", m.File, name)
	}
	values, err := agentValues(args)
	if err != nil {
		return nil, err
	}
	argv, err := command.Argv(values)
	if err != nil {
		return nil, err
	}
	file, _, err := a.readManifest()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	workspace, err := workspaceOf(dir, home)
	if err != nil {
		return nil, err
	}
	environ := withoutFolders(a.environ(), workspace)
	program, err := programOf(argv[0], getenvOf(environ)("PATH"), workspace)
	if err != nil {
		return nil, err
	}
	hidden, err := a.made.Project.HiddenOfAll(ctx, m)
	if err != nil {
		return nil, err
	}
	b := &child.Bounded{Path: program, Argv: argv, Environ: environ, Dir: dir, Mask: mask.New(hidden), Timeout: command.Timeout, Keep: maxAgentOutput}
	if b.Timeout == 0 {
		b.Timeout = agentTimeout
	}
	ran, err := a.runForAgent(ctx, command.Bundles, b, hidden)
	if err != nil {
		return nil, err
	}
	a.made.Book.Note([]session.Event{{Command: "mcp", Machine: place.Here.String(), To: toolName(name), Action: fmt.Sprintf("ended with %d", ran.Status)}})
	valid := func(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
	return &agentRan{ran.Status, valid(ran.Out), valid(ran.Err), ran.Ended, valid(c.notes.String())}, nil
}

// runForAgent runs a command, with the placeholders of bundles where it has some. The proxy
// leads to the hosts of their secrets alone.
func (a *app) runForAgent(ctx context.Context, bundles []string, b *child.Bounded, hidden []secret.Value) (ran *child.Ran, err error) {
	if len(bundles) == 0 {
		return b.Run(ctx)
	}
	e := a.made
	p, err := a.placeholders(ctx, e, &runCmd{Bundle: bundles}, false)
	if err != nil {
		return nil, err
	}
	also, err := e.Project.Hidden(p.env)
	if err != nil {
		return nil, err
	}
	b.Mask = mask.New(slices.Concat(hidden, p.elsewhere, also))
	uses := newUseLog(e.Book.Log, "mcp")
	proxy, err := broker.Start(broker.Options{Secrets: p.s.secrets(), Only: true, Getenv: a.Getenv, Used: uses.of(place.Here), Warn: a.warn})
	if err != nil {
		return nil, errors.Join(err, uses.close())
	}
	defer func() {
		// The command's status stays: it has done what it did.
		if left := errors.Join(proxy.Close(), uses.close()); left != nil {
			a.warn(left.Error())
		}
	}()
	if b.Environ, err = p.meet(a, proxy, b.Environ); err != nil {
		return nil, err
	}
	dir, release, err := child.PrivateFolder(a.Getenv)
	if err != nil {
		return nil, err
	}
	defer func() {
		if left := release(); left != nil {
			a.warn(left.Error())
		}
	}()
	if b.Environ, err = filesIn(dir, b.Environ, p.files, p.vars); err != nil {
		return nil, err
	}
	logGivenAs(e, "mcp", place.Here, b.Argv[0], p.s.action, p.env)
	return b.Run(ctx)
}

// plainEnvironment has of an environment what programs need to run, and nothing that says
// what they do: the agent's client may have secrets of its own in there.
func plainEnvironment(environ []string) []string {
	keep := []string{
		"HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
		"SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PATHEXT", "COMSPEC", "TEMP", "TMP", // Windows
	}
	out := []string{"TERM=dumb"}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // case does not count there
		}
		if slices.Contains(keep, name) || strings.HasPrefix(name, "LC_") {
			out = append(out, kv)
		}
	}
	return out
}

// workspaceOf are the folders in which an agent can write: that of the manifest, the working
// folder, and the repositories that they are in. A working folder or repository that the
// home folder is in says nothing: a client may start its servers there.
func workspaceOf(project, home string) ([]string, error) {
	work, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if work, err = filepath.EvalSymlinks(work); err != nil {
		return nil, err
	}
	home = paths.Real(home)
	out := []string{project}
	for _, dir := range []string{work, repositoryOf(work), repositoryOf(project)} {
		if dir != "" && !insideAny([]string{dir}, home) && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out, nil
}

// repositoryOf is the top folder of the git repository that a folder is in; "" without one.
func repositoryOf(dir string) string {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			return ""
		}
		dir = above
	}
}

// insideAny reports that a path is in one of the folders, or is one.
func insideAny(folders []string, path string) bool {
	return slices.ContainsFunc(folders, func(dir string) bool {
		_, inside := paths.Below(dir, path)
		return inside
	})
}

// withoutFolders takes out of PATH what is in some folders, and what is not absolute: an
// agent can write programs there.
func withoutFolders(environ, folders []string) []string {
	out := slices.Clone(environ)
	for i, kv := range out {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.EqualFold(name, "PATH") {
			continue
		}
		dirs := slices.DeleteFunc(filepath.SplitList(value), func(dir string) bool {
			real, err := filepath.EvalSymlinks(dir)
			return !filepath.IsAbs(dir) || err != nil || insideAny(folders, real) || insideAny(folders, filepath.Clean(dir))
		})
		out[i] = name + "=" + strings.Join(dirs, string(os.PathListSeparator))
	}
	return out
}

// programOf finds a program that an agent may have run: none that the agent, or another
// user, can have written, and not rhx. The path has no links: nobody can change one between
// this look and the start.
func programOf(name, path string, workspace []string) (string, error) {
	candidates := []string{name}
	if !filepath.IsAbs(name) {
		candidates = nil
		for _, dir := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	for _, file := range candidates {
		file, err := exec.LookPath(file)
		if err != nil {
			continue
		}
		real, err := filepath.EvalSymlinks(file)
		if err != nil {
			continue
		}
		if insideAny(workspace, real) || leadsThrough(workspace, file) {
			return "", fmt.Errorf("%s is in the project's folder, where an agent can write it", name)
		}
		if err := ownfile.Check(real); err != nil {
			return "", err
		}
		if isRhx(real) {
			return "", errors.New("an agent cannot run rhx, which shows values")
		}
		return real, nil
	}
	return "", fault.WithHint(fmt.Errorf("there is no program %s", name), "PATH is that of rhx mcp, without folders of the project")
}

// leadsThrough reports that a path, or a link on its way, is in one of the folders.
func leadsThrough(folders []string, path string) bool {
	for range 255 {
		if insideAny(folders, path) {
			return true
		}
		next := withoutLink(path)
		if next == path {
			return false
		}
		path = next
	}
	return true
}

// withoutLink is a path with the first link in it followed.
func withoutLink(path string) string {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && !os.IsPathSeparator(path[end]) {
			continue
		}
		if to, err := os.Readlink(path[:end]); err == nil {
			if !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(path[:end]), to)
			}
			return filepath.Join(to, path[end:])
		}
	}
	return path
}

// isRhx reports that a program is an rhx: this one, one beside it or, by what Go writes into
// a program, any other, whatever its name is.
func isRhx(program string) bool {
	switch strings.TrimSuffix(strings.ToLower(filepath.Base(program)), ".exe") {
	case "rhx", "rhx-full":
		return true
	}
	if self, err := os.Executable(); err == nil {
		self = paths.Real(self)
		for _, name := range []string{filepath.Base(self), "rhx" + filepath.Ext(self), "rhx-full" + filepath.Ext(self)} {
			if paths.Same(program, filepath.Join(filepath.Dir(self), name)) {
				return true
			}
		}
	}
	info, err := buildinfo.ReadFile(program)
	return err == nil && info.Main.Path == "github.com/rhx-dev/rhx"
}
