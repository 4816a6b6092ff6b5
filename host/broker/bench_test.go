package broker

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// pattern is a body that does not cost what it takes to make noise.
type pattern struct{ text []byte }

func (p pattern) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		n += copy(b[n:], p.text)
	}
	return n, nil
}

// What a warm request, a download and an upload cost, directly and through the broker:
// make bench compares them, in one run.
func BenchmarkBroker(b *testing.B) {
	body := pattern{[]byte(strings.Repeat(`{"id":"1","object":"chat.completion.chunk","choices":[{"delta":{"content":"some text\n"}}]}`+"\n", 700))}
	const size = 64 << 20
	l := newLabOf(b, newLabSecret(b, labSpec, "token", labToken(), "user", "jane"))
	handler := func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		w.Header().Set("Content-Length", fmt.Sprint(n))
		_, _ = io.CopyN(w, body, n)
	}
	l.serve(apiHost, handler)
	for _, h2 := range []bool{false, true} {
		for _, how := range []string{"direct", "brokered"} {
			client := l.client(h2)
			if how == "direct" {
				tr := client.Transport.(*http.Transport)
				tr.Proxy, tr.DialContext = nil, l.dial
			}
			send := func(b *testing.B, method string, up, down int64) {
				r, err := http.NewRequest(method, fmt.Sprintf("https://%s/x?n=%d", apiHost, down), nil)
				if err != nil {
					b.Fatal(err)
				}
				if up > 0 {
					r.Body, r.ContentLength = io.NopCloser(io.LimitReader(body, up)), up
				}
				r.Header.Set("Authorization", "Bearer "+l.placeholder)
				res, err := client.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				if err != nil || n != down {
					b.Fatal(n, err)
				}
				_ = res.Body.Close()
			}
			name := fmt.Sprintf("h%d/%s/", map[bool]int{false: 1, true: 2}[h2], how)
			b.Run(name+"request", func(b *testing.B) {
				for b.Loop() {
					send(b, http.MethodGet, 0, 100)
				}
			})
			b.Run(name+"download", func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					send(b, http.MethodGet, 0, size)
				}
			})
			b.Run(name+"upload", func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					send(b, http.MethodPut, size, 0)
				}
			})
		}
	}
}
