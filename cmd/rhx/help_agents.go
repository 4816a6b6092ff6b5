package main

import _ "embed"

// agentsPage is what an agent has to know, on one page.
//
//go:embed help_agents.txt
var agentsPage string
