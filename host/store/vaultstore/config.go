package vaultstore

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/nameservice"
)

const (
	// maxParallel bounds the requests that one store has under way. 32 at once
	// saturate a Vault server on the same machine; the connections are shared
	// (HTTP/2) or kept (HTTP/1.1).
	maxParallel = 32
	// Retries: up to 9 attempts over 7 to 22 seconds, which is what a cluster needs
	// to elect another leader; to a sealed server 4 over 1.2 to 3.6 seconds, since
	// somebody must unseal it.
	defaultRetries = 8
	sealedRetries  = 3
	minRetryWait   = 200 * time.Millisecond
	maxRetryWait   = 600 * time.Millisecond
	// defaultTimeout is for one request with its retries, as the vault CLI has it.
	defaultTimeout = 60 * time.Second
	dialTimeout    = 10 * time.Second
)

// newClient returns a client that the variables and the files of the vault CLI
// configure (https://developer.hashicorp.com/vault/docs/commands#configure-environment-variables).
// It connects to nothing. login may be nil: see [Options].
func newClient(getenv func(string) string, home string, login func() (*Session, error)) (*client, error) {
	getenv = Environment(getenv)
	c := &client{getenv: getenv, timeout: defaultTimeout, slots: make(chan struct{}, maxParallel), transport: newTransport()}
	cfg := &api.Config{
		MinRetryWait: minRetryWait,
		MaxRetryWait: maxRetryWait,
		MaxRetries:   defaultRetries,
		Backoff:      backoff,
		CheckRetry:   c.checkRetry,
		HttpClient: &http.Client{
			Transport:     c.transport,
			CheckRedirect: c.checkRedirect,
		},
		// The API client would follow redirects by rules of its own.
		DisableRedirects: true,
	}
	var err error
	if cfg.Address, err = address(getenv); err != nil {
		return nil, err
	}
	if err := configureTLS(cfg, getenv); err != nil {
		return nil, err
	}
	if err := c.configureLimits(cfg); err != nil {
		return nil, err
	}
	if c.api, err = api.NewClient(cfg); err != nil {
		return nil, fmt.Errorf("configure the Vault client: %w", err)
	}
	// NewClient sets up the *http.Transport itself, so it is wrapped after that.
	cfg.HttpClient.Transport = bounded{c.transport}
	c.addr = cfg.Address
	if c.cluster, err = parseCluster(getenv(EnvCluster), c.addr); err != nil {
		return nil, err
	}
	if err := c.configureHeaders(); err != nil {
		return nil, err
	}
	if err := c.configureToken(home, login); err != nil {
		return nil, err
	}
	return c, nil
}

// newTransport returns one pool of connections, HTTP/2 where the server offers it.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           nameservice.DialContext(&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}),
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          maxParallel,
		MaxIdleConnsPerHost:   maxParallel,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

func configureTLS(cfg *api.Config, getenv func(string) string) error {
	t := &api.TLSConfig{
		CACert:        getenv(api.EnvVaultCACert),
		CACertBytes:   []byte(getenv(api.EnvVaultCACertBytes)),
		CAPath:        getenv(api.EnvVaultCAPath),
		ClientCert:    getenv(api.EnvVaultClientCert),
		ClientKey:     getenv(api.EnvVaultClientKey),
		TLSServerName: getenv(api.EnvVaultTLSServerName),
	}
	var err error
	if t.Insecure, err = parseBool(getenv, api.EnvVaultSkipVerify); err != nil {
		return err
	}
	if err := cfg.ConfigureTLS(t); err != nil {
		return fault.WithHint(fmt.Errorf("the TLS files for Vault: %w", err),
			"see VAULT_CACERT, VAULT_CAPATH, VAULT_CLIENT_CERT and VAULT_CLIENT_KEY")
	}
	return nil
}

