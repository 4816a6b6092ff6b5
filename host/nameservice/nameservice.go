// Package nameservice finds users and hosts as the other programs of this machine find
// them. rhx is linked without the C library, and Go's own code reads files and asks the
// DNS: users in LDAP, names of the local network (.local) and whatever else
// /etc/nsswitch.conf names are asked of getent, where Go finds nothing.
package nameservice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"os/user"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/childenv"
)

var (
	// getents is where getent is: never where PATH says.
	getents = []string{"/usr/bin/getent", "/bin/getent"}
	// within bounds a question: a directory of users can be far away, or down.
	within = 10 * time.Second
)

// maxAnswer is how long an answer may be in bytes.
const maxAnswer = 64 << 10

var errNone = errors.New("getent does not find it")

// ask returns what getent prints of a key in a database. The key must be no option.
func ask(ctx context.Context, database, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, program := range getents {
		cmd := exec.CommandContext(ctx, program, database, key)
		cmd.Env = childenv.Environ()
		// What getent leaves behind does not hold the answer up.
		cmd.WaitDelay = time.Second
		var out limited
		cmd.Stdout = &out
		err := cmd.Run()
		if cmd.Process == nil && ctx.Err() == nil {
			continue // it is not there
		}
		return out.b.Bytes(), err
	}
	return nil, errNone
}

// limited takes maxAnswer bytes; more are an error.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > maxAnswer {
		return 0, io.ErrShortWrite
	}
	return l.b.Write(p)
}

// fields returns the fields of the one line that getent prints of a number, which is in
// the third one, as in /etc/passwd and /etc/group.
func fields(database string, id string, count int) ([]string, error) {
	if _, err := strconv.ParseUint(id, 10, 32); err != nil {
		return nil, err
	}
	out, err := ask(context.Background(), database, id)
	if err != nil {
		return nil, err
	}
	line, ended := strings.CutSuffix(string(out), "\n")
	f := strings.Split(line, ":")
	if !ended || len(f) != count || f[2] != id || f[0] == "" || strings.ContainsFunc(line, unicode.IsControl) || !utf8.ValidString(line) {
		return nil, errNone
	}
	return f, nil
}

// User returns the user with a user ID.
func User(uid string) (*user.User, error) {
	u, err := user.LookupId(uid)
	if err == nil {
		return u, nil
	}
	f, askErr := fields("passwd", uid, 7)
	if askErr != nil {
		return nil, err
	}
	if _, badGid := strconv.ParseUint(f[3], 10, 32); badGid != nil {
		return nil, err
	}
	u = &user.User{Username: f[0], Uid: f[2], Gid: f[3], Name: f[4]}
	if path.IsAbs(f[5]) {
		u.HomeDir = f[5]
	}
	return u, nil
}

// Current returns the user that this process is, as the user database has it: without
// an entry there, what os/user makes of the environment.
func Current() (*user.User, error) {
	current, err := user.Current()
	if err != nil {
		return nil, err
	}
	if listed, err := User(current.Uid); err == nil {
		return listed, nil
	}
	return current, nil
}

// Group returns the name of the group with a group ID.
func Group(gid string) (string, error) {
	g, err := user.LookupGroupId(gid)
	if err == nil {
		return g.Name, nil
	}
	f, askErr := fields("group", gid, 4)
	if askErr != nil {
		return "", err
	}
	return f[0], nil
}
