package deliver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/bundle"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/session"
)

//go:embed timer.sh
var timerScript string

// timed are the places of a host that a timer may be set for there.
func timed(s *session.Session, at place.Place) []session.Expiry {
	if at == place.Here {
		return nil
	}
	return slices.DeleteFunc(s.Expiring(at), func(e session.Expiry) bool { return e.Whole == "" })
}

// setTimers leaves on a host what removes, in time and without rhx, the files that it
// made whole; had is what there are timers for. Where that fails they are taken out at
// the next contact, as what is in a file beside other things.
func (w *delivering) setTimers(ctx context.Context, m machine.Machine, had []session.Expiry, work *session.Work) {
	var calls strings.Builder
	var armed []string
	for _, e := range work.Expiring {
		file := w.snap.Abs(e.Path)
		if e.Whole == "" || slices.Contains(armed, file) || slices.ContainsFunc(work.Outcomes, func(o session.Outcome) bool { return o.File == file && o.Err != nil }) {
			continue
		}
		armed = append(armed, file)
		_, is := w.fileOf(file)
		sum := sha256.Sum256(is)
		fmt.Fprintf(&calls, "arm %s %s %s %s %d\n", timerID(file), strings.ToLower(rand.Text()), bundle.ShellQuote(file), hex.EncodeToString(sum[:]), w.seconds(file, work))
	}
	for _, e := range had {
		if file := w.snap.Abs(e.Path); !slices.Contains(armed, file) && w.touched(file) {
			armed = append(armed, file)
			fmt.Fprintf(&calls, "disarm %s\n", timerID(file))
		}
	}
	if err := runTimers(ctx, m, calls.String()); err != nil && w.opts.Warn != nil {
		w.opts.Warn(fmt.Sprintf("%s: what is to be taken out again goes at the next contact, and not by itself: %v", w.at, err))
	}
}

// EndTimers ends what is to remove files of a host, which are not what they were.
func EndTimers(ctx context.Context, m machine.Machine, files []string) error {
	var calls strings.Builder
	for _, file := range files {
		fmt.Fprintf(&calls, "disarm %s\n", timerID(file))
	}
	return runTimers(ctx, m, calls.String())
}

// runTimers has a host make calls of functions of the script.
func runTimers(ctx context.Context, m machine.Machine, calls string) error {
	runner, ok := m.(machine.Runner)
	if calls == "" || !ok {
		return nil
	}
	var said bytes.Buffer
	status, err := runner.Run(ctx, machine.RunSpec{Argv: []string{"sh", "-s"}, Stdin: strings.NewReader(timerScript + calls), Stdout: &said, Stderr: &said})
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d", status)
	}
	return err
}

// seconds is after how long a file goes: with the last of what is in it.
func (w *delivering) seconds(file string, work *session.Work) int64 {
	var ttl time.Duration
	for _, e := range work.Expiring {
		if w.snap.Abs(e.Path) == file {
			ttl = max(ttl, e.TTL)
		}
	}
	return int64((ttl + time.Second - 1) / time.Second)
}

// touched reports whether a delivery is about a file.
func (w *delivering) touched(file string) bool {
	return slices.ContainsFunc(w.out, func(o session.Outcome) bool { return o.File == file && o.Err == nil })
}

// timerID names a file in the name of another.
func timerID(file string) string {
	sum := sha256.Sum256([]byte(file))
	return hex.EncodeToString(sum[:8])
}
