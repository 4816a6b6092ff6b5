// Command mutate tells which small faults in a package its own tests do not
// notice. It makes one program of all of them: each mutation is a branch that an
// environment variable switches on, so that the package is compiled once, and each
// mutation is run against only those tests that reach it.
//
//	go run ./.ci/mutate [-files GLOB] [-n MOST] [-min PERCENT] DIR...
//
// It ends with 1 if fewer than PERCENT of a package's mutations were caught. What a
// test does in a process that does not get its environment is not mutated.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type options struct {
	files    string
	most     int
	min      float64
	parallel int
	memory   int
	verbose  bool
}

func main() {
	var o options
	flag.StringVar(&o.files, "files", "*.go", "only mutate files whose name fits this pattern")
	flag.IntVar(&o.most, "n", 0, "try at most so many mutations, chosen by a hash (0: all)")
	flag.Float64Var(&o.min, "min", 0, "the least share that must be caught, in percent")
	flag.IntVar(&o.parallel, "p", 2, "mutations that run at once")
	flag.IntVar(&o.memory, "memory", 2<<10, "the most memory of one run, in MiB")
	flag.BoolVar(&o.verbose, "v", false, "say of each mutation what became of it")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: mutate [flags] DIR...")
		flag.PrintDefaults()
		os.Exit(2)
	}
	status := 0
	for _, dir := range flag.Args() {
		ok, err := mutate(dir, o)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(2)
		}
		if !ok {
			status = 1
		}
	}
	os.Exit(status)
}

// outcome is what became of a mutation.
type outcome int

const (
	caught outcome = iota
	timedOut
	unreached
	survived
)

func (o outcome) String() string {
	return [...]string{"caught", "caught by the timeout", "NO TEST REACHES IT", "SURVIVED"}[o]
}

func mutate(dir string, o options) (ok bool, err error) {
	work, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	pkg, err := load(dir)
	if err != nil {
		return false, err
	}
	muts, files, err := pkg.rewrite(o.files)
	if err != nil {
		return false, err
	}
	if len(muts) == 0 {
		return false, fmt.Errorf("there is nothing to mutate in %s of %s", o.files, dir)
	}
	r := runner{work: work, memory: o.memory}
	if err := r.build(pkg, files); err != nil {
		return false, err
	}
	if err := r.baseline(muts); err != nil {
		return false, err
	}
	muts = sample(muts, o.most)
	start := time.Now()
	results := r.all(muts, o)
	return report(pkg, muts, results, o, time.Since(start)), nil
}

// sample takes most of the mutations, the same ones each time.
func sample(muts []mutation, most int) []mutation {
	if most <= 0 || len(muts) <= most {
		return muts
	}
	hash := func(m mutation) uint64 {
		h := fnv.New64a()
		fmt.Fprint(h, m.pos.Filename, m.pos.Line, m.pos.Column, m.change)
		return h.Sum64()
	}
	muts = slices.Clone(muts)
	slices.SortFunc(muts, func(a, b mutation) int { return cmp.Compare(hash(a), hash(b)) })
	muts = muts[:most]
	slices.SortFunc(muts, func(a, b mutation) int { return cmp.Compare(a.id, b.id) })
	return muts
}

func (r *runner) all(muts []mutation, o options) []outcome {
	results := make([]outcome, len(muts))
	work := make(chan int)
	var wg sync.WaitGroup
	for range max(1, o.parallel) {
		wg.Go(func() {
			for i := range work {
				results[i] = r.try(muts[i].id)
				if o.verbose {
					fmt.Fprintf(os.Stderr, "%s: %s: %s\n", place(muts[i].pos), muts[i].change, results[i])
				}
			}
		})
	}
	for i := range muts {
		work <- i
	}
	close(work)
	wg.Wait()
	return results
}

func report(pkg *pack, muts []mutation, results []outcome, o options, took time.Duration) bool {
	count := map[outcome]int{}
	for i, m := range muts {
		count[results[i]]++
		if results[i] >= unreached {
			fmt.Printf("%s: %s: %s\n", place(m.pos), m.change, results[i])
		}
	}
	n := count[caught] + count[timedOut]
	share := 100 * float64(n) / float64(len(muts))
	fmt.Printf("%s: %d of %d mutations caught (%.1f %%), %d of them by the timeout; %d survived, %d are reached by no test; %s\n",
		pkg.path, n, len(muts), share, count[timedOut], count[survived], count[unreached], took.Round(time.Second))
	return share >= o.min
}

// place is a position as editors and terminals take it.
func place(p token.Position) string {
	name := p.Filename
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, name); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
	}
	return name + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}
