package main

import (
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
