package machine_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// same is a place in which ssh and this package are asked the same.
type same struct {
	t *testing.T
	// plain has the host keys ed25519 and ecdsa.
	plain, jump  *sshtest.Server
	dir, askpass string
	keys         map[string]string // files by name
	agents       map[string]string // sockets by name
	stranger     string            // a public key of nobody here
}

// outcome is what a person sees: the kinds of questions, and how it ends.
type outcome struct {
	asked     string
	connected bool
}

func (o outcome) String() string {
	end := "refuse"
	if o.connected {
		end = "connect"
	}
	if o.asked != "" {
		return "prompt " + o.asked + ", " + end
	}
	return end
}

// kindOf tells questions apart by their words, which are not alike.
func kindOf(text string) string {
	lower := strings.ToLower(text)
	for _, kind := range []string{"authenticity", "passphrase", "password", "agent"} {
		if strings.Contains(lower, kind) {
			return kind
		}
	}
	return "other: " + text
}

func (s *same) file(name, content string) string {
	s.t.Helper()
	p := filepath.Join(s.dir, name)
	check(s.t, os.WriteFile(p, []byte(content), 0o600))
	return p
}

func (s *same) key(name, kind, passphrase string, more ...string) string {
	s.t.Helper()
	p := filepath.Join(s.dir, name)
	s.plain.Keygen(kind, p, passphrase, more...)
	s.keys[name] = p
	return p
}

// ask runs ssh as scp does.
func (s *same) ask(t *testing.T, config, target string, env map[string]string) (outcome, string) {
	t.Helper()
	log := config + ".asked"
	check(t, os.WriteFile(log, nil, 0o600))
	cmd := exec.Command("ssh", "-F", config, "-a", "-x", "-oRemoteCommand=none", "-oRequestTTY=no", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "--", target, "echo connected")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SSH_ASKPASS=" + s.askpass, "SSH_ASKPASS_REQUIRE=force", "ASKED=" + log}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	data, readErr := os.ReadFile(log)
	check(t, readErr)
	o := outcome{connected: err == nil && string(out) == "connected\n"}
	for q := range strings.SplitSeq(string(data), "\x00") {
		if q != "" {
			o.note(kindOf(q))
		}
	}
	return o, stderr.String()
}

func (o *outcome) note(kind string) {
	if !strings.Contains(o.asked, kind) {
		o.asked = strings.TrimPrefix(o.asked+"+"+kind, "+")
	}
}

// dial does the same with this package.
func (s *same) dial(t *testing.T, config, target string, env map[string]string) (outcome, error) {
	t.Helper()
	var mu sync.Mutex
	var o outcome
	m := machine.SSH(target, machine.SSHOptions{
		ConfigFile: config, Getenv: getenv(env), Keys: new(machine.Keys),
		Confirm: func(context.Context, machine.HostKey) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			o.note("authenticity")
			return false, nil
		},
		Prompt: func(_ context.Context, q machine.Question) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			o.note(kindOf(q.Text))
			return "", nil
		},
	})
	defer m.Close()
	_, err := m.Info(t.Context(), nil)
	mu.Lock()
	defer mu.Unlock()
	o.connected = err == nil
	return o, err
}

func newSame(t *testing.T) *same {
	t.Helper()
	s := &same{t: t, dir: openDir(t), keys: map[string]string{}, agents: map[string]string{}}
	s.plain, s.jump = sshtest.Start(t, sshtest.Options{Config: []string{"MaxAuthTries 6"}}), sshtest.Start(t, sshtest.Options{})
	s.askpass = filepath.Join(s.dir, "askpass")
	check(t, os.WriteFile(s.askpass, []byte("#!/bin/sh\nprintf '%s\\0' \"$1\" >>\"$ASKED\"\ncase $1 in *yes/no*) echo no ;; *) echo ;; esac\n"), 0o700))
	public, err := os.ReadFile(s.key("stranger", "ed25519", "") + ".pub")
	check(t, err)
	s.stranger = strings.Join(strings.Fields(string(public))[:2], " ")
	for _, k := range [][]string{{"rsa", "rsa", "", "-b", "2048"}, {"pem", "rsa", "", "-b", "2048", "-m", "PEM"}, {"pkcs8", "ecdsa", "", "-m", "PKCS8"}, {"ecdsa", "ecdsa", ""}, {"locked", "ed25519", "a passphrase"}, {"open", "ed25519", ""}, {"with space", "ed25519", ""}, {"late", "ed25519", ""}} {
		authorize(t, s.plain, s.key(k[0], k[1], k[2], k[3:]...)+".pub")
	}
	check(t, os.Chmod(s.keys["open"], 0o644))
	for i := range 8 {
		s.key(fmt.Sprintf("other%d", i), "ed25519", "")
	}
	s.agents["right"] = startAgent(t, s.keys["ecdsa"])
	s.agents["wrong"] = startAgent(t, s.keys["stranger"])
	many := []string{}
	for i := range 8 {
		many = append(many, s.keys[fmt.Sprintf("other%d", i)])
	}
	s.agents["many"] = startAgent(t, append(many, s.keys["late"])...)
	return s
}

