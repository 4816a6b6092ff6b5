package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// order is what a client is asked to do, as a line of JSON on its standard input.
type order struct {
	// Do is first (the time to the first byte of an answer), down, up, or many (requests at once).
	Do    string
	HTTP2 bool
	Bytes int64
	Many  int
}

// answer is what a client says of it.
type answer struct {
	MS  float64
	Err string
}

// pattern is a body that costs next to nothing to make.
type pattern struct{ text []byte }

func (p pattern) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		n += copy(b[n:], p.text)
	}
	return n, nil
}

var body = pattern{[]byte(strings.Repeat(`{"id":"1","object":"chat.completion.chunk","choices":[{"delta":{"content":"some text\n"}}]}`+"\n", 700))}

// client does what it is asked to until its input ends: a command whose variables name a proxy,
// certificates and a credential.
func client(target string) error {
	roots := x509.NewCertPool()
	text, err := os.ReadFile(os.Getenv("SSL_CERT_FILE"))
	if err != nil {
		return err
	}
	roots.AppendCertsFromPEM(text)
	clients := map[bool]*http.Client{}
	for _, h2 := range []bool{false, true} {
		t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 2000, DisableCompression: true, Protocols: new(http.Protocols)}
		t.Protocols.SetHTTP1(!h2)
		t.Protocols.SetHTTP2(h2)
		// Go itself leaves 127.0.0.1 out.
		if p := os.Getenv("HTTPS_PROXY"); p != "" {
			u, err := url.Parse(p)
			if err != nil {
				return err
			}
			t.Proxy = http.ProxyURL(u)
		}
		clients[h2] = &http.Client{Transport: t}
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		took, err := o.done(clients[o.HTTP2], target)
		a := answer{MS: float64(took.Nanoseconds()) / 1e6}
		if err != nil {
			a.Err = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func (o order) done(c *http.Client, target string) (time.Duration, error) {
	start := time.Now()
	switch o.Do {
	case "first":
		var first time.Time
		ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotFirstResponseByte: func() { first = time.Now() }})
		err := send(ctx, c, target, 0, 100)
		return first.Sub(start), err
	case "up":
		err := send(context.Background(), c, target, o.Bytes, 0)
		return time.Since(start), err
	case "many":
		errs := make([]error, o.Many)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { errs[i] = send(context.Background(), c, target, 0, 100) })
		}
		all.Wait()
		return time.Since(start), errors.Join(errs...)
	}
	err := send(context.Background(), c, target, 0, o.Bytes)
	return time.Since(start), err
}

// send makes one request, and checks that the whole answer came.
func send(ctx context.Context, c *http.Client, target string, up, down int64) error {
	method, content := http.MethodGet, io.Reader(nil)
	if up > 0 {
		method, content = http.MethodPut, io.LimitReader(body, up)
	}
	r, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("%s?n=%d", target, down), content)
	if err != nil {
		return err
	}
	if up > 0 {
		r.ContentLength = up
	}
	r.Header.Set("Authorization", "Bearer "+os.Getenv("BENCH_TOKEN"))
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != down) {
		err = fmt.Errorf("HTTP %d with %d bytes", res.StatusCode, n)
	}
	return err
}
