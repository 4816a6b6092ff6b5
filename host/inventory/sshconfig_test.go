package inventory_test

import (
	"slices"
	"testing"

	"github.com/rhx-dev/rhx/host/inventory"
)

// The hosts that a person has given a name are found in every way to write the line.
func TestSSHHosts(t *testing.T) {
	config := `# Host commented
Host gpu2 gpu1
	HostName 192.0.2.7
  host=box
HOST "quoted"  gpu1
Host	tabbed
Host * *.corp gpu? !bad
Hostile no
Match host other
`
	want := []string{"box", "gpu1", "gpu2", "quoted", "tabbed"}
	if got := inventory.SSHHosts(config); !slices.Equal(got, want) {
		t.Errorf("SSHHosts = %q, want %q", got, want)
	}
	if got := inventory.SSHHosts("Host"); got != nil {
		t.Errorf("SSHHosts = %q of a line without names", got)
	}
}
