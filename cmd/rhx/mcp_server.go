//go:build !slim

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

// Limits on what an agent can have rhx hold and do.
const (
	maxAgentMessage = 1 << 20
	maxAgentCalls   = 10000 // each is a line of the log, which would push others out of it
	maxAgentAtOnce  = 8
	maxAgentNotes   = 8 << 10
	// agentEndWait is longer than a command takes that is ended.
	agentEndWait = 15 * time.Second
)

const agentInstructions = `rhx keeps the secrets of this project. You can use them and never see them: the commands of the tools run_* get placeholders, and a proxy puts the values into their requests to the hosts that they are for. No tool gives a value. What commands there are is for the user to say, in rhx.yaml.`

// agentServer answers one agent.
type agentServer struct {
	a *app
	// gone is done when the agent's client is.
	gone  context.Context
	calls atomic.Int64
	busy  chan struct{}
}

// serveAgents speaks the Model Context Protocol on stdin and stdout until the client goes.
func (a *app) serveAgents(ctx context.Context) error {
	in, out := a.Streams().In, a.Streams().Out
	if f, ok := out.(*os.File); ok && f == os.Stdout {
		os.Stdout = os.Stderr // the protocol's alone
	}
	gone, leave := context.WithCancel(ctx)
	defer leave()
	s := &agentServer{a: a, gone: gone, busy: make(chan struct{}, maxAgentAtOnce)}
	client := &agentOut{out: out}
	lines := newAgentLines(leaving{in, leave}, client)
	err := s.server(a.Err).Run(ctx, &mcp.IOTransport{Reader: io.NopCloser(lines), Writer: client, MaxLineLength: maxAgentMessage})
	if ctx.Err() == nil && gone.Err() != nil {
		err = nil // the client is gone, however it said so
	}
	leave()
	s.wait()
	return err
}

// wait waits for calls whose commands are being ended, which takes seconds at most.
func (s *agentServer) wait() {
	late := time.After(agentEndWait)
	for range maxAgentAtOnce {
		select {
		case s.busy <- struct{}{}:
		case <-late:
			return
		}
	}
}

// leaving calls leave when there is nothing more to read.
type leaving struct {
	io.Reader
	leave func()
}

func (l leaving) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err != nil {
		l.leave()
	}
	return n, err
}

// server has the tools of the manifest as it stands now. Each call reads it again.
func (s *agentServer) server(log io.Writer) *mcp.Server {
	out := mcp.NewServer(&mcp.Implementation{Name: "rhx", Version: versionText()}, &mcp.ServerOptions{
		Instructions: agentInstructions,
		Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
	})
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true}
	addAgentTool(s, out, &mcp.Tool{Name: "list_secrets", Annotations: reads, Description: "The names of the project's secrets and bundles, and of the variables that they give to commands. No values."}, listForAgent)
	addAgentTool(s, out, &mcp.Tool{Name: "check_secrets", Annotations: reads, Description: "Whether the store has what the bundles of the project need, and the commands could use it."}, checkForAgent)
	addAgentTool(s, out, &mcp.Tool{Name: "check_url", Annotations: reads, Description: "Which secrets the broker would put into an https request to a URL, and where. Sends nothing."}, checkURLForAgent)
	call := s.newCall()
	defer call.app.close()
	m, err := call.app.manifest(s.gone, false)
	if err != nil {
		fmt.Fprintf(log, "rhx: %v; no command is run\n", err)
		return out
	}
	for _, c := range m.Commands {
		out.AddTool(commandTool(c), s.runner(c.Name))
	}
	if len(m.Commands) == 0 {
		fmt.Fprintf(log, "rhx: %s has no mcp: commands:, so none is run\n", term.Line(m.File))
	}
	return out
}

// agentCall is rhx for one call: with the manifest, the store and the keys as they are now.
type agentCall struct {
	app   *app
	notes *child.Ends
}

// newCall makes one. What rhx says is kept for the agent, and never asks.
func (s *agentServer) newCall() *agentCall {
	notes := &child.Ends{Keep: maxAgentNotes}
	flags := *s.a.globals
	flags.NoInput, flags.Output = true, "table"
	a := &app{
		Terminal: term.New(term.Streams{In: strings.NewReader(""), Out: notes, Err: notes}, s.a.Getenv), globals: &flags,
		environ: func() []string { return plainEnvironment(s.a.environ()) }, stopSignals: func() {}, command: "mcp",
	}
	return &agentCall{a, notes}
}

