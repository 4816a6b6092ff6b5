//go:build unix

package nameservice

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// nobody is a user ID that /etc/passwd does not have.
const nobody = "4000000001"

// fakeGetent is a getent that is a shell script; asked returns what it was asked.
func fakeGetent(t *testing.T, script string) (asked func() string) {
	t.Helper()
	dir := t.TempDir()
	program, log := filepath.Join(dir, "getent"), filepath.Join(dir, "log")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$#:$1:$2\" >>"+log+"\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := getents
	t.Cleanup(func() { getents = before })
	getents = []string{filepath.Join(dir, "none"), program}
	return func() string {
		data, err := os.ReadFile(log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestUserOfADirectory(t *testing.T) {
	asked := fakeGetent(t, "echo jane:x:$2:100:Jane Doe:/home/jane:/bin/sh")
	u, err := User(nobody)
	if err != nil || *u != (user.User{Username: "jane", Uid: nobody, Gid: "100", Name: "Jane Doe", HomeDir: "/home/jane"}) {
		t.Errorf("%+v, %v", u, err)
	}
	if got := asked(); got != "2:passwd:"+nobody+"\n" {
		t.Errorf("asked: %q", got)
	}
}

func TestGroupOfADirectory(t *testing.T) {
	asked := fakeGetent(t, "echo staff:x:$2:")
	if name, err := Group(nobody); err != nil || name != "staff" || asked() != "2:group:"+nobody+"\n" {
		t.Errorf("%q, %v, %q", name, err, asked())
	}
}

// Whom the files have, getent is not asked for.
func TestTheFilesComeFirst(t *testing.T) {
	asked := fakeGetent(t, "echo evil:x:$2:0::/evil:/bin/sh")
	u, err := User("0")
	if err != nil || u.Username != "root" {
		t.Errorf("%+v, %v", u, err)
	}
	if g, err := Group("0"); err != nil || g == "evil" {
		t.Errorf("%q, %v", g, err)
	}
	if _, err := User("0; x"); err == nil {
		t.Error("that is a user")
	}
	if got := asked(); got != "" {
		t.Errorf("asked: %q", got)
	}
}

func TestWrongAnswersOfGetent(t *testing.T) {
	for name, script := range map[string]string{
		"nobody":           "exit 2",
		"nothing":          "exit 0",
		"another":          "echo jane:x:7:100::/home/jane:/bin/sh",
		"too few fields":   "echo jane:x:$2:100::/home/jane",
		"too many fields":  "echo jane:x:$2:100::/home/jane:/bin/sh:",
		"no name":          "echo :x:$2:100::/home/jane:/bin/sh",
		"no number":        "echo jane:x:$2:staff::/home/jane:/bin/sh",
		"two lines":        "echo jane:x:$2:100::/home/jane:/bin/sh; echo joe:x:$2:100::/home/joe:/bin/sh",
		"half a line":      "printf %s jane:x:$2:100::/home/jane:/bin/sh",
		"an escape":        `printf 'ja\033ne:x:%s:100::/home/jane:/bin/sh\n' $2`,
		"not UTF-8":        `printf 'ja\377ne:x:%s:100::/home/jane:/bin/sh\n' $2`,
		"it fails":         "echo jane:x:$2:100::/home/jane:/bin/sh; exit 1",
		"without an end":   "while :; do echo jane:x:$2:100::/home/jane:/bin/sh; done",
		"a long first one": `head -c 100000 /dev/zero | tr '\0' a; echo :x:$2:100::/home/jane:/bin/sh`,
	} {
		t.Run(name, func(t *testing.T) {
			asked := fakeGetent(t, script)
			var unknown user.UnknownUserIdError
			if u, err := User(nobody); !errors.As(err, &unknown) {
				t.Errorf("%.200v, %v", u, err)
			}
			if asked() == "" {
				t.Error("getent was not asked")
			}
		})
	}
	fakeGetent(t, "echo jane:x:$2:100::../jane:/bin/sh")
	if u, err := User(nobody); err != nil || u.HomeDir != "" {
		t.Errorf("a home folder that is no path: %+v, %v", u, err)
	}
	getents = nil
	if u, err := User(nobody); err == nil {
		t.Errorf("without getent: %+v", u)
	}
}

// A directory that does not answer holds nothing up for ever.
func TestASilentGetent(t *testing.T) {
	before := within
	t.Cleanup(func() { within = before })
	within = 50 * time.Millisecond
	fakeGetent(t, "exec sleep 600")
	if u, err := User(nobody); err == nil {
		t.Errorf("%+v", u)
	}
}

// dns is a name server that knows one name, and no other.
func dns(t *testing.T, known string, address netip.Addr) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := resolver
	t.Cleanup(func() { resolver = before; _ = conn.Close() })
	resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	var name []byte
	for label := range strings.SplitSeq(known, ".") {
		name = append(append(name, byte(len(label))), label...)
	}
	name = append(name, 0)
	go func() {
		query := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			question := query[12 : 12+strings.IndexByte(string(query[12:n]), 0)+5]
			// An answer with recursion, of which there is one question.
			reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			a := question[len(question)-3] == 1
			switch {
			case known == "" || !strings.HasPrefix(string(question), string(name)):
				reply[3] = 0x83
			case a && address.Is4():
				reply[7] = 1
				reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), address.AsSlice()...)
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
}

func TestAddresses(t *testing.T) {
	dns(t, "host.example", netip.MustParseAddr("192.0.2.1"))
	for _, c := range []struct{ network, host, script, want, asked string }{
		{"ip", "host.example", "echo 192.0.2.66 STREAM", "[192.0.2.1]", ""},
		{"ip", "192.0.2.7", "echo 192.0.2.66 STREAM", "[192.0.2.7]", ""},
		{"ip", "2001:db8::7", "echo 192.0.2.66 STREAM", "[2001:db8::7]", ""},
		{"ip", "other.example", "echo '192.0.2.2       STREAM other'; echo '192.0.2.2 DGRAM'; echo '2001:db8::2 STREAM'", "[192.0.2.2 2001:db8::2]", "2:ahosts:other.example\n"},
		{"ip4", "other.example", "echo 192.0.2.2 STREAM; echo 2001:db8::2 STREAM", "[192.0.2.2]", "2:ahosts:other.example\n"},
		{"ip6", "other.example", "echo 192.0.2.2 STREAM; echo ::ffff:192.0.2.3 STREAM; echo 2001:db8::2 STREAM", "[2001:db8::2]", "2:ahosts:other.example\n"},
		{"ip", "printer.local", "echo 192.0.2.3 STREAM", "[192.0.2.3]", "2:ahosts:printer.local\n"},
		{"ip", "Printer.LOCAL.", "echo 192.0.2.3 STREAM", "[192.0.2.3]", "2:ahosts:Printer.LOCAL.\n"},
		{"ip", "printer.local", "exit 2", "", "2:ahosts:printer.local\n"},
		{"ip", "other.example", "exit 2", "", "2:ahosts:other.example\n"},
		{"ip", "other.example", "echo nothing; echo 300.1.1.1 STREAM; echo", "", "2:ahosts:other.example\n"},
		{"ip", "-s", "echo 192.0.2.66 STREAM", "", ""},
		{"ip", "a b", "echo 192.0.2.66 STREAM", "", ""},
		{"ip", "a\n.local", "echo 192.0.2.66 STREAM", "", ""},
		{"ip", "", "echo 192.0.2.66 STREAM", "", ""},
		{"ip", strings.Repeat("a.", 124) + "local", "echo 192.0.2.3 STREAM", "[192.0.2.3]", "2:ahosts:" + strings.Repeat("a.", 124) + "local\n"},
		{"ip", strings.Repeat("a.", 125) + "local", "echo 192.0.2.66 STREAM", "", ""},
	} {
		t.Run(c.host+" "+c.network, func(t *testing.T) {
			asked := fakeGetent(t, c.script)
			got := ""
			found, err := Addresses(t.Context(), c.network, c.host)
			if err == nil {
				var all []string
				for _, a := range found {
					all = append(all, a.String())
				}
				got = "[" + strings.Join(all, " ") + "]"
			} else if !noSuchHost(err) {
				t.Error(err)
			}
			if got != c.want || asked() != c.asked {
				t.Errorf("%s, not %s; asked %q", got, c.want, asked())
			}
		})
	}
	fakeGetent(t, `for i in $(seq 1 100); do echo "192.0.2.$i STREAM"; done`)
	if found, err := Addresses(t.Context(), "ip", "many.example"); err != nil || len(found) != maxAddresses {
		t.Errorf("%d addresses, %v", len(found), err)
	}
}

// A failure of the DNS is not "no such host", and is not hidden by another answer.
func TestABrokenDNSIsSaid(t *testing.T) {
	before := resolver
	t.Cleanup(func() { resolver = before })
	resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("broken") }}
	asked := fakeGetent(t, "echo 192.0.2.66 STREAM")
	if found, err := Addresses(t.Context(), "ip", "host.example"); err == nil || noSuchHost(err) || asked() != "" {
		t.Errorf("%v, %v, asked %q", found, err, asked())
	}
	if _, err := DialContext(&net.Dialer{Resolver: resolver})(t.Context(), "tcp", "host.example:1"); err == nil || asked() != "" {
		t.Errorf("%v, asked %q", err, asked())
	}
}

