package manifest

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/rhx-dev/rhx/host/fault"
)

// Command is one that an agent may have rhx mcp run, with what the agent may choose of it.
type Command struct {
	Name string
	// About says what it is for.
	About string
	// Run are the program and its arguments, in which {NAME} and {NAME...} stand for
	// those of Args.
	Run  []string
	Args []Arg
	// Bundles give it placeholders.
	Bundles []string
	// Timeout is when it is ended; 0 where nothing is said.
	Timeout time.Duration
	Line    int
}

// Arg is what an agent may choose.
type Arg struct {
	Name string
	// Pattern is a regular expression that fits the whole value; "" where Choices are all
	// that there is.
	Pattern string
	Choices []string
	// Several takes any number of values, each an argument.
	Several bool

	fits *regexp.Regexp
}

const (
	// MaxTimeout is the longest time that a command may take.
	MaxTimeout = time.Hour
	// maxValue bounds a value that an agent chooses, in bytes, and maxValues how many
	// there are for one argument.
	maxValue  = 4096
	maxValues = 100
)

// runners are programs that run what their arguments say, or have a language in which
// that can be said: a value among those would be a program that the agent wrote.
func runners() []string {
	return strings.Fields(`
		sh bash dash ash zsh ksh mksh fish csh tcsh busybox toybox cmd powershell pwsh env xargs parallel sudo doas su runuser pkexec
		nohup nice ionice timeout stdbuf setsid script expect watch find fd awk gawk mawk nawk ssh nsenter unshare chroot systemd-run strace ltrace gdb lldb eval exec
		sed gsed ed ex vi vim nvim view emacs less more most man m4 make gmake ninja just tar bsdtar gtar sqlite3 sqlite psql mysql mariadb
		flock taskset chrt setarch linux32 linux64 time command unbuffer xvfb-run dbus-run-session bwrap firejail fakeroot tmux screen at batch crontab
		start-stop-daemon run-parts entr npx bunx uvx pipx deno bun ghci erl r jshell irb ipython`)
}

// interpreters run the program that their first argument names, or the text behind one of
// these options. Arguments behind that are the program's.
func interpreters() map[string][]string {
	return map[string][]string{
		"python": {"-c"}, "pythonw": {"-c"}, "pypy": {"-c"}, "perl": {"-e", "-E"}, "ruby": {"-e"}, "node": {"-e", "--eval"}, "nodejs": {"-e", "--eval"}, "php": {"-r"}, "java": {"-jar"},
		"lua": nil, "luajit": nil, "osascript": nil, "rscript": nil, "julia": nil, "tclsh": nil, "wish": nil, "guile": nil, "elixir": nil,
	}
}

// runsText reports that what stands at i of run, an argument of a program of that name, can
// be a program, or an option's value that leads to one.
func runsText(base string, run []string, i int) bool {
	options, ok := interpreters()[base]
	if !ok {
		return false
	}
	fixed := func(i int) bool {
		return !slices.ContainsFunc(textParts(run[i]), func(p textPart) bool { return p.name != "" })
	}
	if slices.Contains(options, run[1]) {
		return i < 3 || !fixed(2)
	}
	return i < 2 || !fixed(1) || run[1] == "" || strings.HasPrefix(run[1], "-")
}

// mcp reads what agents may do.
func (p *parser) mcp(n *yaml.Node) {
	p.Mapping(n, "mcp", map[string]func(*yaml.Node){
		"commands": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				p.Fail(n, "commands must be a mapping")
				return
			}
			p.Pairs(n, func(k, v *yaml.Node) { p.m.Commands = append(p.m.Commands, p.command(k, v)) })
		},
	})
}

