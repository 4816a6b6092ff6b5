//go:build unix

package child

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rhx-dev/rhx/host/fault"
)

// defaultPath is where execvp looks without PATH.
const defaultPath = "/bin:/usr/bin"

// start starts a command as execvp does: it is looked up in the PATH that it gets, and
// a file that the system cannot run and that is text is run by sh. try starts one
// file, and its error says what became of that.
func start(argv, environ []string, try func(path string, argv []string) error) error {
	name := argv[0]
	if strings.Contains(name, "/") {
		return notStarted(name, name, attempt(name, argv, try))
	}
	failed, path := error(syscall.ENOENT), name
	dirs, ok := value(environ, "PATH")
	if !ok {
		dirs = defaultPath
	}
	for _, dir := range strings.Split(dirs, ":") {
		if name == "" {
			break
		}
		file := filepath.Join(dir, name)
		if dir == "" || dir == "." {
			file = "./" + name
		}
		err := attempt(file, argv, try)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EACCES):
			// Another folder may have one that can be run.
			if !errors.Is(failed, syscall.EACCES) {
				failed, path = err, file
			}
		case errors.Is(err, syscall.ENOENT):
			if _, there := os.Stat(file); there == nil && errors.Is(failed, syscall.ENOENT) {
				path = file
			}
		case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ETIMEDOUT):
		default:
			return notStarted(name, file, err)
		}
	}
	return notStarted(name, path, failed)
}

func attempt(path string, argv []string, try func(path string, argv []string) error) error {
	err := try(path, argv)
	if errors.Is(err, syscall.ENOEXEC) && isText(path) {
		err = try("/bin/sh", append([]string{"sh", path}, argv[1:]...))
	}
	return err
}

// isText reports whether a file can be a script: as for bash, one whose first line has
// no NUL.
func isText(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 128)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return bytes.IndexByte(line, 0) < 0
}

// value is that of a variable in a list of NAME=VALUE.
func value(environ []string, name string) (string, bool) {
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// notStarted is the error of a command that was not started, with env(1)'s status; nil
// where it was.
func notStarted(name, path string, err error) error {
	if err == nil {
		return nil
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		err = no // without the path, which the command's name stands for
	}
	status, hint := 126, ""
	info, gone := os.Stat(path)
	switch {
	case errors.Is(err, syscall.ENOENT):
		status = 127
		switch {
		case gone == nil && strings.Contains(path, "/"):
			hint = path + " is there, but the program that its first line names is not"
		case !strings.Contains(name, "/"):
			err = errNotInPath
			hint = "it is looked up in the PATH that it gets"
		}
	case errors.Is(err, syscall.EACCES) && gone == nil && info.IsDir():
		hint = path + " is a folder"
	case errors.Is(err, syscall.EACCES) && gone == nil && info.Mode()&0o111 == 0:
		hint = "chmod +x " + path + " lets it be run"
	case errors.Is(err, syscall.E2BIG):
		hint = "the arguments and variables are larger than the system allows; load the secret into a file instead"
	case errors.Is(err, syscall.ENOEXEC):
		hint = path + " is no program of this system and processor, and no script"
	}
	return fault.WithHint(&StartError{Name: name, Err: err, Status: status}, hint)
}

var errNotInPath = errors.New("command not found")
