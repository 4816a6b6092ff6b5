//go:build linux || darwin

package agent

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
)

// childEnv makes the test binary run one of children instead of tests.
const childEnv = "RHX_AGENT_TEST_CHILD"

var children = map[string]func(arg string){
	// An agent, as rhx is one.
	"agent": func(string) {},
	// A connection by another user: what it gets.
	"ask": func(dir string) {
		conn, err := net.Dial("unix", filepath.Join(dir, socketName))
		if err != nil {
			fmt.Println("dial:", err)
			return
		}
		_ = send(conn, &request{Version: protocol, Op: opStatus})
		data, _ := io.ReadAll(conn)
		fmt.Println("got", len(data))
	},
	// A socket of another user's, until the input ends.
	"squat": func(path string) {
		l, err := net.Listen("unix", path)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("listening")
		got := make(chan int)
		go func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			data, _ := io.ReadAll(conn)
			got <- len(data)
		}()
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Println("got", <-got)
	},
}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "test-agent" {
		s := &Server{Parse: parseFake}
		self, _ := os.Executable()
		if s.Run(context.Background(), "", self, "test-agent") != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if name, arg, ok := strings.Cut(os.Getenv(childEnv), "="); ok {
		children[name](arg)
		return
	}
	os.Exit(m.Run())
}

// fakeKey is a key that shows what it was asked for.
type fakeKey struct{ text string }

func parseFake(m *Material) (Key, error) {
	if string(m.Texts[0]) == "bad" {
		return nil, errors.New("that is no key")
	}
	return fakeKey{string(m.Texts[0])}, nil
}

func (f fakeKey) Public() []string  { return []string{"public of " + f.text[:4]} }
func (f fakeKey) Signers() []string { return []string{"signer"} }

func (f fakeKey) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if stanzas[0].Type != "fake" {
		return nil, age.ErrIncorrectIdentity
	}
	return append([]byte("file key of "), stanzas[0].Body...), nil
}

func (f fakeKey) Derive(purpose string) ([][]byte, error) {
	if purpose == "all" {
		return nil, errors.New("not that")
	}
	return [][]byte{[]byte("derived for " + purpose)}, nil
}

func (f fakeKey) Sign(purpose string, message []byte) ([]byte, error) {
	return []byte("sig " + purpose + " " + string(message)), nil
}

