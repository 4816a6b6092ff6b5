package machine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rhx-dev/rhx/host/fault"
)

const (
	// startWithin is how long a login shell may take before the script starts.
	startWithin = 60 * time.Second
	// answerWithin is how long the whole answer may take. A second is added for every
	// slowRate bytes that are sent to the host.
	answerWithin = 5 * time.Minute
	slowRate     = 32 << 10
)

func (m *sshMachine) Info(ctx context.Context, names []string) (Info, error) {
	s := infoRequest(names)
	list, err := m.ask(ctx, s, infoSize(names), true)
	if err != nil {
		return Info{}, err
	}
	info := Info{Env: make(map[string]string)}
	for _, p := range list {
		switch p.word(0) {
		case "home":
			info.Home = string(p.data)
			if trimmed := strings.TrimRight(info.Home, "/"); trimmed != "" {
				info.Home = trimmed
			}
		case "os":
			info.OS = systemName(string(p.data))
		case "env":
			if slices.Contains(names, p.word(1)) {
				info.Env[p.word(1)] = string(p.data)
			}
		}
	}
	if !path.IsAbs(info.Home) {
		return Info{}, fmt.Errorf("%s: the home folder there is not known", m.target)
	}
	return info, nil
}

// systemName turns what uname -s prints into a name of runtime.GOOS.
func systemName(uname string) string {
	name := strings.ToLower(strings.TrimSpace(uname))
	switch {
	case strings.HasPrefix(name, "cygwin"), strings.HasPrefix(name, "mingw"), strings.HasPrefix(name, "msys"), strings.HasPrefix(name, "windows"):
		return "windows"
	case name == "sunos":
		return "solaris"
	}
	return name
}

func (m *sshMachine) Read(ctx context.Context, paths []string) ([]File, error) {
	if len(paths) == 0 {
		return nil, ctx.Err()
	}
	s := newScript(readScript)
	found := make([][]File, len(paths))
	for i, p := range paths {
		err := posixPath(p)
		if err == nil && IsPattern(path.Base(p)) {
			err = validPattern(path.Base(p))
		}
		if err != nil {
			found[i] = []File{{Path: p, Err: &fs.PathError{Op: "read", Path: p, Err: err}}}
			continue
		}
		s.read(i, p)
	}
	list, err := m.ask(ctx, s, readSize(paths), false)
	if err != nil {
		return nil, err
	}
	for at, p := range list {
		i := p.index(1, len(paths))
		if i < 0 {
			continue
		}
		switch p.word(0) {
		case "file":
			if at+3 >= len(list) {
				return nil, m.broken()
			}
			found[i] = append(found[i], readAnswer(string(p.data), list[at+1:at+4]))
		case "no":
			name := string(p.data)
			if name == "" {
				name = paths[i]
			}
			found[i] = append(found[i], File{Path: name, Err: &fs.PathError{Op: "read", Path: name, Err: remoteError(p)}})
		}
	}
	var files []File
	for i, p := range paths {
		if IsPattern(path.Base(p)) {
			found[i] = slices.DeleteFunc(found[i], func(f File) bool {
				return f.Path != p && !matchName(path.Base(p), path.Base(f.Path)) || errors.Is(f.Err, fs.ErrNotExist) || errors.Is(f.Err, ErrNotRegular)
			})
			slices.SortFunc(found[i], func(a, b File) int { return strings.Compare(a.Path, b.Path) })
		} else if len(found[i]) != 1 {
			return nil, m.broken()
		}
		files = append(files, found[i]...)
	}
	return files, nil
}

