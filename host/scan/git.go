package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/childenv"
	"github.com/rhx-dev/rhx/host/fault"
)

// Git runs git in a repository whose configuration and environment may be another
// person's: nothing that they name is run.
type Git struct {
	// Dir is a folder of the repository, Environ the environment of git.
	Dir     string
	Environ []string
}

// hookVars are the variables by which git tells a hook which index and which repository
// it is about.
var hookVars = []string{"GIT_INDEX_FILE", "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"}

// NewGit returns what runs git in a folder. Of git's variables in environ none counts, but
// in a hook those that say which repository and index it is about.
func NewGit(dir string, environ []string, hook bool) *Git {
	g := &Git{Dir: dir}
	for _, v := range childenv.Without(environ) {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(strings.ToUpper(name), "GIT_") && !(hook && slices.Contains(hookVars, name)) {
			continue
		}
		g.Environ = append(g.Environ, v)
	}
	g.Environ = append(g.Environ, "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none", "GIT_NO_REPLACE_OBJECTS=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat", "LC_ALL=C")
	return g
}

// harmless has git run nothing that a configuration names.
var harmless = []string{
	"--no-pager", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "-c", "log.showSignature=false", "-c", "protocol.allow=never",
}

// command is a run of git that ends with the context.
func (g *Git) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append(slices.Clone(harmless), args...)...)
	cmd.Dir, cmd.Env = g.Dir, g.Environ
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Output is what git prints, without the last line end.
func (g *Git) Output(ctx context.Context, args ...string) (string, error) {
	var errs bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stderr = &limited{w: &errs}
	out, err := cmd.Output()
	return strings.TrimSuffix(string(out), "\n"), gitError(err, errs.String())
}

// isSet reports whether git config knows what it is asked for.
func (g *Git) isSet(ctx context.Context, args ...string) (bool, error) {
	_, err := g.Output(ctx, append([]string{"config"}, args...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil // it says nothing then
	}
	return err == nil, err
}

// gitError is what git said of its failure.
func gitError(err error, said string) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fault.WithHint(errors.New("git is not there"), "install git, or scan the files alone")
	}
	if said = strings.TrimSpace(said); err == nil || said == "" {
		return err
	}
	said, _, _ = strings.Cut(said, "\n")
	return errors.New("git: " + strings.TrimPrefix(said, "fatal: "))
}

// limited keeps the beginning of what is written.
type limited struct{ w *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.w.Write(p[:min(len(p), max(0, 4096-l.w.Len()))])
	return len(p), nil
}

// objects searches objects as git cat-file --batch prints them, and returns those in
// which something was found. paths has the paths of those that are known.
func (s *Scanner) objects(ctx context.Context, g *Git, in io.Reader, paths map[string]string, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs bytes.Buffer
	cmd := g.command(ctx, append([]string{"cat-file", "--batch", "--buffer"}, args...)...)
	cmd.Stdin, cmd.Stderr = in, &limited{w: &errs}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return gitError(err, "")
	}
	readErr := s.batch(ctx, bufio.NewReaderSize(out, bufferSize), paths)
	if readErr != nil {
		cancel()
	}
	if err := cmd.Wait(); err != nil && readErr == nil {
		return gitError(err, errs.String())
	}
	if readErr != nil {
		return gitError(readErr, errs.String())
	}
	return nil
}

// batch searches the blobs, commits and tags of git cat-file --batch.
func (s *Scanner) batch(ctx context.Context, in *bufio.Reader, paths map[string]string) error {
	t := s.texts()
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(string(line))
		if len(fields) == 2 { // missing, or ambiguous
			s.notRead("object "+fields[0], errors.New("git says: "+fields[1]))
			continue
		}
		if len(fields) != 3 {
			return errors.New("git cat-file has said what rhx does not understand")
		}
		size, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil || size < 0 {
			return errors.New("git cat-file has said what rhx does not understand")
		}
		text := io.LimitReader(in, size)
		if fields[1] == "tree" {
			err = t.tree(fields[0], text)
		} else {
			err = t.whole(ctx, Place{Path: paths[fields[0]], Object: fields[0]}, "", text)
			if _, left := io.Copy(io.Discard, text); err == nil {
				err = left
			}
		}
		if err == nil {
			_, err = in.Discard(1)
		}
		if err != nil {
			return fmt.Errorf("git cat-file has ended early: %w", err)
		}
	}
}