func TestDial(t *testing.T) {
	dns(t, "host.example", netip.MustParseAddr("127.0.0.1"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, c := range []struct{ network, host, script, asked string }{
		{"tcp", "127.0.0.1", "exit 2", ""},
		{"tcp", "host.example", "exit 2", ""},
		{"tcp", "other.example", "echo 127.0.0.1 STREAM", "2:ahosts:other.example\n"},
		{"tcp4", "printer.local", "echo ::2 STREAM; echo 127.0.0.1 STREAM", "2:ahosts:printer.local\n"},
		// Nobody listens on the first one.
		{"tcp", "printer.local", "echo 127.77.0.1 STREAM; echo 127.0.0.1 STREAM", "2:ahosts:printer.local\n"},
	} {
		asked := fakeGetent(t, c.script)
		conn, err := DialContext(&net.Dialer{Resolver: resolver, Timeout: time.Minute})(t.Context(), c.network, net.JoinHostPort(c.host, port))
		if err != nil || conn.RemoteAddr().String() != l.Addr().String() || asked() != c.asked {
			t.Errorf("%s: %v, %v, asked %q", c.host, conn, err, asked())
			continue
		}
		_ = conn.Close()
	}
	fakeGetent(t, "exit 2")
	for _, host := range []string{"other.example", "printer.local"} {
		if _, err := DialContext(&net.Dialer{Resolver: resolver})(t.Context(), "tcp", net.JoinHostPort(host, port)); !noSuchHost(err) {
			t.Errorf("%s: %v", host, err)
		}
	}
	fakeGetent(t, "echo 127.77.0.1 STREAM")
	var op *net.OpError
	if _, err := DialContext(&net.Dialer{Resolver: resolver})(t.Context(), "tcp", net.JoinHostPort("other.example", port)); !errors.As(err, &op) || noSuchHost(err) {
		t.Errorf("nobody listens: %v", err)
	}
}

// The real getent, with other files than this machine's: libnss-wrapper.
func TestRealGetent(t *testing.T) {
	library, err := filepath.Glob("/usr/lib/*/libnss_wrapper.so")
	if err != nil || len(library) == 0 {
		t.Fatal("libnss_wrapper.so is not there: run make test-deps")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"passwd": "jane:x:" + nobody + ":" + nobody + ":Jane:/home/jane:/bin/sh\n", "group": "jane:x:" + nobody + ":\n", "hosts": "127.0.0.77 printer.local\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("NSS_WRAPPER_"+strings.ToUpper(name), path)
	}
	t.Setenv("LD_PRELOAD", library[0])
	if out, err := exec.Command("getent", "passwd", nobody).Output(); err != nil {
		t.Fatalf("getent: %v, %s", err, out)
	}
	if u, err := User(nobody); err != nil || u.Username != "jane" || u.HomeDir != "/home/jane" {
		t.Errorf("%+v, %v", u, err)
	}
	if g, err := Group(nobody); err != nil || g != "jane" {
		t.Errorf("%q, %v", g, err)
	}
	if found, err := Addresses(t.Context(), "ip", "printer.local"); err != nil || !slices.Equal(found, []netip.Addr{netip.MustParseAddr("127.0.0.77")}) {
		t.Errorf("%v, %v", found, err)
	}
}
