package main

import (
	"context"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/machine"
)

type syncCmd struct {
	Hosts     []string `arg:"" name:"host" help:"Hosts as ssh names them: [USER@]HOST[:PORT], or a Host of ssh_config."`
	Secret    []string `short:"s" sep:"none" predictor:"stored" help:"A secret of the store; may be given several times." placeholder:"SECRET"`
	Overwrite bool     `help:"Replace values that differ."`
	DryRun    bool     `help:"Say what would change; change nothing."`
	Parallel  int      `help:"Hosts served at once." default:"32" placeholder:"32"`
	AcceptNew bool     `help:"Add the key of a host that is not known yet; a changed key is refused all the same."`
}

func (c *syncCmd) Help() string {
	return `Works as rhx load does, on the hosts: merged into the files that are there, mode 0600, folders 0700. Only the secrets that are named are sent. Host keys are always verified.`
}

func (c *syncCmd) Run(ctx context.Context, a *app) error {
	h, err := a.hostHere("sync")
	if err != nil {
		return err
	}
	if err := secretsNamed(c.Secret); err != nil {
		return err
	}
	var machines []machine.Machine
	for _, target := range c.Hosts {
		machines = append(machines, a.ssh(target, c.AcceptNew))
	}
	opts := host.SyncOptions{
		LoadOptions: host.LoadOptions{Names: c.Secret, Overwrite: c.Overwrite, DryRun: c.DryRun},
		Parallel:    c.Parallel,
	}
	if a.Output == "table" {
		// Each host's lines as soon as it is done.
		opts.Done = func(_ string, loaded []host.Loaded, err error) {
			if err != nil {
				a.report(loaded[0].Machine, err)
				return
			}
			for _, l := range loaded {
				a.printPlacement(l, c.DryRun)
			}
		}
	}
	loaded, err := h.Sync(ctx, machines, opts)
	if err != nil {
		return err
	}
	if a.Output != "table" {
		return a.printLoaded(loaded, c.DryRun)
	}
	return loadedStatus(loaded)
}
