//go:build wasip1

// Command goplugin is a guest of go-plugin in Go.
package main

import (
	"context"

	"rhxbench/acme"
	"rhxbench/provider"
)

func main() {}

func init() { provider.RegisterProvider(plugin{}) }

type plugin struct{}

func (plugin) Extract(_ context.Context, d *provider.Document) (*provider.Document, error) {
	return &provider.Document{Data: acme.Extract(d.Data)}, nil
}
