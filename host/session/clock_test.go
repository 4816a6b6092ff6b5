package session

import (
	"testing"
	"time"
)

// What is known of the time since a secret was placed decides, whatever the clock says.
func TestOver(t *testing.T) {
	set := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	known := Expiry{Set: set, Due: set.Add(time.Hour), Boot: "a", Up: 10 * time.Second}
	unknown := Expiry{Set: set, Due: set.Add(time.Hour)}
	at := func(since time.Duration, boot string, up time.Duration) clock {
		return clock{set.Add(since), boot, 10*time.Second + up}
	}
	for name, c := range map[string]struct {
		e    Expiry
		now  clock
		over bool
	}{
		"at once":                         {known, at(0, "a", 0), false},
		"just before":                     {known, at(time.Hour-1, "a", time.Hour-1), false},
		"at its time":                     {known, at(time.Hour, "a", time.Hour), true},
		"the clock was set forward":       {known, at(time.Hour, "a", time.Second), true},
		"set back, and the time passed":   {known, at(-24*time.Hour, "a", time.Hour), true},
		"set back, and it did not":        {known, at(-24*time.Hour, "a", time.Hour-1), false},
		"another start":                   {known, at(time.Minute, "b", time.Hour), false},
		"another start, before the load":  {known, at(-clockSlack-1, "b", 0), true},
		"another start, a little before":  {known, at(-clockSlack, "b", 0), false},
		"no start known":                  {unknown, at(time.Hour-1, "", 2*time.Hour), false},
		"no start known, at its time":     {unknown, at(time.Hour, "", 0), true},
		"no start known, before the load": {unknown, at(-time.Hour, "", 0), true},
		"a start that was not known then": {unknown, at(time.Minute, "a", 2*time.Hour), false},
	} {
		if c.e.over(c.now) != c.over {
			t.Errorf("%s: %v", name, !c.over)
		}
	}
	now := readClock()
	if d := time.Since(now.now); d < 0 || d > time.Minute {
		t.Errorf("the clock is %v off", d)
	}
}
