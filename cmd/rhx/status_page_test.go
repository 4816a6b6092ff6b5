package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/place"
	"github.com/rhx-dev/rhx/host/project"
)

// Names come from others; the page shows them and is none of theirs.
func TestTheStatusPageEscapesNames(t *testing.T) {
	const evil = `<script>x</script>"&'`
	at := place.Host(evil)
	page := string(statusPage(&project.Status{Rows: []project.Row{{Secret: evil, States: map[place.Place]string{at: project.StateSame}}}, Places: []place.Place{at}}, &manifest.Manifest{File: evil}))
	if strings.Contains(page, "<script>") || strings.Count(page, "&lt;script&gt;") != 4 {
		t.Error(page)
	}
}

// Why a place is unreachable is on the page, once for all of one cause.
func TestTheStatusPageHasReasons(t *testing.T) {
	a, b := place.Host("web1"), place.Host("web2")
	page := string(statusPage(&project.Status{
		Places:      []place.Place{a, b},
		Rows:        []project.Row{{Secret: "aws", States: map[place.Place]string{a: project.StateUnreachable, b: project.StateUnreachable}}},
		Unreachable: map[place.Place]error{a: errors.New("connect to web1: <refused>"), b: errors.New("connect to web2: <refused>")},
		Broken:      []error{errors.New("bundle <x>: no secret")},
	}, nil))
	for _, want := range []string{"web1, web2</b>: &lt;refused&gt;</li>", "<li>bundle &lt;x&gt;: no secret</li>"} {
		if strings.Count(page, want) != 1 {
			t.Errorf("no %q in %s", want, page)
		}
	}
}
