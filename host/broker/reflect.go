package broker

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rhx-dev/rhx/host/mask"
)

// delays are how long a part of an answer is held back that more may make a value of: a
// few bytes so briefly that nobody notices, and more until it is known.
func delays() mask.Delays {
	return mask.Delays{2 * time.Millisecond, 10 * time.Second, 10 * time.Second}
}

// replyWriter passes the body of an answer to the command, through a search.
type replyWriter struct {
	http.ResponseWriter
	search *mask.Writer
	// done says that the whole answer came.
	done bool
	// writing says that the proxy writes, which then flushes.
	writing atomic.Bool

	mu sync.Mutex // the search also writes when nothing has come for a while
	// ended says that the command's connection is not this answer's any more.
	ended bool
}

// mask has what is written searched.
func (w *replyWriter) mask(m *mask.Masker) { w.search = m.Writer(searched{w}, delays()) }

// searched is where a search writes to.
type searched struct{ w *replyWriter }

func (s searched) Write(p []byte) (int, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.ended {
		return 0, io.ErrClosedPipe
	}
	n, err := s.w.ResponseWriter.Write(p)
	if err == nil && !s.w.writing.Load() {
		err = http.NewResponseController(s.w.ResponseWriter).Flush()
	}
	return n, err
}

// Write writes a part of the body.
func (w *replyWriter) Write(p []byte) (int, error) {
	if w.search == nil {
		return w.ResponseWriter.Write(p)
	}
	w.writing.Store(true)
	defer w.writing.Store(false)
	return w.search.Write(p)
}

// WriteHeader writes the status.
func (w *replyWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// FlushError sends what was written.
func (w *replyWriter) FlushError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for [http.ResponseController].
func (w *replyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish writes what is held back, where the whole answer came.
func (w *replyWriter) finish() {
	if w.search != nil && w.done {
		_ = w.search.Close()
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
}

// trailing is a body whose trailers are searched when they are there.
type trailing struct {
	io.ReadCloser
	res *http.Response
	b   *Broker
	out *replyWriter
}

func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		t.b.clean(textproto.MIMEHeader(t.res.Trailer))
	}
	return n, err
}

// Close comes before the trailers are written: the search is not to write meanwhile.
func (t *trailing) Close() error {
	if t.out.search != nil {
		t.out.search.Quiet()
	}
	return t.ReadCloser.Close()
}

// switched has what the server sends after a 101 searched. The lengths stay, so those
// of WebSocket's frames are right.
func (b *Broker) switched(res *http.Response) error {
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return errors.New("the connection cannot be switched")
	}
	res.Body = &switchedConn{conn, b.mask}
	return nil
}

type switchedConn struct {
	io.ReadWriteCloser
	mask *mask.Masker
}

// Read is there because [io.ReadWriteCloser] needs it: WriteTo passes what came.
func (c *switchedConn) Read([]byte) (int, error) {
	return 0, errors.New("what a server sends is passed on by WriteTo alone")
}

// WriteTo passes all that comes.
func (c *switchedConn) WriteTo(w io.Writer) (int64, error) {
	search := c.mask.Writer(w, delays())
	n, err := io.Copy(search, struct{ io.Reader }{c.ReadWriteCloser})
	return n, errors.Join(err, search.Close())
}
