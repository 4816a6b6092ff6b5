package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/place"
)

// failures collects what failed on many machines, so that those with one cause are
// told in one line.
type failures struct{ list []failure }

type failure struct {
	at []place.Place
	// what failed there, "" for the machine as a whole.
	what       string
	text, hint string
}

// add takes a failure; it joins those whose texts differ in the machine's name alone.
func (f *failures) add(at place.Place, what string, err error) {
	one := failure{at: []place.Place{at}, what: what, text: err.Error(), hint: fault.Hint(err)}
	i := slices.IndexFunc(f.list, func(other failure) bool {
		return other.what == what && other.hint == one.hint && anonymous(other.text, other.at[0]) == anonymous(one.text, at)
	})
	if i < 0 {
		f.list = append(f.list, one)
	} else if !slices.Contains(f.list[i].at, at) {
		f.list[i].at = append(f.list[i].at, at)
	}
}

// withoutName is a text that says once more which machine it is about, without that.
func withoutName(text, name string) string {
	text = strings.TrimPrefix(text, name+": ")
	if before, after, ok := strings.Cut(text, "connect to "+name+":"); ok {
		if why, alone := strings.CutPrefix(after, " "); alone {
			return before + why
		}
		return before + "port " + after
	}
	for _, again := range []string{" from " + name, " to " + name} {
		// Not where this begins another machine's name, such as web10 for web1.
		if before, after, ok := strings.Cut(text, again); ok && (after == "" || strings.HasPrefix(after, " ") || strings.HasPrefix(after, ": ")) {
			return before + after
		}
	}
	return text
}

// anonymous is a text about a machine without its name.
func anonymous(text string, at place.Place) string {
	if name := at.Address(); name != "" {
		text = withoutName(text, name)
		text = strings.ReplaceAll(text, name, "HOST")
	}
	return text
}

// told is what a failure is about and what it says, with HOST for the name where
// there are several.
func (f *failure) told() (subject, text string) {
	names := make([]string, len(f.at))
	for i, at := range f.at {
		names[i] = at.String()
	}
	slices.Sort(names)
	subject, text = strings.Join(names, ", "), f.text
	if text = withoutName(text, f.at[0].Address()); len(f.at) > 1 {
		text = anonymous(f.text, f.at[0])
	}
	if f.what != "" {
		subject += ": " + f.what
	}
	return subject, text
}

// collectFailures has failures on machines told together, by the function that it
// returns; what comes after that is told at once again.
func (a *app) collectFailures() (tell func()) {
	collected := &failures{}
	a.collected = collected
	return func() {
		a.collected = nil
		for _, f := range collected.list {
			subject, text := f.told()
			a.report(subject, fault.WithHint(fmt.Errorf("%s", text), f.hint))
		}
		collected.list = nil
	}
}

// failedAt tells of a failure on a machine; what is "" for the machine as a whole.
func (a *app) failedAt(at place.Place, what string, err error) {
	if group := fault.Nearest(at.Address(), a.groups); group != "" && errors.Is(err, machine.ErrNoHost) {
		err = fault.WithHint(err, fmt.Sprintf("did you mean the group %s?", group))
	}
	if a.collected != nil {
		a.collected.add(at, what, err)
		return
	}
	name := at.String()
	if what != "" {
		name += ": " + what
	}
	a.report(name, fault.WithHint(errors.New(withoutName(err.Error(), at.Address())), fault.Hint(err)))
}

// sayFailed ends the lines of many machines; again says what tries those that failed
// once more.
func (a *app) sayFailed(failed []place.Place, all int, again string) {
	if len(failed) == 0 || all < 2 || a.Output != "table" {
		return
	}
	text := fmt.Sprintf("%d of %d machines failed", len(failed), all)
	if again != "" {
		text += "; " + again
	}
	fmt.Fprintln(a.Err, text)
}
