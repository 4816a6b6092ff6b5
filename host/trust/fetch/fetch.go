// Package fetch gets a provider package over HTTPS. It is apart from package
// trust so that programs without it need not link an HTTP client.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/rhx-dev/rhx/host/nameservice"
	"github.com/rhx-dev/rhx/host/trust"
)

// timeout is for the whole answer.
const timeout = 2 * time.Minute

// Package reads the .tar.gz file at an https:// address, which may redirect to
// other such addresses only. It sends no credentials.
func Package(ctx context.Context, url string) (*trust.Package, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if req.URL.Scheme != "https" {
		return nil, errors.New("a package is fetched over https only")
	}
	if req.URL.User != nil {
		return nil, errors.New("an address with a password in it is not fetched: it would be kept in the lock file")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = nameservice.DialContext(&net.Dialer{Timeout: 30 * time.Second})
	client := &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case req.URL.Scheme != "https":
			return errors.New("it redirects to an address that is not https")
		case len(via) >= 10:
			return errors.New("it redirects too often")
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: the server answers %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, trust.MaxTarball+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", url, err)
	case len(data) > trust.MaxTarball:
		return nil, fmt.Errorf("get %s: it is larger than %d MiB", url, trust.MaxTarball>>20)
	}
	return trust.ReadTarball(url, bytes.NewReader(data))
}
