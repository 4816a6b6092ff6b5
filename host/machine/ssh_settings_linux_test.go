package machine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sshG(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("ssh", append(append([]string{"-G", "-F", "none"}, args...), "h")...).Output()
	if err != nil {
		t.Fatalf("ssh -G %q: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// Every key that the installed ssh prints is in the table: those that it prints
// always, and those that it prints only where they are set.
func TestSettingsKnowEveryKeyOfSSH(t *testing.T) {
	keys := map[string]bool{}
	add := func(lines []string) (n int) {
		for _, line := range lines {
			key, _, _ := strings.Cut(line, " ")
			keys[strings.ToLower(key)] = true
		}
		return len(keys)
	}
	always := add(sshG(t))
	for _, set := range []string{
		"BindAddress=127.0.0.1", "BindInterface=lo", "ControlPath=/x", "HostKeyAlias=x", "IdentityAgent=/x", "IgnoreUnknown=x", "KbdInteractiveDevices=x", "LocalCommand=x", "RemoteCommand=x",
		"PKCS11Provider=/x", "PreferredAuthentications=publickey", "RevokedHostKeys=/x", "KnownHostsCommand=/x", "DynamicForward=1", "LocalForward=1 a:1", "RemoteForward=1 a:1", "CertificateFile=/x",
		"SendEnv=X", "SetEnv=X=y", "ProxyCommand=x", "ProxyJump=x", "LogVerbose=x", "PermitRemoteOpen=a:1", "ForwardAgent=/x", "ControlPersist=5", "AddKeysToAgent=confirm 5",
	} {
		add(sshG(t, "-o", set))
	}
	if always < 60 || len(keys) <= always+15 {
		t.Errorf("%d keys, %d always: the test proves little", len(keys), always)
	}
	for key := range keys {
		s, ok := sshSettings()[key]
		if !ok {
			t.Errorf("%s is not in the table", key)
		} else if (s.set == nil) != (s.why != "") {
			t.Errorf("%s is neither followed nor harmless for a reason, or both", key)
		}
	}
	if unknown := defaultConfig("h").parse([]byte(strings.Join(sshG(t), "\n"))); len(unknown) > 0 {
		t.Errorf("not known: %q", unknown)
	}
}

// What is followed arrives: a value that is set changes the configuration.
func TestSettingsAreFollowed(t *testing.T) {
	for _, set := range []string{
		"AddressFamily=inet6", "BatchMode=yes", "CheckHostIP=yes", "ControlMaster=yes", "ControlPath=/x", "HashKnownHosts=no", "HostbasedAuthentication=yes", "IdentitiesOnly=yes",
		"KbdInteractiveAuthentication=no", "PasswordAuthentication=no", "ProxyUseFdpass=yes", "PubkeyAuthentication=no", "StrictHostKeyChecking=accept-new", "TCPKeepAlive=no", "ConnectionAttempts=3",
		"NumberOfPasswordPrompts=1", "ServerAliveCountMax=7", "ServerAliveInterval=9", "RequiredRSASize=4096", "BindAddress=127.0.0.1", "BindInterface=lo", "Ciphers=-aes*", "HostKeyAlgorithms=-ssh-ed25519",
		"HostKeyAlias=x", "IdentityAgent=/x", "KexAlgorithms=^diffie-hellman-group16-sha512", "CASignatureAlgorithms=rsa-sha2-512", "MACs=hmac-sha2-256", "PKCS11Provider=/x", "PreferredAuthentications=password",
		"PubkeyAcceptedAlgorithms=rsa-sha2-512", "KnownHostsCommand=/x", "IdentityFile=/x", "CertificateFile=/x", "GlobalKnownHostsFile=/x", "UserKnownHostsFile=/x", "RevokedHostKeys=/x", "SendEnv=X", "SetEnv=X=y",
		"AddKeysToAgent=yes", "ConnectTimeout=3", "ProxyJump=x", "ProxyCommand=x", "HostName=x", "User=x", "Port=1",
	} {
		changed := slices.DeleteFunc(sshG(t, "-o", set), func(line string) bool { return slices.Contains(sshG0, line) })
		key := strings.ToLower(set[:strings.IndexByte(set, '=')])
		if !slices.ContainsFunc(changed, func(line string) bool { k, _, _ := strings.Cut(line, " "); return strings.EqualFold(k, key) }) && key != "hashknownhosts" {
			t.Errorf("%s: ssh -G prints no other %s", set, key)
		}
		if sshSettings()[key].set == nil {
			t.Errorf("%s is not followed", key)
		}
	}
}

var sshG0 = func() []string {
	out, _ := exec.Command("ssh", "-G", "-F", "none", "h").Output()
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}()

// program writes a script in place of ssh.
func program(t *testing.T, script string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "ssh")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

// A setting of a newer ssh is refused where it is set, and not where it is a default.
func TestUnknownSettings(t *testing.T) {
	const newer = "echo hostname h\necho trustnobody no\nfor a; do [ \"$a\" != none ] || exit 0; done\n"
	o := &SSHOptions{Getenv: func(string) string { return "" }, SSH: program(t, newer)}
	if _, err := resolveConfig(t.Context(), "h", o); err != nil {
		t.Errorf("its default: %v", err)
	}
	o.SSH = program(t, newer+"echo trustwhom everyone\n")
	if _, err := resolveConfig(t.Context(), "h", o); err == nil || !strings.Contains(err.Error(), "trustwhom") {
		t.Errorf("%v", err)
	}
}

// ssh -G that hangs is given up, with what it has started; so is one that never ends.
func TestAskSSHIsBounded(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	o := &SSHOptions{Getenv: func(string) string { return "" }, SSH: program(t, "sleep 1000 & echo $! >'"+pid+"'; wait"), askWithin: 300 * time.Millisecond}
	start := time.Now()
	if _, err := resolveConfig(t.Context(), "h", o); err == nil || !strings.Contains(err.Error(), "no answer within 300ms") {
		t.Errorf("%v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
	o.SSH, o.askWithin = program(t, "sleep 1000"), 0
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := resolveConfig(ctx, "h", o); err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
	o.SSH = program(t, "while echo hostname x; do :; done")
	o.askWithin = time.Second
	if _, err := resolveConfig(t.Context(), "h", o); err == nil {
		t.Error("it is an answer")
	}
	data, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err := os.Open("/dev/tty"); err == nil {
		tty.Close()
		return // with a terminal, what ssh has started is the terminal's
	}
	if state := stateOf(strings.TrimSpace(string(data))); state != "" && state != "Z" {
		t.Errorf("what it started still runs: %s", state)
	}
}

// stateOf is the letter that the kernel has for a process, "" where there is none.
func stateOf(pid string) string {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	return fields[0]
}

// The home folder is the one of the user database, whatever HOME says.
func TestHomeIsThatOfTheUserDatabase(t *testing.T) {
	t.Setenv("HOME", "/elsewhere")
	t.Setenv("USER", "somebody")
	out, err := exec.Command("sh", "-c", `getent passwd "$(id -u)" | cut -d: -f6`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sshUser().HomeDir, strings.TrimSpace(string(out)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	// ssh is not told where the file is, so it refuses one that others can write.
	o := &SSHOptions{Getenv: os.Getenv, SSH: program(t, `for a; do [ "$a" != -F ] || exit 9; done; echo hostname h`)}
	if _, err := resolveConfig(t.Context(), "h", o); err != nil {
		t.Error(err)
	}
}

func TestSplitWords(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{`/a b  c`, []string{"/a", "b", "c"}}, {`"/a b" 'c "d"'`, []string{"/a b", `c "d"`}}, {`a\ b \\ \"`, []string{"a b", `\`, `"`}}, {`a"b"c ""`, []string{"abc", ""}},
		{`a\x`, []string{`a\x`}}, {"", nil}, {" \t", nil}, {`"a`, nil}, {`'`, nil},
	}
	for _, tt := range tests {
		got, err := splitWords(tt.in)
		if (err != nil) != (strings.Count(tt.in, `"`)%2 == 1 && !strings.Contains(tt.in, `\"`) || tt.in == "'") || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v", tt.in, got, err)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	for _, s := range []string{`/a "b c" 'd' \\ \"`, `"`, `\`, "a\tb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, err := splitWords(s)
		if n := len(strings.Join(words, "")); err == nil && n > len(s) {
			t.Errorf("%q from %q", words, s)
		}
	})
}

// An older ssh -G leaves lists that begin with a sign to its reader.
func TestAssembledAlgorithms(t *testing.T) {
	safe := []string{"a1", "a2", "b1"}
	for wanted, want := range map[string]string{"+c": "a1,a2,b1,c", "^b1,c": "b1,c,a1,a2,b1", "-a*": "b1", "-a1,b1": "a2", "c,a1": "c,a1", "": "", "-*": ""} {
		if got := strings.Join(assembled(strings.Split(wanted, ","), safe), ","); got != want {
			t.Errorf("%s: %s, want %s", wanted, got, want)
		}
	}
	if got := assembled(nil, safe); !slices.Equal(got, safe) {
		t.Errorf("nothing: %s", got)
	}
}

// Hosts share the memory for their answers, and it comes back.
func TestAnswersShareABudget(t *testing.T) {
	was := answers
	defer func() { answers = was }()
	const size = 3 << 20
	answers = &budget{free: 2*size + size/2}
	read := func() (*answer, error) {
		a := &answer{mark: []byte("M "), limit: maxAnswer}
		return a, a.read(strings.NewReader("M start\nM data\n" + strings.Repeat("x", size) + "M done\n"))
	}
	first, err := read()
	if err != nil || len(first.pieces) != 3 {
		t.Fatalf("%d pieces, %v", len(first.pieces), err)
	}
	if _, err := read(); err != errTogether {
		t.Errorf("the second: %v", err)
	}
	if _, err := read(); err != errTogether {
		t.Errorf("once more: %v", err)
	}
	if n := len(first.pieces[1].data); n != size {
		t.Errorf("%d bytes", n)
	}
	first = nil
	for deadline := time.Now().Add(20 * time.Second); ; {
		_, err := read()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come back: %v", err)
		}
	}
	small := &answer{mark: []byte("M "), limit: maxAnswer}
	answers.free = 0
	if err := small.read(strings.NewReader("M start\nM data\nx\nM done\n")); err != nil {
		t.Errorf("a small answer: %v", err)
	}
}
