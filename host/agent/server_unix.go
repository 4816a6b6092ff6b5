//go:build linux || darwin

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"filippo.io/age"
)

const (
	// maxConns is how many connections there are at once; others wait in the queue.
	maxConns = 512
	// maxPending is the memory that requests may take that are being read.
	maxPending = 16 << 20
	// maxKeys is how many keys are held.
	maxKeys = 16
	// connIdle is how long a connection may say nothing, a request may take to arrive, and an
	// answer to be taken. A client that comes back later connects again.
	connIdle = 2 * time.Second
	// lookEvery is how often the limits of time are looked at beside each request, and
	// whether the socket is still this agent's.
	lookEvery = 10 * time.Second
)

// Server is an agent.
type Server struct {
	// Parse makes a key of what an agent gets.
	Parse func(*Material) (Key, error)
	// Renew is called when no key is held any more, and forgets what the memory still has of
	// them. It does not return where it can do that.
	Renew func()
	// Environ is the environment of the agent that begins anew.
	Environ []string

	clock   func() instant
	quiet   time.Duration // connIdle
	uid     int
	locked  bool
	pending atomic.Int64

	mu   sync.Mutex
	keys map[string]*held
}

// held is a key and its limits.
type held struct {
	key        Key
	path       string
	max, idle  time.Duration
	since, use instant
}

// left is how much time the key has, and how much if it is not used.
func (h *held) left(t instant) (all, idle time.Duration) {
	return h.max - t.since(h.since), h.idle - t.since(h.use)
}

// Serve answers at a listener until ctx ends, stop is asked for, or the socket at the
// listener's path is another one.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	if s.clock == nil {
		s.clock = now
	}
	if s.quiet == 0 {
		s.quiet = connIdle
	}
	if s.uid == 0 {
		s.uid = os.Geteuid()
	}
	s.keys = map[string]*held{}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	go whileMine(ctx, l.Addr().String(), stop, s.look)
	slots := make(chan struct{}, maxConns)
	for {
		slots <- struct{}{}
		c, err := l.AcceptUnix()
		if err != nil {
			<-slots
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			time.Sleep(10 * time.Millisecond) // there are too many open files
			continue
		}
		go func() {
			ended := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer func() { ended(); _ = c.Close(); <-slots }()
			s.serve(c, stop)
		}()
	}
}

// whileMine calls look now and then, and stop when the socket at a path is another one:
// nobody reaches the server any more.
func whileMine(ctx context.Context, path string, stop, look func()) {
	mine, err := os.Lstat(path)
	if err != nil {
		stop()
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		look()
		if there, err := os.Lstat(path); err != nil || !sameSocket(mine, there) {
			stop()
		}
	}
}

// sameSocket reports whether two looks at a path saw one socket: a file system gives the
// number of a file that was removed to the next one.
func sameSocket(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime())
}

// look forgets keys whose time is over.
func (s *Server) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.clock()
	for digest, h := range s.keys {
		if all, idle := h.left(t); all <= 0 || idle <= 0 {
			s.forget(digest)
		}
	}
}

// forget forgets a key. Callers hold s.mu.
func (s *Server) forget(digest string) {
	delete(s.keys, digest)
	if len(s.keys) == 0 && s.Renew != nil {
		s.Renew()
	}
}

// serve answers the requests of one connection.
func (s *Server) serve(c *net.UnixConn, stop func()) {
	if uid, err := peer(c); err != nil || uid != s.uid {
		return
	}
	for {
		if c.SetDeadline(time.Now().Add(s.quiet)) != nil {
			return
		}
		var q request
		if receive(c, &q, s.reserve) != nil {
			return
		}
		a, after := s.answer(&q)
		err := send(c, a)
		a.clear()
		if after != nil {
			_ = c.Close()
			after(stop)
		}
		if err != nil {
			return
		}
	}
}

// reserve counts the memory of requests.
func (s *Server) reserve(n int) (release func(), err error) {
	if s.pending.Add(int64(n)) > maxPending {
		s.pending.Add(int64(-n))
		return nil, errors.New("too many requests at once")
	}
	return func() { s.pending.Add(int64(-n)) }, nil
}