func noError(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// folder is one for a socket, whose path has to be short.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rhx-agent-")
	noError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func client(t testing.TB, dir string) *Client {
	t.Helper()
	c := NewClient(func() string { return dir }, func(text string) { t.Error(text) })
	t.Cleanup(c.Close)
	return c
}

// clock is one that tests set.
type clock struct {
	mu sync.Mutex
	t  instant
}

func (c *clock) now() instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(boot, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t.boot += boot
	c.t.wall += wall
}

// serve starts an agent in this process.
func serve(t testing.TB, s *Server) (dir string) {
	t.Helper()
	dir = folder(t)
	socket, lock, err := listen(dir, agentName)
	noError(t, err)
	l, err := net.FileListener(socket)
	noError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	s.Parse = parseFake
	go func() { done <- s.Serve(ctx, l.(*net.UnixListener)) }()
	t.Cleanup(func() {
		cancel()
		noError(t, <-done)
		_, _ = socket.Close(), lock.Close()
	})
	return dir
}

func material(name string) *Material {
	return &Material{Digest: DigestOf([]byte(name)), Path: "/keys/" + name, Texts: [][]byte{[]byte(name + "-private")}, For: time.Hour, Idle: 10 * time.Minute}
}

func add(t testing.TB, c *Client, name string) {
	t.Helper()
	noError(t, c.Add(material(name)))
}

func find(t testing.TB, c *Client, name string) *Remote {
	t.Helper()
	r, err := c.Find(DigestOf([]byte(name)))
	noError(t, err)
	return r
}

func isNone(t testing.TB, c *Client, name string) {
	t.Helper()
	if r, err := NewClient(c.dir, nil).Find(DigestOf([]byte(name))); !errors.Is(err, ErrNone) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestWhatAnAgentDoes(t *testing.T) {
	c := client(t, serve(t, &Server{}))
	if st, err := c.Status(); err != nil || len(st.Keys) != 0 || st.PID != os.Getpid() {
		t.Errorf("%+v, %v", st, err)
	}
	isNone(t, c, "key1")
	m := material("key1")
	noError(t, c.Add(m))
	add(t, c, "key2")
	isNone(t, c, "key3")
	r := find(t, c, "key1")
	if got := fmt.Sprint(r.Public(), r.Signers()); got != "[public of key1] [signer]" {
		t.Error(got)
	}
	if key, err := r.Unwrap([]*age.Stanza{{Type: "fake", Args: []string{"a"}, Body: []byte("b\x00")}}); err != nil || string(key) != "file key of b\x00" {
		t.Errorf("%q, %v", key, err)
	}
	if _, err := r.Unwrap([]*age.Stanza{{Type: "X25519"}}); err != age.ErrIncorrectIdentity {
		t.Error(err)
	}
	if keys, err := r.Derive("seal"); err != nil || len(keys) != 1 || string(keys[0]) != "derived for seal" {
		t.Errorf("%q, %v", keys, err)
	}
	if _, err := r.Derive("all"); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "not that") {
		t.Error(err)
	}
	if sig, err := r.Sign("record", []byte("sum")); err != nil || string(sig) != "sig record sum" {
		t.Errorf("%q, %v", sig, err)
	}
	st, err := c.Status()
	noError(t, err)
	if len(st.Keys) != 2 || st.Keys[0].Until.Sub(st.Keys[0].IdleUntil).Round(time.Minute) != 50*time.Minute {
		t.Errorf("%+v", st)
	}
	for _, bad := range []*Material{
		nil, {}, {Digest: m.Digest, Texts: m.Texts}, {Digest: "x", Texts: m.Texts, For: 1, Idle: 1}, {Digest: m.Digest, For: 1, Idle: 1},
		{Digest: m.Digest, Texts: [][]byte{[]byte("bad")}, For: 1, Idle: 1}, {Digest: m.Digest, Texts: m.Texts, For: Longest + 1, Idle: 1}, {Digest: m.Digest, Texts: m.Texts, For: 1, Idle: Longest + 1},
	} {
		if err := c.Add(bad); !errors.Is(err, errRefused) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for i := range maxKeys - 2 {
		add(t, c, fmt.Sprintf("more%d", i))
	}
	add(t, c, "key1") // again
	if err := c.Add(material("many")); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "16 keys") {
		t.Error(err)
	}
	if _, err := c.ask(&request{Op: "none", Digest: m.Digest}); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	if _, err := c.ask(&request{Op: opUnwrap, Digest: m.Digest, Stanzas: []*age.Stanza{nil}}); !errors.Is(err, errRefused) {
		t.Error(err)
	}
}

// A key is held for its time by whichever clock has it over first.
func TestLimitsOfTime(t *testing.T) {
	const hour, minute = time.Hour, time.Minute
	for name, c := range map[string]struct {
		steps [][2]time.Duration // of both clocks, with a use after each
		holds bool
	}{
		"just unlocked":           {nil, true},
		"used often":              {[][2]time.Duration{{9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {9 * minute, 9 * minute}}, true},
		"not used":                {[][2]time.Duration{{10 * minute, 10 * minute}}, false},
		"at the end":              {[][2]time.Duration{{9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {9 * minute, 9 * minute}, {6 * minute, 6 * minute}}, false},
		"the clock was set back":  {[][2]time.Duration{{9 * minute, -20 * hour}, {9 * minute, 0}}, true},
		"set back, and not used":  {[][2]time.Duration{{10 * minute, -20 * hour}}, false},
		"the wall's clock only":   {[][2]time.Duration{{0, 10 * minute}}, false},
		"the machine's only":      {[][2]time.Duration{{10 * minute, 0}}, false},
		"set forward":             {[][2]time.Duration{{minute, 20 * hour}}, false},
		"there and back for ever": {[][2]time.Duration{{9 * minute, -hour}, {9 * minute, -hour}, {9 * minute, -hour}, {9 * minute, -hour}, {9 * minute, -hour}, {9 * minute, -hour}, {9 * minute, -hour}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{t: instant{boot: hour, wall: 100 * hour}}
			renewed := 0
			s := &Server{clock: clock.now, Renew: func() { renewed++ }}
			dir := serve(t, s)
			agent := client(t, dir)
			add(t, agent, "key1")
			holds := true
			for _, step := range c.steps {
				clock.add(step[0], step[1])
				r, err := NewClient(func() string { return dir }, nil).Find(DigestOf([]byte("key1")))
				holds = err == nil && r.Held(true)
			}
			s.look()
			if holds != c.holds || renewed > 0 == c.holds {
				t.Errorf("held: %v, forgotten %d times", holds, renewed)
			}
			if st, err := agent.Status(); err != nil || len(st.Keys) > 0 != c.holds {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
}

// To look whether a key is held is no use of it.
func TestLookingIsNoUse(t *testing.T) {
	clock := &clock{}
	dir := serve(t, &Server{clock: clock.now})
	c := client(t, dir)
	add(t, c, "key1")
	r := find(t, c, "key1")
	clock.add(9*time.Minute, 0)
	if !r.Held(true) {
		t.Error("it is gone")
	}
	clock.add(9*time.Minute, 0)
	if !find(t, c, "key1").Held(false) {
		t.Error("it is gone")
	}
	clock.add(time.Minute, 0)
	if r.Held(false) {
		t.Error("looking has used it")
	}
}

// One that is over does not take the others along.
func TestOneOfSeveralKeysIsOver(t *testing.T) {
	clock := &clock{}
	var renewed atomic.Int32
	c := client(t, serve(t, &Server{clock: clock.now, Renew: func() { renewed.Add(1) }}))
	add(t, c, "key1")
	clock.add(5*time.Minute, 0)
	add(t, c, "key2")
	clock.add(5*time.Minute, 0)
	isNone(t, c, "key1")
	find(t, c, "key2")
	if renewed.Load() != 0 {
		t.Error("all was forgotten")
	}
	clock.add(time.Hour, 0)
	isNone(t, c, "key2")
	if renewed.Load() != 1 {
		t.Error("not all was forgotten")
	}
}

// What was said before a lock is of no use after it.
func TestLock(t *testing.T) {
	renewed := make(chan bool, 1)
	dir := serve(t, &Server{Renew: func() { renewed <- true }})
	c := client(t, dir)
	add(t, c, "key1")
	other := NewClient(func() string { return dir }, nil)
	r := find(t, other, "key1")
	noError(t, c.Lock())
	<-renewed
	if _, err := r.Unwrap([]*age.Stanza{{Type: "fake"}}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	isNone(t, c, "key1")
	// The client does not ask again.
	add(t, c, "key1")
	if _, err := r.Unwrap([]*age.Stanza{{Type: "fake"}}); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	find(t, c, "key1")
}

// One that was told to end does nothing any more, however long it takes.
func TestStopForgets(t *testing.T) {
	s := &Server{clock: now, keys: map[string]*held{DigestOf([]byte("key1")): {key: fakeKey{"key1"}, max: time.Hour, idle: time.Hour, since: now(), use: now()}}}
	stopped := false
	a, after := s.answer(&request{Op: opStop})
	if a.Fail != "" || len(s.keys) != 0 {
		t.Errorf("%+v, %d keys", a, len(s.keys))
	}
	after(func() { stopped = true })
	if !stopped {
		t.Error("it goes on")
	}
}

func TestAnotherVersion(t *testing.T) {
	dir := serve(t, &Server{})
	conn, err := dial(dir, time.Now().Add(time.Minute))
	noError(t, err)
	a := &answer{}
	noError(t, send(conn, &request{Version: protocol + 1, Op: opStatus}))
	noError(t, receive(conn, a, unbounded))
	if a.Fail != failOther || !strings.Contains(a.Error, "rhx agent stop") {
		t.Errorf("%+v", a)
	}
	// What takes a key away works for every version.
	add(t, client(t, dir), "key1")
	noError(t, send(conn, &request{Version: protocol + 1, Op: opLock}))
	noError(t, receive(conn, a, unbounded))
	isNone(t, client(t, dir), "key1")
	conn, err = dial(dir, time.Now().Add(time.Minute))
	noError(t, err)
	noError(t, send(conn, &request{Version: protocol + 1, Op: opStop}))
	noError(t, receive(conn, a, unbounded))
}

func unbounded(int) (func(), error) { return func() {}, nil }

// Requests that are too long, never end or are none are dropped, and nobody else notices.
func TestBadRequests(t *testing.T) {
	dir := serve(t, &Server{quiet: 50 * time.Millisecond})
	c := client(t, dir)
	add(t, c, "key1")
	frame := func(n int, text string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(n))) + text
	}
	for name, text := range map[string]string{
		"nothing":      "",
		"half a head":  "\x00\x00",
		"half":         frame(100, `{"v":1,"op":"status"`),
		"too long":     frame(maxFrame+1, ""),
		"much":         frame(1<<32-1, strings.Repeat("x", 1<<16)),
		"not JSON":     frame(4, "fake"),
		"another type": frame(2, "[]"),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := dial(dir, time.Now().Add(time.Minute))
			noError(t, err)
			defer conn.Close()
			_, _ = io.WriteString(conn, text) // it may be closed already
			if data, err := io.ReadAll(conn); len(data) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("answered %q, %v", data, err)
			}
			find(t, client(t, dir), "key1")
		})
	}
}

// More memory than the agent lends is not taken.
func TestMemoryOfRequests(t *testing.T) {
	s := &Server{}
	for range maxPending / maxFrame {
		_, err := s.reserve(maxFrame)
		noError(t, err)
	}
	if _, err := s.reserve(1); err == nil {
		t.Error("taken")
	}
	s = &Server{}
	release, err := s.reserve(maxPending)
	noError(t, err)
	release()
	_, err = s.reserve(maxPending)
	noError(t, err)
}

// A client whose connection was closed meanwhile makes another.
func TestAClientComesBack(t *testing.T) {
	dir := serve(t, &Server{quiet: 20 * time.Millisecond})
	c := client(t, dir)
	add(t, c, "key1")
	r := find(t, c, "key1")
	one := make([]byte, 1)
	c.mu.Lock()
	_, err := c.conn.Read(one) // it is closed by the agent
	c.mu.Unlock()
	if err != io.EOF {
		t.Fatal(err)
	}
	_, err = r.Derive("seal")
	noError(t, err)
}

func TestManyAtOnce(t *testing.T) {
	dir := serve(t, &Server{})
	add(t, client(t, dir), "key1")
	var wg sync.WaitGroup
	var failed atomic.Int32
	begin := make(chan bool)
	for range 500 {
		wg.Go(func() {
			<-begin
			c := NewClient(func() string { return dir }, nil)
			defer c.Close()
			for range 3 {
				r, err := c.Find(DigestOf([]byte("key1")))
				if err == nil {
					_, err = r.Unwrap([]*age.Stanza{{Type: "fake"}})
				}
				if err != nil {
					failed.Add(1)
				}
			}
		})
	}
	close(begin)
	wg.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 500 were not served", n)
	}
}

// Only processes of the same user are spoken to, by either side.
func TestOtherUsers(t *testing.T) {
	dir := serve(t, &Server{uid: os.Geteuid() + 1})
	conn, err := dial(dir, time.Now().Add(time.Minute))
	noError(t, err)
	_ = send(conn, &request{Version: protocol, Op: opStatus}) // it may be closed already
	if data, _ := io.ReadAll(conn); len(data) > 0 {
		t.Errorf("another user got %d bytes", len(data))
	}
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	dir = serve(t, &Server{})
	noError(t, os.Chmod(dir, 0o777))
	noError(t, os.Chmod(filepath.Join(dir, socketName), 0o777))
	if out := asNobody(t, "ask="+dir, nil); out != "got 0\n" {
		t.Errorf("%q", out)
	}
}

// asNobody runs a child as another user.
func asNobody(t *testing.T, child string, input io.Reader) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testProgram(t))
	cmd.Env = []string{childEnv + "=" + child}
	cmd.Dir, cmd.Stdin = "/", input
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	noError(t, err)
	return string(out)
}

