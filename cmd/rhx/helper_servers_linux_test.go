package main

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The servers that the clients of the scripts helper_* sign in to. One process serves all
// of them, over TLS, to all scripts: git http-backend, and small stand-ins for a
// container registry, a package index, a registry of cargo's, an API of Kubernetes, AWS's
// STS, and a registry of Terraform modules. They know one user and one token.
const (
	siteUser     = "jane"
	sitePassword = "fake-pass-1"
	siteToken    = "fake-token-1"
)

type clientSite struct {
	server *httptest.Server
	dir    string
	ca     *authority
	repos  atomic.Int32
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// clientSiteCommand starts the servers when the first script asks, until t ends. It is the testscript command "clientsite": it sets SITE (https://127.0.0.1:PORT),
// HOST (127.0.0.1:PORT), OTHER (the same server by another name, which no secret is for),
// CA (a file), REPO (a git repository of the script's own), and makes client.crt and
// client.key.
func clientSiteCommand(t *testing.T) func(*testscript.TestScript, bool, []string) {
	site := sync.OnceValues(func() (*clientSite, error) { return newClientSite(t) })
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		s, err := site()
		ts.Check(err)
		s.setUp(ts)
	}
}

func (s *clientSite) setUp(ts *testscript.TestScript) {
	host := strings.TrimPrefix(s.server.URL, "https://")
	_, port, err := net.SplitHostPort(host)
	ts.Check(err)
	ts.Setenv("SITE", s.server.URL)
	ts.Setenv("HOST", host)
	ts.Setenv("PORT", port)
	ts.Setenv("OTHER", "https://localhost:"+port)
	ts.Setenv("CA", ts.MkAbs("ca.pem"))
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), s.ca.pem, 0o644))
	cert, key, err := s.ca.sign("client", x509.ExtKeyUsageClientAuth)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("client.crt"), cert, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("client.key"), key, 0o600))
	repo := fmt.Sprintf("repo%d.git", s.repos.Add(1))
	for _, args := range [][]string{{"init", "-q", "--bare", repo}, {"-C", repo, "config", "http.receivepack", "true"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = filepath.Join(s.dir, "git")
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	ts.Setenv("REPO", s.server.URL+"/git/"+repo)
	ts.Setenv("OTHERREPO", "https://localhost:"+port+"/git/"+repo)
	for name, text := range map[string]string{"USER": siteUser, "PASSWORD": sitePassword, "TOKEN": siteToken} {
		ts.Setenv("SITE_"+name, text)
	}
	// None of the clients gets out of this machine.
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		ts.Setenv(name, "http://127.0.0.1:9")
	}
	ts.Setenv("no_proxy", "127.0.0.1,localhost")
	ts.Setenv("NO_PROXY", "127.0.0.1,localhost")
}

func newClientSite(t *testing.T) (_ *clientSite, err error) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "git"), 0o755); err != nil {
		return nil, err
	}
	s := &clientSite{dir: dir}
	if s.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	cert, key, err := s.ca.sign("server", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	s.server = httptest.NewUnstartedServer(s.mux())
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s, nil
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rhx test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

// sign returns a certificate and its key in PEM.
func (a *authority) sign(name string, usage x509.ExtKeyUsage) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(own)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), err
}

func (s *clientSite) mux() *http.ServeMux {
	mux := http.NewServeMux()
	backend := &cgi.Handler{Path: "/usr/lib/git-core/git-http-backend", Root: "/git", InheritEnv: []string{"PATH"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(s.dir, "git"), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + siteUser}, Stderr: io.Discard}
	mux.Handle("/git/", basic(backend))
	mux.Handle("/v2/", basic(http.HandlerFunc(registry)))
	mux.Handle("/simple/", basic(http.HandlerFunc(index)))
	mux.HandleFunc("/cargo/", s.cargo)
	mux.HandleFunc("/k8s/", kubernetesAPI)
	mux.HandleFunc("/sts/", sts)
	mux.HandleFunc("/.well-known/terraform.json", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, "application/json", `{"modules.v1": "/modules/"}`)
	})
	mux.HandleFunc("/modules/", s.modules)
	return mux
}

// basic lets only the user through.
func basic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != siteUser || password != sitePassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="rhx test"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writeText(w http.ResponseWriter, kind, text string) {
	w.Header().Set("Content-Type", kind)
	_, _ = io.WriteString(w, text)
}

// registry is one of containers, with the tags of one image.
func registry(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	switch r.URL.Path {
	case "/v2/":
		writeText(w, "application/json", "{}")
	case "/v2/image/tags/list":
		writeText(w, "application/json", `{"name": "image", "tags": ["v1"]}`)
	default:
		http.NotFound(w, r)
	}
}

