package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// onHosts are hosts, and a server here that knows a secret of the store.
type onHosts struct {
	*network
	url   string
	asked chan struct{} // a request for /wait is there
	go_   chan struct{} // and may be answered
}

const onHostsValue = "lab_" + "FAKErealFAKEreal"

func newOnHosts(t *testing.T) *onHosts {
	t.Helper()
	w := &onHosts{network: newNetwork(t), asked: make(chan struct{}), go_: make(chan struct{})}
	for name, config := range map[string][]string{"gpu": nil, "box": nil, "shut": {"DisableForwarding yes"}} {
		w.add(name, hostOptions{Options: sshtest.Options{Config: config}})
	}
	roots, cert := worldCertificate(t, []string{"127.0.0.1"})
	w.put("", "ca.pem", string(roots))
	var l net.Listener
	var err error
	w.client.Do(func() { l, err = net.Listen("tcp", "127.0.0.1:0") })
	w.check(err)
	server := &http.Server{Handler: http.HandlerFunc(w.answer), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	w.url = "https://" + l.Addr().String()
	w.put("", ".config/rhx/providers/lab.yaml", `spec: 1
name: lab
values:
  token: {env: LAB_TOKEN, pattern: 'lab_[A-Za-z]{16}'}
files:
  - {path: ~/.lab.json, override: LAB_CONFIG, format: json, keys: {token: token}}
use:
  - hosts: ["`+l.Addr().String()+`"]
    header: {Authorization: "Bearer {token}"}
`)
	w.put("", "rhx.yaml", "version: 1\nsecrets: {lab: }\nbundles: {both: {files: lab, secrets: lab, env: {AGAIN: \"x${lab.token}\"}}}\n")
	if out, errs, status := w.runWith(`{"token": "`+onHostsValue+`"}`, "save", "lab", "--values", "-"); status != 0 {
		t.Fatal(out, errs)
	}
	w.does(0, "trust", filepath.Join(w.home, "rhx.yaml"))
	return w
}

func (w *onHosts) answer(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+onHostsValue {
		http.Error(rw, "unknown", http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/wait" {
		w.asked <- struct{}{}
		<-w.go_
	}
	fmt.Fprintf(rw, "you are %s", r.Header.Get("Authorization"))
}

// brokered is rhx with the broker on a host, where URL is the server.
func (w *onHosts) brokered(args ...string) *exec.Cmd {
	cmd := w.command(append([]string{"--manifest", filepath.Join(w.home, "rhx.yaml"), "run"}, args...)...)
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+filepath.Join(w.home, "ca.pem"))
	return cmd
}

func (w *onHosts) output(status int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	cmd := w.brokered(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	w.start(cmd)
	_ = cmd.Wait()
	if got := shellStatus(cmd.ProcessState); got != status {
		w.t.Fatalf("rhx run %q: %d, not %d\n%s%s", args, got, status, &out, &errs)
	}
	if all := out.String() + errs.String(); strings.Contains(all, onHostsValue) {
		w.t.Errorf("rhx run %q shows the value:\n%s", args, all)
	}
	return out.String(), errs.String()
}

// curl asks for a path of the server with the placeholder.
func (w *onHosts) curl(path string) string {
	return `curl -sS -H "Authorization: Bearer $LAB_TOKEN" ` + w.url + path
}

// isAsked waits for the request for /wait.
func (w *onHosts) isAsked(errs *bytes.Buffer) {
	w.t.Helper()
	select {
	case <-w.asked:
	case <-time.After(time.Minute):
		w.t.Fatalf("no request has come: %s", errs)
	}
}

// A command on a host uses a secret that is at no time on that host.
func TestBrokerOnHosts(t *testing.T) {
	t.Parallel()
	w := newOnHosts(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *onHosts)
	}{
		{"the value is nowhere there", onNothingThere},
		{"several hosts", onSeveral},
		{"the terminal, and the status", onTerminalThere},
		{"the broker alone", onBrokerOnly},
		{"a server that forwards nothing", onNoForwarding},
		{"the connection ends", onCut},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := *w.network
			n.t = t
			test.run(t, &onHosts{&n, w.url, w.asked, w.go_})
		})
	}
}