// begin counts, bounds and logs a call. What is not in the log is not done.
func (s *agentServer) begin(ctx context.Context, tool string) (call *agentCall, end func(), err error) {
	if s.calls.Add(1) > maxAgentCalls {
		return nil, nil, fmt.Errorf("this session has made its %d calls; the user can start another", maxAgentCalls)
	}
	select {
	case s.busy <- struct{}{}:
	default:
		return nil, nil, fmt.Errorf("%d calls are not answered yet; wait for one", maxAgentAtOnce)
	}
	call = s.newCall()
	end = func() { call.app.close(); <-s.busy }
	e, err := call.app.engine()
	if err == nil {
		err = e.Book.Log([]session.Event{{Command: "mcp", Machine: place.Here.String(), To: tool, Action: "called"}})
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return call, end, nil
}

// agentError is the answer to a call that an error ended.
func agentError(err error) *mcp.CallToolResult {
	text := "rhx: " + err.Error()
	if hint := fault.Hint(err); hint != "" {
		text += "\nFor the user: " + hint
	}
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: term.Text(text)}}}
}

// addAgentTool adds a tool that only says something.
func addAgentTool[In any](s *agentServer, server *mcp.Server, tool *mcp.Tool, answer func(context.Context, *app, *manifest.Manifest, In) (any, error)) {
	name := tool.Name
	mcp.AddTool(server, tool, func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		call, end, err := s.begin(ctx, name)
		if err != nil {
			return agentError(err), nil, nil
		}
		defer end()
		m, err := call.app.manifest(ctx, false)
		if err != nil {
			return agentError(err), nil, nil
		}
		out, err := answer(ctx, call.app, m, in)
		if err != nil {
			return agentError(err), nil, nil
		}
		return nil, out, nil
	})
}

// noInput is that of a tool without arguments.
type noInput struct{}

// agentList is what list_secrets answers.
type agentList struct {
	Secrets []agentSecret `json:"secrets"`
	Bundles []agentBundle `json:"bundles"`
}

type agentSecret struct {
	Name      string   `json:"name"`
	Provider  string   `json:"provider,omitempty"`
	Variables []string `json:"variables"`
}

type agentBundle struct {
	Name      string   `json:"name"`
	Secrets   []string `json:"secrets"`
	Variables []string `json:"variables"`
	Files     []string `json:"files,omitempty"`
	// Commands are the tools that run with it.
	Commands []string `json:"commands,omitempty"`
}

func listForAgent(_ context.Context, a *app, m *manifest.Manifest, _ noInput) (any, error) {
	out := &agentList{Secrets: []agentSecret{}, Bundles: []agentBundle{}}
	variables := func(name string) []string { return append([]string{}, variablesOf(a.made, m.Secret(name))...) }
	for _, s := range m.Secrets {
		out.Secrets = append(out.Secrets, agentSecret{s.Name, s.Provider, variables(s.Name)})
	}
	for _, b := range m.Bundles {
		one := agentBundle{Name: b.Name, Secrets: append([]string{}, b.Uses()...), Variables: []string{}, Files: b.Files}
		for _, name := range b.Secrets {
			one.Variables = append(one.Variables, variables(name)...)
		}
		for _, v := range b.Env {
			one.Variables = append(one.Variables, v.Name)
		}
		for _, c := range m.Commands {
			if slices.Contains(c.Bundles, b.Name) {
				one.Commands = append(one.Commands, toolName(c.Name))
			}
		}
		out.Bundles = append(out.Bundles, one)
	}
	return out, nil
}

type agentCheck struct {
	OK      bool               `json:"ok"`
	Bundles []agentBundleCheck `json:"bundles"`
}

type agentBundleCheck struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Problem string `json:"problem,omitempty"`
}

func checkForAgent(ctx context.Context, a *app, m *manifest.Manifest, _ noInput) (any, error) {
	out := &agentCheck{OK: true, Bundles: []agentBundleCheck{}}
	for _, b := range m.Bundles {
		s := newStandIns(a.made, nil)
		_, err := a.swappedEnvironment(ctx, a.made, []string{b.Name}, nil, bundle.Names{Brokered: true}, false, s.swap)
		one := agentBundleCheck{Name: b.Name, OK: err == nil}
		if err != nil {
			one.Problem, out.OK = err.Error(), false
		}
		out.Bundles = append(out.Bundles, one)
	}
	return out, ctx.Err()
}

