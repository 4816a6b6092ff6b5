package inventory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/inventory"
)

// The hosts that a person has given a name are found in every way to write the line.
func TestSSHHosts(t *testing.T) {
	config := `# Host commented
Host gpu2 gpu1
	HostName 192.0.2.7
  host=box
HOST "quoted"  gpu1 # not this
Host	tabbed
Host * *.corp gpu? !bad
Hostile no
Match host other
Host "with blank" = "open
`
	want := []string{"=", "box", "gpu1", "gpu2", "quoted", "tabbed", "with blank"}
	if got := inventory.SSHHosts(config, nil); !slices.Equal(got, want) {
		t.Errorf("SSHHosts = %q, want %q", got, want)
	}
	if got := inventory.SSHHosts("Host\nInclude x\n", nil); got != nil {
		t.Errorf("SSHHosts = %q of a line without names", got)
	}
}

// What a config includes counts, and files that include themselves come to an end.
func TestSSHHostsIncluded(t *testing.T) {
	read := 0
	include := func(pattern string) []string {
		read++
		return map[string][]string{
			"conf.d/*": {"Host one\n", "Host two\nInclude ~/more\n"},
			"~/more":   {"Host three\nInclude ~/more\n"},
			"~/many":   slices.Repeat([]string{"Host many\n"}, 1000),
		}[pattern]
	}
	got := inventory.SSHHosts("Include conf.d/* \"none here\"\nHost zero\n", include)
	if want := []string{"one", "three", "two", "zero"}; !slices.Equal(got, want) || read != 17 {
		t.Errorf("%q after %d readings", got, read)
	}
	read = 0
	if got := inventory.SSHHosts(strings.Repeat("Include ~/many\n", 1000), include); !slices.Equal(got, []string{"many"}) || read != 1 {
		t.Errorf("%q after %d readings", got, read)
	}
}