// While a request with the value is on its way, root there finds no value in any process
// or file; other users of the host get nothing from the proxy's port.
func onNothingThere(t *testing.T, w *onHosts) {
	cmd := w.brokered("--on", "gpu", "--broker", "-b", "both", "--", "sh", "-c",
		`echo "$$ $LAB_TOKEN $HTTPS_PROXY $SSL_CERT_FILE"; stat -c %a "$SSL_CERT_FILE" "${SSL_CERT_FILE%/*}"; grep -c "$LAB_TOKEN" "$LAB_CONFIG"; echo "$AGAIN"; grep -c BEGIN "$NODE_EXTRA_CA_CERTS"; `+w.curl("/wait"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	w.check(err)
	w.start(cmd)
	out := bufio.NewReader(pipe)
	first, err := out.ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		t.Fatal(err, errs.String())
	}
	said := strings.Fields(first)
	pid, placeholder, proxy, roots := said[0], said[1], said[2], said[3]
	w.isAsked(&errs) // with the value: else the answer would have come
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s + "  "))[:len(s)/3*4] }
	for needle, there := range map[string]bool{placeholder: true, onHostsValue: false, encoded(onHostsValue): false} {
		if found := w.search("gpu", pid, filepath.Dir(filepath.Dir(roots)), needle); (len(found) > 0) != there {
			t.Errorf("%q is in %q", needle, found)
		}
	}
	w.otherUser("gpu", proxy, roots)
	w.go_ <- struct{}{}
	rest, err := io.ReadAll(out)
	if err := cmd.Wait(); err != nil {
		t.Error(err, errs.String())
	}
	w.check(err)
	if want := "600\n700\n1\nx" + placeholder + "\n1\nyou are Bearer " + placeholder; string(rest) != want {
		t.Errorf("%q, not %q", rest, want)
	}
	if errs.Len() > 0 || placeholder == onHostsValue || !strings.HasPrefix(placeholder, "lab_") {
		t.Errorf("%q, %s", placeholder, &errs)
	}
	if _, err := os.Stat(filepath.Dir(roots)); err == nil {
		t.Errorf("%s is left", roots)
	}
	log, _ := w.does(0, "log", "-o", "json")
	for _, want := range []string{`"machine": "gpu",\s+"secret": "lab",\s+"to": "GET 127.0.0.1:\d+/wait",\s+"action": "used",\s+"status": 200`, `"machine": "gpu",\s+"secret": "lab",\s+"to": "sh",\s+"action": "given a placeholder"`} {
		if !regexp.MustCompile(want).MatchString(log) {
			t.Errorf("no %s in %s", want, log)
		}
	}
}

// search looks for a text in the memory, the environment and the arguments of all
// processes of a host, and in the files of its user, as root does; pid is one of them.
func (w *onHosts) search(host, pid, folder, needle string) (found []string) {
	w.t.Helper()
	h := w.hosts[host]
	network, err := os.Readlink("/proc/" + pid + "/ns/net")
	w.check(err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	w.check(err)
	self, err := os.ReadFile("/proc/self/cmdline")
	w.check(err)
	looked := 0
	for _, p := range processes {
		at, err := os.Readlink(p + "/ns/net")
		if err != nil || at != network || w.client == nil && !ofUser(p, h.UID) {
			continue
		}
		if line, _ := os.ReadFile(p + "/cmdline"); string(line) == string(self) {
			continue // the test's own child, before it is another program
		}
		looked++
		for _, name := range []string{"environ", "cmdline"} {
			if data, _ := os.ReadFile(filepath.Join(p, name)); bytes.Contains(data, []byte(needle)) {
				found = append(found, p+"/"+name)
			}
		}
		if n, err := strconv.Atoi(filepath.Base(p)); err != nil || inMemory(w.t, n, needle) {
			found = append(found, p+"/mem")
		}
	}
	if looked < 4 { // sshd, the shell, curl, and what keeps the files
		w.t.Errorf("%d processes", looked)
	}
	for _, dir := range []string{h.Home, folder} {
		w.check(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(p)
			if bytes.Contains(data, []byte(needle)) {
				found = append(found, p)
			}
			return err
		}))
	}
	return found
}

func ofUser(process string, uid int) bool {
	info, err := os.Stat(process)
	return err == nil && int(info.Sys().(*syscall.Stat_t).Uid) == uid
}

// otherUser tries what another user of the host can: the port without the password, and
// the file of roots.
func (w *onHosts) otherUser(host, proxy, roots string) {
	w.t.Helper()
	address := proxy[strings.LastIndex(proxy, "@")+1:]
	for _, argv := range [][]string{
		{"curl", "-sS", "-x", "http://" + address, w.url + "/x"}, {"curl", "-sS", "-x", "http://rhx:guessed@" + address, w.url + "/x"}, {"cat", roots},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		} else if argv[0] == "cat" {
			continue // there is no other user
		}
		var out []byte
		var err error
		w.hosts[host].in.Do(func() { out, err = cmd.CombinedOutput() })
		if err == nil || !strings.Contains(string(out), "407") && !strings.Contains(string(out), "Permission denied") {
			w.t.Errorf("%q: %v, %s", argv, err, out)
		}
	}
}

