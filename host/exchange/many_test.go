package exchange_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/place"
)

// Many profiles of one file are checked once for all of them, and each by itself
// where one of them cannot be written.
func TestLoadManyProfilesOfOneFile(t *testing.T) {
	h, m := newHost(t)
	const n = 100
	var want []string
	for i := range n {
		keep(t, h, fmt.Sprintf("aws/p%04d", i), "access_key", akia, "secret_key", awsKey)
		want = append(want, awsFile(fmt.Sprintf("p%04d", i), akia, awsKey))
	}
	list := must(h.Exchange.Load(ctx, place.Here, m, exchange.LoadOptions{All: true}))(t)
	if len(list) != n || content(m, ".aws/credentials") != strings.Join(want, "\n") {
		t.Errorf("%d outcomes; the file is:\n%s", len(list), content(m, ".aws/credentials"))
	}

	// ini has no place for this value.
	keep(t, h, "aws/p0050", "access_key", akia, "secret_key", "line\r"+awsKey)
	keep(t, h, "aws/p0060", "access_key", akia2, "secret_key", awsKey)
	asked := 0
	opts := exchange.LoadOptions{All: true, Resolve: func(deliver.Conflict) deliver.Decision { asked++; return deliver.Replace }}
	var lines []string
	for _, line := range strings.Split(loaded(must(h.Exchange.Load(ctx, place.Here, m, opts))(t)), "\n") {
		if !strings.HasSuffix(line, " unchanged") {
			lines = append(lines, line)
		}
	}
	same(t, "outcomes", strings.Join(lines, "\n"), `
local aws/p0050 ~/.aws/credentials failed: write ~/.aws/credentials: the value secret_key has a line break, and some readers of the file take what follows for options of its own
local aws/p0060 ~/.aws/credentials updated access_key`)
	if asked != 1 {
		t.Errorf("asked %d times, not once for the secret that differs and can be written", asked)
	}
	want[60] = awsFile("p0060", akia2, awsKey)
	same(t, "file", content(m, ".aws/credentials"), strings.Join(want, "\n"))
}
