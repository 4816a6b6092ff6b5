// Package evidence says of each built-in provider what its spec was checked against.
package evidence

import (
	_ "embed" // for the list
	"fmt"

	"gopkg.in/yaml.v3"
)

//go:embed evidence.yaml
var list []byte

// Evidence is what a provider's facts were checked against: one of its fields.
type Evidence struct {
	// Client is a test in cmd/rhx/testdata/script in which the real client reads what
	// rhx wrote, and rhx what the client wrote if it writes.
	Client string `yaml:"client"`
	// By names the clients of that test and their versions: "NAME VERSION", or
	// "NAME (Debian 12)", with commas between.
	By string `yaml:"by"`
	// Source is the address of code that reads or writes the files and variables.
	Source string `yaml:"source"`
	// Documentation is the address of a page that names them.
	Documentation string `yaml:"documentation"`
}

// All returns the evidence by provider.
func All() (map[string]Evidence, error) {
	var all map[string]Evidence
	if err := yaml.Unmarshal(list, &all); err != nil {
		return nil, fmt.Errorf("specs/evidence: %w", err)
	}
	return all, nil
}