func (p *parser) command(k, v *yaml.Node) *Command {
	c := &Command{Name: k.Value, Line: k.Line}
	if !validCommand(k.Value) {
		p.Fail(k, "a command cannot be called %q: lower case letters, digits and underscores, 50 at most", k.Value)
	}
	var run *yaml.Node
	p.Mapping(v, "a command", map[string]func(*yaml.Node){
		"about": func(n *yaml.Node) { c.About = p.Text(n) },
		"run": func(n *yaml.Node) {
			run = n
			if n.Kind != yaml.SequenceNode {
				p.Fail(n, "run must be a list: the program, and each of its arguments")
				return
			}
			p.Each(n, func(n *yaml.Node) { c.Run = append(c.Run, p.Text(n)) })
		},
		"args": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				p.Fail(n, "args must be a mapping")
				return
			}
			p.Pairs(n, func(k, v *yaml.Node) { c.Args = append(c.Args, p.arg(k, v)) })
		},
		"bundles": func(n *yaml.Node) {
			p.Each(n, func(n *yaml.Node) {
				r := ref{p.Text(n), n}
				c.Bundles = append(c.Bundles, r.name)
				p.later = append(p.later, func() { p.mustBundle(r) })
			})
		},
		"timeout": func(n *yaml.Node) {
			if c.Timeout = p.ttl(n); c.Timeout > MaxTimeout {
				p.Fail(n, "a command has %s at most", MaxTimeout)
			}
		},
	})
	switch {
	case p.Err != nil:
	case len(c.Run) == 0:
		p.Fail(k, "a command needs run: the program, and each of its arguments")
	default:
		if err := c.check(); err != nil {
			p.Fail(run, "%v", err)
		}
	}
	return c
}

// arg reads what an agent may choose: a pattern, or a list of choices.
func (p *parser) arg(k, v *yaml.Node) Arg {
	a := Arg{Name: k.Value}
	if !validCommand(a.Name) {
		p.Fail(k, "an argument cannot be called %q: lower case letters, digits and underscores, 50 at most", a.Name)
	}
	if v.Kind == yaml.SequenceNode {
		p.Each(v, func(n *yaml.Node) { a.Choices = append(a.Choices, p.Text(n)) })
		if p.Err == nil && len(a.Choices) == 0 {
			p.Fail(v, "an empty list allows nothing")
		}
		return a
	}
	a.Pattern = p.Text(v)
	if p.Err != nil {
		return a
	}
	_, err := regexp.Compile(a.Pattern) // alone: in the group, a bracket could end that
	if err == nil {
		a.fits, err = regexp.Compile(`\A(?:` + a.Pattern + `)\z`)
	}
	if err != nil {
		p.Fail(v, "%q is no regular expression as Go has it", a.Pattern)
	}
	return a
}

