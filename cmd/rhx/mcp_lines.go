//go:build !slim

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// agentLines are the messages of a client, one a line. The SDK ends its server at the first line that
// is no message, and so the calls in flight; here such a line is answered with an error, as JSON-RPC
// has it, and left out.
type agentLines struct {
	in   *bufio.Reader
	out  io.Writer
	rest []byte
	// long says that the last part read was not the end of its line.
	long bool
}

func newAgentLines(in io.Reader, out io.Writer) *agentLines {
	return &agentLines{in: bufio.NewReaderSize(in, maxAgentMessage), out: out}
}

func (l *agentLines) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		line, err := l.in.ReadSlice('\n')
		// What is too long goes on to the SDK, which ends at it.
		full := errors.Is(err, bufio.ErrBufferFull)
		whole := !l.long && !full
		l.long = full
		if l.long {
			err = nil
		}
		if whole && len(bytes.TrimSpace(line)) > 0 {
			if code, text := wrongMessage(line); code != 0 {
				line = nil
				if _, writeErr := fmt.Fprintf(l.out, `{"jsonrpc":"2.0","id":null,"error":{"code":%d,"message":%q}}`+"\n", code, text); writeErr != nil {
					return 0, writeErr
				}
			}
		}
		l.rest = line
		if err != nil && len(l.rest) == 0 {
			return 0, err // an error stays, so that of a last line comes again
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// wrongMessage returns JSON-RPC's code of what is wrong with a line, and its words; 0 for nothing.
// An array is for the SDK, which knows whether the version of the protocol has them.
func wrongMessage(line []byte) (code int, text string) {
	if !json.Valid(line) {
		return -32700, "Parse error"
	}
	if bytes.TrimSpace(line)[0] == '[' {
		return 0, ""
	}
	if _, err := jsonrpc.DecodeMessage(line); err != nil {
		return -32600, "Invalid Request"
	}
	return 0, ""
}

// agentOut is the client's end, written a message at a time. It is not closed.
type agentOut struct {
	mu  sync.Mutex
	out io.Writer
}

func (o *agentOut) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}

func (*agentOut) Close() error { return nil }
