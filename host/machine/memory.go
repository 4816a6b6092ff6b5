package machine

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Memory is a machine that exists only in memory, for the tests of packages
// that use machines. Its home folder is /home/u, its system linux, and its
// user is not root: the permission bits of files and folders count.
type Memory struct {
	name string

	mu    sync.Mutex
	env   map[string]string
	nodes map[string]*node // by cleaned path; the root is always there
	fails map[string]error // by operation and path
	down  error
	calls []string
}

// node is a file, a folder (mode has fs.ModeDir), a link (fs.ModeSymlink, with
// the target in data) or something else, such as a pipe.
type node struct {
	mode fs.FileMode
	data []byte
}

// NewMemory returns a machine with an empty home folder and environment.
func NewMemory(name string) *Memory {
	m := &Memory{name: name, env: make(map[string]string), nodes: make(map[string]*node), fails: make(map[string]error)}
	m.nodes["/"] = &node{mode: fs.ModeDir | 0o755}
	m.PutFolder("/home", 0o755)
	m.PutFolder("/home/u", 0o700)
	return m
}

// Name returns the name given to NewMemory.
func (m *Memory) Name() string { return m.name }

// Close does nothing.
func (m *Memory) Close() error { return nil }

// SetEnv sets a variable; an empty value unsets it.
func (m *Memory) SetEnv(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.env[name] = value
}

// PutFile creates or replaces a file, whatever the rights, and makes missing
// folders with mode 0700.
func (m *Memory) PutFile(p string, data []byte, mode fs.FileMode) {
	m.put(p, &node{mode: mode.Perm(), data: bytes.Clone(data)})
}

// PutFolder creates a folder, or sets its mode.
func (m *Memory) PutFolder(p string, mode fs.FileMode) {
	m.put(p, &node{mode: fs.ModeDir | mode.Perm()})
}

// PutLink creates a symbolic link at p.
func (m *Memory) PutLink(target, p string) {
	m.put(p, &node{mode: fs.ModeSymlink | 0o777, data: []byte(target)})
}

// PutPipe creates a named pipe.
func (m *Memory) PutPipe(p string) { m.put(p, &node{mode: fs.ModeNamedPipe | 0o600}) }

func (m *Memory) put(p string, n *node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p = path.Clean(p)
	m.makeFolders(path.Dir(p))
	m.nodes[p] = n
}

func (m *Memory) makeFolders(p string) {
	for ; m.nodes[p] == nil; p = path.Dir(p) {
		m.nodes[p] = &node{mode: fs.ModeDir | 0o700}
	}
}

// Delete removes what is at p, if anything.
func (m *Memory) Delete(p string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.nodes, path.Clean(p))
}

// File returns the content and the mode of what is at p, following no link;
// ok is false where there is nothing.
func (m *Memory) File(p string) (data []byte, mode fs.FileMode, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.nodes[path.Clean(p)]
	if n == nil {
		return nil, 0, false
	}
	return bytes.Clone(n.data), n.mode, true
}

// Names returns the sorted names of what is in the folder p.
func (m *Memory) Names(p string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names(path.Clean(p))
}

func (m *Memory) names(p string) []string {
	var names []string
	for q := range m.nodes {
		if q != "/" && path.Dir(q) == p {
			names = append(names, path.Base(q))
		}
	}
	slices.Sort(names)
	return names
}

// FailRead makes reads of the file p fail with err; nil ends that.
func (m *Memory) FailRead(p string, err error) { m.fail("read "+p, err) }

// FailWrite makes changes of the file p fail with err; nil ends that.
func (m *Memory) FailWrite(p string, err error) { m.fail("write "+p, err) }

func (m *Memory) fail(key string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fails[key] = err
}

// Fail makes every operation fail as a whole with err, as a lost connection
// does; nil ends that.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Calls returns the operations so far: "info", "read", "write", in order.
func (m *Memory) Calls() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// begin starts an operation; the caller holds mu.
func (m *Memory) begin(ctx context.Context, call string) error {
	m.calls = append(m.calls, call)
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.down
}

// Info returns the home folder and the variables that are set.
func (m *Memory) Info(ctx context.Context, names []string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx, "info"); err != nil {
		return Info{}, err
	}
	env := maps.Clone(m.env)
	maps.DeleteFunc(env, func(name, value string) bool { return value == "" || !slices.Contains(names, name) })
	return Info{Home: "/home/u", OS: "linux", Env: env}, nil
}

// Read returns files as every machine does.
func (m *Memory) Read(ctx context.Context, paths []string) ([]File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(ctx, "read"); err != nil {
		return nil, err
	}
	files := make([]File, 0, len(paths))
	for _, p := range paths {
		dir, name := path.Split(p)
		if !IsPattern(name) {
			files = append(files, m.read(p))
			continue
		}
		names, err := m.match(dir, name)
		if err != nil {
			files = append(files, File{Path: p, Err: &fs.PathError{Op: "read", Path: p, Err: err}})
			continue
		}
		for _, name := range names {
			f := m.read(dir + name)
			if f.Err == nil || !errors.Is(f.Err, fs.ErrNotExist) && !errors.Is(f.Err, ErrNotRegular) {
				files = append(files, f)
			}
		}
	}
	return files, nil
}

