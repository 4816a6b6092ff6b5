package main

import (
	"strings"
	"testing"
)

func TestShortList(t *testing.T) {
	t.Parallel()
	names := strings.Fields("aws aws/prod github openai")
	for room, want := range map[int]string{
		100: "aws, aws/prod, github, openai", 29: "aws, aws/prod, github, openai", 28: "aws, aws/prod and 2 others",
		25: "aws and 3 others", 0: "aws and 3 others",
	} {
		if got := shortList(names, room); got != want {
			t.Errorf("%d: %q, not %q", room, got, want)
		}
	}
	if got := shortList(nil, 80) + shortList(names[:1], 80); got != "aws" {
		t.Errorf("%q", got)
	}
}