// testProgram is this program where everybody can run it.
func testProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	noError(t, err)
	data, err := os.ReadFile(self)
	noError(t, err)
	path := filepath.Join(folder(t), "test")
	noError(t, os.Chmod(filepath.Dir(path), 0o755))
	noError(t, os.WriteFile(path, data, 0o755))
	return path
}

// A server of another user that got to the place of the socket is told nothing.
func TestASquattedSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can be somebody else
	}
	theirs, mine := folder(t), folder(t)
	noError(t, os.Chmod(theirs, 0o777))
	path := filepath.Join(theirs, "s")
	in, out := io.Pipe()
	done := make(chan string)
	go func() { done <- asNobody(t, "squat="+path, in) }()
	for {
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	noError(t, os.Rename(path, filepath.Join(mine, socketName)))
	_, err := client(t, mine).Status()
	if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "another user (65534)") {
		t.Error(err)
	}
	warned := ""
	c := NewClient(func() string { return mine }, func(text string) { warned = text })
	if _, err := c.Find(DigestOf(nil)); !errors.Is(err, ErrNone) || !strings.Contains(warned, "another user") {
		t.Error(err, warned)
	}
	if started, err := client(t, mine).Start("/bin/false"); started || !errors.Is(err, ErrForeign) {
		t.Error(started, err)
	}
	_ = out.Close()
	if got := <-done; got != "listening\ngot 0\n" {
		t.Errorf("%q", got)
	}
}