type agentURL struct {
	URL    string `json:"url" jsonschema:"the URL of an https request"`
	Secret string `json:"secret,omitempty" jsonschema:"one secret of the project; all where it is left out"`
}

type agentPuts struct {
	Puts []brokerJSON `json:"puts"`
	// Missing are the secrets of the project that the store has not.
	Missing []string `json:"missing,omitempty"`
}

func checkURLForAgent(ctx context.Context, a *app, m *manifest.Manifest, in agentURL) (any, error) {
	target, err := brokerTargetOf(in.URL)
	if err != nil {
		return nil, err
	}
	names := m.SecretNames()
	if in.Secret != "" {
		if m.Secret(in.Secret) == nil {
			return nil, fmt.Errorf("%q is not among the secrets of this project%s", in.Secret, fault.DidYouMean(in.Secret, names))
		}
		stored, err := a.stored(in.Secret)
		if err != nil {
			return nil, err
		}
		found, err := a.brokerPuts(ctx, target, stored)
		return agentPuts{Puts: found}, err
	}
	there, missing, err := a.amongStored(ctx, names)
	if err != nil {
		return nil, err
	}
	if there, err = a.stored(there...); err != nil {
		return nil, err
	}
	found, err := a.brokerPuts(ctx, target, there)
	return agentPuts{found, missing}, err
}

// amongStored parts the secrets that the store has from those that it has not.
func (a *app) amongStored(ctx context.Context, names []string) (there, missing []string, err error) {
	stored, err := a.stored(names...)
	if err != nil {
		return nil, nil, err
	}
	if _, err := a.openStore(ctx); err != nil {
		return nil, nil, err
	}
	recs, err := a.made.Records.Those(ctx, stored)
	if err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		if recs[stored[i]] == nil {
			missing = append(missing, name)
		} else {
			there = append(there, name)
		}
	}
	return there, missing, nil
}

// commands

func toolName(command string) string { return "run_" + command }

// commandTool is what an agent is told of a command.
func commandTool(c *manifest.Command) *mcp.Tool {
	properties, required := map[string]any{}, []string{}
	for _, a := range c.Args {
		one := map[string]any{"type": "string"}
		if len(a.Choices) > 0 {
			one["enum"] = a.Choices
		} else {
			one["pattern"] = "^(?:" + a.Pattern + ")$"
		}
		if a.Several {
			one = map[string]any{"type": "array", "items": one}
		} else {
			required = append(required, a.Name)
		}
		properties[a.Name] = one
	}
	schema := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	about := "Runs: " + strings.Join(c.Run, " ")
	if c.About != "" {
		about = c.About + "\n" + about
	}
	return &mcp.Tool{Name: toolName(c.Name), Description: about, InputSchema: schema}
}

// runner runs a command of the manifest.
func (s *agentServer) runner(name string) mcp.ToolHandler {
	return func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		call, end, err := s.begin(ctx, toolName(name))
		if err != nil {
			return agentError(err), nil
		}
		defer end()
		// A call that waits for its command ends with the client, too.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.gone, cancel)()
		ran, err := call.run(ctx, name, req.Params.Arguments)
		if err != nil {
			return agentError(err), nil
		}
		text, err := json.Marshal(ran)
		if err != nil {
			return nil, err
		}
		return &mcp.CallToolResult{StructuredContent: json.RawMessage(text), Content: []mcp.Content{&mcp.TextContent{Text: string(text)}}}, nil
	}
}

// agentValues are what an agent chose: a text, or a list of them.
func agentValues(data json.RawMessage) (map[string][]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fault.WithKind(errors.New("the arguments are no object of JSON"), fault.Usage)
	}
	out := map[string][]string{}
	for name, value := range raw {
		var one string
		var several []string
		switch {
		case json.Unmarshal(value, &one) == nil && string(value) != "null":
			out[name] = []string{one}
		case json.Unmarshal(value, &several) == nil && several != nil:
			out[name] = several
		default:
			return nil, fault.WithKind(errors.New("an argument is a text, or a list of texts"), fault.Usage)
		}
	}
	return out, nil
}
