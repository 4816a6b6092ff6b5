package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	brokered  = "bench_" + "FAKEfake0123456789ABCDxy" // the value that arrives at the server
	large     = 64 << 20
	smaller   = 8 << 20 // fnox takes no more than 10 MiB
	requests  = 1000    // at once
	firstByte = 301     // rounds
)

// route is one way from a client to the server.
type route struct {
	name string
	cmd  *exec.Cmd
	// proxy is the process that puts the value in; 0 for none.
	proxy int
	in    io.WriteCloser
	out   *json.Decoder
	errs  *strings.Builder
}

// ask has its client do something, and returns how many milliseconds that took.
func (w *route) ask(o order) (float64, error) {
	if err := json.NewEncoder(w.in).Encode(o); err != nil {
		return 0, fmt.Errorf("%w: %s", err, w.errs)
	}
	var a answer
	if err := w.out.Decode(&a); err != nil {
		return 0, fmt.Errorf("%w: %s", err, w.errs)
	}
	if a.Err != "" {
		return 0, errors.New(a.Err)
	}
	return a.MS, nil
}

// most is the most memory that a process had.
func most(pid int) string {
	if pid == 0 {
		return ""
	}
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return fmt.Sprintf("%d MiB", kib>>10)
		}
	}
	return ""
}

// origin is a server with a certificate of an authority of its own. It takes only requests with the value.
func origin(b *bencher) (s *httptest.Server, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := write(b.dir, map[string]string{"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))}); err != nil {
		return nil, err
	}
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+brokered {
			http.Error(w, "not the value", http.StatusUnauthorized)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		n, _ := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		_, _ = io.CopyN(w, body, n)
	}))
	// fnox knows no other port.
	if l, err := net.Listen("tcp", "127.0.0.1:443"); err == nil {
		_ = s.Listener.Close()
		s.Listener = l
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	return s, nil
}

// brokers are proxies that put a value into requests.
func brokers(b *bencher) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	s, err := origin(b)
	if err != nil {
		return "", err
	}
	defer s.Close()
	p, err := newPlace(b.dir, "SSL_CERT_FILE="+filepath.Join(b.dir, "ca.pem"))
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		return "", err
	}
	byNumber, byName := "https://127.0.0.1:"+port, "https://localhost:"+port
	spec := "spec: 1\nname: bench\nvalues:\n  token: {env: BENCH_TOKEN}\nuse:\n  - hosts: [\"127.0.0.1:" + port + "\"]\n    header: {Authorization: \"Bearer {token}\"}\n"
	if err := write(b.dir, map[string]string{".config/rhx/providers/bench.yaml": spec}); err != nil {
		return "", err
	}
	if _, err := p.output(brokered, b.rhx, "save", "bench", "token=-"); err != nil {
		return "", err
	}
	direct, err := p.route("direct", []string{"BENCH_TOKEN=" + brokered}, self, "client", byNumber)
	if err != nil {
		return "", err
	}
	defer direct.stop()
	rhx, err := p.route("`rhx run --broker`", nil, b.rhx, "run", "--broker", "-s", "bench", "--", self, "client", byNumber)
	if err != nil {
		return "", err
	}
	defer rhx.stop()
	rhx.proxy = rhx.cmd.Process.Pid
	routes, left := []*route{direct, rhx}, b.missing("mitmproxy", "fnox")
	if program := b.has("mitmproxy"); program != "" {
		w, stop, err := p.mitm(program, self, byNumber)
		if err != nil {
			left += leftOut("mitmproxy", err)
		} else {
			defer stop()
			routes = append(routes, w)
		}
	}
	if program := b.has("fnox"); program != "" {
		w, err := p.fnoxProxy(program, self, byName)
		switch {
		case err != nil:
			left += leftOut("`fnox proxy run`", err)
		case port != "443":
			left += "\n`fnox proxy run` is not in this table: it knows port 443 alone, and the bench may not listen there.\n"
		default:
			defer w.stop()
			w.proxy = w.cmd.Process.Pid
			routes = append(routes, w)
		}
	}
	return brokerTable(routes, left)
}

// route starts a client, by argv.
func (p *place) route(name string, env []string, argv ...string) (*route, error) {
	w := &route{name: name, cmd: p.command("", argv...), errs: &strings.Builder{}}
	w.cmd.Env = append(w.cmd.Env, env...)
	w.cmd.Stderr = w.errs
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := w.ask(order{Do: "first"}); err != nil {
		w.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

func (w *route) stop() {
	_ = w.in.Close()
	_ = w.cmd.Wait()
}

// mitm starts mitmdump with an addon that does what a rule does.
func (p *place) mitm(program, self, target string) (*route, func(), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	if err := write(p.dir, map[string]string{"addon.py": `from os import environ

def requestheaders(flow):
    r = flow.request
    if r.host == "127.0.0.1" and r.headers.get("authorization") == "Bearer placeholder":
        r.headers["authorization"] = "Bearer " + environ["BENCH_TOKEN"]
`}); err != nil {
		return nil, nil, err
	}
	cmd := p.command("", program, "-q", "--listen-host", "127.0.0.1", "-p", port, "-s", "addon.py",
		"--set", "confdir="+p.dir+"/mitm", "--set", "ssl_verify_upstream_trusted_ca="+p.dir+"/ca.pem", "--set", "stream_large_bodies=1m")
	cmd.Env = append(cmd.Env, "BENCH_TOKEN="+brokered)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(end) {
			stop()
			return nil, nil, fmt.Errorf("mitmdump does not start: %s", &said)
		}
	}
	w, err := p.route("`mitmdump`, an addon", []string{"BENCH_TOKEN=placeholder", "HTTPS_PROXY=http://" + address, "SSL_CERT_FILE=" + p.dir + "/mitm/mitmproxy-ca-cert.pem"}, self, "client", target)
	if err != nil {
		stop()
		return nil, nil, err
	}
	w.proxy = cmd.Process.Pid
	return w, func() { w.stop(); stop() }, nil
}

// fnoxProxy starts a client under fnox, with a rule.
func (p *place) fnoxProxy(program, self, target string) (*route, error) {
	for _, argv := range [][]string{
		{"age-keygen", "-o", "key.txt"},
		{"sh", "-c", `printf 'default_provider = "age"\n[providers.age]\ntype = "age"\nrecipients = ["%s"]\n[proxy]\negress = "strict"\n[[proxy.rules]]\nsecret = "BENCH_TOKEN"\ndomain = "localhost"\nheader = "authorization"\nmethods = ["GET", "PUT"]\npaths = ["/**"]\n[secrets]\n' "$(age-keygen -y key.txt)" >fnox.toml`},
		{program, "set", "--provider", "age", "BENCH_TOKEN", brokered},
	} {
		if _, err := p.output("", argv...); err != nil {
			return nil, err
		}
	}
	return p.route("`fnox proxy run`", []string{"FNOX_AGE_KEY_FILE=" + p.dir + "/key.txt"}, program, "proxy", "run", "--", self, "client", target)
}
