package machine

import (
	"bytes"
	"crypto/ed25519"
	"io"
	"io/fs"
	"os/user"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/rhx-dev/rhx/host/fault"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in   string
		want sshTarget
		ok   bool
	}{
		{"gpu-01", sshTarget{host: "gpu-01"}, true},
		{"ubuntu@10.0.0.7:2222", sshTarget{"ubuntu", "10.0.0.7", "2222"}, true},
		{"a@b@host", sshTarget{user: "a@b", host: "host"}, true},
		{`DOMAIN\u@host`, sshTarget{user: `DOMAIN\u`, host: "host"}, true},
		{"::1", sshTarget{host: "::1"}, true},
		{"[::1]:22", sshTarget{host: "::1", port: "22"}, true},
		{"[::1]", sshTarget{host: "::1"}, true},
		{"u@fe80::1%eth0", sshTarget{user: "u", host: "fe80::1%eth0"}, true},
		{"ssh://u@host:22/", sshTarget{"u", "host", "22"}, true},
		{"", sshTarget{}, false}, {"@host", sshTarget{}, false}, {"u@", sshTarget{}, false}, {"host:", sshTarget{}, false}, {"host:0", sshTarget{}, false},
		{"host:65536", sshTarget{}, false}, {"host:x", sshTarget{}, false}, {"-oProxyCommand=x", sshTarget{}, false}, {"u@-x", sshTarget{}, false}, {"-u@x", sshTarget{}, false},
		{"a b", sshTarget{}, false}, {"a;b", sshTarget{}, false}, {"$(x)", sshTarget{}, false}, {"u$(x)@host", sshTarget{}, false}, {"[::1", sshTarget{}, false}, {"[::1]x", sshTarget{}, false},
		{"a\nb", sshTarget{}, false}, {"a/b", sshTarget{}, false}, {"[::1]:", sshTarget{}, false},
	}
	for _, tt := range tests {
		got, err := parseTarget(tt.in)
		if (err == nil) != tt.ok || tt.ok && got != tt.want {
			t.Errorf("%q: %+v, %v", tt.in, got, err)
		}
		if err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("%q: the error is not one of usage: %v", tt.in, err)
		}
	}
}

// What ssh -G prints is understood, and its tokens are expanded.
func TestConfigOfSSH(t *testing.T) {
	out := "user me\nhostname foo.example.com\nport 77\nidentityfile ~/.ssh/%r@%n_key\nidentityfile /tmp/with space/id_%p\nidentityfile ${V}/x\ncertificatefile %d/c\n" +
		"userknownhostsfile ~/.ssh/kh-al-%n /tmp/a b/kh zz\nglobalknownhostsfile none\nstricthostkeychecking false\nhostkeyalias al-%n\nidentityagent $SOCK\n" +
		"proxycommand nc %h %p %% %q\nconnecttimeout 7\nhashknownhosts yes\nidentitiesonly yes\npubkeyauthentication true\npasswordauthentication no\nkbdinteractiveauthentication no\nbatchmode yes\naddressfamily inet6\nunknown x\nempty\n" +
		"controlpath none\ncontrolmaster auto\nserveraliveinterval 5\nserveralivecountmax 2\nciphers aes128-ctr,aes256-ctr\nrevokedhostkeys %d/rev\nsetenv A=b c\nsetenv D=\nsendenv LC_*\nnumberofpasswordprompts 1\n" +
		"preferredauthentications password,publickey\nconnectionattempts 4\nrequiredrsasize 2048\naddkeystoagent confirm 300\n"
	c := defaultConfig("foo")
	unknown := c.parse([]byte(out))
	getenv := func(name string) string { return map[string]string{"SOCK": "/sock", "V": "/v"}[name] }
	c.complete(sshTarget{host: "foo"}, &user.User{Username: "u", Uid: "1", HomeDir: "/home/u"}, &SSHOptions{Getenv: getenv})
	want := &sshConfig{
		named: "foo", user: "me", host: "foo.example.com", port: "77", alias: "al-foo", family: "tcp6", agent: "/sock", strict: "ask", hashHosts: true, identitiesOnly: true,
		identities: []string{"/home/u/.ssh/me@foo_key", "/tmp/with space/id_77", "/v/x"}, certificates: []string{"/home/u/c"},
		userHosts: []string{"/home/u/.ssh/kh-al-foo", "/tmp/a b/kh zz"}, globalHosts: []string{}, revokedKeys: []string{"/home/u/rev"},
		proxyCommand: "nc %h %p %% %q", timeout: 7 * time.Second, publicKey: true, batch: true, aliveEvery: 5 * time.Second, aliveCount: 2, ciphers: []string{"aes128-ctr", "aes256-ctr"},
		setEnv: []string{"A=b c", "D="}, sendEnv: []string{"LC_*"}, prompts: 1, methods: []string{"password", "publickey"}, attempts: 4, rsaBits: 2048, addKeys: "confirm 300",
	}
	if got := c.expand.tokens(c.proxyCommand); got != "nc foo.example.com 77 % %q" {
		t.Errorf("ProxyCommand %q", got)
	}
	c.expand = nil
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v, want\n%+v", c, want)
	}
	if !slices.Equal(unknown, []string{"unknown x"}) {
		t.Errorf("unknown %q", unknown)
	}
}

