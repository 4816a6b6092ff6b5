package broker

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

// What Redis speaks: https://redis.io/docs/latest/develop/reference/protocol-spec. A command
// is an array of texts with their lengths, or a line; an answer is made of lines, of which
// some announce so many bytes.

const (
	maxInline   = 64 << 10 // what Redis itself takes
	maxArgs     = 1 << 20
	maxBulk     = 1 << 40
	maxNameLen  = 32 // of a command that is looked at
	maxLookedAt = 16 // its arguments
)

var (
	errCommand = errors.New("this is no command of Redis")
	errAnswer  = errors.New("this is no answer of Redis")
)

// respLine reads a line without its end. It is good until the next read.
func respLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, errCommand
	}
	return line[:len(line)-2], nil
}

// respNumber reads a length or a count, without a sign.
func respNumber(text []byte, largest int64) (int64, error) {
	if len(text) == 0 || len(text) > 18 || len(bytes.Trim(text, "0123456789")) > 0 {
		return 0, errCommand
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n > largest {
		return 0, errCommand
	}
	return n, nil
}

// respCommand is the start of a command. Args are those that were read; the others follow.
type respCommand struct {
	args   [][]byte
	follow int64 // arguments that are not read yet
	// next is the length of the first of them, which was read; -1 if it was not.
	next int64
}

// readCommand reads a command: whole, if its name is one of those that look wants and it is
// not longer than limit, else its name alone. It has no arguments where there is none.
func readCommand(r *bufio.Reader, limit int64, look func(name []byte) bool) (*respCommand, error) {
	first, err := r.Peek(1)
	if err != nil {
		return nil, err
	}
	if first[0] != '*' {
		return readInline(r, limit)
	}
	line, err := respLine(r)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(line, []byte("*-")) {
		return &respCommand{next: -1}, nil // which Redis skips
	}
	n, err := respNumber(line[1:], maxArgs)
	if err != nil || n == 0 {
		return &respCommand{next: -1}, err
	}
	c := &respCommand{follow: n, next: -1}
	for whole := true; whole && c.follow > 0; {
		size, err := readSize(r)
		if err != nil {
			return nil, err
		}
		if len(c.args) == 0 && size > maxNameLen {
			c.next = size
			return c, nil
		}
		if limit -= size; limit < 0 || len(c.args) >= maxLookedAt {
			return nil, errCommand
		}
		arg, err := readBulk(r, size)
		if err != nil {
			return nil, err
		}
		c.args, c.follow = append(c.args, arg), c.follow-1
		whole = look(bytes.ToUpper(c.args[0]))
	}
	return c, nil
}

func readSize(r *bufio.Reader) (int64, error) {
	line, err := respLine(r)
	if err != nil {
		return 0, err
	}
	if len(line) == 0 || line[0] != '$' {
		return 0, errCommand
	}
	return respNumber(line[1:], maxBulk)
}

func readBulk(r *bufio.Reader, size int64) ([]byte, error) {
	data := make([]byte, size+2)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(data, []byte("\r\n")) {
		return nil, errCommand
	}
	return data[:size], nil
}

// readInline reads a command of one line, whose arguments have blanks between them. One
// with quotes is refused: what it is depends on who reads it.
func readInline(r *bufio.Reader, limit int64) (*respCommand, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if int64(len(line)) > limit || bytes.ContainsAny(line, "\"'\\\x00") {
		return nil, errCommand
	}
	c := &respCommand{next: -1}
	for _, arg := range bytes.Fields(line) {
		c.args = append(c.args, bytes.Clone(arg))
	}
	return c, nil
}

// writeCommand writes arguments of a command that has so many more.
func writeCommand(w *bufio.Writer, args [][]byte, more int64) error {
	_, err := w.Write(appendCommand(nil, args, more))
	return err
}

func appendCommand(out []byte, args [][]byte, more int64) []byte {
	out = append(strconv.AppendInt(append(out, '*'), int64(len(args))+more, 10), "\r\n"...)
	for _, arg := range args {
		out = append(strconv.AppendInt(append(out, '$'), int64(len(arg)), 10), "\r\n"...)
		out = append(append(out, arg...), "\r\n"...)
	}
	return out
}

// passRest passes the arguments that a command has beside those that were read.
func passRest(w *bufio.Writer, r *bufio.Reader, c *respCommand) error {
	for ; c.follow > 0; c.follow-- {
		size := c.next
		if c.next = -1; size < 0 {
			var err error
			if size, err = readSize(r); err != nil {
				return err
			}
		}
		if _, err := w.WriteString("$" + strconv.FormatInt(size, 10) + "\r\n"); err != nil {
			return err
		}
		if _, err := io.CopyN(w, r, size); err != nil {
			return err
		}
		var end [2]byte
		if _, err := io.ReadFull(r, end[:]); err != nil {
			return err
		}
		if string(end[:]) != "\r\n" {
			return errCommand
		}
		if _, err := w.Write(end[:]); err != nil {
			return err
		}
	}
	return nil
}

// respAnswers passes answers of a server.
type respAnswers struct {
	r *bufio.Reader
	w *bufio.Writer
	// instead returns what is passed on for a text of this length; nil for the text itself.
	length  int64
	instead func(text []byte) []byte
}

// pass passes all answers. It writes what it has before it waits for more.
func (a *respAnswers) pass() error {
	for {
		if err := a.line(); err != nil {
			return errors.Join(err, a.w.Flush())
		}
	}
}

// line passes a line, and the text that it announces.
func (a *respAnswers) line() error {
	if err := a.await('\n'); err != nil {
		return err
	}
	line, err := a.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return a.longLine(line)
	}
	if err != nil {
		return err
	}
	size, err := announced(line)
	if err != nil {
		return err
	}
	if size == a.length && line[0] == '$' {
		return a.looked(bytes.Clone(line), size)
	}
	if _, err := a.w.Write(line); err != nil || size < 0 {
		return err
	}
	for left := size + 2; left > 0; {
		if err := a.await(0); err != nil {
			return err
		}
		n, err := io.CopyN(a.w, a.r, min(left, int64(a.r.Buffered())))
		if left -= n; err != nil {
			return err
		}
	}
	return nil
}

