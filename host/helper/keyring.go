package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

// keyringCommand is the keyring command's arguments, of those that pip and uv give it.
type keyringCommand struct {
	verb, service, user string
	// creds asks for the user, too, on a line before the password.
	creds bool
}

// Keyring answers what runs the keyring command: pip and uv with the keyring provider
// "subprocess". Where no secret answers the error is ErrNone.
func (h *Helpers) Keyring(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	c, err := parseKeyring(args)
	if err != nil {
		return fault.WithKind(err, fault.Usage)
	}
	// A name without a scheme is what pip and uv ask for as well, after the whole address.
	// Of such a one nobody knows whether the password will be encrypted on its way.
	at, ok := parseAddress(c.service)
	if !ok || at.scheme == "" {
		return ErrNone
	}
	q := question{protocol: spec.ProtocolKeyring, at: &at, user: c.user}
	switch c.verb {
	case "set":
		return h.keyringSet(ctx, q, in)
	case "del":
		found, err := h.erase(ctx, q, "", "", false)
		if err == nil && !found {
			err = ErrNone
		}
		return err
	}
	a, err := h.one(ctx, q)
	if err == nil {
		err = fitsLine(a, "keyring's client")
	}
	if err != nil {
		return err
	}
	text := a.parts["password"] + "\n"
	if c.creds {
		text = a.parts["username"] + "\n" + text
	}
	_, err = io.WriteString(out, text)
	return err
}

func (h *Helpers) keyringSet(ctx context.Context, q question, in io.Reader) error {
	if _, err := h.Records.Store(ctx); err != nil { // may start rhx anew
		return err
	}
	data, err := readAll(ctx, in)
	if err != nil {
		return err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if password == "" {
		return errors.New("there is no password on stdin")
	}
	if err := checkLine("the password", password); err != nil {
		return err
	}
	return h.keep(ctx, offer{question: q, profile: gitProfile(q.at, q.user, password),
		parts:  map[string]string{"username": q.user, "password": password},
		values: values("repository", q.at.escaped(), "username", q.user, "token", password)})
}

// parseKeyring reads the arguments.
func parseKeyring(args []string) (keyringCommand, error) {
	var c keyringCommand
	var words []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case name != "--mode" && name != "--output":
			if strings.HasPrefix(args[i], "-") {
				return c, fmt.Errorf("the keyring command of rhx does not know %s", name)
			}
			words = append(words, args[i])
			continue
		case !joined && i+1 < len(args):
			i++
			value = args[i]
		}
		switch {
		case name == "--mode" && value == "creds":
			c.creds = true
		case name == "--mode" && value == "password" || name == "--output" && value == "plain":
		default:
			return c, fmt.Errorf("the keyring command of rhx does not know that value of %s", name)
		}
	}
	if len(words) < 2 || len(words) > 3 || words[0] != "get" && (len(words) != 3 || words[0] != "set" && words[0] != "del") {
		return c, errors.New("usage: keyring get|set|del SERVICE USER")
	}
	c.verb, c.service = words[0], words[1]
	if len(words) == 3 {
		c.user = words[2]
	}
	if c.user == "" && !c.creds {
		return c, errors.New("usage: keyring get SERVICE USER, or with --mode creds")
	}
	return c, checkLine("the user", c.user)
}
