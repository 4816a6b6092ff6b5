// Command rhx finds the credentials that a machine has, keeps them in a store,
// and puts them where they are needed.
//
// The commands are here, one file each; what they do is in packages below host.
package main

import (
	"context"
	"io"
	"log"
	"os"

	"github.com/rhx-dev/rhx/cmd/rhx/child"
	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/machine"
)

// guestArg is the argument with which rhx starts rhx-full, or itself, to run one
// module: see package sandbox/child.
const guestArg = "run-guest"

func main() {
	if len(os.Args) > 2 && os.Args[1] == confine.Arg {
		os.Exit(child.Stage(os.Args[2:])) // whose memory is as open as the command's: see confine.Stage
	}
	keepMemoryPrivate()
	// With http2debug in GODEBUG, net/http would print headers, with values in them.
	log.SetOutput(io.Discard)
	if len(os.Args) == 2 && os.Args[1] == guestArg {
		os.Exit(serveGuest(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 2 && os.Args[1] == agentArg {
		os.Exit(newApp().fail(serveAgent(context.Background(), "")))
	}
	if len(os.Args) == 2 && os.Args[1] == machine.ReachArg {
		if err := machine.ServeReach(os.Stdin, os.Stdout); err != nil {
			os.Exit(newApp().fail(err))
		}
		return
	}
	if len(os.Args) > 2 && (os.Args[1] == child.MonitorArg || os.Args[1] == child.ConfinedMonitorArg) {
		status, err := child.Monitor(os.Args[2:], os.Args[1] == child.ConfinedMonitorArg)
		if err != nil {
			status = newApp().fail(err)
		}
		child.EndAs(status)
		os.Exit(status)
	}
	os.Args = asHelper(os.Args) // which rhx-full is started with, too
	os.Exit(run(os.Args[1:]))
}
