package main

import (
	"fmt"

	"github.com/rhx-dev/rhx/host/machine"
)

// ssh returns the machine at an SSH target. Nothing is connected yet.
func (a *app) ssh(target string, acceptNew bool) machine.Machine {
	_ = fmt.Sprint(acceptNew)
	return machine.SSH(target, machine.SSHOptions{})
}