// index is one of Python packages, with one wheel.
func index(w http.ResponseWriter, r *http.Request) {
	const wheel = "rhxfake-1.0-py3-none-any.whl"
	switch r.URL.Path {
	case "/simple/rhxfake/":
		writeText(w, "text/html", `<!DOCTYPE html><html><body><a href="`+wheel+`">`+wheel+`</a></body></html>`)
	case "/simple/rhxfake/" + wheel:
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range map[string]string{
			"rhxfake.py":                     "answer = 42\n",
			"rhxfake-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: rhxfake\nVersion: 1.0\n",
			"rhxfake-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: rhx\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
			"rhxfake-1.0.dist-info/RECORD":   "rhxfake.py,,\nrhxfake-1.0.dist-info/METADATA,,\nrhxfake-1.0.dist-info/WHEEL,,\nrhxfake-1.0.dist-info/RECORD,,\n",
		} {
			if f, err := z.Create(name); err == nil {
				_, _ = io.WriteString(f, text)
			}
		}
		_ = z.Close()
		writeText(w, "application/zip", b.String())
	default:
		http.NotFound(w, r)
	}
}

// cargo is a sparse registry, of which everything needs the token.
func (s *clientSite) cargo(w http.ResponseWriter, r *http.Request) {
	at := "https://" + r.Host + "/cargo"
	if r.Header.Get("Authorization") != siteToken {
		w.Header().Set("WWW-Authenticate", `Cargo login_url="`+at+`/me"`)
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/cargo/index/config.json":
		writeText(w, "application/json", `{"dl": "`+at+`/dl", "api": "`+at+`", "auth-required": true}`)
	case "/cargo/api/v1/crates/rhxfake/owners":
		writeText(w, "application/json", `{"users": [{"id": 1, "login": "jane", "name": "Jane Fake"}]}`)
	default:
		http.NotFound(w, r)
	}
}

// kubernetesAPI tells who it is that asks: by the token, or by the certificate.
func kubernetesAPI(w http.ResponseWriter, r *http.Request) {
	who := ""
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		who = "certificate " + r.TLS.PeerCertificates[0].Subject.CommonName
	} else if r.Header.Get("Authorization") == "Bearer "+siteToken {
		who = "token"
	}
	if who == "" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	writeText(w, "application/json", `{"who": "`+who+`"}`)
}

// The key that sts knows.
var (
	siteAccessKey = fakes()["AKIA"]
	siteSecretKey = fakes()["AWSKEY"]
)

const siteSession = "fake-session-1"

// sts answers GetCallerIdentity, where the request is signed with the key, by version 4
// of AWS's signatures.
func sts(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !signedV4(r, body) {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	writeText(w, "text/xml", `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
		`<Arn>arn:aws:iam::000000000000:user/jane</Arn><UserId>FAKE</UserId><Account>000000000000</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

// signedV4 reports whether a request has the signature of sts's key, and its session.
func signedV4(r *http.Request, body []byte) bool {
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[key] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	names := strings.Split(fields["SignedHeaders"], ";")
	if len(scope) != 5 || scope[0] != siteAccessKey || r.Header.Get("X-Amz-Security-Token") != siteSession || !slices.Contains(names, "x-amz-security-token") {
		return false
	}
	sum := func(data []byte) string { h := sha256.Sum256(data); return hex.EncodeToString(h[:]) }
	var headers string
	for _, name := range names {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers += name + ":" + strings.TrimSpace(value) + "\n"
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, headers, fields["SignedHeaders"], sum(body)}, "\n")
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), strings.Join(scope[1:], "/"), sum([]byte(canonical))}, "\n")
	key := []byte("AWS4" + siteSecretKey)
	for _, part := range append(slices.Clone(scope[1:]), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hmac.Equal([]byte(hex.EncodeToString(key)), []byte(fields["Signature"]))
}

// modules is a registry of Terraform's, of one module.
func (s *clientSite) modules(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+siteToken {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/modules/acme/x/y/versions":
		versions := map[string]any{"modules": []any{map[string]any{"versions": []any{map[string]string{"version": "1.0.0"}}}}}
		_ = json.NewEncoder(w).Encode(versions)
	case "/modules/acme/x/y/1.0.0/download":
		dir := filepath.Join(s.dir, "module")
		if err := os.MkdirAll(dir, 0o755); err == nil {
			_ = os.WriteFile(filepath.Join(dir, "main.tf"), []byte("output \"x\" { value = 1 }\n"), 0o600)
		}
		w.Header().Set("X-Terraform-Get", "file://"+dir)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}
