// Package wasm holds the wasm modules that are part of rhx.
//
// Their sources are in the folders beside this file; build.sh compiles them,
// and the result is committed so that building rhx needs no C compiler.
package wasm

import "embed"

//go:embed */*.wasm
var modules embed.FS

// Module returns the module called name, and whether there is one. The bytes
// are the caller's; each call copies them.
func Module(name string) ([]byte, bool) {
	b, err := modules.ReadFile(name + "/" + name + ".wasm")
	return b, err == nil
}
