package broker

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// company is a proxy by which the lab is reached, and what it was asked for.
type company struct {
	l     *lab
	mu    sync.Mutex
	asked []string
}

// serve answers a connection as a proxy does that wants a password.
func (p *company) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
	user, password, _ := r.BasicAuth()
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host+" by "+user)
	p.mu.Unlock()
	if password != "fake-p@ss" {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		return
	}
	server, err := p.l.dial(p.l.t.Context(), "tcp", r.Host)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		return
	}
	defer server.Close()
	_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(server, in); _ = server.Close() }()
	_, _ = io.Copy(c, server)
}

// listen starts a proxy, of https where it has a name for TLS.
func (l *lab) listen(name string, overTLS bool, serve func(net.Conn)) {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	if overTLS {
		host, _, _ := net.SplitHostPort(name)
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{l.certificate(host)}})
	}
	l.t.Cleanup(func() { _ = listener.Close() })
	l.at(name, listener.Addr().String())
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
}

func environment(pairs ...string) func(*Options) {
	return func(o *Options) {
		o.Getenv = func(name string) string {
			if i := slices.Index(pairs, name); i >= 0 && i%2 == 0 {
				return pairs[i+1]
			}
			return ""
		}
	}
}

// What the broker connects to is reached through the proxy of the user's environment, and
// the command does not learn the password of that.
func TestThroughAProxy(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		at   string
		tls  bool
		want string
	}{
		"http":       {[]string{"HTTPS_PROXY", "http://jane:fake-p%40ss@proxy.test:3128"}, "proxy.test:3128", false, "CONNECT api.lab.test:443 by jane, CONNECT other.test:443 by jane"},
		"https":      {[]string{"https_proxy", "https://jane:fake-p%40ss@proxy.test"}, "proxy.test:443", true, "CONNECT api.lab.test:443 by jane, CONNECT other.test:443 by jane"},
		"no scheme":  {[]string{"all_proxy", "jane:fake-p%40ss@proxy.test"}, "proxy.test:80", false, "CONNECT api.lab.test:443 by jane, CONNECT other.test:443 by jane"},
		"NO_PROXY":   {[]string{"HTTPS_PROXY", "http://jane:fake-p%40ss@proxy.test:3128", "NO_PROXY", "localhost,.lab.test"}, "proxy.test:3128", false, "CONNECT other.test:443 by jane"},
		"no_proxy *": {[]string{"HTTPS_PROXY", "http://jane:fake-p%40ss@proxy.test:3128", "no_proxy", "*"}, "proxy.test:3128", false, ""},
	} {
		l := newLab(t, environment(c.env...))
		k := &keeper{}
		l.serve(apiHost, k.ServeHTTP)
		l.serve(otherHost, k.ServeHTTP)
		p := &company{l: l}
		l.listen(c.at, c.tls, p.serve)
		a, _ := l.do(true, "GET", "https://"+apiHost+"/", "", "Authorization", "Bearer "+l.placeholder)
		if a == nil || a.StatusCode != http.StatusOK || !strings.Contains(k.last(), labToken()) {
			t.Errorf("%s: %+v", name, a)
		}
		if a, _ := l.do(false, "GET", "https://"+otherHost+"/", ""); a == nil || a.StatusCode != http.StatusOK {
			t.Errorf("%s: %+v", name, a)
		}
		if got := strings.Join(p.asked, ", "); got != c.want {
			t.Errorf("%s: asked %q, not %q", name, got, c.want)
		}
		client, err := l.Client(l.Here(l.opts.Getenv))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range client.Vars {
			if strings.Contains(v[1], "fake-p") || strings.Contains(v[1], "proxy.test") {
				t.Errorf("%s: the command gets %s=%s", name, v[0], v[1])
			}
		}
	}
}

// A proxy that refuses, or is none, is named in the answer, without its password.
func TestThroughABadProxy(t *testing.T) {
	for name, c := range map[string]struct {
		proxy  string
		answer string
		want   string
	}{
		"407":     {"http://jane:fake-wrong@proxy.test:3128", "", "the proxy proxy.test:3128: it asks for a user and a password (407)"},
		"403":     {"http://jane:fake-p%40ss@proxy.test:3128", "", "it has refused to connect to gone.lab.test:443 (403)"},
		"no HTTP": {"http://jane:fake-p%40ss@proxy.test:3128", "SSH-2.0-x\r\n\r\n", "it has not answered as a proxy does"},
		"endless": {"http://jane:fake-p%40ss@proxy.test:3128", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 200), "its answer is too long"},
		"gone":    {"http://jane:fake-p%40ss@nothing.test:3128", "", "the proxy nothing.test:3128: no host nothing.test:3128 in the lab"},
		"no TLS":  {"https://jane:fake-p%40ss@proxy.test:3128", "HTTP/1.1 200 OK\r\n\r\n", "the proxy proxy.test:3128: tls: "},
	} {
		l := newLab(t, environment("HTTPS_PROXY", c.proxy))
		p := &company{l: l}
		l.listen("proxy.test:3128", false, func(conn net.Conn) {
			if c.answer == "" {
				p.serve(conn)
				return
			}
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, c.answer)
		})
		conn, err := l.upstream.connect(t.Context(), "tcp", "gone.lab.test:443")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "fake-") {
			t.Errorf("%s: %v, %v", name, conn, err)
		}
	}
	for text, want := range map[string]string{
		"socks5://u:fake-pass@proxy.test": "HTTPS_PROXY is a proxy of socks5://", "http://u:fake-pass@": "HTTPS_PROXY is not the URL of a proxy", "http://u:fake-%zz@proxy.test": "HTTPS_PROXY is not the URL of a proxy",
		"": "", " ": "", "proxy.test:3128": "",
	} {
		err := CheckProxy(func(name string) string { return map[string]string{"HTTPS_PROXY": text}[name] })
		if (err != nil) != (want != "") || err != nil && (!strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "fake-")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What a server says at once, behind the proxy's answer, is not lost.
func TestEarlyBytesOfAProxy(t *testing.T) {
	l := newLab(t, environment("HTTPS_PROXY", "http://proxy.test:3128"))
	l.listen("proxy.test:3128", false, func(c net.Conn) {
		defer c.Close()
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhello")
	})
	c, err := l.upstream.connect(t.Context(), "tcp", "x.test:443")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
