package vaultstore

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// startLDAP starts OpenLDAP with one person, jane, and returns its address.
func startLDAP(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	conf := fmt.Sprintf(`include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
argsfile %[1]s/args
database mdb
suffix "dc=example,dc=com"
directory %[1]s
`, dir)
	ldif := `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Fake

dn: cn=jane,dc=example,dc=com
objectClass: person
cn: jane
sn: Fake
userPassword: fake-password
`
	for name, text := range map[string]string{"slapd.conf": conf, "people.ldif": ldif} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Debian keeps both outside the PATH of users.
	if out, err := exec.Command("/usr/sbin/slapadd", "-f", filepath.Join(dir, "slapd.conf"), "-l", filepath.Join(dir, "people.ldif")).CombinedOutput(); err != nil {
		t.Fatalf("slapadd (run make test-deps): %v\n%s", err, out)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	var log bytes.Buffer
	cmd := exec.Command("/usr/sbin/slapd", "-f", filepath.Join(dir, "slapd.conf"), "-h", "ldap://"+addr, "-d", "0")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return "ldap://" + addr
		}
		select {
		case <-ended:
			t.Fatalf("slapd ended:\n%s", &log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("slapd does not listen: %v", err)
		}
	}
}

func TestLoginWithLDAP(t *testing.T) {
	address := startLDAP(t)
	s := vaulttest.Shared(t)
	path := enable(t, s, "ldap")
	s.API(t, http.MethodPost, "auth/"+path+"/config", map[string]any{"url": address, "userdn": "dc=example,dc=com", "userattr": "cn", "discoverdn": true, "token_ttl": "1h"})
	l := Login{Method: "ldap", Mount: path, Username: "jane", Secret: secret.NewValue("fake-password")}
	got, err := authenticate(t, s, l)
	if err == nil && got.User != "jane" {
		t.Errorf("the user is %q", got.User)
	}
	loggedIn(t, s, got, err)
	l.Secret = secret.NewValue("fake-wrong")
	got, err = authenticate(t, s, l)
	refused(t, got, err, "refused the login at auth/"+path, "check the user's name", "fake-wrong")
}
