//go:build !slim

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Each line that is no message is answered, and the others come through as they are.
func TestAgentLines(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	const parse, invalid = `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}` + "\n", `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}` + "\n"
	long := strings.Repeat("x", maxAgentMessage)
	for name, c := range map[string]struct{ in, through, answered string }{
		"a word":       {call + "\ngarbage\n" + call + "\r\n", call + "\n" + call + "\r\n", parse},
		"half":         {`{"jsonrpc":` + "\n" + call + "\n", call + "\n", parse},
		"two in one":   {call + call + "\n" + call + "\n", call + "\n", parse},
		"no message":   {"5\n" + `{"a":1}` + "\n" + call + "\n", call + "\n", invalid + invalid},
		"an array":     {"[" + call + "]\n", "[" + call + "]\n", ""},
		"deep":         {strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + "\n" + call + "\n", call + "\n", parse},
		"empty lines":  {"\n \r\n" + call + "\n", "\n \r\n" + call + "\n", ""},
		"no end":       {call, call, ""},
		"a wrong end":  {call + "\nx", call + "\n", parse},
		"too long":     {long + "x\n", long + "x\n", ""},
		"just as long": {long[1:] + "\n" + call, call, parse},
		"nothing":      {"", "", ""},
	} {
		for how, in := range map[string]io.Reader{"at once": strings.NewReader(c.in), "with its end": iotest.DataErrReader(strings.NewReader(c.in))} {
			var answered bytes.Buffer
			through, err := io.ReadAll(newAgentLines(in, &agentOut{out: &answered}))
			if err != nil || string(through) != c.through || answered.String() != c.answered {
				t.Errorf("%s, %s: %v, %d bytes through, answered %q", name, how, err, len(through), answered.String())
			}
		}
	}
	gone := errors.New("gone")
	if _, err := io.ReadAll(newAgentLines(iotest.ErrReader(gone), io.Discard)); !errors.Is(err, gone) {
		t.Error(err)
	}
}
