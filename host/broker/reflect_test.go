package broker

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"
)

// encodings are the forms in which servers write a value.
func encodings() map[string]func(string) string {
	return map[string]func(string) string{
		"as it is":        func(s string) string { return s },
		"in JSON":         func(s string) string { return `{"token":"\u006c` + s[1:] + `"}` },
		"in a URL":        func(s string) string { return "https://x.test/?q=" + url.QueryEscape(s) },
		"all percent":     func(s string) string { return percent(s) },
		"base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"in base64, by 1": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s + "y")) },
		"in base64, by 2": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("xx" + s + "yy")) },
		"base64 for URLs": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
		"HEX":             func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"entities":        func(s string) string { return "&#" + fmt.Sprint(s[0]) + ";" + s[1:] },
		"UTF-16":          wide16,
		"base64 in lines": func(s string) string {
			e := base64.StdEncoding.EncodeToString([]byte(s))
			return e[:12] + "\r\n" + e[12:]
		},
		"escapes of a C":   func(s string) string { return `\x` + hex.EncodeToString([]byte(s[:1])) + s[1:] },
		"a JSON of a JSON": func(s string) string { return `"{\"token\":\"` + s + `\"}"` },
	}
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func wide16(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// shows reports that a text has enough of the value to be of use.
func shows(text string) bool {
	for _, s := range []string{labToken(), labToken()[1:], labToken()[:len(labToken())-1]} {
		for _, encode := range encodings() {
			if e := encode(s); strings.Contains(text, strings.Trim(e, "=")) {
				return true
			}
		}
	}
	return false
}

// A value that comes back in any form that package mask knows does not reach the
// command, and what comes has the length that the server said.
func TestEchoes(t *testing.T) {
	l := newLab(t)
	auth := []string{"Authorization", "Bearer " + l.placeholder}
	var answer func(w http.ResponseWriter, token string)
	l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
		answer(w, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	})
	for name, encode := range encodings() {
		for _, h2 := range []bool{false, true} {
			for where, a := range map[string]func(w http.ResponseWriter, token string){
				"body": func(w http.ResponseWriter, token string) {
					text := "before " + encode(token) + " after"
					w.Header().Set("Content-Length", fmt.Sprint(len(text)))
					_, _ = io.WriteString(w, text)
				},
				"pieces": func(w http.ResponseWriter, token string) {
					for _, c := range []byte("before " + encode(token) + " after") {
						_, _ = w.Write([]byte{c})
						w.(http.Flusher).Flush()
					}
				},
				"error page": func(w http.ResponseWriter, token string) {
					http.Error(w, encode(token), http.StatusInternalServerError)
				},
			} {
				answer = a
				res, body := l.do(h2, "GET", "https://api.lab.test/", "", auth...)
				if shows(body) || res.ContentLength >= 0 && res.ContentLength != int64(len(body)) {
					t.Errorf("%s, %s: %q", name, where, body)
				}
				if where == "body" && (!strings.HasPrefix(body, "before ") || len(body) != len("before  after")+len(encode(labToken()))) {
					t.Errorf("%s, %s: %q", name, where, body)
				}
				if where == "body" && name == "as it is" && body != "before "+l.placeholder+" after" {
					t.Errorf("%q", body)
				}
			}
		}
		if strings.ContainsAny(encode(labToken()), "\x00\r\n") {
			continue // no header
		}
		answer = func(w http.ResponseWriter, token string) {
			w.Header().Set("X-Echo", encode(token))
			w.Header().Set("Location", "https://x.test/"+encode(token))
			w.Header().Set("Trailer", "X-Trailer")
			w.Header().Add("Link", encode(token))
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			_, _ = io.WriteString(w, "x")
			w.Header().Set("X-Trailer", encode(token))
			w.Header().Set(http.TrailerPrefix+"X-Late", encode(token))
		}
		for _, h2 := range []bool{false, true} {
			early := ""
			r, _ := http.NewRequest("GET", "https://api.lab.test/", nil)
			r.Header.Set(auth[0], auth[1])
			r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				early = fmt.Sprint(code, h)
				return nil
			}}))
			res, err := l.client(h2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if all := fmt.Sprint(res.Header, res.Trailer); shows(all) || res.Header.Get("X-Echo") == "" || res.Trailer.Get("X-Trailer") == "" || res.Trailer.Get("X-Late") == "" {
				t.Errorf("%s: %s", name, all)
			}
			if !strings.HasPrefix(early, "103 ") || shows(early) {
				t.Errorf("%s: early %q", name, early)
			}
		}
	}
}

// What cannot be searched is refused, whoever asked for it.
func TestUnsearchableAnswersAreRefused(t *testing.T) {
	l := newLab(t)
	var answer func(w http.ResponseWriter, r *http.Request)
	l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	for name, a := range map[string]func(w http.ResponseWriter, r *http.Request){
		"compressed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, r.Header.Get("Authorization"))
			_ = z.Close()
		},
		"two codings": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Encoding"] = []string{"identity", "br"}
			_, _ = io.WriteString(w, "x")
		},
		"a part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 0-0/2")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "x")
		},
	} {
		answer = a
		res, body := l.do(true, "GET", "https://api.lab.test/", "", "Authorization", "Bearer "+l.placeholder, "Accept-Encoding", "gzip, br", "Range", "bytes=0-0")
		if res.StatusCode != 502 || !strings.HasPrefix(body, "rhx: api.lab.test has sent a ") || shows(body) || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %q %v", name, res.StatusCode, body, res.Header)
		}
	}
	answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "identity")
		w.Header().Set("Alt-Svc", `h3=":443"`)
	}
	if res, _ := l.do(true, "GET", "https://api.lab.test/", ""); res.StatusCode != 200 || res.Header.Get("Alt-Svc") != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// upgrade switches a connection, as WebSocket does, and returns both ends of it.
func upgrade(t *testing.T, l *lab, header string) (io.ReadWriteCloser, *bufio.Reader, *answer) {
	t.Helper()
	c, err := l.open("api.lab.test:443", apiHost, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: api.lab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\nAuthorization: Bearer %s\r\n%s\r\n", l.placeholder, header)
	if err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(c)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // what follows a 101 is none
	return c, br, answerOf(res)
}

// Behind a 101 both directions flow, and what the server sends is searched; the lengths
// of the frames stay right.
func TestWebSocket(t *testing.T) {
	l := newLab(t)
	extension := ""
	l.serve(apiHost, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Websocket-Extensions") != "" {
			t.Error("extensions are asked for")
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Echo: %s\r\n%s\r\n", token, extension)
		frame := append([]byte{0x81, byte(len(token))}, token...)
		_, _ = rw.Write(frame)
		_ = rw.Flush()
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintf(rw, "%s %s", token, line)
		_ = rw.Flush()
	})
	c, br, res := upgrade(t, l, "")
	if res.StatusCode != 101 || res.Header.Get("X-Echo") != l.placeholder {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	frame := make([]byte, 2+len(l.placeholder))
	if _, err := io.ReadFull(br, frame); err != nil || !bytes.Equal(frame, append([]byte{0x81, byte(len(l.placeholder))}, l.placeholder...)) {
		t.Fatalf("%q, %v", frame, err)
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(br); err != nil || string(rest) != l.placeholder+" hello\n" {
		t.Errorf("%q, %v", rest, err)
	}
	l.wantUses("lab GET api.lab.test/ws 101")
	extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	if _, _, res := upgrade(t, l, ""); res.StatusCode != 502 {
		t.Errorf("with an extension: %d", res.StatusCode)
	}
}
