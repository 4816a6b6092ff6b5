package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/inventory"
)

// hosts returns the hosts that names stand for, each once: groups of the
// inventory, ranges, or hosts as ssh names them. Without a name they are all of
// the inventory, which file names; "-" is standard input.
func (a *app) hosts(names []string, file string) ([]string, error) {
	var inv *inventory.Inventory
	if file != "" {
		var err error
		if inv, err = a.inventory(file); err != nil {
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

func (a *app) inventory(file string) (*inventory.Inventory, error) {
	name, in := file, a.In
	if file == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	// More than any list of hosts has.
	inv, err := inventory.Parse(name, io.LimitReader(in, 8<<20))
	if err != nil {
		return nil, fault.WithKind(err, fault.Usage)
	}
	return inv, nil
}

// hostsOn returns the hosts that --on names, with commas between them.
func (a *app) hostsOn() ([]string, error) {
	hosts, err := a.hosts(slices.DeleteFunc(strings.Split(a.On, ","), func(h string) bool { return h == "" }), "")
	if err != nil {
		return nil, fmt.Errorf("--on: %w", err)
	}
	return hosts, nil
}
