package vaultstore

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/store"
)

// EnvCluster is the variable with the addresses of further servers of the cluster
// that VAULT_ADDR is one of.
const EnvCluster = "RHX_VAULT_CLUSTER"

// maxRedirects bounds how often one request is sent on.
const maxRedirects = 3

// redirectError is for an answer that sends the client on to where the token and
// the values must not go.
type redirectError struct {
	to string
	// known reports that the token may go there, and something else is in the way.
	known bool
	// leaderless reports that it may pass: a standby that cannot reach the leader
	// sends its clients there, as long as no other one is elected.
	leaderless bool
	// upgrade reports that the same host wants TLS.
	upgrade bool
}

func (e *redirectError) Error() string { return "redirected to " + e.to }

// checkRedirect lets the HTTP client follow a redirect to the same server, or to
// one that EnvCluster names, and to no other: a request has the token with it, and
// often values. Whoever can answer in Vault's name could have them sent anywhere.
// The API client's own check is for http:// in place of https:// only.
func (c *client) checkRedirect(req *http.Request, via []*http.Request) error {
	c.reached.Store(true)
	first := via[0]
	from, to := origin(first.URL), origin(req.URL)
	known := to == from || slices.Contains(c.cluster, to)
	// The HTTP client makes a GET without a body of what is moved by 301 or 302.
	if known && !c.noRedirects && req.Method == first.Method && len(via) <= maxRedirects {
		return nil
	}
	return &redirectError{
		to:         to,
		known:      known,
		leaderless: req.Response.StatusCode == http.StatusTemporaryRedirect && req.URL.Scheme == first.URL.Scheme,
		upgrade:    first.URL.Scheme == "http" && req.URL.Scheme == "https" && req.URL.Hostname() == first.URL.Hostname(),
	}
}

// origin is the scheme, host and port of an address, as a client connects to it.
func origin(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// parseCluster reads EnvCluster. Its servers are spoken to as that at addr is, so
// their addresses have the same scheme.
func parseCluster(list, addr string) ([]string, error) {
	var origins []string
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !strings.HasPrefix(addr, u.Scheme+"://") {
			return nil, fault.WithHint(fmt.Errorf("%s is not a list of addresses like VAULT_ADDR", EnvCluster),
				"such as \"https://vault-1.example.com:8200 https://vault-2.example.com:8200\"")
		}
		origins = append(origins, origin(u))
	}
	return origins, nil
}

func (c *client) explainRedirect(e *redirectError) error {
	if e.known {
		return fmt.Errorf("%w: Vault at %s redirects to %q, which is not followed", store.ErrUnavailable, c.where(), e.to)
	}
	err := fmt.Errorf("%w: Vault at %s redirects to %q, where the token and the values must not go", store.ErrUnavailable, c.where(), e.to)
	if e.upgrade {
		return fault.WithHint(err, "VAULT_ADDR must begin with https://")
	}
	return fault.WithHint(err, "if that is your Vault, set VAULT_ADDR to it; "+EnvCluster+" names the servers of a cluster that redirect to each other")
}
