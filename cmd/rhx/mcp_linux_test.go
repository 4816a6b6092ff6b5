//go:build !slim

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
)

// Of the command wait, the files pid and child have its process and a child's.
const agentManifest = `version: 1
secrets: {base: {values: {KEY: }}, absent: {values: {OTHER: }}}
bundles: {plain: {secrets: base}}
mcp:
  commands:
    say: {run: [printf, "%s.", "{words...}"], args: {words: ".*"}}
    wait: {run: [sh, -c, "sleep 1000 & echo $! > %s/child; echo $$ > %s/pid.tmp; mv %s/pid.tmp %s/pid; wait"]}
    plain: {run: [env], bundles: plain}
`

// agentHome is a home with a project that is trusted, and the folder of the project.
func agentHome(t *testing.T) (home, dir string) {
	t.Helper()
	home = t.TempDir()
	dir = filepath.Join(home, "project")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rhx.yaml"), []byte(strings.ReplaceAll(agentManifest, "%s/", home+"/")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"", "trust"}, {`{"KEY": "fake-of-base"}`, "save base --values -"}} {
		cmd := exec.Command(rhxProgram(t), strings.Fields(c[1])...)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, environ(home), strings.NewReader(c[0])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return home, dir
}

// agentOf is a client of the SDK at a server in this process.
func agentOf(t *testing.T) (session *mcp.ClientSession, s *agentServer, home string) {
	t.Helper()
	home, dir := agentHome(t)
	vars := environ(home)
	streams := term.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	a := &app{Terminal: term.New(streams, getenvOf(vars)), globals: &globals{Manifest: filepath.Join(dir, "rhx.yaml")}, environ: func() []string { return vars }, stopSignals: func() {}}
	gone, leave := context.WithCancel(t.Context())
	s = &agentServer{a: a, gone: gone, busy: make(chan struct{}, maxAgentAtOnce)}
	ours, theirs := mcp.NewInMemoryTransports()
	if _, err := s.server(io.Discard).Connect(gone, ours, nil); err != nil {
		t.Fatal(err)
	}
	var err error
	session, err = mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(); _ = session.Close() })
	return session, s, home
}

func callAgent(t *testing.T, s *mcp.ClientSession, tool string, args any) (text string, failed bool) {
	t.Helper()
	res, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return err.Error(), true
	}
	return res.Content[0].(*mcp.TextContent).Text, res.IsError
}

// By the SDK's own client: the tools, and what an agent may make up.
func TestAgentTools(t *testing.T) {
	t.Parallel()
	s, _, _ := agentOf(t)
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	if got := strings.Join(names, " "); got != "check_secrets check_url list_secrets run_plain run_say run_wait" {
		t.Error(got)
	}
	deep := json.RawMessage(strings.Repeat("[", 50) + strings.Repeat("]", 50))
	for _, c := range []struct {
		tool   string
		args   any
		want   string
		failed bool
	}{
		{"list_secrets", nil, `"variables":["KEY"]`, false},
		{"list_secrets", map[string]any{"name": "x"}, "unexpected additional properties", true},
		{"check_secrets", nil, "base is no provider's: no rule says where it is put in", false},
		{"check_url", map[string]any{"url": "http://x.test"}, "the broker puts values into https, and logs in to databases", true},
		{"check_url", map[string]any{"url": "https://x.test"}, `"missing":["absent"]`, false},
		{"check_url", map[string]any{"url": "https://x.test", "secret": "bse"}, `"bse" is not among the secrets of this project; did you mean "base"?`, true},
		{"run_say", map[string]any{"words": []string{"a", "b c", "$(id)", "`id`", "; id"}}, `"stdout":"a.b c.$(id).` + "`id`" + `.; id."`, false},
		{"run_say", map[string]any{"words": "one"}, `"stdout":"one."`, false},
		{"run_say", map[string]any{}, `"stdout":"."`, false},
		{"run_say", map[string]any{"words": []any{"a", 1}}, "an argument is a text, or a list of texts", true},
		{"run_say", map[string]any{"words": nil}, "an argument is a text, or a list of texts", true},
		{"run_say", map[string]any{"words": map[string]any{"a": "b"}}, "an argument is a text, or a list of texts", true},
		{"run_say", []string{"a"}, "the arguments are no object of JSON", true},
		{"run_say", map[string]any{"words": deep}, "an argument is a text, or a list of texts", true},
		{"run_say", map[string]any{"words": "x", "cwd": "/"}, "has no argument of that name", true},
		// A secret that only the command itself could have is not given.
		{"run_plain", nil, "base is no provider's: no rule says where it is put in\nFor the user: leave base out of the bundle", true},
		{"run_other", nil, "unknown tool", true},
		{"", nil, "unknown tool", true},
		{"run_say\n", nil, "unknown tool", true},
	} {
		text, failed := callAgent(t, s, c.tool, c.args)
		if failed != c.failed || !strings.Contains(text, c.want) || strings.Contains(text, "fake-of-base") {
			t.Errorf("%s %v: %v, %s", c.tool, c.args, failed, text)
		}
	}
}

