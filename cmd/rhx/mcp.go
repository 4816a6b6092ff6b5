package main

import (
	"context"
)

type mcpCmd struct{}

func (c *mcpCmd) Help() string {
	return `A server of the Model Context Protocol over stdin and stdout, for agents: an agent's client starts it, in the folder of a project, or with --manifest FILE. The manifest has to be trusted (rhx trust).

Its tools say what the secrets, bundles and variables of the manifest are called, check that the store has what it needs, say what would be put into a request, and run the commands that the manifest lists (mcp:), which get placeholders by the broker. None gives a value. Where no command is listed none is run. In .mcp.json:

  {"mcpServers": {"rhx":
    {"command": "rhx", "args": ["mcp"]}}}

docs/mcp.md has the manifest's part, and what an agent can do with it.

Examples:
  rhx mcp --manifest ~/work/app/rhx.yaml    # as an agent's client starts it`
}

func (c *mcpCmd) Run(ctx context.Context, a *app) error { return a.serveAgents(ctx) }