func TestFoldersOfOthers(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"others can look into it": func(dir string) error { return os.Chmod(dir, 0o755) },
		"a link":                  func(dir string) error { return errors.Join(os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir)) },
		"a file":                  func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		dir := serve(t, &Server{})
		noError(t, spoil(dir))
		t.Cleanup(func() { _ = os.RemoveAll(dir + ".real") })
		if _, err := client(t, dir).Status(); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := client(t, dir).Start("/bin/false"); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// A server that says nothing is waited for only once.
func TestASilentServer(t *testing.T) {
	dir := folder(t)
	socket, lock, err := listen(dir, agentName)
	noError(t, err)
	defer func() { _, _ = socket.Close(), lock.Close() }()
	var warned []string
	c := NewClient(func() string { return dir }, func(text string) { warned = append(warned, text) })
	c.within = 20 * time.Millisecond
	for range 3 {
		if _, err := c.Find(DigestOf(nil)); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "no answer within") {
		t.Error(warned)
	}
}

func TestWhereTheSocketIs(t *testing.T) {
	run, open := folder(t), folder(t)
	noError(t, os.Chmod(open, 0o777))
	for want, env := range map[string]map[string]string{
		run + "/rhx":      {"XDG_RUNTIME_DIR": run},
		"/s/1/agent":      {"XDG_RUNTIME_DIR": open},
		"/s/2/agent":      {"XDG_RUNTIME_DIR": run + "/none"},
		"/s/3/agent":      {"XDG_RUNTIME_DIR": "tmp"},
		"/s/4/agent":      {},
		"/rhx/home/agent": {"XDG_RUNTIME_DIR": run, "RHX_HOME": "/rhx"},
	} {
		if got := Dir(func(name string) string { return env[name] }, filepath.Dir(want)); got != want {
			t.Errorf("%v: %s, not %s", env, got, want)
		}
	}
}

