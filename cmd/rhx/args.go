package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rhx-dev/rhx/host/fault"
)

// parted are arguments by what they are.
type parted struct {
	node               *kong.Node // that they lead to
	words, flags, rest []string
	// lacking is the last flag, if its value is missing.
	lacking string
}

// part parts arguments into the words of the command, its flags with their values,
// and the rest. What follows a passthrough argument, or "--", is left as it is.
func part(node *kong.Node, args []string) parted {
	p := parted{node: node}
	known := slices.Clone(node.Flags)
	for len(args) > 0 {
		arg := args[0]
		switch child := childOf(p.node, arg); {
		case passesOn(p.node) && (arg == "--" || !isFlag(arg)):
			p.rest = args
			return p
		case arg == "--":
			p.rest = slices.Concat([]string{"--"}, p.rest, args[1:])
			return p
		case isFlag(arg):
			n := 1 + valuesAfter(known, arg)
			if n > len(args) {
				n, p.lacking = len(args), arg
			}
			p.flags, args = append(p.flags, args[:n]...), args[n:]
		case child != nil && len(p.rest) == 0:
			p.node, known = child, append(known, child.Flags...)
			p.words, args = append(p.words, arg), args[1:]
		default:
			p.rest, args = append(p.rest, arg), args[1:]
		}
	}
	return p
}

// sorted are the arguments with the command first, then its flags, then the rest:
// kong takes all arguments of one kind only where they stand side by side.
func (p parted) sorted() []string { return slices.Concat(p.words, p.flags, p.rest) }

func isFlag(arg string) bool { return len(arg) > 1 && arg[0] == '-' }

// passesOn reports whether a command hands arguments on to another program.
func passesOn(n *kong.Node) bool { return len(n.Positional) > 0 && n.Positional[0].Passthrough }

func childOf(n *kong.Node, name string) *kong.Node {
	if i := slices.IndexFunc(n.Children, func(c *kong.Node) bool { return c.Name == name }); i >= 0 {
		return n.Children[i]
	}
	return nil
}

// valuesAfter is how many of the arguments behind a flag are its value.
func valuesAfter(known []*kong.Flag, arg string) int {
	takes := func(is func(*kong.Flag) bool) bool {
		i := slices.IndexFunc(known, is)
		return i >= 0 && !known[i].IsBool() && !known[i].IsCounter()
	}
	if name, long := strings.CutPrefix(arg, "--"); long {
		if takes(func(f *kong.Flag) bool { return f.Name == name }) { // not so with NAME=VALUE
			return 1
		}
		return 0
	}
	// -yb VALUE and -ybVALUE.
	short := []rune(arg[1:])
	for i, r := range short {
		if takes(func(f *kong.Flag) bool { return f.Short == r }) {
			if i == len(short)-1 {
				return 1
			}
			return 0
		}
	}
	return 0
}

// incomplete is the error of a flag without its value, and of a value or an argument
// that is empty, as that of a variable that a script did not set: without it such a flag
// would mean this machine, or everything. What another program gets is its own affair.
func (p parted) incomplete() error {
	if p.lacking != "" {
		return fault.WithHint(fault.WithKind(errors.New(p.lacking+" needs a value"), fault.Usage), helpFor(p.node))
	}
	for i, arg := range p.flags {
		if name, value, joined := strings.Cut(arg, "="); joined && value == "" && strings.HasPrefix(name, "--") {
			return emptyArgument(name)
		}
		if arg == "" {
			return emptyArgument(p.flags[i-1])
		}
	}
	if !passesOn(p.node) && slices.Contains(p.rest, "") {
		return emptyArgument("an argument")
	}
	return nil
}

// helpFor is the hint to how a command is used.
func helpFor(n *kong.Node) string { return n.FullPath() + " --help shows how it is used" }

func emptyArgument(what string) error {
	return fault.WithHint(fault.WithKind(errors.New(what+" is empty"), fault.Usage), "a variable of the shell may not be set")
}

// synonyms are what people call commands who know other tools, and what to use.
var synonyms = map[string]string{
	"rm": "rhx delete", "remove": "rhx delete", "del": "rhx delete", "erase": "rhx delete", "unset": "rhx delete",
	"set": "rhx save NAME KEY=-", "add": "rhx save", "put": "rhx save", "new": "rhx save", "create": "rhx save", "write": "rhx save", "insert": "rhx save",
	"update": "rhx edit", "change": "rhx edit", "modify": "rhx edit",
	"ls": "rhx list", "dir": "rhx list",
	"cat": "rhx get NAME KEY", "read": "rhx get NAME KEY", "print": "rhx get NAME KEY", "reveal": "rhx show NAME --reveal", "view": "rhx show", "info": "rhx show",
	"exec": "rhx run", "start": "rhx run",
	"source": "rhx env", "dotenv": "rhx env --format dotenv",
	"diff": "rhx plan", "compare": "rhx status",
	"deploy": "rhx apply", "push": "rhx sync HOST", "pull": "rhx load", "restore": "rhx undo", "revert": "rhx undo", "reset": "rhx undo",
	"find": "rhx detect", "search": "rhx detect", "versions": "rhx history",
	"signin": "rhx login", "signout": "rhx logout", "plugin": "rhx provider", "plugins": "rhx providers",
	"mv": "rhx move NAME NEW", "rename": "rhx move NAME NEW",
	"cp": "rhx copy NAME NEW; rhx sync HOST copies to a host",
}

// unknownCommand is the error of arguments that name no command; nil where they do.
func (p parted) unknownCommand() error {
	rest := slices.DeleteFunc(slices.Clone(p.rest), func(arg string) bool { return arg == "--" })
	if len(p.node.Children) == 0 || len(rest) == 0 && len(p.words) == 0 {
		return nil
	}
	known := make([]string, len(p.node.Children))
	for i, c := range p.node.Children {
		known[i] = c.Name
	}
	name := p.node.FullPath()
	if len(rest) == 0 {
		if slices.Contains(p.flags, "--help") || slices.Contains(p.flags, "-h") {
			return nil
		}
		return fault.WithHint(fault.WithKind(fmt.Errorf("missing command: %s takes one of %s", name, strings.Join(known, ", ")), fault.Usage), name+" --help says what they do")
	}
	unknown, hint := strings.Join(append(slices.Clone(p.words), rest[0]), " "), name+" --help lists the commands"
	if use := synonyms[rest[0]]; use != "" && len(p.words) == 0 {
		return fault.WithHint(fault.WithKind(errors.New("unknown command \""+unknown+"\""), fault.Usage), "use "+use+"; "+hint)
	}
	return fault.WithHint(fault.WithKind(errors.New("unknown command \""+unknown+"\""+fault.DidYouMean(rest[0], known)), fault.Usage), hint)
}
