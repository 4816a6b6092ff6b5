package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdServe serves a folder over https. The script's rhx trusts the server's
// certificate through SSL_CERT_FILE, where Go heeds it. /plain redirects to an
// address without TLS.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	mux.Handle("/plain", http.RedirectHandler("http://127.0.0.1:1/acme.tar.gz", http.StatusFound))
	mux.Handle("/moved", http.RedirectHandler("/acme.tar.gz", http.StatusFound))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused certificate is part of the test
	server.StartTLS()
	ts.Defer(server.Close)
	cert := filepath.Join(ts.MkAbs("."), "server.pem")
	ts.Check(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	ts.Setenv("SSL_CERT_FILE", cert)
	ts.Setenv("URL", server.URL)
}