// Each host has a proxy, a password and placeholders of its own.
func onSeveral(t *testing.T, w *onHosts) {
	out, _ := w.output(0, "--on", "gpu,box", "--broker", "-b", "both", "--", "sh", "-c", `echo "$LAB_TOKEN $HTTPS_PROXY"; cat "$LAB_CONFIG"; echo; `+w.curl("/all"))
	seen := map[string]bool{}
	for _, host := range []string{"gpu", "box"} {
		m := regexp.MustCompile(`(?m)^` + host + `: (lab_\w+) http://rhx:(\w+)@127`).FindStringSubmatch(out)
		if m == nil || seen[m[1]] || seen[m[2]] || !strings.Contains(out, host+": you are Bearer "+m[1]) || !regexp.MustCompile(`(?m)^`+host+`: .*"token": "`+m[1]).MatchString(out) {
			t.Fatalf("%q of %s", m, out)
		}
		seen[m[1]], seen[m[2]] = true, true
	}
	log, _ := w.does(0, "log", "-o", "json")
	for _, host := range []string{"gpu", "box"} {
		if !regexp.MustCompile(`"machine": "` + host + `",\s+"secret": "lab",\s+"to": "GET 127.0.0.1:\d+/all"`).MatchString(log) {
			t.Errorf("no use on %s in %s", host, log)
		}
	}
	// --mask hides the placeholders of each.
	out, _ = w.output(0, "--on", "gpu,box", "--broker", "--mask", "-s", "lab", "--", "sh", "-c", `echo "$LAB_TOKEN"`)
	if strings.Contains(out, "lab_") || strings.Count(out, "*\n") != 2 {
		t.Errorf("%q", out)
	}
}

func onTerminalThere(t *testing.T, w *onHosts) {
	cmd := w.brokered("--on", "gpu", "-t", "--broker", "-s", "lab", "--", "sh", "-c", `test -t 0 && `+w.curl("/tty")+`; exit 9`)
	s := w.onTerminal(cmd)
	shown := s.rest()
	_ = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 9 || !strings.Contains(shown, "you are Bearer lab_") || strings.Contains(shown, onHostsValue) {
		t.Errorf("%v: %s", cmd.ProcessState, shown)
	}
}

func onBrokerOnly(t *testing.T, w *onHosts) {
	// Nor is the proxy of --broker a way into the network of this machine, and plain http is the host's own.
	_, said := w.output(7, "--on", "gpu", "--broker", "-s", "lab", "--", "sh", "-c", `curl -sS -p -x "$HTTPS_PROXY" http://127.0.0.1:22/; curl -sS http://127.0.0.1:1/`)
	if !strings.Contains(said, "response 403") || !strings.Contains(said, "gpu: the command was refused 127.0.0.1:22") {
		t.Errorf("%s", said)
	}
	out, errs := w.output(0, "--on", "gpu", "--broker-only", "-s", "lab", "--", "sh", "-c", w.curl("/x")+`; curl -sS https://elsewhere.test/; curl -sS http://127.0.0.1:1/`)
	if !strings.Contains(out, "you are Bearer lab_") || !strings.Contains(out, "rhx: the broker takes https alone") || !strings.Contains(errs, "response 403") {
		t.Errorf("%s%s", out, errs)
	}
}

// Where the SSH server opens no port, rhx there does; without it nothing starts.
func onNoForwarding(t *testing.T, w *onHosts) {
	_, errs := w.output(1, "--on", "shut", "--broker", "-s", "lab", "--", "sh", "-c", "touch started")
	for _, want := range []string{"shut: the SSH server there opens no port for rhx", "no rhx there listens in its place", "AllowTcpForwarding remote"} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in %s", want, errs)
		}
	}
	if w.file("shut", "started") != "(none)" {
		t.Error("it has started")
	}
	program, err := os.ReadFile(plainProgram(t))
	w.check(err)
	w.put("shut", ".local/bin/rhx", string(program))
	w.check(os.Chmod(filepath.Join(w.hosts["shut"].Home, ".local/bin/rhx"), 0o700))
	w.check(os.Chmod(filepath.Join(w.hosts["shut"].Home, ".local"), 0o700))
	out, _ := w.output(4, "--on", "shut", "--broker", "-s", "lab", "--", "sh", "-c", w.curl("/x")+"; exit 4")
	if !strings.Contains(out, "you are Bearer lab_") {
		t.Errorf("%q", out)
	}
}

// When the connection ends so does all access, and rhx says so.
func onCut(t *testing.T, w *onHosts) {
	cmd := w.brokered("--on", "gpu", "--broker", "-s", "lab", "--", "sh", "-c", w.curl("/wait"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	w.start(cmd)
	w.isAsked(&errs)
	w.hosts["gpu"].CutAll()
	err := cmd.Wait()
	w.go_ <- struct{}{}
	if err == nil || !strings.Contains(errs.String(), "gpu: the connection was lost") || !strings.Contains(errs.String(), "what still runs there reaches nothing through rhx any more") {
		t.Errorf("%v, %s", err, &errs)
	}
	var events []struct{ To string }
	out, _ := w.does(0, "log", "-o", "json", "-n", "1")
	w.check(json.Unmarshal([]byte(out), &events))
	if len(events) != 1 || !strings.HasSuffix(events[0].To, "/wait") {
		t.Errorf("the last event is %s", out)
	}
}
