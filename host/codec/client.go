package codec

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"strings"
)

// Clients is a set of programs other than rhx that read a file, each in its own way. A
// codec reads the file as each of them does, too, so that it writes nothing that one of
// them would miss or misread.
type Clients uint8

// client is a program and how it reads a file.
type client struct {
	name   string // in a spec
	title  string // in messages
	format string
	read   func(data []byte) (reading, *Error)
}

// reading is what a client finds in a file: texts by section and option, or by
// machine and field.
type reading map[place]string

type place struct{ group, key string }

// clients lists all known clients. The index of a client here is its bit in [Clients].
var clients = [...]client{
	{"aws-cli", "the AWS command line", "ini", readAWSCLI},
	{"aws-sdk-js", "the AWS SDK for JavaScript", "ini", readAWSForJS},
	{"configparser", "Python's configparser", "ini", readConfigParser},
	{"curl", "curl", "netrc", readNetrcCurl},
	{"npm", "npm", "ini", readNpm},
	{"python", "Python", "netrc", readNetrcPython},
}

// ClientsOf returns the clients of the given names; the error lists those that the
// format has.
func ClientsOf(format string, names []string) (Clients, error) {
	var set Clients
	for _, name := range names {
		var known []string
		found := false
		for i, c := range clients {
			if c.format == format {
				known = append(known, c.name)
				if c.name == name {
					set, found = set|1<<i, true
				}
			}
		}
		switch {
		case len(known) == 0:
			return 0, fmt.Errorf("format %s has no clients that rhx knows", format)
		case !found:
			return 0, fmt.Errorf("unknown client %q (known for %s: %s)", name, format, strings.Join(known, ", "))
		}
	}
	return set, nil
}

// has reports whether the client called name is in the set.
func (s Clients) has(name string) bool {
	for c := range s.each {
		if c.name == name {
			return true
		}
	}
	return false
}

// each yields the clients of the set.
func (s Clients) each(yield func(*client) bool) {
	for ; s != 0; s &= s - 1 {
		if !yield(&clients[bits.TrailingZeros8(uint8(s))]) {
			return
		}
	}
}

// clientele is a Format whose files have clients.
type clientele interface {
	Format
	clients() Clients
	// decode is Decode without reading the file as its clients do.
	decode(data []byte) (*Node, error)
}

// ClientError is the error of a file that a client cannot read, or would read
// differently.
type ClientError struct {
	// Client is what messages call the program.
	Client string
	Err    error
}

func (e *ClientError) Error() string { return e.Client + " " + e.Err.Error() }

// Unwrap returns what is wrong for the client.
func (e *ClientError) Unwrap() error { return e.Err }

// Unreadable returns a [*ClientError] if one of the format's clients cannot read a file
// that the format itself can read.
func Unreadable(f Format, data []byte) error {
	if c, ok := f.(clientele); ok {
		return c.clients().read(data).unreadable()
	}
	return nil
}

// decodeFor decodes a file, and marks the values that its clients read differently.
func decodeFor(f clientele, data []byte) (*Node, readings, error) {
	root, err := f.decode(data)
	if err != nil {
		return nil, nil, err
	}
	all := f.clients().read(data)
	all.dispute(root)
	if i, ok := f.(ini); ok && i.opts.Inherited != "" {
		for _, r := range all {
			maps.DeleteFunc(r.values, func(p place, _ string) bool { return p.key == i.opts.Inherited && p.group != "DEFAULT" })
		}
	}
	return root, all, nil
}

// readings are what each client of a file finds in it.
type readings []clientReading

type clientReading struct {
	client *client
	values reading
	err    error // the file cannot be read
}

// read reads a file as every client of the set does.
func (s Clients) read(data []byte) readings {
	var all readings
	for c := range s.each {
		values, err := c.read(data)
		one := clientReading{client: c, values: values}
		if err != nil {
			one.err = err
		}
		all = append(all, one)
	}
	return all
}

func (all readings) unreadable() error {
	for _, r := range all {
		if r.err != nil {
			return &ClientError{r.client.title, fmt.Errorf("cannot read this file: %w", r.err)}
		}
	}
	return nil
}

// dispute marks the values in a decoded file that a client reads differently. A client
// that cannot read the file at all is passed over: see [Unreadable].
func (all readings) dispute(root *Node) {
	for _, r := range all {
		if r.err != nil {
			continue
		}
		for _, group := range root.Pairs {
			for _, p := range group.Value.Pairs {
				if r.values[place{group.Key, p.Key}] != p.Value.Text {
					p.Value.Disputed = true
				}
			}
		}
	}
}

// agree returns an error if a client would read something else in the file after the
// edits than before, in a place that the edits do not name. A client that could not
// read the file before must be able to read it now, unless the edits only remove
// something.
func (all readings) agree(after readings, edits []Edit) error {
	for i, was := range all {
		now := after[i]
		switch {
		case now.err == nil && (was.err != nil || now.values.follows(was.values, edits)):
		case now.err == nil:
			return &ClientError{was.client.title, errOthers}
		case was.err == nil:
			return &ClientError{was.client.title, fmt.Errorf("could not read the file any more; nothing was changed: %w", now.err)}
		case !onlyRemove(edits):
			return &ClientError{was.client.title, fmt.Errorf("cannot read this file: %w", was.err)}
		}
	}
	return nil
}

var errOthers = errors.New("would read other values of the file differently; nothing was changed")

func onlyRemove(edits []Edit) bool {
	for _, e := range edits {
		if e.Value != nil {
			return false
		}
	}
	return true
}

// follows reports whether r equals before in all places that edits do not name.
func (r reading) follows(before reading, edits []Edit) bool {
	named := make(map[place]bool, len(edits))
	for _, e := range edits {
		switch len(e.Path) {
		case 0:
			return true
		case 1:
			named[place{group: e.Path[0].Key}] = true
		default:
			named[place{e.Path[0].Key, e.Path[1].Key}] = true
		}
	}
	keeps := func(a, b reading) bool {
		for p, text := range a {
			if named[p] || named[place{p.group, lower(p.key)}] || named[place{group: p.group}] {
				continue
			}
			if other, ok := b[p]; !ok || other != text {
				return false
			}
		}
		return true
	}
	return keeps(before, r) && keeps(r, before)
}
