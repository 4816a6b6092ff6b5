package child

import (
	"os"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A command that a shell starts in the background has a terminal that ends lines at
// Enter, whatever the shell makes of its own terminal meanwhile.
func TestModesInTheBackground(t *testing.T) {
	open := func() (terminal *os.File) {
		master, terminal, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = master.Close(), terminal.Close() })
		return terminal
	}
	shells, commands := open(), open()
	if _, err := term.MakeRaw(int(shells.Fd())); err != nil {
		t.Fatal(err)
	}
	(&lentTerminal{in: shells, out: shells}).prepare(commands)
	modes, err := unix.IoctlGetTermios(int(commands.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if modes.Iflag&unix.ICRNL == 0 || modes.Lflag&unix.ICANON == 0 || modes.Lflag&unix.ECHO == 0 {
		t.Errorf("input modes %#x, local modes %#x", modes.Iflag, modes.Lflag)
	}
}
