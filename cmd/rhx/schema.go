package main

import (
	"encoding/json"
	"fmt"

	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/spec"
)

type schemaCmd struct {
	Of string `arg:"" name:"manifest|spec" enum:"manifest,spec" help:"manifest (rhx.yaml) or spec (a provider's)."`
}

func (c *schemaCmd) Help() string {
	return `For editors, which then complete fields and mark mistakes. Those that use yaml-language-server take it from the first line of rhx.yaml:

  # yaml-language-server: $schema=rhx.schema.json

Examples:
  rhx schema manifest > rhx.schema.json
  rhx schema spec`
}

func (c *schemaCmd) Run(a *app) error {
	text := manifest.Schema()
	if c.Of == "spec" {
		text = spec.Schema()
	}
	if done, err := a.data(json.RawMessage(text)); done {
		return err
	}
	_, err := fmt.Fprint(a.Data(), text)
	return err
}