func FuzzConfigOfSSH(f *testing.F) {
	f.Add("user me\nidentityfile ~/%r ${X} ${\nuserknownhostsfile a b /c\nproxycommand %\n")
	f.Add("hostname\n \nport x\nconnecttimeout -1\nidentityagent $\n")
	f.Add("ciphers ,\nnumberofpasswordprompts -1\nconnectionattempts 99999999999\nserveraliveinterval 9999999999999\n")
	f.Fuzz(func(t *testing.T, out string) {
		c := defaultConfig("x")
		c.parse([]byte(out))
		c.complete(sshTarget{host: "x"}, &user.User{HomeDir: "/s"}, &SSHOptions{Getenv: func(string) string { return "${X}" }})
		if c.port == "" || c.timeout <= 0 || c.strict == "no" || c.attempts < 1 || c.prompts < 0 || c.aliveEvery < 0 {
			t.Errorf("%+v", c)
		}
	})
}

func testPrivate(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func testKey(seed byte) ssh.PublicKey {
	signer, err := ssh.NewSignerFromKey(testPrivate(seed))
	if err != nil {
		panic(err)
	}
	return signer.PublicKey()
}

// Whatever a person may have in known_hosts, a line without wildcard, hash or
// port is one for the host of that name only.
func FuzzKnownHosts(f *testing.F) {
	key := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(testKey(1))))
	for _, hosts := range []string{"h", "[h]:22", "*", "h,!h", "!h,*", "?", "[h]:2222", knownhosts.HashHostname("h"), "|1|x|y", "H", "a*b*,h*", "@revoked h", "@cert-authority *", "@x h", "[*]:*"} {
		f.Add(hosts+" "+key+"\n", "h")
	}
	f.Fuzz(func(t *testing.T, file, host string) {
		k := new(knownHosts)
		k.add("file", []byte(file))
		name := knownName(host, "22")
		for _, l := range k.matching(name, "") {
			if l.number < 1 || l.number > strings.Count(file, "\n")+1 {
				t.Errorf("line %d", l.number)
			}
			if len(l.hosts) == 1 && !strings.ContainsAny(l.hosts[0], "*?|[") && strings.ToLower(l.hosts[0]) != name {
				t.Errorf("%q matches %q", l.hosts, name)
			}
		}
	})
}

func TestMatchesWildcardIsNotExponential(t *testing.T) {
	start := time.Now()
	if matchesWildcard(strings.Repeat("a*", 200)+"c", strings.Repeat("a", 5000)+"b") {
		t.Error("it matches")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	for pattern, want := range map[string]bool{"*": true, "": false, "h*t": true, "?ost": true, "host*": true, "hos": false, "*x": false, "h**t": true, "hostt": false} {
		if matchesWildcard(pattern, "host") != want {
			t.Errorf("%q: want %v", pattern, want)
		}
	}
}

// The pattern that the shell gets matches at least what path.Match does: here
// by a model of a shell's pattern, which has only *, ? and quoted characters.
func FuzzShellPattern(f *testing.F) {
	for _, p := range []string{"id_*", "*.json", "[ab]*", `\[x\]`, "[^a]?", `[\]]x`, "a'b*", `[a\-z]`, "[é-ü]"} {
		f.Add(p, "id_a")
		f.Add(p, "]x")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if validPattern(pattern) != nil || strings.ContainsAny(pattern+name, "/\x00") {
			t.Skip()
		}
		ok, err := path.Match(pattern, name)
		if err != nil || !ok {
			t.Skip()
		}
		if model := shellPattern(pattern); !shellMatch(model, name) {
			t.Errorf("%q matches %q, %s does not", pattern, name, model)
		}
	})
}

