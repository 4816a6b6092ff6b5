package machine

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) bool { return false }

func end(p *os.Process, _, _ bool) error { return p.Kill() }

func ownSocket(string) error { return nil }

func openToOthers(string) bool { return false }
