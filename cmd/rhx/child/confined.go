package child

import (
	"errors"
	"os"
	"os/exec"

	"github.com/rhx-dev/rhx/host/confine"
	"github.com/rhx-dev/rhx/host/fault"
)

// startConfined starts a command as the plan in files has it. It is a child of this process.
func startConfined(cmd *exec.Cmd, files []*os.File, argv []string) (*confine.Child, error) {
	c, err := confine.Start(cmd, files, argv)
	var f *confine.Failure
	if errors.As(err, &f) && f.Command != "" {
		err = fault.WithHint(&StartError{Name: f.Command, Err: errors.New(f.Text), Status: f.Status}, f.Hint)
	}
	return c, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