// shellMatch matches '…', \', * and ?.
func shellMatch(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		return shellMatch(pattern[1:], s) || s != "" && shellMatch(pattern, s[1:])
	case pattern[0] == '?':
		return s != "" && shellMatch(pattern[1:], s[1:])
	case pattern[0] == '\\':
		return s != "" && s[0] == pattern[1] && shellMatch(pattern[2:], s[1:])
	case pattern[0] == '\'':
		literal, rest, _ := strings.Cut(pattern[1:], "'")
		return strings.HasPrefix(s, literal) && shellMatch(rest, s[len(literal):])
	}
	return false
}

// No answer of a host makes this machine fail, or gives more than it says, however
// it is cut into packets.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("noise M start\nM file 0\n/xM list\n-rw------- 1 0 0 3 x\nM data\n123M end 0\nM done\n"), 3)
	f.Add([]byte("M no 0 why\nmv: cannot: No space left on device\nM done"), 1)
	f.Add([]byte("M done\nM data\nx"), 5)
	f.Add([]byte("M done\nM data\nx"), 100)
	f.Fuzz(func(t *testing.T, sent []byte, packet int) {
		a := &answer{mark: []byte("M "), limit: 1 << 16}
		err := a.read(&packets{sent, min(max(packet, 1), 1<<10)})
		list := a.pieces
		if err == nil {
			whole := &answer{mark: []byte("M "), limit: 1 << 16}
			if err := whole.read(bytes.NewReader(sent)); err != nil || !reflect.DeepEqual(whole.pieces, list) {
				t.Errorf("in packets %q, whole %q, %v", list, whole.pieces, err)
			}
			if marks := bytes.Count(sent, []byte("M ")); len(list) > marks {
				t.Errorf("%d pieces of %d", len(list), marks)
			}
		}
		for i, p := range list {
			if p.index(1, 3) >= 3 {
				t.Error("an index out of range")
			}
			if remoteError(p) == nil {
				t.Error("no error")
			}
			if i+3 <= len(list) {
				if got := readAnswer("/x", list[i:i+3]); got.Err == nil && (got.Data == nil || !bytes.Equal(got.Data, list[i+1].data)) {
					t.Error("other data")
				}
			}
		}
	})
}

// packets is a reader that gives n bytes at a time.
type packets struct {
	data []byte
	n    int
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data[:min(p.n, len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func TestParseListing(t *testing.T) {
	tests := []struct {
		line string
		mode fs.FileMode
		size int64
		ok   bool
	}{
		{"-rw-r--r-- 1 0 0 12 Jan 1 00:00 /x", 0o644, 12, true},
		{"-rwxr-x--x. 1 0 0 0 Jan 1", 0o751, 0, true},
		{"-rwsr-Sr-T+ 1 0 0 3 x", 0o744, 3, true},
		{"-rw-r--r-T 1 0 0 3 x", 0o644, 3, true},
		{"---------- 1 0 0 3 x", 0, 3, true},
		{"", 0, 0, false}, {"-rw 1 0 0 3", 0, 0, false}, {"-rw------- 1 0 0 x", 0o600, 0, false},
	}
	for _, tt := range tests {
		if mode, size, ok := parseListing([]byte(tt.line)); ok != tt.ok || ok && (mode != tt.mode || size != tt.size) {
			t.Errorf("%q: %v, %d, %v", tt.line, mode, size, ok)
		}
	}
}

// A terminal must not be moved, and no answer hidden, by what a host sends.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"a\x1b[2Jb\r\n c": "a [2Jb c", "\xff\u009bx": "x", "ключ": "ключ", strings.Repeat("x", 20): "xxxxxxxxxx…", "": ""} {
		if got := printable(in, 10); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"/a*/b": "/a*/b", "/a/*": "/a/[*]", `/a/[\]?`: `/a/[[]\\][?]`, `/a/\`: `/a/\`, "": ""} {
		if got := Quote(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSystemName(t *testing.T) {
	for in, want := range map[string]string{"Linux\n": "linux", "Darwin\n": "darwin", "FreeBSD": "freebsd", "SunOS": "solaris", "MINGW64_NT-10.0": "windows", "CYGWIN_NT-10.0": "windows"} {
		if got := systemName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