// readAnswer reads the pieces list, data and end of one file.
func readAnswer(name string, list []piece) File {
	f := File{Path: name}
	mode, size, ok := parseListing(list[0].data)
	data := list[1].data
	var err error
	switch {
	case list[0].word(0) != "list" || list[1].word(0) != "data" || list[2].word(0) != "end":
		err = errors.New("the host's answer cannot be read")
	case list[2].word(1) != "0":
		err = errors.New("the host could not read it to its end")
	case !ok:
		err = errors.New("the host's ls gives no mode and size")
	case len(data) > MaxFile || size > MaxFile:
		err = ErrTooLarge
	case int64(len(data)) < size:
		err = errors.New("the file changed while it was read")
	default:
		f.Data, f.Mode = slices.Clip(data), mode
		if f.Data == nil {
			f.Data = []byte{}
		}
	}
	if err != nil {
		f.Err = &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return f
}

func (m *sshMachine) Write(ctx context.Context, changes []Change) ([]error, error) {
	return m.write(ctx, changes, nil)
}

// WriteVia implements [Deliverer].
func (m *sshMachine) WriteVia(ctx context.Context, changes []Change, hand func(text []byte) (Fetch, error)) ([]error, error) {
	return m.write(ctx, changes, hand)
}

func (m *sshMachine) write(ctx context.Context, changes []Change, hand func(text []byte) (Fetch, error)) ([]error, error) {
	errs := make([]error, len(changes))
	s, contents, calls := newScript(writeScript), new(script), new(script)
	fmt.Fprintf(s, "R=%s\n", strings.ToLower(s.mark[len("rhx-"):len("rhx-")+8]))
	sent := 0
	for i, c := range changes {
		if err := ctx.Err(); err != nil { // nothing has been sent
			for i, c := range changes {
				errs[i] = changeError(c, err)
			}
			return errs, err
		}
		err := posixPath(c.Path)
		if len(c.Data) > MaxFile || len(c.Old) > MaxFile {
			err = ErrTooLarge
		}
		if err != nil {
			errs[i] = changeError(c, err)
			continue
		}
		contents.contents(i, c)
		calls.change(i, c)
		sent++
	}
	if sent == 0 {
		return errs, ctx.Err()
	}
	if hand == nil {
		s.Write(contents.Bytes())
	} else {
		// The salt goes with the text alone, so that its digest, which goes with
		// the request, helps nobody to guess a secret in it.
		text := append([]byte(": "+rand.Text()+"\n"), contents.Bytes()...)
		f, err := hand(text)
		if err != nil {
			for i, c := range changes {
				errs[i] = changeError(c, err)
			}
			return errs, err
		}
		s.fetch(f, text)
	}
	s.Write(calls.Bytes())
	s.WriteString("commit\n")
	list, err := m.ask(ctx, s, smallAnswer+len(changes)*smallAnswer/256, false)
	if n := len(list); err == nil && hand != nil && n >= 2 && list[n-2].word(0) == "nofetch" {
		said := ""
		if n >= 3 {
			said = printable(string(list[n-3].data), 300)
		}
		err = fmt.Errorf("%s: %w: %s", m.target, ErrNotFetched, said)
	} else if err == nil && n >= 2 && list[n-2].word(0) == "altered" {
		err = fmt.Errorf("%s: %w", m.target, ErrAltered)
		if list[n-2].word(1) == "unknown" {
			err = fmt.Errorf("%w, as far as can be known: the host has neither sha256sum, shasum nor openssl", err)
		}
	}
	done := make([]bool, len(changes))
	for _, p := range list {
		i := p.index(1, len(changes))
		if i < 0 || done[i] || errs[i] != nil {
			continue
		}
		switch p.word(0) {
		case "ok":
			done[i] = true
		case "no":
			errs[i] = changeError(changes[i], remoteError(p))
		}
	}
	for i := range changes {
		if done[i] || errs[i] != nil {
			continue
		}
		if err == nil {
			err = m.broken()
		}
		errs[i] = changeError(changes[i], err)
	}
	return errs, err
}

func (m *sshMachine) broken() error {
	return fmt.Errorf("%s: the host's answer is incomplete", m.target)
}

// remoteError is the error of a piece "no INDEX WHY", with the message of a
// program, in English, where WHY is why or folder.
func remoteError(p piece) error {
	message := string(p.data)
	switch p.word(2) {
	case "missing":
		return fs.ErrNotExist
	case "denied":
		return fs.ErrPermission
	case "irregular":
		return ErrNotRegular
	case "changed":
		return ErrChanged
	case "circle":
		return errors.New("too many levels of symbolic links")
	case "short":
		return errors.New("the new content did not arrive in the file; nothing was changed")
	case "folder":
		return fmt.Errorf("create a file in its folder: %w", programError(message))
	}
	return programError(message)
}

// programError turns the message of a program into an error. The words are
// those of strerror in the C locale, alike everywhere.
func programError(message string) error {
	lower := strings.ToLower(message)
	for _, known := range []struct {
		words string
		err   error
	}{
		{"permission denied", fs.ErrPermission}, {"operation not permitted", fs.ErrPermission}, {"no space left", syscall.ENOSPC},
		{"read-only file system", syscall.EROFS}, {"quota exceeded", errQuota}, {"file name too long", syscall.ENAMETOOLONG},
		{"not a directory", errNotFolder}, {"file exists", errNotFolder}, {"is a directory", ErrNotRegular},
		{"too many levels", errors.New("too many levels of symbolic links")},
	} {
		if strings.Contains(lower, known.words) {
			return known.err
		}
	}
	if message = printable(message, 200); message != "" {
		return fmt.Errorf("the host says: %s", message)
	}
	return errors.New("the host could not do it and does not say why")
}

var errQuota = errors.New("disk quota exceeded")

// ask runs a script on the host and returns the pieces of its answer, also
// those that came before an error. Size is how large the answer may be. Harmless
// says that the script holds nothing secret, so that what the host printed instead
// can be shown.
func (m *sshMachine) ask(ctx context.Context, s *script, size int, harmless bool) ([]piece, error) {
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	text := s.finish()
	a := &answer{mark: []byte(s.mark), limit: size}
	stderr, err := conn.exchange(ctx, text, a, m.within(text))
	return m.judge(ctx, a, stderr, err, harmless)
}

// within is how long the answer to a text may take.
func (m *sshMachine) within(text []byte) time.Duration {
	return cmp.Or(m.opts.answerWithin, answerWithin) + time.Duration(len(text)/slowRate)*time.Second
}

// judge returns the pieces of an answer, and what is wrong with it.
func (m *sshMachine) judge(ctx context.Context, a *answer, stderr []byte, err error, harmless bool) ([]piece, error) {
	list := a.pieces
	switch {
	case err != nil && ctx.Err() != nil:
		return list, ctx.Err()
	case err == nil && len(list) == 0:
		return nil, m.noShell(a.noise, stderr, harmless)
	case err != nil:
		return list, fmt.Errorf("%s: %w", m.target, err)
	case slices.ContainsFunc(list, func(p piece) bool { return p.word(0) == "noprint" }):
		return nil, fmt.Errorf("%s: the sh there has neither printf nor print built in, so nothing can be written without others seeing it", m.target)
	case list[len(list)-1].word(0) != "done":
		return list, m.broken()
	}
	return list, nil
}

func (m *sshMachine) noShell(answer, stderr []byte, harmless bool) error {
	what, hint := "the host runs no POSIX sh for this user", "rhx needs sh on the host; an account that may only use sftp, or that runs a fixed command, will not do"
	if c, ok, _ := parseContainer(m.target); ok {
		what, hint = c.program+" exec runs no sh there", "the container has to run, and to have sh in it, and stty for a terminal"
	}
	err := fmt.Errorf("%s: %s", m.target, what)
	if said := printable(string(stderr)+" "+string(answer), 200); harmless && said != "" {
		err = fmt.Errorf("%w; it says: %s", err, said)
	}
	return fault.WithHint(err, hint)
}

// exchange runs remoteCommand with input on its standard input and reads what
// it prints into a, until the piece "done". It takes one round trip.
func (c *sshConn) exchange(ctx context.Context, input []byte, a *answer, within time.Duration) (stderr []byte, err error) {
	next, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer next()
	t := talk{command: remoteCommand, input: input}
	defer t.leave()
	if err = t.begin(ctx, c, a, within); err == nil && a.done {
		c.awaitClose(t.ended)
	}
	return t.said.bytes(), err
}

// talk is a session in which a script answers.
type talk struct {
	command string
	input   []byte
	more    bool // more input comes after that

	channel ssh.Channel // nil before it is opened
	ended   chan int    // the exit status, -1 for none
	said    headBuffer  // on standard error
}

func (t *talk) leave() {
	if t.channel != nil {
		leave(t.channel, "")
	}
}

// begin starts the script and reads what it prints into a, until the piece "done".
func (t *talk) begin(ctx context.Context, c *sshConn, a *answer, within time.Duration) error {
	channel, requests, err := c.session(ctx, sessionWithin)
	if err != nil {
		return err
	}
	t.channel, t.ended, t.said.limit = channel, make(chan int, 1), 4<<10
	go func() { t.ended <- exitStatus(requests) }()
	result := make(chan error, 1)
	started := make(chan struct{})
	a.started = started
	reading := *a // what is read after this function has returned is nobody's
	go func() { result <- reading.read(channel) }()
	go func() { _, _ = io.Copy(&t.said, channel.Stderr()) }()
	go func() {
		c.sendEnv(channel)
		// No answer to the request is waited for: the answer of the script is one.
		if _, err := channel.SendRequest("exec", false, ssh.Marshal(struct{ Command string }{t.command})); err == nil {
			_, _ = channel.Write(t.input)
			if !t.more {
				_ = channel.CloseWrite()
			}
			c.openNext()
		}
	}()
	slow, late := time.NewTimer(startWithin), time.NewTimer(within)
	defer slow.Stop()
	defer late.Stop()
	for {
		select {
		case err := <-result: // also when the connection is lost
			*a = reading
			if err == nil && !a.done && c.dying() {
				err = c.failure()
			}
			return err
		case <-started:
			slow.Stop()
			started = nil
		case <-slow.C:
			return fmt.Errorf("the host starts no shell within %v", startWithin)
		case <-late.C:
			return fmt.Errorf("the host's answer is not whole after %v", within)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