// certify starts a server with a host certificate made with these options of ssh-keygen.
func (s *same) certify(name string, options ...string) *sshtest.Server {
	s.t.Helper()
	ca, host := filepath.Join(s.dir, "ca"), filepath.Join(s.dir, "host_"+name)
	if s.keys["ca"] == "" {
		s.key("ca", "ed25519", "")
	}
	s.plain.Keygen("ed25519", host, "")
	if out, err := exec.Command("ssh-keygen", append(append([]string{"-q", "-s", ca, "-h", "-I", name}, options...), host+".pub")...).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return sshtest.Start(s.t, sshtest.Options{Config: []string{"HostKey " + host, "HostCertificate " + host + "-cert.pub"}})
}

// line is a line of known_hosts.
func line(s *sshtest.Server, key string) string {
	return fmt.Sprintf("[%s]:%d %s\n", s.Host, s.Port, key)
}

// The same ssh_config leads to the same end, and to the same questions, as with
// ssh itself. The exceptions are those of the documentation of SSH.
func TestSSHSameAsOpenSSH(t *testing.T) {
	s := newSame(t)
	p := s.plain
	bare := fmt.Sprintf("HostName %s\n Port %d\n User %s\n GlobalKnownHostsFile none\n", p.Host, p.Port, p.User)
	h := bare + " UserKnownHostsFile " + p.KnownHosts + "\n"
	id := " IdentityFile " + p.IdentityFile + "\n IdentitiesOnly yes\n IdentityAgent none\n"
	known := func(name, content string) string {
		return " UserKnownHostsFile " + s.file("known_"+name, content) + "\n"
	}
	with := func(key string) string {
		return " IdentitiesOnly yes\n IdentityAgent none\n IdentityFile " + key + "\n"
	}
	caPublic := func() string {
		data, err := os.ReadFile(s.keys["ca"] + ".pub")
		check(t, err)
		return strings.Join(strings.Fields(string(data))[:2], " ")
	}
	good, expired := s.certify("good", "-n", "127.0.0.1,gpu-01"), s.certify("expired", "-n", "127.0.0.1", "-V", "20200101:20210101")
	at := func(c *sshtest.Server) string {
		return fmt.Sprintf("HostName %s\n Port %d\n User %s\n GlobalKnownHostsFile none\n IdentityFile %s\n IdentitiesOnly yes\n IdentityAgent none\n", c.Host, c.Port, c.User, c.IdentityFile)
	}
	hostKey := func(c *sshtest.Server) string { // the one that is certified
		for _, name := range []string{"good", "expired"} {
			data, err := os.ReadFile(filepath.Join(s.dir, "host_"+name+".pub"))
			check(t, err)
			if map[string]*sshtest.Server{"good": good, "expired": expired}[name] == c {
				return strings.Join(strings.Fields(string(data))[:2], " ")
			}
		}
		return ""
	}
	limited := func(lines ...string) string {
		c := sshtest.Start(t, sshtest.Options{Config: lines})
		return at(c) + " UserKnownHostsFile " + c.KnownHosts + "\n"
	}
	rsaHost := filepath.Join(s.dir, "host_rsa")
	p.Keygen("rsa", rsaHost, "", "-b", "2048")
	rsaPublic, err := os.ReadFile(rsaHost + ".pub")
	check(t, err)
	rsa := sshtest.Start(t, sshtest.Options{Config: []string{"HostKey " + rsaHost, "HostKeyAlgorithms rsa-sha2-512,rsa-sha2-256"}})
	rsaKnown := known("rsa", line(rsa, strings.Join(strings.Fields(string(rsaPublic))[:2], " ")))
	self, err := os.Executable()
	check(t, err)
	krl := filepath.Join(s.dir, "krl")
	revoke := func(file string, args ...string) string {
		if out, err := exec.Command("ssh-keygen", append([]string{"-q", "-k", "-f", file}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return " RevokedHostKeys " + file + "\n"
	}
	command := func(name, script string) string {
		f := s.file("command_"+name, "#!/bin/sh\n"+script)
		check(t, os.Chmod(f, 0o700))
		return " KnownHostsCommand " + f
	}
	master := filepath.Join(t.TempDir(), "m") // a socket's path is short
	startMaster(t, s.file("master", "Host h\n "+h+id), master)
	jump := s.jump.HostBlock("jump")
	learned := filepath.Join(t.TempDir(), "known")
	sockDir := t.TempDir()
	stale := filepath.Join(sockDir, "stale")
	l, err := net.Listen("unix", stale)
	check(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()

	tests := []struct {
		rule, config string
		env          map[string]string
		target       string // "" is h
	}{
		{rule: "plain", config: "Host h\n " + h + id},
		{rule: "no such host block", config: "Host other\n " + h + id + "Host *\n ConnectTimeout 2\n Port 1\n HostName 127.0.0.1\n"},
		{rule: "wildcard", config: "Host ?\n " + h + id},
		{rule: "negated", config: "Host * !h\n PubkeyAuthentication no\nHost h\n " + h + id},
		{rule: "first wins", config: "Host h\n IdentitiesOnly yes\n PubkeyAuthentication no\nHost *\n " + h + id},
		{rule: "equals signs and quotes", config: "Host=\"h\"\n HostName = \"" + p.Host + "\"\n" + strings.TrimPrefix(h, "HostName "+p.Host) + id},
		{rule: "capitals", config: "HOST h\n " + strings.ReplaceAll(h, "HostName", "HOSTNAME") + id},
		{rule: "comment at an end", config: "Host h # the host\n " + h + id},
		{rule: "Match host", config: "Match host 127.0.0.1\n " + id + "Host h\n " + h},
		{rule: "Match host, then final", config: "Host h\n " + h + "Match final host 127.0.0.1\n " + id},
		{rule: "Match originalhost", config: "Match originalhost h\n " + h + id},
		{rule: "Match originalhost of another", config: "Match originalhost x\n " + id + "Host h\n IdentityAgent none\n IdentityFile none\n " + h},
		{rule: "Match user", config: "Host h\n " + h + "Match user " + p.User + "\n " + id},
		{rule: "Match localuser", config: "Match localuser root,nobody,*\n " + h + id},
		{rule: "Match exec", config: "Match exec \"test %n = h\"\n " + h + id},
		{rule: "Match exec fails", config: "Match exec false\n " + id + "Host h\n IdentityAgent none\n IdentityFile none\n " + h},
		{rule: "Match all", config: "Match all\n " + h + id},
		{rule: "Match canonical without canonicalization", config: "Match canonical\n PubkeyAuthentication no\nHost h\n " + h + id},
		{rule: "Match negated", config: "Match !host x\n " + h + id},
		{rule: "Match with an unknown word", config: "Match frobnicated\n " + h + id},
		{rule: "Include", config: "Include " + s.file("included", "Host h\n "+h+id)},
		{rule: "Include of nothing", config: "Include " + s.dir + "/none*\nHost h\n " + h + id},
		{rule: "Include inside a block", config: "Host h\n Include " + s.file("inside", h+id) + "\n"},
		{rule: "Include inside another's block", config: "Host x\n Include " + s.file("inside2", "PubkeyAuthentication no\n") + "\nHost h\n " + h + id},
		{rule: "Include in a circle", config: "Include " + s.dir + "/circle\nHost h\n " + h + id},
		{rule: "HostName with a token", config: "Host 1\n HostName 127.0.0.%h\n" + strings.TrimPrefix(h, "HostName "+p.Host) + id, target: "1"},
		{rule: "IdentityFile with tokens", config: "Host h\n " + h + " IdentitiesOnly yes\n IdentityAgent none\n IdentityFile " + link(t, s.dir, p.IdentityFile, "id_h_"+p.User) + "/id_%n_%r\n"},
		{rule: "IdentityFile with a variable", config: "Host h\n " + h + with("${KEYS}/late"), env: map[string]string{"KEYS": s.dir}},
		{rule: "IdentityFile with a space", config: "Host h\n " + h + with(`"`+s.keys["with space"]+`"`)},
		{rule: "IdentityFile none", config: "Host h\n " + h + with("none")},
		{rule: "UserKnownHostsFile with a token", config: "Host h\n " + bare + id + known("h", line(p, p.HostKeys[0]))[:len(" UserKnownHostsFile ")] + s.dir + "/known_%n\n"},
		{rule: "CanonicalizeHostname falls back", config: "CanonicalizeHostname yes\nCanonicalDomains invalid\nHost h\n " + h + id},
		{rule: "CanonicalizeHostname does not fall back", config: "CanonicalizeHostname yes\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\nHost x\n " + h + id, target: "nowhere"},
		{rule: "CanonicalizeHostname finds it", config: "CanonicalizeHostname yes\nCanonicalDomains 0.0.1\nCanonicalizeMaxDots 0\nMatch canonical\n " + h + id, target: "127"},
		{rule: "HostKeyAlias", config: "Host h\n " + bare + id + " HostKeyAlias name\n" + known("alias", "name "+p.HostKeys[0])},
		{rule: "HostKeyAlias with the port", config: "Host h\n " + bare + id + " HostKeyAlias name\n" + known("alias2", fmt.Sprintf("[name]:%d %s", p.Port, p.HostKeys[0]))},
		{rule: "HostKeyAlias that is not known", config: "Host h\n " + h + id + " HostKeyAlias name\n"},
		{rule: "StrictHostKeyChecking yes", config: "Host h\n " + bare + id + known("empty", "") + " StrictHostKeyChecking yes\n"},
		{rule: "StrictHostKeyChecking accept-new", config: "Host h\n " + bare + id + " StrictHostKeyChecking accept-new\n UserKnownHostsFile " + learned + "\n"},
		{rule: "unknown key", config: "Host h\n " + bare + id + known("empty", "")},
		{rule: "unknown key in batch mode", config: "Host h\n " + bare + id + known("empty", "") + " BatchMode yes\n"},
		{rule: "changed key", config: "Host h\n " + bare + id + known("changed", line(p, s.stranger))},
		{rule: "changed key, accept-new", config: "Host h\n " + bare + id + known("changed", line(p, s.stranger)) + " StrictHostKeyChecking accept-new\n"},
		{rule: "key of another type is known", config: "Host h\n " + bare + id + known("ecdsa", line(p, p.HostKeys[1]))},
		{rule: "revoked line", config: "Host h\n " + bare + id + known("revoked", "@revoked * "+p.HostKeys[0]+"\n"+line(p, p.HostKeys[0]))},
		{rule: "revoked line of another host", config: "Host h\n " + bare + id + known("revoked2", "@revoked other "+p.HostKeys[0]+"\n"+line(p, p.HostKeys[0]))},
		{rule: "RevokedHostKeys", config: "Host h\n " + h + id + " RevokedHostKeys " + s.file("revoked_list", "# a list\n"+p.HostKeys[0]+"\n")},
		{rule: "RevokedHostKeys of another", config: "Host h\n " + h + id + " RevokedHostKeys " + s.file("revoked_other", s.stranger+"\n")},
		{rule: "RevokedHostKeys that is not there", config: "Host h\n " + h + id + " RevokedHostKeys " + s.dir + "/nothing\n"},
		{rule: "RevokedHostKeys that is no list", config: "Host h\n " + h + id + " RevokedHostKeys " + s.file("revoked_garbage", "garbage\n")},
		{rule: "KRL", config: "Host h\n " + h + id + revoke(krl, s.file("krl_keys", p.HostKeys[0]+"\n"))},
		{rule: "KRL of hashes", config: "Host h\n " + h + id + revoke(krl+"2", s.file("krl_spec", "sha256: "+p.HostKeys[0]+"\n"))},
		{rule: "KRL of another", config: "Host h\n " + h + id + revoke(krl+"3", s.file("krl_other", s.stranger+"\n"))},
		{rule: "UserKnownHostsFile /dev/null", config: "Host h\n " + bare + id + " UserKnownHostsFile /dev/null\n"},
		{rule: "UserKnownHostsFile none", config: "Host h\n " + bare + id + " UserKnownHostsFile none\n"},
		{rule: "two UserKnownHostsFiles", config: "Host h\n " + bare + id + " UserKnownHostsFile /dev/null " + p.KnownHosts + "\n"},
		{rule: "GlobalKnownHostsFile", config: "Host h\n GlobalKnownHostsFile " + p.KnownHosts + "\n " + bare + id + known("empty", "")},
		{rule: "hashed", config: "Host h\n " + bare + id + known("hashed", knownhosts.HashHostname(fmt.Sprintf("[%s]:%d", p.Host, p.Port))+" "+p.HostKeys[0])},
		{rule: "pattern", config: "Host h\n " + bare + id + known("pattern", "[127.*.1]:* "+p.HostKeys[0])},
		{rule: "negated pattern", config: "Host h\n " + bare + id + known("negated", "[127.*]:*,![127.0.0.1]:* "+p.HostKeys[0])},
		{rule: "without the port", config: "Host h\n " + bare + id + known("portless", p.Host+" "+p.HostKeys[0])},
		{rule: "without the port, another key", config: "Host h\n " + bare + id + known("portless2", p.Host+" "+s.stranger)},
		{rule: "KnownHostsCommand", config: "Host h\n " + bare + id + known("empty", "") + command("yes", "echo \"$1 "+p.HostKeys[0]+"\"") + " %H\n"},
		{rule: "KnownHostsCommand by what it is asked", config: "Host h\n " + bare + id + known("empty", "") + command("late", "[ \"$2\" = HOSTNAME ] && echo \"$1 $3 $4\"; :") + " \"%H\" %I %t %K\n"},
		{rule: "KnownHostsCommand knows nothing", config: "Host h\n " + bare + id + known("empty", "") + command("no", ":") + "\n"},
		{rule: "KnownHostsCommand fails", config: "Host h\n " + h + id + command("fails", "exit 1") + "\n"},
		{rule: "CheckHostIP", config: "Host h\n " + h + id + " CheckHostIP yes\n"},
		{rule: "HostKeyAlgorithms that is known", config: "Host h\n " + h + id + " HostKeyAlgorithms ecdsa-sha2-nistp256\n UserKnownHostsFile " + p.KnownHosts + "\n"},
		{rule: "HostKeyAlgorithms whose key is not known", config: "Host h\n " + bare + id + known("ed", line(p, p.HostKeys[0])) + " HostKeyAlgorithms ecdsa-sha2-nistp256\n"},
		{rule: "HostKeyAlgorithms that the host has not", config: "Host h\n " + h + id + " HostKeyAlgorithms rsa-sha2-512\n"},
		{rule: "HostKeyAlgorithms without", config: "Host h\n " + h + id + " HostKeyAlgorithms -*ed25519*\n"},
		{rule: "HostKeyAlgorithms that is no name", config: "Host h\n " + h + id + " HostKeyAlgorithms nonsense\n"},
		{rule: "RSA host", config: "Host h\n " + at(rsa) + rsaKnown},
		{rule: "RequiredRSASize of the host", config: "Host h\n " + at(rsa) + rsaKnown + " RequiredRSASize 3072\n"},
		{rule: "RequiredRSASize of the user", config: "Host h\n " + h + with(s.keys["rsa"]) + " RequiredRSASize 3072\n"},

		{rule: "certificate", config: "Host h\n " + at(good) + known("ca", "@cert-authority [127.0.0.1]:* "+caPublic())},
		{rule: "certificate, authority without a port", config: "Host h\n " + at(good) + known("ca_portless", "@cert-authority 127.0.0.* "+caPublic())},
		{rule: "certificate, authority of another host", config: "Host h\n " + at(good) + known("ca_other", "@cert-authority *.corp "+caPublic())},
		{rule: "certificate of an unknown authority, key known", config: "Host h\n " + at(good) + known("ca_stranger", "@cert-authority * "+s.stranger+"\n"+line(good, hostKey(good)))},
		{rule: "certificate of an unknown authority, key not known", config: "Host h\n " + at(good) + known("ca_stranger2", "@cert-authority * "+s.stranger+"\n")},
		{rule: "certificate that has expired", config: "Host h\n " + at(expired) + known("ca_all", "@cert-authority * "+caPublic())},
		{rule: "certificate that has expired, key known", config: "Host h\n " + at(expired) + known("ca_expired", "@cert-authority * "+caPublic()+"\n"+line(expired, hostKey(expired)))},
		{rule: "certificate for the alias", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + " HostKeyAlias gpu-01\n"},
		{rule: "certificate not for the alias", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + " HostKeyAlias gpu-02\n"},
		{rule: "CASignatureAlgorithms", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + " CASignatureAlgorithms rsa-sha2-512\n"},
		{rule: "revoked authority", config: "Host h\n " + at(good) + known("ca_revoked", "@cert-authority * "+caPublic()+"\n@revoked * "+caPublic())},
		{rule: "RevokedHostKeys has the authority", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + " RevokedHostKeys " + s.file("revoked_ca", caPublic()+"\n")},
		{rule: "KRL has the certificate", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + revoke(krl+"4", "-s", s.keys["ca"]+".pub", s.file("krl_id", "id: good\n"))},
		{rule: "HostKeyAlgorithms without certificates", config: "Host h\n " + at(good) + known("ca_all", "@cert-authority * "+caPublic()) + " HostKeyAlgorithms ssh-ed25519\n"},

		{rule: "only group16", config: "Host h\n " + limited("KexAlgorithms diffie-hellman-group16-sha512")},
		{rule: "only group exchange", config: "Host h\n " + limited("KexAlgorithms diffie-hellman-group-exchange-sha256")},
		{rule: "only group14 of SHA-1", config: "Host h\n " + limited("KexAlgorithms diffie-hellman-group14-sha1")},
		{rule: "group14 of SHA-1 allowed", config: "Host h\n " + limited("KexAlgorithms diffie-hellman-group14-sha1") + " KexAlgorithms +diffie-hellman-group14-sha1\n"},
		{rule: "KexAlgorithms", config: "Host h\n " + h + id + " KexAlgorithms ecdh-sha2-nistp521\n"},
		{rule: "KexAlgorithms in front", config: "Host h\n " + h + id + " KexAlgorithms ^diffie-hellman-group16-sha512\n"},
		{rule: "KexAlgorithms that do not meet", config: "Host h\n " + limited("KexAlgorithms curve25519-sha256") + " KexAlgorithms -curve25519*\n"},
		{rule: "Ciphers", config: "Host h\n " + limited("Ciphers aes256-ctr", "MACs hmac-sha2-512") + " Ciphers aes256-ctr\n MACs hmac-sha2-512,hmac-sha2-256\n"},
		{rule: "Ciphers that do not meet", config: "Host h\n " + limited("Ciphers aes256-ctr") + " Ciphers aes128-gcm@openssh.com,aes128-ctr\n"},
		{rule: "an old cipher", config: "Host h\n " + limited("Ciphers aes128-cbc")},
		{rule: "an old cipher allowed", config: "Host h\n " + limited("Ciphers aes128-cbc") + " Ciphers +aes128-cbc\n"},
		{rule: "MACs that do not meet", config: "Host h\n " + limited("Ciphers aes128-ctr", "MACs hmac-sha2-256") + " MACs -hmac-sha2-256*\n"},

		{rule: "PubkeyAcceptedAlgorithms without", config: "Host h\n " + h + id + " PubkeyAcceptedAlgorithms -ssh-ed25519*\n"},
		{rule: "PubkeyAcceptedAlgorithms of RSA", config: "Host h\n " + h + with(s.keys["rsa"]) + " PubkeyAcceptedAlgorithms rsa-sha2-256\n"},
		{rule: "PubkeyAcceptedAlgorithms of certificates only", config: "Host h\n " + h + id + " PubkeyAcceptedAlgorithms ssh-ed25519-cert-v01@openssh.com\n"},
		{rule: "PreferredAuthentications without keys", config: "Host h\n " + h + id + " PreferredAuthentications password,keyboard-interactive\n"},
		{rule: "PreferredAuthentications", config: "Host h\n " + h + id + " PreferredAuthentications password,publickey\n"},
		{rule: "PubkeyAuthentication no", config: "Host h\n " + h + id + " PubkeyAuthentication no\n"},
		{rule: "RSA", config: "Host h\n " + h + with(s.keys["rsa"])},
		{rule: "RSA in PEM", config: "Host h\n " + h + with(s.keys["pem"])},
		{rule: "ECDSA in PKCS#8", config: "Host h\n " + h + with(s.keys["pkcs8"])},
		{rule: "a key of nobody", config: "Host h\n " + h + with(s.keys["stranger"])},
		{rule: "a key that others can read", config: "Host h\n " + h + with(s.keys["open"])},
		{rule: "two keys", config: "Host h\n " + h + with(s.keys["stranger"]) + with(s.keys["ecdsa"])},
		{rule: "a key with a passphrase", config: "Host h\n " + h + with(s.keys["locked"])},
		{rule: "a key with a passphrase, another without", config: "Host h\n " + h + with(s.keys["locked"]) + with(s.keys["ecdsa"])},
		{rule: "a key with a passphrase in batch mode", config: "Host h\n " + h + with(s.keys["locked"]) + " BatchMode yes\n"},
		{rule: "the agent of the environment", config: "Host h\n " + h + " IdentityFile none\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["right"]}},
		{rule: "IdentityAgent", config: "Host h\n " + h + " IdentityFile none\n IdentityAgent " + s.agents["right"] + "\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["wrong"]}},
		{rule: "IdentityAgent in a variable", config: "Host h\n " + h + " IdentityFile none\n IdentityAgent $OTHER\n", env: map[string]string{"OTHER": s.agents["right"]}},
		{rule: "IdentityAgent none", config: "Host h\n " + h + " IdentityFile none\n IdentityAgent none\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["right"]}},
		{rule: "IdentityAgent that is not there", config: "Host h\n " + h + id + " IdentityAgent /nowhere\n"},
		{rule: "IdentitiesOnly", config: "Host h\n " + h + " IdentityFile " + s.keys["stranger"] + "\n IdentitiesOnly yes\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["right"]}},
		{rule: "too many keys", config: "Host h\n " + h + " IdentityFile none\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["many"]}},
		{rule: "too many keys, but one is named", config: "Host h\n " + h + " IdentitiesOnly yes\n IdentityFile " + s.keys["late"] + "\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["many"]}},
		{rule: "too many keys, but one is first", config: "Host h\n " + h + " IdentityFile " + s.keys["late"] + ".pub\n", env: map[string]string{"SSH_AUTH_SOCK": s.agents["many"]}},
		{rule: "another user", config: "Host h\n User nobody-here\n " + h + id},
		{rule: "the user before @", config: "Host h\n User nobody-here\n " + h + id, target: p.User + "@h"},

		{rule: "ProxyCommand", config: "Host h\n " + h + id + " ProxyCommand env " + role + "=proxy " + self + " %h %p\n"},
		{rule: "ProxyCommand fails", config: "Host h\n " + h + id + " ProxyCommand false\n"},
		{rule: "ProxyCommand none", config: "Host h\n ProxyCommand none\n " + h + id + " ProxyCommand false\n"},
		{rule: "ProxyCommand before ProxyJump", config: "Host h\n ProxyCommand false\n ProxyJump jump\n " + h + id + jump},
		{rule: "ProxyUseFdpass", config: "Host h\n " + h + id + " ProxyUseFdpass yes\n ProxyCommand env " + role + "=fdpass " + self + " %h %p\n"},
		{rule: "ProxyUseFdpass, nothing passed", config: "Host h\n " + h + id + " ProxyUseFdpass yes\n ProxyCommand false\n"},
		{rule: "ProxyJump", config: "Host h\n ProxyJump jump\n " + h + id + jump},
		{rule: "ProxyJump with user and port", config: "Host h\n ProxyJump " + fmt.Sprintf("%s@jump:%d", s.jump.User, s.jump.Port) + "\n " + h + id + strings.NewReplacer("User "+s.jump.User, "", fmt.Sprintf("Port %d", s.jump.Port), "").Replace(jump)},
		{rule: "ProxyJump, the jump is not known", config: "Host h\n ProxyJump jump\n " + h + id + strings.ReplaceAll(jump, s.jump.KnownHosts, "/dev/null") + "  BatchMode yes\n"},
		{rule: "ProxyJump, the jump lets nobody in", config: "Host h\n ProxyJump jump\n " + h + id + strings.ReplaceAll(jump, s.jump.IdentityFile, s.keys["stranger"])},
		{rule: "ProxyJump for all hosts", config: "Host jump\n ProxyJump none\nHost *\n ProxyJump jump\nHost h\n " + h + id + jump},
		{rule: "ProxyJump none", config: "Host h\n ProxyJump none\n " + h + id + " ProxyJump nowhere.invalid\n"},
		{rule: "BindAddress", config: "Host h\n " + h + id + " BindAddress 127.0.0.1\n"},
		{rule: "BindAddress that is not here", config: "Host h\n " + h + id + " BindAddress 192.0.2.1\n"},
		{rule: "BindAddress of another family", config: "Host h\n " + h + id + " BindAddress ::1\n"},
		{rule: "BindInterface", config: "Host h\n " + h + id + " BindInterface lo\n"},
		{rule: "BindInterface that is not here", config: "Host h\n " + h + id + " BindInterface nothing0\n"},
		{rule: "AddressFamily", config: "Host h\n " + h + id + " AddressFamily inet6\n"},
		{rule: "a port where nobody is", config: "Host h\n Port 1\n " + h + id},
		{rule: "ConnectionAttempts", config: "Host h\n Port 1\n ConnectionAttempts 2\n " + h + id},
		{rule: "a live master", config: "Host h\n PubkeyAuthentication no\n " + h + " ControlPath " + master + "\n"},
		{rule: "a live master, ControlMaster auto", config: "Host h\n PubkeyAuthentication no\n " + h + " ControlMaster auto\n ControlPath " + master + "\n"},
		{rule: "ControlPath of nobody", config: "Host h\n " + h + id + " ControlPath " + sockDir + "/nobody\n"},
		{rule: "ControlPath of a dead master", config: "Host h\n " + h + id + " ControlPath " + stale + "\n"},
		{rule: "ControlPath none", config: "Host h\n ControlPath none\n PubkeyAuthentication no\n " + h + " ControlPath " + master + "\n"},
		{rule: "SetEnv and SendEnv", config: "Host h\n " + h + id + " SetEnv A=b \"C=d e\"\n SendEnv LC_* X\n"},
		{rule: "RemoteCommand, forwards and a terminal", config: "Host h\n " + h + id + " RemoteCommand exit 9\n RequestTTY force\n LocalForward 1 127.0.0.1:1\n ForwardAgent yes\n ForwardX11 yes\n PermitLocalCommand yes\n LocalCommand exit 9\n"},
		{rule: "Compression and quality of service", config: "Host h\n " + h + id + " Compression yes\n IPQoS none\n TCPKeepAlive no\n ServerAliveInterval 5\n RekeyLimit 1G 1h\n"},
		{rule: "an unknown keyword", config: "Host h\n " + h + id + " Frobnicate yes\n"},
		{rule: "an unknown keyword that is ignored", config: "IgnoreUnknown Frob*\nHost h\n " + h + id + " Frobnicate yes\n"},
		{rule: "a bad value", config: "Host h\n " + h + id + " StrictHostKeyChecking perhaps\n"},
		{rule: "a keyword without a value", config: "Host h\n " + h + id + " ProxyJump\n"},
	}
	s.file("circle", "Include "+s.dir+"/circle\n")
	var mu sync.Mutex
	counts := map[string]int{}
	t.Cleanup(func() {
		t.Logf("%d configurations: %v", len(tests), counts)
		if len(tests) < 60 || counts["connect"] < 20 || counts["refuse"] < 20 || len(counts) < 4 {
			t.Error("too few kinds of configurations: the test proves little")
		}
	})
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			target := tt.target
			if target == "" {
				target = "h"
			}
			config := filepath.Join(t.TempDir(), "config")
			check(t, os.WriteFile(config, []byte(tt.config), 0o600))
			got, err := s.dial(t, config, target, tt.env)
			// What accept-new has learned from one would be known to the other.
			if strings.Contains(tt.config, learned) {
				check(t, os.Remove(learned))
			}
			want, stderr := s.ask(t, config, target, tt.env)
			mu.Lock()
			counts[want.String()]++
			mu.Unlock()
			if got != want {
				t.Errorf("rhx: %v (%v)\nssh: %v (%s)", got, err, want, strings.TrimSpace(stderr))
			}
		})
	}
}

// link makes a folder in which name is a link to file.
func link(t *testing.T, dir, file, name string) string {
	t.Helper()
	d := filepath.Join(dir, "links")
	check(t, os.Mkdir(d, 0o755))
	check(t, os.Symlink(file, filepath.Join(d, name)))
	return d
}

// startMaster starts an ssh master for the host h that lasts as long as the test.
func startMaster(t *testing.T, config, socket string) {
	t.Helper()
	cmd := exec.Command("ssh", "-F", config, "-M", "-N", "-S", socket, "h")
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if exec.Command("ssh", "-F", "none", "-S", socket, "-O", "check", "h").Run() == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the master does not start")
		}
	}
}
