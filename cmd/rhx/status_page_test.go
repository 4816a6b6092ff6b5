package main

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host"
	"github.com/rhx-dev/rhx/host/manifest"
)

// Names come from others; the page shows them and is none of theirs.
func TestTheStatusPageEscapesNames(t *testing.T) {
	const evil = `<script>x</script>"&'`
	page := string(statusPage([]host.SecretStatus{{Secret: evil, Places: map[string]string{evil: host.StateSame}}}, []string{evil}, &manifest.Manifest{File: evil}))
	if strings.Contains(page, "<script>") || strings.Count(page, "&lt;script&gt;") != 4 {
		t.Error(page)
	}
}
