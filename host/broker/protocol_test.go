package broker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Events of a server arrive as they come: the server sends the second one when the
// client has the first.
func TestEventsArriveAsTheyCome(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		next := make(chan bool)
		l.serve(apiHost, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			for i := range 3 {
				<-next
				fmt.Fprintf(w, "data: %d lab_FAKE\n\n", i)
				w.(http.Flusher).Flush()
			}
		})
		r, _ := http.NewRequest("GET", "https://api.lab.test/", nil)
		res, err := l.client(h2).Do(r) // the head comes before any event
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(res.Body)
		for i := range 3 {
			next <- true
			for _, want := range []string{fmt.Sprintf("data: %d lab_FAKE\n", i), "\n"} {
				if line, err := br.ReadString('\n'); err != nil || line != want {
					t.Fatalf("%q, %v", line, err)
				}
			}
		}
		_ = res.Body.Close()
	}
}

// A client and a server may speak at once, as gRPC does.
func TestFullDuplex(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			br := bufio.NewReader(r.Body)
			for {
				line, err := br.ReadString('\n')
				if err != nil {
					return
				}
				_, _ = io.WriteString(w, "got "+line)
				w.(http.Flusher).Flush()
			}
		})
		pr, pw := io.Pipe()
		r, _ := http.NewRequest("POST", "https://api.lab.test/", pr)
		go func() { _, _ = io.WriteString(pw, "0\n") }()
		res, err := l.client(h2).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(res.Body)
		for i := range 5 {
			if line, err := br.ReadString('\n'); err != nil || line != fmt.Sprintf("got %d\n", i) {
				t.Fatalf("%v: %q, %v", h2, line, err)
			}
			if _, err := fmt.Fprintf(pw, "%d\n", i+1); err != nil {
				t.Fatal(err)
			}
		}
		_ = pw.Close()
		if _, err := io.Copy(io.Discard, br); err != nil {
			t.Error(err)
		}
		_ = res.Body.Close()
	}
}

// Trailers pass in both directions, and a client that waits for a 100 gets that of the
// server, or its refusal.
func TestTrailersAndContinue(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/no" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write(body)
			w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		})
		continued := 0
		trace := &httptrace.ClientTrace{Got100Continue: func() { continued++ }}
		send := func(path string) (*answer, string) {
			r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), "POST", "https://api.lab.test"+path, struct{ io.Reader }{strings.NewReader("body")})
			r.Header.Set("Expect", "100-continue")
			r.Trailer = http.Header{"X-Sum": {"sum"}}
			res, err := l.client(h2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answerOf(res), string(body)
		}
		if res, body := send("/"); body != "body" || res.Trailer.Get("X-Sum") != "sum" || continued != 1 {
			t.Errorf("%v: %q %v, %d times 100", h2, body, res.Trailer, continued)
		}
		if res, _ := send("/no"); res.StatusCode != 403 || !h2 && continued != 1 { // where it is a stream of its own, a 100 beside the answer harms nobody
			t.Errorf("%v: %d, %d times 100", h2, res.StatusCode, continued)
		}
	}
}

// counting is a large body that no memory holds: its bytes count, so that a lost or a
// doubled piece is seen.
type counting struct{ at, size int64 }

func (c *counting) Read(p []byte) (int, error) {
	if c.at == c.size {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), c.size-c.at)], counted64K[c.at%65536:])
	c.at += int64(n)
	return n, nil
}

// counted64K is what counting repeats.
var counted64K = func() []byte {
	all := make([]byte, 0, 65536)
	for i := range cap(all) {
		all = append(all, byte(i>>8)^byte(i))
	}
	return all
}()

// heap is the memory that is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// same reads a body that counts to its end, and says what is wrong with it. In the
// middle the broker must not hold much more than before.
func same(r io.Reader, size, before int64) error {
	want := &counting{size: size}
	got, expected := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(got)) {
		if _, err := io.ReadFull(r, got); err != nil {
			return fmt.Errorf("after %d bytes: %w", at, err)
		}
		if _, err := io.ReadFull(want, expected); err != nil || !bytes.Equal(got, expected) {
			return fmt.Errorf("other bytes after %d", at)
		}
		if at != size/2 {
			continue
		}
		if now := heap(); now-before > size/2 {
			return fmt.Errorf("%d MiB are held", (now-before)>>20)
		}
	}
	if n, err := r.Read(got); n > 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("%d bytes more, %w", n, err)
	}
	return nil
}

// Large bodies pass unchanged, in chunks or with a length, and are held nowhere.
func TestLargeBodies(t *testing.T) {
	const size = 32 << 20
	for _, h2 := range []bool{false, true} {
		l := newLab(t)
		before := heap()
		l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "PUT" {
				fmt.Fprintf(w, "%v %d", same(r.Body, size, before), r.ContentLength)
				return
			}
			if r.URL.Path != "/-1" {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			_, _ = io.Copy(w, &counting{size: size})
		})
		client := l.client(h2)
		down, up := int64(size), int64(-1)
		if h2 {
			down, up = up, down
		}
		res, err := client.Get(fmt.Sprint("https://api.lab.test/", down))
		if err != nil {
			t.Fatal(err)
		}
		if err := same(res.Body, size, before); err != nil || res.ContentLength != down {
			t.Errorf("%v: %v, a length of %d", h2, err, res.ContentLength)
		}
		_ = res.Body.Close()
		r, _ := http.NewRequest("PUT", "https://api.lab.test/", &counting{size: size})
		r.ContentLength = up
		if res, err = client.Do(r); err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if string(body) != fmt.Sprintf("<nil> %d", up) {
			t.Errorf("%v: %s", h2, body)
		}
	}
}

