package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// thing is something that is timed.
type thing struct {
	name string
	// do is one run; what it returns of a process says how much memory that took.
	do func() (*os.ProcessState, error)
	// own is a run that times itself, in milliseconds, in the place of do.
	own func() (float64, error)
	// before makes a run possible, and after checks what it did; neither is timed.
	before, after func() error
	// every says in which rounds it runs, one of so many: the slow ones run less often.
	every int
	// parts is how often it would have to be done to do what the others do.
	parts float64

	ms     map[int]float64 // by round
	memory int64           // the most of any run, in KiB
}

// inTurn runs things in turn, A B A B, so that noise meets all of them. The first rounds
// are not counted. ROUNDS in the environment bounds how many there are.
func inTurn(warm, rounds int, things ...*thing) error {
	if most, err := strconv.Atoi(os.Getenv("ROUNDS")); err == nil {
		rounds = max(1, min(rounds, most))
	}
	for i := range warm + rounds {
		for j := range things {
			t := things[(i+j)%len(things)]
			if i%max(t.every, 1) != 0 && i != warm {
				continue
			}
			took, err := t.once()
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if i < warm {
				continue
			}
			if t.ms == nil {
				t.ms = map[int]float64{}
			}
			t.ms[i] = took
		}
	}
	return nil
}

func (t *thing) once() (float64, error) {
	if t.own != nil {
		return t.own()
	}
	if t.before != nil {
		if err := t.before(); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	state, err := t.do()
	took := time.Since(start)
	if err == nil && t.after != nil {
		err = t.after()
	}
	if state != nil {
		if use, ok := state.SysUsage().(*syscall.Rusage); ok {
			t.memory = max(t.memory, use.Maxrss)
		}
	}
	return float64(took.Nanoseconds()) / 1e6 * max(t.parts, 1), err
}

// spread is a list of figures as one: the median, the least and the most.
type spread struct{ median, least, most float64 }

func spreadOf(list []float64) spread {
	if len(list) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	list = slices.Sorted(slices.Values(list))
	return spread{list[len(list)/2], list[0], list[len(list)-1]}
}

func (s spread) String() string {
	return figure(s.median) + " (" + figure(s.least) + " – " + figure(s.most) + ")"
}

// figure prints three digits that count.
func figure(f float64) string {
	switch {
	case math.IsNaN(f):
		return "?"
	case math.Abs(f) >= 100:
		return fmt.Sprintf("%.0f", f)
	case math.Abs(f) >= 10:
		return fmt.Sprintf("%.1f", f)
	case math.Abs(f) < 0.1:
		return fmt.Sprintf("%.2g", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func (t *thing) spread() spread {
	var list []float64
	for _, ms := range t.ms {
		list = append(list, ms)
	}
	return spreadOf(list)
}

// pair is a row of a table: what rhx does beside what another does, round by round.
type pair struct {
	a, b *thing
	// over is what is taken off both, such as the command that they run.
	over *thing
	// goal is what the ratio should not be above; 0 for none.
	goal float64
	// why is why a takes longer, where it does.
	why string
}

func (p pair) ratio() spread {
	var list []float64
	for round, a := range p.a.ms {
		b, ok := p.b.ms[round]
		if !ok {
			continue
		}
		if p.over != nil {
			a, b = a-p.over.ms[round], b-p.over.ms[round]
		}
		list = append(list, a/b)
	}
	return spreadOf(list)
}

// note is the goal, and the reason of a row that rhx loses.
func (p pair) note(r spread) string {
	var out []string
	if p.goal > 0 {
		met := "met"
		if !(r.median <= p.goal) {
			met = "not met"
		}
		out = append(out, fmt.Sprintf("goal %s: %s", figure(p.goal), met))
	}
	if r.median > 1 && p.why != "" {
		out = append(out, p.why)
	}
	return strings.Join(out, "; ")
}

// rows are a table of pairs, as Markdown.
func rows(pairs []pair) string {
	var b strings.Builder
	b.WriteString("| | ms | beside | ms | ratio | |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, p := range pairs {
		r := p.ratio()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | **%s** (%s – %s) | %s |\n", p.a.name, p.a.spread(), p.b.name, p.b.spread(), figure(r.median), figure(r.least), figure(r.most), p.note(r))
	}
	return b.String()
}

// beside are pairs of one thing with each of others.
func beside(a *thing, others ...*thing) (out []pair) {
	for _, b := range others {
		out = append(out, pair{a: a, b: b})
	}
	return out
}

// place is where programs run: a home folder and an environment.
type place struct {
	dir string
	env []string
}

// newPlace makes one in a folder, which it makes.
func newPlace(dir string, env ...string) (*place, error) {
	return &place{dir: dir, env: append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, env...)}, os.MkdirAll(dir, 0o700)
}

func (p *place) command(stdin string, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = p.env, p.dir
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	return cmd
}

// output runs a command and returns what it prints.
func (p *place) output(stdin string, argv ...string) (string, error) {
	cmd := p.command(stdin, argv...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	return string(out), failed(argv, err, errs.Bytes(), out)
}

// timed is a command that is timed. What it prints is kept for the error.
func (p *place) timed(name, stdin string, argv ...string) *thing {
	return &thing{name: name, do: func() (*os.ProcessState, error) {
		cmd := p.command(stdin, argv...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		err := cmd.Run()
		return cmd.ProcessState, failed(argv, err, errs.Bytes(), nil)
	}}
}

func failed(argv []string, err error, said ...[]byte) error {
	if err == nil {
		return nil
	}
	text := string(bytes.Join(said, []byte("\n")))
	name := append([]string{filepath.Base(argv[0])}, argv[1:min(3, len(argv))]...)
	return fmt.Errorf("%s: %w: %s", strings.Join(name, " "), err, text[:min(len(text), 2000)])
}
