package broker

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/rhx-dev/rhx/host/fault"
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// upstream connects to servers through the proxy that the user's environment names, and
// directly to the hosts that NO_PROXY names. It reads these variables as Go's clients do.
type upstream struct {
	// of is the proxy for a URL; nil for none.
	of    func(*url.URL) (*url.URL, error)
	dial  dialer
	roots *x509.CertPool
}

// proxyVars name the proxy for https, the first that is set.
func proxyVars() []string {
	return []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}
}

// newUpstream reads the environment. It is an error, without the password that may be in
// it, if there is a proxy that the broker cannot use.
func newUpstream(getenv func(string) string, dial dialer, roots *x509.CertPool) (*upstream, error) {
	up := &upstream{of: func(*url.URL) (*url.URL, error) { return nil, nil }, dial: dial, roots: roots}
	if getenv == nil {
		return up, nil
	}
	for _, name := range proxyVars() {
		text := strings.TrimSpace(getenv(name))
		if text == "" {
			continue
		}
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" {
			return nil, fault.WithHint(fmt.Errorf("%s is not the URL of a proxy", name), "unset it for this command, if the network can be reached without it")
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return nil, fault.WithHint(fmt.Errorf("%s is a proxy of %s://, and the broker goes through those of http and https alone", name, strings.ToLower(u.Scheme)),
				"unset it for this command, if the network can be reached without it")
		}
		noProxy := getenv("NO_PROXY")
		if noProxy == "" {
			noProxy = getenv("no_proxy")
		}
		up.of = (&httpproxy.Config{HTTPSProxy: text, NoProxy: noProxy}).ProxyFunc()
		return up, nil
	}
	return up, nil
}

// CheckProxy is an error if an environment has a proxy that the broker cannot use.
func CheckProxy(getenv func(string) string) error {
	_, err := newUpstream(getenv, nil, nil)
	return err
}

// connect connects to HOST:PORT.
func (u *upstream) connect(ctx context.Context, network, address string) (net.Conn, error) {
	proxy, err := u.of(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		return nil, errors.New("the proxy of the environment is none") // not err: it has all of the text
	}
	if proxy == nil {
		return u.dial(ctx, network, address)
	}
	at := proxy.Host
	if proxy.Port() == "" {
		at = net.JoinHostPort(proxy.Hostname(), map[string]string{"http": "80", "https": "443"}[proxy.Scheme])
	}
	ctx, cancel := context.WithTimeout(ctx, headerWait)
	defer cancel()
	conn, err := u.dial(ctx, network, at)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	out, err := u.ask(ctx, conn, proxy, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("the proxy %s: %w", at, err)
	}
	return out, nil
}

// ask has a proxy connect to an address.
func (u *upstream) ask(ctx context.Context, conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	if proxy.Scheme == "https" {
		c := tls.Client(conn, &tls.Config{RootCAs: u.roots, ServerName: proxy.Hostname(), MinVersion: tls.VersionTLS12})
		if err := c.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = c
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		r.SetBasicAuth(proxy.User.Username(), password)
		r.Header["Proxy-Authorization"] = r.Header["Authorization"]
		delete(r.Header, "Authorization")
	}
	r.Header.Set("User-Agent", "")
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	in := &io.LimitedReader{R: conn, N: maxHeader}
	br := bufio.NewReader(in)
	res, err := http.ReadResponse(br, r) //nolint:bodyclose // what follows is the connection
	switch {
	case err != nil && in.N <= 0:
		return nil, errors.New("its answer is too long")
	case err != nil:
		return nil, errors.New("it has not answered as a proxy does")
	case res.StatusCode == http.StatusProxyAuthRequired:
		return nil, errors.New("it asks for a user and a password (407): HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT has them")
	case res.StatusCode/100 != 2:
		return nil, fmt.Errorf("it has refused to connect to %s (%d)", address, res.StatusCode)
	case br.Buffered() > 0:
		early, _ := br.Peek(br.Buffered())
		return &targeted{Conn: conn, early: early}, nil
	}
	return conn, nil
}