// A server that breaks off is one for the client, too.
func TestBrokenAnswers(t *testing.T) {
	l := newLab(t)
	l.serveRaw(apiHost, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
		}
	})
	for _, h2 := range []bool{false, true} {
		res, err := l.client(h2).Get("https://api.lab.test/")
		if err != nil {
			continue // it broke off before anything was passed on
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%q is a whole answer", body)
		}
		_ = res.Body.Close()
	}
	if res, body := l.do(false, "GET", "https://git.lab.test/", ""); res.StatusCode != 502 || body != "rhx: git.lab.test: no host git.lab.test:443 in the lab\n" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	// And for a tunnel.
	if _, status := l.connectTo("nowhere.test:443", l.password); status != 502 {
		t.Error(status)
	}
}

// Many requests at once have their own values, and none of another.
func TestManyAtOnce(t *testing.T) {
	l := newLab(t)
	l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+labToken() {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	for _, h2 := range []bool{false, true} {
		client := l.client(h2)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				r, _ := http.NewRequest("GET", fmt.Sprintf("https://api.lab.test/%d", i), nil)
				r.Header.Set("Authorization", "Bearer "+l.placeholder)
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != r.URL.Path {
					t.Errorf("%d %q, %v", res.StatusCode, body, err)
				}
			})
		}
		all.Wait()
	}
	if n := len(l.uses()); n != 100 {
		t.Errorf("%d uses", n)
	}
}

// A client that does not trust the authority is told of to the user, once a host.
func TestDistrustIsTold(t *testing.T) {
	l := newLab(t)
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	for range 2 {
		client := l.client(true)
		client.Transport.(*http.Transport).TLSClientConfig.RootCAs = l.roots
		if res, err := client.Get("https://api.lab.test/"); err == nil {
			_ = res.Body.Close()
			t.Fatal("it is trusted")
		}
	}
	c, err := l.open("git.lab.test:443", gitHost)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		got := strings.Join(l.warned, "\n")
		l.mu.Unlock()
		if strings.Count(got, apiHost) == 1 && strings.Count(got, gitHost) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q", got)
		}
	}
}

// The end of the broker ends what goes through it.
func TestClose(t *testing.T) {
	l := newLab(t)
	l.serve(otherHost, (&keeper{}).ServeHTTP)
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	tunnel, status := l.connectTo("other.test:443", l.password)
	if status != 200 {
		t.Fatal(status)
	}
	half, _ := l.connectTo("api.lab.test:443", l.password) // before its handshake
	open, err := l.open("api.lab.test:443", apiHost, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	raw(t, open, "GET / HTTP/1.1\r\nHost: api.lab.test\r\n\r\n")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{tunnel, half, open} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection goes on")
		}
	}
	if _, err := net.Dial("tcp", l.listener.Addr().String()); err == nil {
		t.Error("the port is open")
	}
	if len(l.warned) > 0 {
		t.Errorf("%q", l.warned)
	}
}

// Who has not shown the password makes room for others, the oldest first; who has stays.
func TestConnectionsOfOthersMakeRoom(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimited(inner, 3)
	defer l.Close()
	var clients, conns []net.Conn
	for i := range 6 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if clients, conns = append(clients, c), append(conns, s); i == 1 {
			s.(*counted).known()
		}
	}
	for i, open := range []bool{false, true, false, false, true, true} {
		_, _ = conns[i].Write([]byte("x"))
		_ = clients[i].SetReadDeadline(time.Now().Add(time.Minute))
		if n, _ := clients[i].Read(make([]byte, 1)); (n == 1) != open {
			t.Errorf("connection %d is open: %v", i, n == 1)
		}
		_ = conns[i].Close()
	}
	if len(l.slots) != 0 || len(l.unseen) != 0 {
		t.Errorf("%d slots are taken, and %d are not known", len(l.slots), len(l.unseen))
	}

	// The password is what makes the proxy know one.
	lab := newLab(t)
	lab.serve(apiHost, func(http.ResponseWriter, *http.Request) {})
	proxy := lab.listener.(*limited)
	for password, want := range map[string]int{"": 1, lab.password: 0} {
		c, _ := lab.connectTo(apiHost+":443", password)
		proxy.mu.Lock()
		if len(proxy.unseen) != want {
			t.Errorf("%d are not known, not %d", len(proxy.unseen), want)
		}
		for _, old := range proxy.unseen {
			defer old.Close()
		}
		proxy.unseen = nil
		proxy.mu.Unlock()
		_ = c.Close()
	}
}

// More connections than the limit wait for one to end.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimited(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	first.(*counted).known()
	second := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if ctx.Err() == nil {
			err = errors.New("accepted while the first is open")
		} else if err == nil {
			_ = c.Close()
		}
		second <- err
	}()
	cancel()
	_ = first.Close()
	_ = first.Close() // gives one slot back
	if err := <-second; err != nil {
		t.Error(err)
	}
	if len(l.slots) != 0 {
		t.Errorf("%d slots are taken", len(l.slots))
	}
	l.slots <- struct{}{}
	go func() { _ = l.Close() }()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
