package vaulttest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Cluster is a cluster of Vault servers with integrated storage (raft), behind
// TLS with an authority of its own. Each node is a process.
type Cluster struct {
	// Nodes are the servers that were started, in order.
	Nodes []*Server
	key   string // unseals every node
}

// NewCluster starts a cluster of n nodes, unsealed and with a leader, for one
// test alone.
func NewCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	bin, err := find()
	if err != nil {
		t.Fatalf("vaulttest: %v", err)
	}
	dir := t.TempDir()
	ca, err := authority(dir)
	if err != nil {
		t.Fatalf("vaulttest: make certificates: %v", err)
	}
	c := &Cluster{}
	for i := range n {
		c.startNode(t, bin, dir, ca, i)
		if i == 0 {
			c.initialize(t)
		} else {
			c.unseal(t, c.Nodes[i])
		}
		c.Nodes[i].RootToken = c.Nodes[0].RootToken
	}
	for _, s := range c.Nodes {
		c.await(t, s, "have a leader", func() bool { return s.leaderKnown(t.Context()) })
	}
	// A node that has joined takes part in elections once autopilot says so.
	c.await(t, c.Nodes[0], "have all voters", func() bool { return c.voters(t) == n })
	return c
}

func (c *Cluster) startNode(t testing.TB, bin, dir string, ca []byte, i int) {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, fmt.Sprintf("node%d", i))
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	join := ""
	if i > 0 {
		join = fmt.Sprintf("retry_join { leader_api_addr = %q\n leader_ca_cert_file = %q }", c.Nodes[0].Addr, filepath.Join(dir, "ca.pem"))
	}
	config := fmt.Sprintf(`
storage "raft" { path = %q
 node_id = "node%d"
 performance_multiplier = 1
 %s }
listener "tcp" { address = %q
 cluster_address = %q
 tls_cert_file = %q
 tls_key_file = %q }
api_addr = "https://%s"
cluster_addr = "https://%s"
disable_mlock = true
log_level = "warn"
`, data, i, join, port, peer, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), port, peer)
	file := filepath.Join(dir, fmt.Sprintf("node%d.hcl", i))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	s := &Server{Addr: "https://" + port, CA: ca, bin: bin, log: &logBuffer{}, exited: make(chan struct{}),
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
	if err := s.run(dir, []string{"server", "-config=" + file}); err != nil {
		t.Fatalf("vaulttest: start %s: %v", bin, err)
	}
	t.Cleanup(s.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of node %d's log:\n%s", i, s.log)
		}
	})
	c.Nodes = append(c.Nodes, s)
	c.await(t, s, "answer", func() bool {
		_, _, err := s.request(t.Context(), http.MethodGet, "sys/seal-status", nil)
		return err == nil
	})
}

func (c *Cluster) initialize(t testing.TB) {
	t.Helper()
	s := c.Nodes[0]
	var keys struct {
		Keys  []string `json:"keys"`
		Token string   `json:"root_token"`
	}
	body := s.API(t, http.MethodPut, "sys/init", map[string]int{"secret_shares": 1, "secret_threshold": 1})
	if err := json.Unmarshal(body, &keys); err != nil || len(keys.Keys) != 1 {
		t.Fatalf("vaulttest: initialize: %v", err)
	}
	c.key, s.RootToken = keys.Keys[0], keys.Token
	c.unseal(t, s)
	c.await(t, s, "lead", func() bool { return s.leaderKnown(t.Context()) })
}

// unseal unseals a node; one that is still joining refuses for a moment.
func (c *Cluster) unseal(t testing.TB, s *Server) {
	t.Helper()
	c.await(t, s, "be unsealed", func() bool {
		_, _, _ = s.request(t.Context(), http.MethodPut, "sys/unseal", map[string]string{"key": c.key})
		status, body, err := s.request(t.Context(), http.MethodGet, "sys/seal-status", nil)
		var seal struct{ Sealed bool }
		return err == nil && status == http.StatusOK && json.Unmarshal(body, &seal) == nil && !seal.Sealed
	})
}

// Leader returns the node that leads, or nil while there is none.
func (c *Cluster) Leader(t testing.TB) *Server {
	t.Helper()
	for _, s := range c.Nodes {
		var l struct {
			IsSelf bool `json:"is_self"`
		}
		_, body, err := s.request(t.Context(), http.MethodGet, "sys/leader", nil)
		if err == nil && json.Unmarshal(body, &l) == nil && l.IsSelf {
			return s
		}
	}
	return nil
}

// Follower returns a node that does not lead.
func (c *Cluster) Follower(t testing.TB) *Server {
	t.Helper()
	leader := c.Leader(t)
	for _, s := range c.Nodes {
		if leader != nil && s != leader {
			return s
		}
	}
	t.Fatal("vaulttest: there is no follower")
	return nil
}

func (c *Cluster) voters(t testing.TB) int {
	var raft struct {
		Data struct {
			Config struct {
				Servers []struct{ Voter bool } `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	_, body, err := c.Nodes[0].request(t.Context(), http.MethodGet, "sys/storage/raft/configuration", nil)
	n := 0
	if err == nil && json.Unmarshal(body, &raft) == nil {
		for _, s := range raft.Data.Config.Servers {
			if s.Voter {
				n++
			}
		}
	}
	return n
}

func (s *Server) leaderKnown(ctx context.Context) bool {
	status, _, err := s.request(ctx, http.MethodGet, "auth/token/lookup-self", nil)
	return err == nil && status == http.StatusOK
}

func (c *Cluster) await(t testing.TB, s *Server, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); !done(); pause() {
		select {
		case <-s.exited:
			t.Fatalf("vaulttest: %s ended; its log:\n%s", s.Addr, s.log)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("vaulttest: %s does not %s within %v", s.Addr, what, startTimeout)
		}
	}
}

// authority writes ca.pem, and cert.pem and key.pem of a server at 127.0.0.1 that
// it has signed, and returns ca.pem.
func authority(dir string) ([]byte, error) {
	now := time.Now()
	template := func(name string, serial int64) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), BasicConstraintsValid: true}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := template("test authority", 1)
	ca.IsCA, ca.KeyUsage = true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := template("vault", 2)
	leaf.IPAddresses, leaf.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	for name, data := range map[string][]byte{
		"ca.pem":   caPEM,
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return caPEM, nil
}
