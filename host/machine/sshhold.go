package machine

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
)

//go:embed remote/hold.sh
var holdScript string

// releaseWithin is how long a host may take to remove the files of a command.
const releaseWithin = 10 * time.Second

// stillThere is the status of remote/hold.sh where it could not remove the folder.
const stillThere = 3

// folder is where the files of a command are on a host. A process there keeps it: it
// removes the folder at the end of its input, which comes when the connection ends, and
// when it has heard nothing for the time after which a connection is dead.
type folder struct {
	path string
	conn *sshConn
	talk talk
	stop chan struct{} // ends the beats
}

// hold makes the files of a command.
func (m *sshMachine) hold(ctx context.Context, conn *sshConn, files []RunFile, disk bool) (*folder, error) {
	s := newScript(holdScript)
	suffix := strings.ToLower(s.mark[len("rhx-") : len("rhx-")+8])
	fmt.Fprintf(s, "R=%s\n", suffix)
	for i, f := range files {
		if err := checkRunFile(f); err != nil {
			return nil, fmt.Errorf("%s: %w", m.target, err)
		}
		s.content("n", i, f.Data)
	}
	kind := ""
	if disk {
		kind = "safe"
	}
	s.WriteString("folder " + kind + "\n")
	for i, f := range files {
		mode := f.Mode & 0o700
		if mode == 0 {
			mode = 0o600
		}
		dir, name := path.Split(f.Path)
		fmt.Fprintf(s, "file %d %s %s %o %d\n", i, posixQuote("./"+dir), posixQuote(name), mode, len(f.Data))
	}
	silence := max(1, int((conn.dead+time.Second-1)/time.Second))
	end := "rhx-" + rand.Text()
	// busybox's sed does nothing with a line before it has the next one.
	fmt.Fprintf(s, "hold %d\n}\n# %s\n\n", silence, end)
	text := s.Bytes()

	f := &folder{conn: conn, stop: make(chan struct{})}
	// What sed reads beyond that line would be lost: nothing comes before the answer.
	f.talk = talk{command: `exec sh -c 'eval "$(sed /` + end + `/q)"'`, input: text, more: true}
	next, err := conn.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer next()
	a := &answer{mark: []byte(s.mark), limit: smallAnswer}
	err = f.talk.begin(ctx, conn, a, m.within(text))
	list, err := m.judge(ctx, a, f.talk.said.bytes(), err, false)
	if err == nil {
		f.path, err = m.folderAnswer(list, suffix)
	}
	if err != nil {
		f.talk.leave()
		return nil, err
	}
	go f.beat(conn.dead / 4)
	return f, nil
}

// checkRunFile refuses a file that is none, or not in its folder.
func checkRunFile(f RunFile) error {
	var err error
	switch {
	case !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsRune(f.Path, 0):
		err = errors.New("it is not in the folder of the command's files")
	case len(f.Data) > MaxFile:
		err = ErrTooLarge
	}
	if err != nil {
		return fmt.Errorf("the file %q: %w", f.Path, err)
	}
	return nil
}

// folderAnswer returns the folder that a host says.
func (m *sshMachine) folderAnswer(list []piece, suffix string) (string, error) {
	for _, p := range list {
		said := string(p.data)
		switch p.word(0) {
		case "nomemory":
			return "", fault.WithHint(fmt.Errorf("%s: no place in memory for the command's files: neither XDG_RUNTIME_DIR nor /dev/shm nor /tmp there is a tmpfs in which you can make a private folder", m.target),
				"rhx sync writes such files to the host's disk, where their tools look, and rhx undo takes them away again")
		case "failed":
			return "", fmt.Errorf("%s: make the command's files: %w", m.target, programError(said))
		case "folder":
			// It goes into variables of the host's own, but what follows from it is ours.
			if !path.IsAbs(said) || path.Clean(said) != said || len(said) > 1000 || printable(said, len(said)) != said || !strings.HasSuffix(said, "-"+suffix) {
				return "", fmt.Errorf("%s: the host names no folder for the command's files", m.target)
			}
			return said, nil
		}
	}
	return "", m.broken()
}

// beat tells the host now and then that rhx is there, and at last that it is not.
func (f *folder) beat(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := f.talk.channel.Write([]byte("\n")); err != nil {
				return
			}
		case <-f.stop:
			_ = f.talk.channel.CloseWrite()
			return
		}
	}
}

// release has the host remove the folder, and waits until it has.
func (f *folder) release(ctx context.Context) error {
	defer f.talk.leave()
	close(f.stop)
	late := time.NewTimer(releaseWithin)
	defer late.Stop()
	select {
	case status := <-f.talk.ended:
		switch {
		case status == 0 || f.conn.dying():
			return nil
		case status == stillThere:
			return fmt.Errorf("the command's files may still be there, in %s: the host could not remove all of them", f.path)
		}
		return errors.New("the command's files were gone before its end: the process that kept them had ended")
	case <-f.conn.gone: // and with it the process's input
	case <-ctx.Done(): // the end of the session is the end of its input
	case <-late.C:
		return fmt.Errorf("the command's files may still be there, in %s: the host does not say within %v that they are removed", f.path, releaseWithin)
	}
	return nil
}
