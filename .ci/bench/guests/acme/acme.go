// Package acme reads the example provider's file, as guest-sdk/c/example/acme.c
// does.
package acme

import (
	"bytes"
	"strconv"
)

// Extract returns the document that the module would answer with.
func Extract(file []byte) []byte {
	out := []byte(`{"abi":1,"secrets":[`)
	profile, inside := "", false
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			profile = string(bytes.Trim(line, "[]"))
			if inside {
				out = append(out, "}},"...)
			}
			inside = false
			continue
		}
		key, value, _ := bytes.Cut(line, []byte("="))
		key, value = bytes.TrimSpace(key), bytes.TrimSpace(value)
		if k := string(key); k != "token" && k != "user" {
			continue
		}
		if inside {
			out = append(out, ',')
		} else {
			out = append(out, `{"profile":`...)
			out = append(strconv.AppendQuote(out, profile), `,"values":{`...)
		}
		inside = true
		out = append(strconv.AppendQuote(out, string(key)), ':')
		out = strconv.AppendQuote(out, string(value))
	}
	if inside {
		out = append(out, "}}"...)
	}
	return append(out, "]}"...)
}
