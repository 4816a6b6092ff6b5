package main

import (
	"strings"
	"testing"
	"time"
)

func TestNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		patterns, name string
		want           bool
	}{
		{"", "any/thing", true},
		{"aws", "aws", true}, {"aws", "aws/prod", true}, {"aws/", "aws/prod", true}, {"aws", "awsome", false}, {"aws/prod", "aws", false},
		{"a*", "aws/prod/x", true}, {"*prod", "aws/prod", true}, {"a?s", "aws", true}, {"aws?prod", "aws/prod", true}, {"[ab]ws", "bws", true},
		{`a\*`, "a*", true}, {`a\*`, "ab", false}, {"x *s", "aws", true}, {"*", "é/日本", true},
	} {
		if got := named(strings.Fields(c.patterns), c.name); got != c.want {
			t.Errorf("%q, %q: %v", c.patterns, c.name, got)
		}
	}
}

func TestTimesToCome(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"7d": 7 * day, "2w": 14 * day, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute, "36500d": 36500 * day,
		"": 0, "d": 0, "0d": 0, "-1d": 0, "1.5d": 0, "36501d": 0, "5215w": 0, "0s": 0, "-1h": 0, "x": 0, "7 d": 0} {
		var w within
		err := w.UnmarshalText([]byte(text))
		if time.Duration(w) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", text, time.Duration(w), err)
		}
	}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "expired just now", -2 * time.Hour: "expired 2 hours ago", time.Second: "in less than a minute", time.Minute: "in 1 minute",
		time.Hour: "in 1 hour", 47 * time.Hour: "in 47 hours", 48 * time.Hour: "in 2 days", 59*day + 23*time.Hour: "in 59 days",
	} {
		if got := until(now.Add(d), now); got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	if got, want := until(now.Add(60*day), now), now.Add(60*day).Local().Format("2006-01-02"); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}
