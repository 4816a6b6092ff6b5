package vaultstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"github.com/rhx-dev/rhx/host/secret"
)

// Bounds of an answer. Vault takes requests of at most 32 MiB; an error is a line or
// the page of a proxy.
const (
	maxAnswer = 64 << 20
	maxError  = 1 << 20
)

// client sends requests to one Vault server. It is the only part of this
// package that knows HTTP.
type client struct {
	api       *api.Client
	getenv    func(string) string
	addr      string
	timeout   time.Duration
	slots     chan struct{}
	limiter   *rate.Limiter
	transport *http.Transport
	// namespace, hasToken and tokenFrom are for messages.
	namespace, tokenFrom string
	hasToken             bool
	// helper is what gives the token before the first request; nil for nothing.
	helper *helper
	// session is the login whose token is used, nil for another token; ended says
	// of a kept login why its token is not.
	session *Session
	ended   string
	// noRedirects is VAULT_DISABLE_REDIRECTS; cluster are the origins that redirects
	// may lead to, beside the server's own.
	noRedirects bool
	cluster     []string
	// reached is set by the first answer of the server.
	reached atomic.Bool
}

// request is one call of Vault's HTTP API.
type request struct {
	method string
	// path follows "/v1/"; it is not escaped.
	path  string
	query url.Values
	body  any
	// contentType is that of body where it is not plain JSON.
	contentType string
	// needs is the capability that a policy must give on path.
	needs string
	// values are those in body: no error may repeat them.
	values secret.Values
	// retries is how often the request was sent again.
	retries int
	// wrapTTL, where it is not 0, leaves the answer in Vault for so long, and
	// returns a token for it.
	wrapTTL time.Duration
	// list leaves the answer for readKeys.
	list bool
}

// answer is what Vault says: status 404 is an answer, not an error.
type answer struct {
	status int
	data   map[string]any
	// list is the whole answer to a request for a list that was found.
	list []byte
	// wrapped is the token for the answer, where that was asked for.
	wrapped string
	// date is the server's time; zero where it does not say it.
	date time.Time
}

func (a *answer) found() bool { return a.status != http.StatusNotFound }

// call sends r, again while the server cannot answer, within the client's
// bounds. Errors are those of package store.
func (c *client) call(ctx context.Context, r *request) (*answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.askHelper(ctx); err != nil {
		return nil, err
	}
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		a, err := c.send(callCtx, r)
		if err == nil {
			return a, nil
		}
		// A cancelled call is the caller's doing, not the store's.
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// A new KV v2 engine refuses everything for a moment.
		if !upgrading(err) {
			return nil, c.explain(callCtx, r, err)
		}
		select {
		case <-time.After(min(time.Duration(attempt)*50*time.Millisecond, time.Second)):
		case <-callCtx.Done():
			return nil, c.explain(ctx, r, err)
		}
	}
}

// send sends r through the API client, which retries what can be retried.
func (c *client) send(ctx context.Context, r *request) (*answer, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	req := c.api.NewRequest(r.method, "/v1/"+r.path)
	for k, v := range r.query {
		req.Params[k] = v
	}
	if r.body != nil {
		if err := req.SetJSONBody(r.body); err != nil {
			return nil, err
		}
		if r.contentType != "" {
			req.Headers.Set("Content-Type", r.contentType)
		}
	}
	if r.wrapTTL > 0 {
		req.WrapTTL = strconv.FormatInt(int64(max(time.Second, r.wrapTTL)/time.Second), 10) + "s"
	}
	//nolint:staticcheck // the methods of api.Logical hide the status and how often a request was sent
	resp, err := c.api.RawRequestWithContext(context.WithValue(ctx, retriesKey{}, &r.retries), req)
	if resp != nil {
		defer resp.Body.Close()
	}
	if err != nil && (resp == nil || resp.StatusCode != http.StatusNotFound) {
		return nil, err
	}
	body, readErr := io.ReadAll(resp.Body)
	if readErr != nil {
		return nil, readErr
	}
	a := &answer{status: resp.StatusCode}
	a.date, _ = http.ParseTime(resp.Header.Get("Date"))
	switch {
	case a.status >= http.StatusMultipleChoices && a.found():
		// Neither done nor an error: a redirect to nowhere.
		return nil, errNotVault
	case len(body) == 0:
		return a, nil
	case r.list && err == nil:
		a.list = body
		return a, nil
	}
	var parsed struct {
		Data map[string]any `json:"data"`
		Wrap struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if jsonErr := d.Decode(&parsed); jsonErr != nil {
		// The parser's error could repeat a part of a value.
		return nil, errNotVault
	}
	a.data, a.wrapped = parsed.Data, parsed.Wrap.Token
	if a.data == nil && err != nil && strings.Contains(err.Error(), "no handler for route") {
		return nil, err
	}
	return a, nil
}

// errNotVault is for a server that answers, but not as Vault does.
var errNotVault = errors.New("the answer is not one of Vault's")

type retriesKey struct{}

// checkRetry decides whether a request is sent again: as the vault CLI does,
// but not to a server that was never there.
func (c *client) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if resp != nil {
		c.reached.Store(true)
	}
	again, retryErr := api.DefaultRetryPolicy(ctx, resp, err)
	retries, _ := ctx.Value(retriesKey{}).(*int)
	if again && retries != nil && *retries >= sealedRetries && isSealed(resp) {
		again = false
	}
	if again && err != nil {
		var dns *net.DNSError
		var timeout net.Error
		var redirect *redirectError
		switch {
		case errors.As(err, &redirect) && !redirect.leaderless,
			errors.As(err, &dns) && dns.IsNotFound,
			errors.Is(err, syscall.ECONNREFUSED) && !c.reached.Load(),
			errors.As(err, &timeout) && timeout.Timeout() && !c.reached.Load(),
			tlsProblem(err) != "":
			again = false
		}
	}
	if again && retries != nil {
		*retries++
	}
	return again, retryErr
}

// isSealed reports whether a server says that it is sealed, and leaves its answer
// to be read again.
func isSealed(resp *http.Response) bool {
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		return false
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	return err == nil && bytes.Contains(body, []byte("Vault is sealed"))
}

// backoff waits longer with every attempt, with jitter, and as long as the
// server asks for where it does, but at most 10 seconds.
func backoff(minWait, maxWait time.Duration, attempt int, resp *http.Response) time.Duration {
	return min(retryablehttp.RateLimitLinearJitterBackoff(minWait, maxWait, attempt, resp), 10*time.Second)
}

func (c *client) close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// bounded bounds every answer: the API client reads some of them to their end.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	limit := int64(maxAnswer)
	if resp.StatusCode >= http.StatusBadRequest {
		limit = maxError
	}
	resp.Body = &boundedBody{resp.Body, limit}
	return resp, nil
}

var errTooLong = errors.New("the answer is too long")

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	// One byte more than is left tells an answer that is too long from one that
	// just fits.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errTooLong
	}
	return n, err
}
