package child

import (
	"encoding/binary"
	"fmt"
	"io"
)

// What goes through the pipes are frames: a length, then as many bytes. A job is two
// (itself as JSON, the module), a call is two (itself as JSON, the request), and a
// result is three (itself as JSON, standard output, standard error).

// maxHead is the size of a job's, call's or result's JSON, in bytes.
const maxHead = 1 << 20

func frameHead(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }

func writeFrame(w io.Writer, b []byte) error {
	if _, err := w.Write(frameHead(len(b))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// readFrame reads a frame of at most the given size. The buffer has the size
// that the frame claims, so that none grows and leaves a copy behind.
func readFrame(r io.Reader, most int64) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if int64(n) > most {
		return nil, damaged{fmt.Errorf("a frame of %d bytes; at most %d are taken", n, most)}
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}
