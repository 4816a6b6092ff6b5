package main

import "context"

// runnable is a command with its arguments.
type runnable interface {
	Run(ctx context.Context, a *app) error
}

// plain reads the arguments of the two commands that are waited for most often, get and
// run, in the form that nearly all calls have: kong's model of a command takes longer than
// to find and decrypt a secret. It returns nil for every other form, also a wrong one: kong
// reads those. A test compares both.
func plain(args []string) (name string, cmd runnable) {
	if len(args) < 2 {
		return "", nil
	}
	switch name, args = args[0], args[1:]; {
	case name == "get" && len(args) <= 2 && isPlain(args[0]) && isPlain(args[len(args)-1]):
		c := &getCmd{Secret: args[0]}
		if len(args) > 1 {
			c.Key = args[1]
		}
		return name, c
	case name == "run":
		c := &runCmd{}
		for len(args) > 2 && isPlain(args[1]) && (args[0] == "-s" || args[0] == "-b") {
			if args[0] == "-s" {
				c.Secret = append(c.Secret, args[1])
			} else {
				c.Bundle = append(c.Bundle, args[1])
			}
			args = args[2:]
		}
		if len(args) > 1 && args[0] == "--" {
			c.Cmd = args
			return name, c
		}
	}
	return "", nil
}

// isPlain reports an argument that is neither a flag nor empty.
func isPlain(arg string) bool { return arg != "" && arg[0] != '-' }