// looked passes a text, or what is passed on instead.
func (a *respAnswers) looked(line []byte, size int64) error {
	if a.r.Buffered() < int(size)+2 {
		if err := a.w.Flush(); err != nil {
			return err
		}
	}
	text := make([]byte, size+2)
	if _, err := io.ReadFull(a.r, text); err != nil {
		return err
	}
	if out := a.instead(text[:size]); out != nil {
		_, err := a.w.Write(out)
		return err
	}
	if _, err := a.w.Write(line); err != nil {
		return err
	}
	_, err := a.w.Write(text)
	return err
}

// longLine passes a line that the buffer does not hold, of which start was read. What
// announces a text is short.
func (a *respAnswers) longLine(start []byte) error {
	if bytes.ContainsAny(start[:1], "$=!;") {
		return errAnswer
	}
	for {
		if _, err := a.w.Write(start); err != nil {
			return err
		}
		if err := a.await('\n'); err != nil {
			return err
		}
		piece, err := a.r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			if err == nil {
				_, err = a.w.Write(piece)
			}
			return err
		}
		start = piece
	}
}

// await flushes if a read would wait: for a byte, or for any where it is 0.
func (a *respAnswers) await(end byte) error {
	there, _ := a.r.Peek(a.r.Buffered())
	if len(there) == 0 || end != 0 && bytes.IndexByte(there, end) < 0 {
		if err := a.w.Flush(); err != nil {
			return err
		}
	}
	_, err := a.r.Peek(1)
	return err
}

// announced is the length of the text behind a line; -1 where there is none.
func announced(line []byte) (int64, error) {
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return 0, errAnswer
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '$', '=', '!', ';':
		if string(text) == "-1" || string(text) == "?" || line[0] == ';' && string(text) == "0" {
			return -1, nil
		}
		n, err := respNumber(text, maxBulk)
		if err != nil {
			return 0, errAnswer
		}
		return n, nil
	case '*', '%', '~', '>', '|', '+', '-', ':', '_', ',', '#', '(', '.':
		return -1, nil
	}
	return 0, errAnswer
}