func (c *client) configureLimits(cfg *api.Config) error {
	if v := c.getenv(api.EnvVaultMaxRetries); v != "" {
		n, err := strconv.ParseUint(v, 10, 16)
		if err != nil {
			return fmt.Errorf("VAULT_MAX_RETRIES is %q, not a number", v)
		}
		cfg.MaxRetries = int(n)
	}
	if v := c.getenv(api.EnvVaultClientTimeout); v != "" {
		d, err := time.ParseDuration(v)
		if n, nerr := strconv.Atoi(v); nerr == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d < 0 {
			return fmt.Errorf("VAULT_CLIENT_TIMEOUT is %q, neither a number of seconds nor a duration such as 30s", v)
		}
		if d > 0 {
			c.timeout = d
		}
	}
	if v := c.getenv(api.EnvRateLimit); v != "" {
		perSecond, burst, both := strings.Cut(v, ":")
		r, err := strconv.ParseFloat(perSecond, 64)
		n := int(r)
		if both && err == nil {
			n, err = strconv.Atoi(burst)
		}
		if err != nil || r <= 0 || n < 1 {
			return fmt.Errorf("VAULT_RATE_LIMIT is %q, not RATE or RATE:BURST", v)
		}
		c.limiter = rate.NewLimiter(rate.Limit(r), n)
	}
	var err error
	if cfg.SRVLookup, err = parseBool(c.getenv, api.EnvVaultSRVLookup); err != nil {
		return err
	}
	if c.noRedirects, err = parseBool(c.getenv, api.EnvVaultDisableRedirects); err != nil {
		return err
	}
	proxy := c.getenv(api.EnvVaultProxyAddr)
	if proxy == "" {
		proxy = c.getenv(api.EnvHTTPProxy)
	}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			// The address may hold a password: the parser's error repeats it.
			return errors.New("VAULT_PROXY_ADDR is not the address of a proxy")
		}
		c.transport.Proxy = http.ProxyURL(u)
	}
	return nil
}

func (c *client) configureHeaders() error {
	h := http.Header{api.RequestHeaderName: {"true"}}
	if v := c.getenv(api.EnvVaultHeaders); v != "" {
		var extra map[string]string
		if json.Unmarshal([]byte(v), &extra) != nil {
			return errors.New("VAULT_HEADERS is not a JSON object of texts")
		}
		for k, v := range extra {
			if strings.HasPrefix(http.CanonicalHeaderKey(k), "X-Vault-") {
				return fmt.Errorf("VAULT_HEADERS must not set %s", k)
			}
			h.Add(k, v)
		}
	}
	c.api.SetHeaders(h)
	if ns := c.getenv(api.EnvVaultNamespace); ns != "" {
		c.namespace = strings.Trim(ns, "/")
		c.api.SetNamespace(ns)
	}
	// VAULT_WRAP_TTL is for the CLI's output: a wrapped answer holds no values.
	c.api.SetWrappingLookupFunc(func(string, string) string { return "" })
	return nil
}

// configureToken takes the token from VAULT_TOKEN, else that of rhx login, else
// from the token helper of the vault CLI or the file that `vault login` writes.
// None is not an error here: a Vault agent may add its own.
func (c *client) configureToken(home string, login func() (*Session, error)) error {
	c.tokenFrom = "VAULT_TOKEN"
	if c.getenv(usesBao) != "" {
		c.tokenFrom = "BAO_TOKEN or VAULT_TOKEN"
	}
	token := strings.TrimSpace(c.getenv(api.EnvVaultToken))
	if token == "" && login != nil {
		s, err := login()
		switch {
		case err != nil:
			return fault.WithHint(fmt.Errorf("the token of rhx login: %w", err), "log in again with rhx login, or set VAULT_TOKEN")
		case s == nil:
		case !s.fits(c.addr, c.namespace):
			c.ended = "rhx is logged in at " + s.where() + ", not there"
		case s.Expired(time.Now()):
			c.ended = "the token of rhx login has expired"
		default:
			c.tokenFrom, c.session = "rhx login", s
			token = s.Token.Reveal()
		}
	}
	if token == "" && home != "" {
		var err error
		if c.helper, err = findHelper(c.getenv, home); err != nil {
			return err
		}
		if c.helper != nil {
			c.tokenFrom = "the token helper of the vault command"
			return c.setToken("")
		}
		file := filepath.Join(home, ".vault-token")
		c.tokenFrom = "~/.vault-token"
		if own := c.getenv(envBaoTokenPath); own != "" {
			file, c.tokenFrom = own, own
		}
		if token, err = readOwn(file); err != nil {
			return fault.WithHint(fmt.Errorf("the token of the vault CLI: %w", err), "make "+c.tokenFrom+" readable, or set VAULT_TOKEN")
		}
	}
	return c.setToken(strings.TrimSpace(token))
}

func (c *client) setToken(token string) error {
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("the token in %s has a character that no token has", c.tokenFrom)
	}
	c.api.SetToken(token)
	c.hasToken = token != ""
	return nil
}

// wait blocks until VAULT_RATE_LIMIT allows another request.
func (c *client) wait(ctx context.Context) error {
	if c.limiter == nil {
		return ctx.Err()
	}
	return c.limiter.Wait(ctx)
}
