package broker

import (
	"io"
	"sync"
)

// detached is the body of a request to a server. Close ends a Read that waits for the
// command: a server that has answered early must not wait for a body that never comes.
type detached struct {
	body  io.ReadCloser
	once  sync.Once
	ended chan struct{}
	wants chan int
	gives chan read
	err   error // of the last read
}

type read struct {
	data []byte
	err  error
}

func newDetached(body io.ReadCloser) *detached {
	return &detached{body: body, ended: make(chan struct{})}
}

// serve reads what is asked for, into memory of its own: the asker may be gone.
func (d *detached) serve() {
	buf := make([]byte, copyBuffer)
	for {
		select {
		case n := <-d.wants:
			got, err := d.body.Read(buf[:min(n, len(buf))])
			select {
			case d.gives <- read{buf[:got], err}:
			case <-d.ended:
				return
			}
			if err != nil {
				return
			}
		case <-d.ended:
			return
		}
	}
}

func (d *detached) Read(p []byte) (int, error) {
	if len(p) == 0 || d.err != nil {
		return 0, d.err
	}
	if d.wants == nil {
		d.wants, d.gives = make(chan int), make(chan read)
		go d.serve()
	}
	select {
	case <-d.ended:
		return 0, io.ErrClosedPipe
	case d.wants <- len(p):
	}
	select {
	case r := <-d.gives:
		d.err = r.err
		return copy(p, r.data), r.err
	case <-d.ended:
		return 0, io.ErrClosedPipe
	}
}

// Close has no more read. The body itself is closed by the server that gave it.
func (d *detached) Close() error {
	d.once.Do(func() { close(d.ended) })
	return nil
}