func validCommand(s string) bool {
	return s != "" && len(s) <= 50 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// check returns an error where the parts of a command do not fit together.
func (c *Command) check() error {
	program := c.Run[0]
	base := strings.TrimSuffix(filepath.Base(program), ".exe")
	kind := strings.ToLower(strings.TrimRight(base, "0123456789.-")) // python3.11 is python
	used := map[string]bool{}
	for i, text := range c.Run {
		for _, p := range textParts(text) {
			a := c.arg(p.name)
			switch {
			case p.name == "":
			case a == nil:
				return fmt.Errorf("{%s} is not among the args%s", p.name, fault.DidYouMean(p.name, c.argNames()))
			case i == 0:
				return errors.New("the program is no argument: an agent cannot choose it")
			case slices.Contains(runners(), kind) || slices.Contains(runners(), strings.ToLower(base)):
				return fmt.Errorf("%s runs what its arguments say, so an agent cannot choose one", base)
			case runsText(kind, c.Run, i):
				return fmt.Errorf("{%s} can be a program that %s would run: an agent can choose what comes behind a script, which is the first argument", p.name, base)
			case p.several && (len(textParts(text)) > 1 || used[p.name]):
				return fmt.Errorf("{%s...} must be a whole argument, and the only one of its name", p.name)
			case used[p.name] && a.Several:
				return fmt.Errorf("{%s} and {%s...} cannot both be there", p.name, p.name)
			}
			if p.name != "" {
				used[p.name] = true
				a.Several = p.several
			}
		}
	}
	switch {
	case base == "rhx" || base == "rhx-full":
		return errors.New("an agent cannot run rhx, which shows values")
	case program == "" || strings.ContainsAny(program, `/\`) && !filepath.IsAbs(program):
		return errors.New("the program is a name that PATH has, or an absolute path")
	}
	for _, a := range c.Args {
		if !used[a.Name] {
			return fmt.Errorf("run does not have {%s}", a.Name)
		}
	}
	return nil
}

func (c *Command) arg(name string) *Arg {
	if i := slices.IndexFunc(c.Args, func(a Arg) bool { return a.Name == name }); i >= 0 {
		return &c.Args[i]
	}
	return nil
}

func (c *Command) argNames() []string {
	var out []string
	for _, a := range c.Args {
		out = append(out, a.Name)
	}
	return out
}

// textPart is text, or the name of an argument that stands there.
type textPart struct {
	text, name string
	several    bool
}

// textParts takes an argument of Run apart. A brace that does not hold a name is text.
func textParts(s string) (parts []textPart) {
	text := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '{' {
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			break
		}
		name, several := strings.CutSuffix(s[i+1:i+end], "...")
		if !validCommand(name) {
			continue
		}
		if i > text {
			parts = append(parts, textPart{text: s[text:i]})
		}
		parts = append(parts, textPart{name: name, several: several})
		i += end
		text = i + 1
	}
	if text < len(s) || s == "" {
		parts = append(parts, textPart{text: s[text:]})
	}
	return parts
}

// Argv returns the program and its arguments for the values that an agent chose, by the
// names of Args. Every argument needs a value, and several where it takes several: then there
// may be none. A value that the manifest does not list itself cannot be an option: an
// argument that begins with it does not begin with a dash. The error is [fault.Usage], and
// says no value.
func (c *Command) Argv(values map[string][]string) ([]string, error) {
	for name := range values {
		if c.arg(name) == nil {
			return nil, fault.WithKind(fmt.Errorf("%s has no argument of that name; it has: %s", c.Name, strings.Join(c.argNames(), ", ")), fault.Usage)
		}
	}
	for i := range c.Args {
		if err := c.Args[i].check(values[c.Args[i].Name]); err != nil {
			return nil, fault.WithKind(fmt.Errorf("%s: %w", c.Args[i].Name, err), fault.Usage)
		}
	}
	var out []string
	for _, text := range c.Run {
		parts := textParts(text)
		if parts[0].several {
			out = append(out, values[parts[0].name]...)
			continue
		}
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p.text)
			if p.name != "" {
				b.WriteString(values[p.name][0])
			}
		}
		// An empty value may let the next one be the first.
		if first := parts[0].name; first != "" && strings.HasPrefix(b.String(), "-") {
			if v := values[first][0]; v == "" || !slices.Contains(c.arg(first).Choices, v) {
				return nil, fault.WithKind(fmt.Errorf("%s: an argument cannot begin with a dash, which would make it an option", first), fault.Usage)
			}
		}
		out = append(out, b.String())
	}
	return out, nil
}

func (a *Arg) check(values []string) error {
	switch {
	case !a.Several && len(values) != 1:
		return errors.New("one value is needed")
	case len(values) > maxValues:
		return fmt.Errorf("more than %d values", maxValues)
	}
	for _, v := range values {
		switch {
		case len(v) > maxValue:
			return fmt.Errorf("longer than %d bytes", maxValue)
		case !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl):
			return errors.New("a value has characters that are no text on one line")
		case len(a.Choices) > 0 && !slices.Contains(a.Choices, v):
			return errors.New("a value must be one of " + strings.Join(a.Choices, ", "))
		case a.fits != nil && !a.fits.MatchString(v):
			return errors.New("a value must fit " + a.Pattern)
		case a.Several && a.fits != nil && strings.HasPrefix(v, "-"):
			return errors.New("a value cannot begin with a dash, which would make it an option")
		}
	}
	return nil
}

// Command returns a command for agents, or nil.
func (m *Manifest) Command(name string) *Command {
	return find(m.Commands, func(c *Command) bool { return c.Name == name })
}