// tree searches the names in a folder of a repository: a mode, a name, NUL, and an object
// in binary.
func (t *texts) tree(object string, text io.Reader) error {
	in := bufio.NewReader(text)
	for {
		entry, err := readField(in)
		if err == nil {
			_, name, _ := strings.Cut(entry, " ")
			t.name(Place{Path: name, Object: object})
			_, err = in.Discard(len(object) / 2)
		}
		if err != nil {
			_, err = io.Copy(io.Discard, text) // it is broken, or at its end
			return err
		}
	}
}

// History searches all objects of a repository, those that no commit has any more too,
// and finds out the first commit and the path of each in which there is something. With an
// error, what was found before it is there, if without these.
func (s *Scanner) History(ctx context.Context, g *Git) error {
	before := len(s.findings)
	err := s.objects(ctx, g, nil, nil, "--batch-all-objects", "--unordered")
	if err == nil {
		err = s.notFetched(ctx, g)
	}
	wanted := map[string]Place{}
	for _, f := range s.findings[before:] {
		wanted[f.Object] = Place{Object: f.Object}
	}
	if len(wanted) == 0 {
		return err
	}
	err = errors.Join(err, g.origins(ctx, wanted))
	for i := range s.findings[before:] {
		f := &s.findings[before+i]
		name := f.Path
		inner := f.inner
		f.Place = wanted[f.Object]
		switch f.inner = inner; {
		case inner:
			f.Path += name
		case f.InName: // of a tree
			f.Path = path.Join(f.Path, name)
		}
		f.Path = s.Shown(f.Path)
	}
	s.findings = append(s.findings[:before], onceInEach(s.findings[before:])...)
	return err
}

// notFetched notes that a repository has not all of its history.
func (s *Scanner) notFetched(ctx context.Context, g *Git) error {
	const history = "the history"
	shallow, err := g.Output(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return err
	}
	if shallow == "true" {
		s.notRead(history, fault.WithHint(errors.New("this clone is shallow, and has no older commits"), "git fetch --unshallow brings them"))
	}
	partial, err := g.isSet(ctx, "--get-regexp", `^(extensions\.partialclone|remote\..*\.promisor)$`)
	if err != nil {
		return err
	}
	if partial {
		s.notRead(history, fault.WithHint(errors.New("this is a partial clone, and what git did not need yet is not there"), "search a clone that was made without --filter"))
	}
	return nil
}

// onceInEach leaves of one value in many versions of a file the oldest, which says where
// it came in.
func onceInEach(list []Finding) (out []Finding) {
	type which struct {
		path, secret, key, form string
		inName                  bool
	}
	at := map[which]int{}
	objects := map[which]map[string]bool{}
	for _, f := range list {
		w := which{f.Path, f.Secret, f.Key, f.Form, f.InName}
		i, ok := at[w]
		if f.Commit == "" || f.Path == "" || !ok {
			at[w], objects[w] = len(out), map[string]bool{f.Object: true}
			out = append(out, f)
			continue
		}
		objects[w][f.Object] = true
		if f.age > out[i].age || f.age == out[i].age && f.Line < out[i].Line {
			out[i] = f
		}
		out[i].Also = len(objects[w]) - 1
	}
	return out
}

