package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
)

// Client is what has a command's clients use a broker: variables, files that some of
// these name, and variables that must go.
type Client struct {
	// Vars are NAME and text.
	Vars [][2]string
	// FileVars are NAME and the name of a file of Files.
	FileVars [][2]string
	Files    map[string][]byte
	Unset    []string
}

// trusting are the variables that name a file with the roots that a client trusts.
func trusting() []string {
	return []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "npm_config_cafile"}
}

// adding are those that name roots beside the client's own.
func adding() []string { return []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"} }

// around are the variables by which clients would go around the broker, or to another
// proxy. That of plain http stays: the broker takes none.
func around() []string {
	return []string{"NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "npm_config_noproxy", "npm_config_proxy"}
}

// maxRoots bounds a file with roots.
const maxRoots = 8 << 20

// Where is where a command runs.
type Where struct {
	// Getenv is of the environment that the command would have without the broker.
	Getenv func(string) string
	// Read returns a file with roots.
	Read func(path string) ([]byte, error)
	// Address is where the proxy is reached there, as HOST:PORT.
	Address string
}

// Here is this machine.
func (b *Broker) Here(getenv func(string) string) Where {
	return Where{Getenv: getenv, Read: readRoots, Address: b.Address()}
}

// Asked are the variables that Client asks Getenv for.
func Asked() []string { return append(append(trusting(), adding()...), "GIT_CONFIG_COUNT") }

// Read are the files that Client may ask for.
func Read(getenv func(string) string) []string {
	paths := rootFiles()
	for _, variable := range append(trusting(), adding()...) {
		if path := getenv(variable); path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// Client says what the command's clients need. Where a variable names roots already, those
// stay, beside the authority.
func (b *Broker) Client(w Where) (*Client, error) {
	proxy := b.ProxyURL(w.Address)
	c := &Client{Files: map[string][]byte{}, Unset: around()}
	c.set(proxy, "HTTPS_PROXY", "https_proxy", "npm_config_https_proxy", "PIP_PROXY", "CARGO_HTTP_PROXY")
	c.set("1", "NODE_USE_ENV_PROXY")
	if b.opts.Only {
		c.set(proxy, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "npm_config_proxy")
		c.Unset = []string{"NO_PROXY", "no_proxy", "npm_config_noproxy"}
	}
	if err := c.git(w.Getenv, proxy, b.hosts()); err != nil {
		return nil, err
	}
	for _, d := range b.databases {
		set, unset := d.variables()
		c.Vars, c.Unset = append(c.Vars, set...), append(c.Unset, unset...)
	}
	c.Unset = slices.DeleteFunc(c.Unset, func(name string) bool {
		return slices.ContainsFunc(c.Vars, func(v [2]string) bool { return v[0] == name })
	})
	var system []byte
	names := map[string]string{}
	add := func(variable, path string, roots []byte) {
		if names[path] == "" {
			names[path] = fmt.Sprintf("roots-%d.pem", len(names)+1)
			c.Files[names[path]] = joined(roots, b.Authority())
		}
		c.FileVars = append(c.FileVars, [2]string{variable, names[path]})
	}
	for _, variable := range trusting() {
		path := w.Getenv(variable)
		var roots []byte
		var err error
		switch {
		case path != "":
			roots, err = w.Read(path)
		case system == nil:
			system, err = systemRoots(w)
			roots = system
		default:
			roots = system
		}
		if err != nil {
			return nil, fmt.Errorf("the roots that the command trusts (%s): %w", variable, err)
		}
		add(variable, path, roots)
	}
	for _, variable := range adding() {
		path := w.Getenv(variable)
		var roots []byte
		if path != "" {
			var err error
			if roots, err = w.Read(path); err != nil {
				return nil, fmt.Errorf("the roots that the command trusts (%s): %w", variable, err)
			}
		}
		add(variable, "+"+path, roots)
	}
	return c, nil
}

func (c *Client) set(text string, names ...string) {
	for _, name := range names {
		c.Vars = append(c.Vars, [2]string{name, text})
	}
}

// git has git's own settings of a proxy count for nothing: one for a host goes before
// that for all.
func (c *Client) git(getenv func(string) string, proxy string, hosts []string) error {
	n := 0
	if text := getenv("GIT_CONFIG_COUNT"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 || n > 1000 {
			return errors.New("GIT_CONFIG_COUNT of this environment is not a number that git would take")
		}
	}
	keys := []string{"http.proxy"}
	seen := map[string]bool{}
	for _, h := range hosts {
		if !seen[h] {
			seen[h] = true
			keys = append(keys, "http.https://"+strings.Replace(h, "**", "*", 1)+"/.proxy")
		}
	}
	for _, key := range keys {
		c.set(key, fmt.Sprintf("GIT_CONFIG_KEY_%d", n))
		c.set(proxy, fmt.Sprintf("GIT_CONFIG_VALUE_%d", n))
		n++
	}
	c.set(strconv.Itoa(n), "GIT_CONFIG_COUNT")
	return nil
}

// joined are two texts in PEM, each of whole lines.
func joined(a, b []byte) []byte {
	if len(a) > 0 && !bytes.HasSuffix(a, []byte("\n")) {
		a = append(bytes.Clone(a), '\n')
	}
	return append(bytes.Clone(a), b...)
}

// rootFiles are where systems have their roots in one file.
func rootFiles() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Gentoo
		"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
		"/etc/ssl/ca-bundle.pem",             // SUSE
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem", // Alpine, macOS, BSD
	}
}

// systemRoots are the roots that a machine trusts, in PEM.
func systemRoots(w Where) ([]byte, error) {
	if path := w.Getenv("SSL_CERT_FILE"); path != "" {
		return w.Read(path)
	}
	for _, path := range rootFiles() {
		if data, err := w.Read(path); err == nil {
			return data, nil
		}
	}
	return nil, fault.WithHint(errors.New("there is no file with the certificates that the machine trusts, where systems have one"), "SSL_CERT_FILE=FILE names one")
}

func readRoots(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for somebody who writes to it
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRoots+1))
	if err != nil {
		return nil, err
	}
	return data, CheckRoots(path, data)
}

// CheckRoots returns an error unless a file has certificates in PEM.
func CheckRoots(path string, data []byte) error {
	switch {
	case len(data) > maxRoots:
		return fmt.Errorf("%s has more than %d MiB", path, maxRoots>>20)
	case !bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) && !bytes.Contains(data, []byte("-----BEGIN TRUSTED CERTIFICATE-----")):
		return fmt.Errorf("%s has no certificates in PEM", path)
	}
	return nil
}