// answer answers a request. after is what is to be done when the answer is sent; nil for
// nothing.
func (s *Server) answer(q *request) (a *answer, after func(stop func())) {
	if q.Add != nil {
		defer q.Add.Clear()
	}
	switch {
	case q.Op == opStop:
		s.mu.Lock() // until the process ends
		clear(s.keys)
		return &answer{}, func(stop func()) {
			defer s.mu.Unlock()
			stop()
		}
	case q.Op == opLock: // of any version, as stop is
		s.mu.Lock() // until there is nothing left: no key may come in between
		clear(s.keys)
		return &answer{}, func(func()) {
			defer s.mu.Unlock()
			if s.Renew != nil {
				s.Renew()
			}
		}
	case q.Version != protocol:
		return failed(errors.New("it is of another version of rhx; rhx agent stop ends it")), nil
	case q.Op == opStatus:
		return &answer{Status: s.status()}, nil
	case q.Op == opAdd:
		return s.add(q.Add), nil
	}
	h := s.wanted(q.Digest, q.Op != opKey)
	if h == nil {
		return &answer{Fail: failUnknown}, nil
	}
	return h.answer(q), nil
}

func failed(err error) *answer { return &answer{Fail: failOther, Error: err.Error()} }

// wanted returns a key; nil where it is not held. use is set where it is to be used.
func (s *Server) wanted(digest string, use bool) *held {
	s.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.keys[digest]
	if h != nil && use {
		h.use = s.clock()
	}
	return h
}

// answer answers a request that uses a key.
func (h *held) answer(q *request) *answer {
	a := &answer{}
	var err error
	switch q.Op {
	case opKey:
		a.Public, a.Signers = h.key.Public(), h.key.Signers()
	case opUse:
	case opUnwrap:
		if len(q.Stanzas) == 0 {
			return failed(errors.New("nothing to unwrap"))
		}
		for _, s := range q.Stanzas {
			if s == nil {
				return failed(errors.New("nothing to unwrap"))
			}
		}
		a.FileKey, err = h.key.Unwrap(q.Stanzas)
	case opDerive:
		a.Keys, err = h.key.Derive(q.Purpose)
	case opSign:
		a.Sig, err = h.key.Sign(q.Purpose, q.Message)
	default:
		err = errors.New("the agent does not do that")
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return &answer{Fail: failIncorrect}
	}
	if err != nil {
		return failed(err)
	}
	return a
}

// add holds a key.
func (s *Server) add(m *Material) *answer {
	switch {
	case m == nil || len(m.Digest) != len(DigestOf(nil)) || len(m.Texts) == 0:
		return failed(errors.New("no key was given"))
	case m.For <= 0 || m.Idle <= 0 || m.For > Longest || m.Idle > Longest:
		return failed(fmt.Errorf("a key is held for at most %s", Longest))
	case traced():
		return failed(errors.New("another program traces the agent, and could read its memory"))
	}
	key, err := s.Parse(m)
	if err != nil {
		return failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.keys[m.Digest]; !known && len(s.keys) >= maxKeys {
		return failed(fmt.Errorf("the agent holds %d keys already: rhx lock has it forget them", maxKeys))
	}
	t := s.clock()
	h := &held{key: key, path: filepath.Clean(m.Path), max: m.For, idle: m.Idle, since: t, use: t}
	s.keys[m.Digest] = h
	s.locked = lockMemory(unsafe.Pointer(h))
	return &answer{}
}

// status says what is held.
func (s *Server) status() *Status {
	s.look()
	s.mu.Lock()
	defer s.mu.Unlock()
	t, wall := s.clock(), time.Now()
	out := &Status{PID: os.Getpid(), Locked: s.locked, Keys: []KeyStatus{}}
	for _, h := range s.keys {
		all, idle := h.left(t)
		out.Keys = append(out.Keys, KeyStatus{
			Path: h.path, Public: h.key.Public(),
			Until: wall.Add(all).Truncate(time.Second), IdleUntil: wall.Add(min(all, idle)).Truncate(time.Second),
		})
	}
	return out
}