// origins finds the first commit that has each of some objects, and the path there.
func (g *Git) origins(ctx context.Context, wanted map[string]Place) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs bytes.Buffer
	cmd := g.command(ctx, "log", "--all", "--reflog", "--topo-order", "-m", "--raw", "-t", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-mailmap", "--format=commit %H %T", "-z", "--")
	cmd.Stderr = &limited{w: &errs}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return gitError(err, "")
	}
	readErr := origins(bufio.NewReaderSize(out, bufferSize), wanted)
	if readErr != nil {
		cancel()
	}
	return gitError(errors.Join(readErr, cmd.Wait()), errs.String())
}

// maxPath is how long a path in a repository may be.
const maxPath = 64 << 10

// origins reads git log --raw -z --format="commit %H %T", the newest commit first.
func origins(in *bufio.Reader, wanted map[string]Place) error {
	commit, object := "", ""
	for age := 1; ; age++ {
		field, err := readField(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		field = strings.TrimLeft(field, "\n")
		switch {
		case object != "":
			if p, ok := wanted[object]; ok {
				p.Path, p.Commit, p.age = field, commit, age
				wanted[object] = p
			}
			object = ""
		case strings.HasPrefix(field, "commit "):
			commit = strings.TrimPrefix(field, "commit ")
			// The first line of changes may be behind it.
			var more bool
			if commit, field, more = strings.Cut(commit, "\n"); more {
				object = changed(strings.TrimLeft(field, "\n"))
			}
			var tree string
			commit, tree, _ = strings.Cut(commit, " ")
			for _, object := range []string{commit, tree} {
				if p, ok := wanted[object]; ok {
					p.Commit, p.age = commit, age
					wanted[object] = p
				}
			}
		case strings.HasPrefix(field, ":"):
			object = changed(field)
		}
	}
}

// changed is the new object of a line such as ":100644 100644 OLD NEW M"; "-" for none.
func changed(line string) string {
	if fields := strings.Fields(line); len(fields) == 5 {
		return fields[3]
	}
	return "-"
}

// readField reads to the next NUL.
func readField(in *bufio.Reader) (string, error) {
	var b []byte
	for {
		part, err := in.ReadSlice(0)
		b = append(b, part...)
		switch {
		case err == nil:
			return string(b[:len(b)-1]), nil
		case errors.Is(err, bufio.ErrBufferFull) && len(b) <= maxPath:
		case errors.Is(err, io.EOF) && len(b) > 0:
			return string(b), nil
		default:
			return "", err
		}
	}
}

// Staged searches the files that the index has otherwise than the last commit.
func (s *Scanner) Staged(ctx context.Context, g *Git) error {
	head, err := g.Output(ctx, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
	if err != nil || head == "" {
		// Before the first commit there is an empty tree.
		if head, err = g.Output(ctx, "hash-object", "-t", "tree", os.DevNull); err != nil {
			return err
		}
	}
	list, err := g.Output(ctx, "diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", head, "--")
	if err != nil {
		return err
	}
	paths := map[string]string{}
	var ask strings.Builder
	names := s.texts()
	fields := strings.Split(list, "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		change := strings.Fields(fields[i])
		if len(change) == 5 && strings.Trim(change[3], "0") != "" {
			names.name(Place{Path: fields[i+1]})
		}
		// A submodule has no object here, and one that is deleted has zeros.
		if len(change) != 5 || change[1] == "160000" || strings.Trim(change[3], "0") == "" || paths[change[3]] != "" {
			continue
		}
		paths[change[3]] = fields[i+1]
		ask.WriteString(change[3] + "\n")
	}
	if ask.Len() == 0 {
		return nil
	}
	before := len(s.findings)
	err = s.objects(ctx, g, strings.NewReader(ask.String()), paths)
	for i := range s.findings[before:] {
		s.findings[before+i].Object = "" // its path says all
	}
	return err
}

// Top is the folder of the files of the repository; "" for one that has none.
func (g *Git) Top(ctx context.Context) (string, error) {
	if bare, err := g.Output(ctx, "rev-parse", "--is-bare-repository"); err != nil || bare == "true" {
		return "", err
	}
	top, err := g.Output(ctx, "rev-parse", "--show-toplevel")
	return filepath.FromSlash(top), err
}