// What was unlocked without XDG_RUNTIME_DIR is locked with it.
func TestWhereToLock(t *testing.T) {
	run := folder(t)
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"XDG_RUNTIME_DIR": run}, run + "/rhx /s/agent"},
		{map[string]string{}, "/s/agent"},
		{map[string]string{"XDG_RUNTIME_DIR": run, "RHX_HOME": "/rhx"}, "/s/agent"},
	} {
		if got := strings.Join(Dirs(func(name string) string { return c.env[name] }, "/s"), " "); got != c.want {
			t.Errorf("%v: %s, not %s", c.env, got, c.want)
		}
	}
}

// Of many that start an agent at once one does, and all get to it.
func TestStart(t *testing.T) {
	dir := filepath.Join(folder(t), "rhx")
	self, err := os.Executable()
	noError(t, err)
	var started atomic.Int32
	var wg sync.WaitGroup
	pids := make([]int, 20)
	for i := range pids {
		wg.Go(func() {
			c := client(t, dir)
			ok, err := c.Start(self, "test-agent")
			if err == nil && ok {
				started.Add(1)
			}
			st, e := c.Status()
			if err = errors.Join(err, e); err != nil {
				t.Error(err)
				return
			}
			pids[i] = st.PID
		})
	}
	wg.Wait()
	if n := started.Load(); n != 1 {
		t.Errorf("%d were started", n)
	}
	for _, pid := range pids {
		if pid != pids[0] || pid == os.Getpid() {
			t.Fatal(pids)
		}
	}
	c := client(t, dir)
	t.Cleanup(func() { _ = c.Stop() })
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, socketName): 0o600, filepath.Join(dir, lockName): 0o600} {
		info, err := os.Stat(path)
		noError(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
	}
	// A lock has the process begin anew: it is the same, and the keys are gone.
	add(t, c, "key1")
	find(t, c, "key1")
	noError(t, c.Lock())
	isNone(t, c, "key1")
	st, err := c.Status()
	noError(t, err)
	if st.PID != pids[0] || len(st.Keys) != 0 {
		t.Errorf("%+v", st)
	}
	add(t, c, "key1")
	// One that was killed leaves a socket, which the next one replaces.
	noError(t, syscall.Kill(st.PID, syscall.SIGKILL))
	for err == nil {
		_, err = c.Status()
	}
	if !errors.Is(err, ErrNone) {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, socketName)); err != nil {
		t.Error("this test is to find a socket that is stale:", err)
	}
	if ok, err := c.Start(self, "test-agent"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	isNone(t, c, "key1")
	if ok, err := c.Start(self, "test-agent"); ok || err != nil {
		t.Error(ok, err)
	}
	noError(t, c.Stop())
	for err = nil; err == nil; {
		_, err = os.Lstat(filepath.Join(dir, socketName))
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	// What is no socket is left alone.
	noError(t, os.WriteFile(filepath.Join(dir, socketName), []byte("mine"), 0o600))
	if ok, err := c.Start(self, "test-agent"); ok || err == nil {
		t.Error(ok, err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, socketName)); err != nil || string(data) != "mine" {
		t.Errorf("%q, %v", data, err)
	}
}

// An agent whose socket somebody took away is of no use, and ends.
func TestTheSocketIsGone(t *testing.T) {
	dir := folder(t)
	socket, lock, err := listen(dir, agentName)
	noError(t, err)
	defer func() { _, _ = socket.Close(), lock.Close() }()
	l, err := net.FileListener(socket)
	noError(t, err)
	noError(t, os.Rename(filepath.Join(dir, socketName), filepath.Join(dir, "other")))
	s := &Server{Parse: parseFake}
	noError(t, s.Serve(t.Context(), l.(*net.UnixListener)))
}

// Another socket may get the number of the one that was removed.
func TestSameSocket(t *testing.T) {
	path := filepath.Join(folder(t), socketName)
	look := func() os.FileInfo {
		info, err := os.Lstat(path)
		noError(t, err)
		return info
	}
	l, err := net.Listen("unix", path)
	noError(t, err)
	defer func() { _ = l.Close() }()
	mine := look()
	noError(t, os.Chmod(path, 0o600))
	if !sameSocket(mine, look()) {
		t.Error("a socket is not the same")
	}
	noError(t, os.Chtimes(path, time.Time{}, mine.ModTime().Add(time.Nanosecond)))
	if sameSocket(mine, look()) {
		t.Error("one that was made later is the same")
	}
}

func TestThePathIsTooLong(t *testing.T) {
	dir := filepath.Join(folder(t), strings.Repeat("long", 30))
	if _, err := client(t, dir).Start("/bin/false"); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
	// Nor is anything said of it: there can be no agent.
	if _, err := client(t, dir).Find(DigestOf(nil)); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// What a script has open, such as the lock of flock or a pipe, is not open in the agent.
func TestTheAgentHasNoFilesOfOthers(t *testing.T) {
	r, w, err := os.Pipe()
	noError(t, err)
	defer func() { _ = r.Close() }()
	// As one that this process was given: it is passed on.
	fd, err := syscall.Dup(int(w.Fd()))
	noError(t, err)
	self, err := os.Executable()
	noError(t, err)
	c := client(t, folder(t))
	if ok, err := c.Start(self, "test-agent"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	defer func() { noError(t, c.Stop()) }()
	_, err = c.Status() // it runs
	noError(t, err)
	noError(t, errors.Join(w.Close(), syscall.Close(fd), r.SetReadDeadline(time.Now().Add(time.Minute))))
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v: the agent has the pipe", n, err)
	}
}

// FuzzRequest has the server read anything.
func FuzzRequest(f *testing.F) {
	digest := DigestOf([]byte("key1"))
	for _, op := range []string{opStatus, opAdd, opKey, opUnwrap, opDerive, opSign, "x"} {
		f.Add([]byte(fmt.Sprintf(`{"v":1,"op":%q,"digest":%q,"add":{"digest":%q,"texts":["a2V5MQ=="],"for":1,"idle":1},"stanzas":[{"Type":"fake"}],"purpose":"p","message":"%x"}`, op, digest, digest, sha256.Sum256(nil))))
	}
	f.Add([]byte(`{"v":1,"op":"unwrap","stanzas":[null]}`))
	s := &Server{Parse: func(m *Material) (Key, error) { return fakeKey{"key1"}, nil }, clock: now, keys: map[string]*held{}}
	f.Fuzz(func(t *testing.T, data []byte) {
		var q request
		in := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
		if receive(strings.NewReader(string(in)), &q, unbounded) != nil {
			return
		}
		s.keys = map[string]*held{digest: {key: fakeKey{"key1"}, max: time.Hour, idle: time.Hour, since: now(), use: now()}}
		a, after := s.answer(&q)
		if a == nil {
			t.Fatal("no answer")
		}
		if after != nil {
			after(func() {})
		}
		if q.Version != protocol && a.Fail == "" && q.Op != opStop && q.Op != opLock {
			t.Errorf("%+v for another version", a)
		}
		if len(s.keys) > maxKeys {
			t.Error("too many keys")
		}
	})
}
