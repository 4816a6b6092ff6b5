// Package specs has the built-in provider specs: one YAML file each, and the Go code
// that they are compiled to.
package specs

import "github.com/rhx-dev/rhx/host/spec"

//go:generate go run ./compile

// All returns the built-in specs in the order in which people see them:
// those that most have, then the others by name.
func All() []spec.Builtin { return builtin }