// A call that is cancelled has its command end, and others are answered meanwhile.
func TestAgentCancels(t *testing.T) {
	t.Parallel()
	session, s, home := agentOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "run_wait"})
		done <- err
	}()
	pid, child := waitingIn(t, home)
	if text, failed := callAgent(t, session, "list_secrets", nil); failed {
		t.Error(text)
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("the call went on")
	}
	goneSoon(t, pid)
	goneSoon(t, child)
	// More than a few at once, and more than many in all, are refused.
	for len(s.busy) > 0 {
		time.Sleep(time.Millisecond)
	}
	for range maxAgentAtOnce {
		s.busy <- struct{}{}
	}
	if text, failed := callAgent(t, session, "list_secrets", nil); !failed || !strings.Contains(text, "8 calls are not answered yet") {
		t.Error(text)
	}
	for range maxAgentAtOnce {
		<-s.busy
	}
	s.calls.Store(maxAgentCalls - 1)
	for i, want := range []bool{false, true} {
		if text, failed := callAgent(t, session, "list_secrets", nil); failed != want {
			t.Error(i, text)
		}
	}
}

// waitingIn waits for the command wait of an agent, and returns its process and its child.
func waitingIn(t *testing.T, home string) (pid, child int) {
	t.Helper()
	read := func(name string) int {
		data, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			return 0
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for pid = 0; pid == 0; pid = read("pid") {
		time.Sleep(time.Millisecond) // the test's own time is the limit
	}
	return pid, read("child")
}

// goneSoon waits until a process is gone; the test's own time is the limit.
func goneSoon(t *testing.T, pid int) {
	t.Helper()
	for syscall.Kill(pid, 0) == nil {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

const (
	hello   = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	waiting = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"run_wait","arguments":{}}}` + "\n"
)

// What a client sends that is no protocol does not keep rhx, nor what it runs, going; and
// however rhx ends, the command does.
func TestAgentEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(io.WriteCloser, *os.Process){
		"the client goes": func(in io.WriteCloser, _ *os.Process) { _ = in.Close() },
		"terminated":      func(_ io.WriteCloser, p *os.Process) { _ = p.Signal(syscall.SIGTERM) },
		"killed":          func(_ io.WriteCloser, p *os.Process) { _ = p.Kill() },
		"not JSON, and goes": func(in io.WriteCloser, _ *os.Process) {
			_, _ = io.WriteString(in, "hello\n")
			_ = in.Close()
		},
		"a message too long": func(in io.WriteCloser, _ *os.Process) {
			_, _ = io.WriteString(in, `"`+strings.Repeat("x", maxAgentMessage+1))
		},
		"brackets": func(in io.WriteCloser, _ *os.Process) {
			_, _ = io.WriteString(in, strings.Repeat("[", maxAgentMessage))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home, dir := agentHome(t)
			cmd := exec.Command(rhxProgram(t), "mcp")
			cmd.Dir, cmd.Env = dir, environ(home)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(in, hello+waiting)
			pid, child := waitingIn(t, home)
			go end(in, cmd.Process)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if !json.Valid(lines.Bytes()) {
					t.Errorf("%q", lines.Text())
				}
			}
			_ = cmd.Wait()
			goneSoon(t, pid)
			if name == "killed" {
				_ = syscall.Kill(child, syscall.SIGKILL) // nobody was there to do so
			}
			goneSoon(t, child)
		})
	}
}

// No program that an agent can write is run, and no rhx, whatever its name is.
func TestAgentPrograms(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// The working folder is in a repository, and the manifest's folder in another one.
	for _, dir := range []string{"home", "site/.git", "site/src", "site/bin", "infra/.git", "infra/rhx", "infra/bin", "outer"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	project := filepath.Join(top, "infra/rhx")
	t.Chdir(filepath.Join(top, "site/src"))
	workspace, err := workspaceOf(project, filepath.Join(top, "home"))
	if want := []string{project, top + "/site/src", top + "/site", top + "/infra"}; err != nil || !slices.Equal(workspace, want) {
		t.Fatal(workspace, err)
	}
	// The home folder and what it is in are no workspace.
	if got, err := workspaceOf(project, top+"/site/src"); err != nil || !slices.Equal(got, []string{project, top + "/infra"}) {
		t.Error(got, err)
	}
	if got := repositoryOf("/"); got != "" {
		t.Error(got)
	}
	environ := withoutFolders([]string{"A=b", "PATH=" + strings.Join([]string{top + "/site/bin", top + "/infra/bin", "site", ".", "", top + "/outer", top + "/gone"}, ":")}, workspace)
	if want := []string{"A=b", "PATH=" + top + "/outer"}; !slices.Equal(environ, want) {
		t.Error(environ)
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	script := []byte("#!/bin/sh\n")
	for name, content := range map[string][]byte{"site/bin/gh": script, "infra/bin/gh": script, "outer/gh": script, "outer/rhx-full": script, "outer/copy": data} {
		if err := os.WriteFile(filepath.Join(top, name), content, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"outer/self": self, "outer/full": "rhx-full", "outer/again": "copy", "outer/in": top + "/site/bin/gh", "site/bin/out": top + "/outer/gh", "outer/through": top + "/site/bin/out", "outer/link": "gh", "site/back": top + "/outer", "outer/dir": "../site/back"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	const written, rhx = "is in the project's folder, where an agent can write it", "an agent cannot run rhx, which shows values"
	for name, want := range map[string]string{
		top + "/site/bin/gh": written, top + "/infra/bin/gh": written, top + "/site/bin/out": written, "in": written, "through": written, "dir/gh": written,
		"self": rhx, "copy": rhx, "again": rhx, "rhx-full": rhx, "full": rhx,
	} {
		if path, err := programOf(name, top+"/outer", workspace); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %s, %v, not %s", name, path, err, want)
		}
	}
	// What is run has no link that could lead elsewhere by then.
	for _, name := range []string{"gh", "link"} {
		if path, err := programOf(name, top+"/outer", workspace); err != nil || path != top+"/outer/gh" {
			t.Error(name, path, err)
		}
	}
}
