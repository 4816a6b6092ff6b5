package broker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// raw sends a text as the command, and returns all that comes.
func (l *lab) raw(text string) string {
	l.t.Helper()
	c, err := l.open(apiHost+":443", apiHost)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		l.t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(all)
}

// A 101 has neither the server's words nor a name with the value, and of the protocols
// that a client may wish for only WebSocket gets to a server.
func TestSwitching(t *testing.T) {
	for _, protocol := range []string{"websocket", "WebSocket", "h2c", "websocket, h2c", "SPDY/3.1"} {
		l := newLab(t)
		got := make(chan string, 1)
		l.serveRaw(apiHost, func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			got <- r.Header.Get("Upgrade")
			bearer := r.Header.Get("Authorization")
			status := 101
			if r.Header.Get("Upgrade") == "" {
				status = 200
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-%s: 1\r\n\r\nhello", status, bearer, r.Header.Get("Upgrade"), strings.TrimPrefix(bearer, "Bearer "))
		})
		all := l.raw("GET /ws HTTP/1.1\r\nHost: api.lab.test\r\nConnection: Upgrade, close\r\nUpgrade: " + protocol + "\r\nAuthorization: Bearer " + l.placeholder + "\r\n\r\n")
		want := ""
		if strings.EqualFold(protocol, "websocket") {
			want = protocol
		}
		if got := <-got; got != want {
			t.Errorf("%s: the server got %q", protocol, got)
		}
		if !strings.Contains(all, "hello") || strings.Contains(strings.ToLower(all), strings.ToLower(labToken())) {
			t.Errorf("%s: %q", protocol, all)
		}
	}
}

// What servers may read as another target, or what would fill the log, gets nowhere.
func TestMalformedRequests(t *testing.T) {
	l := newLab(t)
	kept := &keeper{}
	l.serve(apiHost, kept.ServeHTTP)
	for _, line := range []string{"GET foo:bar", "GET https:x@evil/z", "GET *", "GET /x?q=\x80", strings.Repeat("M", 33) + " /"} {
		all := l.raw(line + " HTTP/1.1\r\nHost: api.lab.test\r\nAuthorization: Bearer " + l.placeholder + "\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(all, "HTTP/1.1 400 ") {
			t.Errorf("%.40q: %.200q", line, all)
		}
	}
	r := &http.Request{Method: "GET", URL: &url.URL{Scheme: "https", Host: apiHost, Path: "/x", RawQuery: "a b HTTP/1.1"}, Header: http.Header{"Authorization": {"Bearer " + l.placeholder}}}
	if res, err := l.client(true).Do(r); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != 400 {
			t.Error(res.StatusCode)
		}
	}
	if got := kept.last(); got != "" || len(l.uses()) > 0 {
		t.Errorf("%q, %q", got, l.uses())
	}
	// The host is as it was checked, and a long name is cut in the log.
	l.raw("GET /" + labToken() + " HTTP/1.1\r\nHost: API.lab.test:443\r\nAuthorization: Bearer " + l.placeholder + "\r\n" + strings.Repeat("N", 1000) + ": " + l.placeholder + "\r\nConnection: close\r\n\r\n")
	if !strings.Contains(kept.last(), "\r\nHost: api.lab.test\r\n") {
		t.Errorf("%q", kept.last())
	}
	for _, u := range l.uses() {
		if len(u) > 300 || strings.Contains(u, labToken()) {
			t.Errorf("%q", u)
		}
	}
}

// A request that asks for another method or path in a header is not within limits.
func TestOverridesOfMethods(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Secrets[0].Limits = []Limit{{Methods: []string{"GET"}}} })
	l.serve(apiHost, (&keeper{}).ServeHTTP)
	for name, want := range map[string]int{"X-HTTP-Method-Override": 403, "X-HTTP-Method": 403, "X-Method-Override": 403, "X-Original-URL": 403, "X-Rewrite-URL": 403, "X-Other": 200} {
		if res, _ := l.do(true, "GET", "https://api.lab.test/", "", "Authorization", "Bearer "+l.placeholder, name, "DELETE"); res.StatusCode != want {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

func TestBelowNothing(t *testing.T) {
	for _, p := range []string{"/a/%c0%ae%c0%ae/y", "/a/..%c0%af../y", "/a/.%0a./y", "/a/%09../y", "/a/%7f"} {
		u, err := url.ParseRequestURI(p)
		if err != nil {
			t.Fatal(err)
		}
		if below(u, "/a/") {
			t.Error(p)
		}
	}
}

// What is told once needs no memory for all that is not told.
func TestWarningsAreBounded(t *testing.T) {
	l := newLab(t)
	for i := range 3 * maxTold {
		l.warnOnce(fmt.Sprint(i))
	}
	if len(l.told) != maxTold || len(l.warned) != maxTold {
		t.Error(len(l.told), len(l.warned))
	}
}

// Names of trailers that have the value go, those that are announced too.
func TestNamesOfTrailers(t *testing.T) {
	for _, announced := range []bool{true, false} {
		l := newLab(t)
		l.serveRaw(apiHost, func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			name, head := "X-"+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ""
			if announced {
				head = "Trailer: " + name + ", X-Sum\r\n"
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n2\r\nok\r\n0\r\n%s: 1\r\nX-Sum: 2\r\n\r\n", head, name)
		})
		all := l.raw("GET / HTTP/1.1\r\nHost: api.lab.test\r\nTE: trailers\r\nAuthorization: Bearer " + l.placeholder + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(all, "ok") || !strings.Contains(all, "X-Sum: 2") || strings.Contains(strings.ToLower(all), strings.ToLower(labToken())) {
			t.Errorf("%v: %q", announced, all)
		}
	}
}
