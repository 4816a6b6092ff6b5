package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/inventory"
)

// hosts returns the hosts that names stand for, each once: groups of the
// inventory, ranges, or hosts as ssh names them. Without a name they are all of
// the inventory, which file names; "-" is standard input.
func (a *app) hosts(ctx context.Context, names []string, file string) ([]string, error) {
	var inv *inventory.Inventory
	if file != "" {
		var err error
		if inv, err = a.inventory(ctx, file); err != nil {
			return nil, err
		}
		a.groups = append(a.groups, inv.Groups()...)
		if len(names) == 0 {
			names = []string{"all"}
		}
	}
	var out []string
	for _, name := range names {
		hosts, ok := []string(nil), false
		if inv != nil {
			hosts, ok = inv.Group(name)
		}
		if !ok {
			var err error
			if hosts, err = inventory.Expand(name); err != nil {
				return nil, fault.WithKind(err, fault.Usage)
			}
		}
		for _, h := range hosts {
			if !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	if len(out) == 0 {
		return nil, fault.WithHint(fault.WithKind(errors.New("no host given"), fault.Usage), "name each one, or a range such as gpu-[01:64], or a file of them with -i FILE")
	}
	return out, nil
}

func (a *app) inventory(ctx context.Context, file string) (*inventory.Inventory, error) {
	data, err := a.input(ctx, file, 8<<20) // more than any list of hosts has
	if err != nil {
		return nil, err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	inv, err := inventory.Parse(name, bytes.NewReader(data))
	if err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	return inv, nil
}

// hostsOn returns the hosts that --on names, with commas between them.
func (a *app) hostsOn(ctx context.Context) ([]string, error) {
	hosts, err := a.hosts(ctx, slices.DeleteFunc(strings.Split(a.On, ","), func(h string) bool { return h == "" }), "")
	if err != nil {
		return nil, fmt.Errorf("--on: %w", err)
	}
	return hosts, nil
}