func (m *Memory) match(dir, pattern string) ([]string, error) {
	if err := validPattern(pattern); err != nil {
		return nil, err
	}
	if err := posixPath(dir + pattern); err != nil {
		return nil, err
	}
	p, n, err := m.resolve(path.Clean(dir))
	if err != nil {
		return nil, err
	}
	if n == nil || !n.mode.IsDir() {
		return nil, nil
	}
	if n.mode&0o400 == 0 {
		return nil, fs.ErrPermission
	}
	return slices.DeleteFunc(m.names(p), func(name string) bool { return !matchName(pattern, name) }), nil
}

func (m *Memory) read(p string) File {
	f := File{Path: p}
	err := posixPath(p)
	var n *node
	if err == nil {
		_, n, err = m.resolve(p)
	}
	switch {
	case err != nil:
	case m.fails["read "+p] != nil:
		err = m.fails["read "+p]
	case n == nil:
		err = fs.ErrNotExist
	case !n.mode.IsRegular():
		err = ErrNotRegular
	case n.mode&0o400 == 0:
		err = fs.ErrPermission
	case len(n.data) > MaxFile:
		err = ErrTooLarge
	default:
		f.Data, f.Mode = append([]byte{}, n.data...), n.mode
	}
	if err != nil {
		f.Err = &fs.PathError{Op: "read", Path: p, Err: err}
	}
	return f
}

// resolve follows the symbolic links in p. The node is nil where there is
// nothing, and the path then is where a new file would go.
func (m *Memory) resolve(p string) (string, *node, error) {
	at, rest := "/", strings.Split(strings.Trim(p, "/"), "/")
	for links := 0; len(rest) > 0; {
		dir := m.nodes[at]
		if dir != nil && dir.mode.IsDir() && dir.mode&0o100 == 0 {
			return "", nil, fs.ErrPermission
		}
		next := path.Join(at, rest[0])
		rest = rest[1:]
		n := m.nodes[next]
		if n == nil || n.mode&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", nil, errors.New("too many levels of symbolic links")
		}
		to := string(n.data)
		if strings.HasPrefix(to, "/") {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(to, "/"), "/"), rest...)
	}
	return at, m.nodes[at], nil
}

// Write makes changes as every machine does.
func (m *Memory) Write(ctx context.Context, changes []Change) ([]error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := make([]error, len(changes))
	if err := m.begin(ctx, "write"); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs, err
	}
	for i, c := range changes {
		if err := m.change(c); err != nil {
			errs[i] = changeError(c, err)
		}
	}
	return errs, nil
}

func (m *Memory) change(c Change) error {
	if len(c.Data) > MaxFile || len(c.Old) > MaxFile {
		return ErrTooLarge
	}
	if err := posixPath(c.Path); err != nil {
		return err
	}
	if len(path.Base(c.Path)) > 255 {
		return syscall.ENAMETOOLONG
	}
	if err := m.fails["write "+c.Path]; err != nil {
		return err
	}
	p, n, err := m.resolve(c.Path)
	if err != nil {
		return err
	}
	// The nearest folder that exists decides whether anything can be made there.
	dir := path.Dir(p)
	for m.nodes[dir] == nil {
		dir = path.Dir(dir)
	}
	switch d := m.nodes[dir]; {
	case n == nil && c.Remove:
		return nil
	case !d.mode.IsDir():
		return errNotFolder
	case n == nil && c.Old != nil:
		return ErrChanged
	case n != nil && !n.mode.IsRegular():
		return ErrNotRegular
	case n != nil && c.Old == nil:
		return ErrChanged
	case n != nil && n.mode&0o400 == 0:
		return fs.ErrPermission
	case n != nil && !bytes.Equal(n.data, c.Old):
		return ErrChanged
	case d.mode&0o300 != 0o300:
		return fs.ErrPermission
	}
	if c.Remove {
		delete(m.nodes, p)
		return nil
	}
	mode := c.Mode.Perm()
	if mode == 0 {
		mode = 0o600
	}
	if n != nil {
		mode &= n.mode
	}
	m.makeFolders(path.Dir(p))
	m.nodes[p] = &node{mode: mode, data: bytes.Clone(c.Data)}
	return nil
}

// posixPath is validPath for a machine whose paths have slashes, whatever this
// one's have.
func posixPath(p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return errors.New("the path is not absolute")
	case strings.ContainsRune(p, 0):
		return errors.New("the path has a zero byte")
	case strings.HasSuffix(p, "/"):
		return ErrNotRegular
	}
	return nil
}
