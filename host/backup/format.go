package backup

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/store/agestore"
)

// format is the version of what is encrypted: lines of JSON, of which the first says
// what it is, the last that it is complete, and each of the others has one version of a
// secret. All versions of a secret follow one another, the oldest first.
const format = 1

// maxLine is how long a line may be in bytes: a version of the local store has at most
// 64 MiB. What is written keeps to it.
const maxLine = 64<<20 + 64<<10

// maxCommas is how many commas a line may have outside of its texts: a value takes about
// a hundred bytes of memory, however short it is.
const maxCommas = 1 << 16

// maxVersions is how many versions there may be. Each takes some memory while a backup is
// read, whatever it holds. Tests lower it.
var maxVersions = 1 << 20

// header is the first line.
type header struct {
	Format  int       `json:"rhx_backup"`
	Store   string    `json:"store,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// line is one of the others.
type line struct {
	Name     agestore.Text `json:"name,omitempty"`
	Version  int           `json:"version,omitempty"`
	Updated  time.Time     `json:"updated,omitzero"`
	Provider agestore.Text `json:"provider,omitempty"`
	// Deleted reports that the version is deleted. Only then may there be no values.
	Deleted bool `json:"deleted,omitempty"`
	*agestore.Payload

	// End is in the last line: how many versions there are. Missing are those that
	// could not be read.
	End     *int     `json:"end,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

// writer writes lines.
type writer struct {
	w        io.Writer
	versions int
}

// encode returns a line. Its error shows nothing of it.
func encode(v any) ([]byte, error) {
	data, err := agestore.Marshal(v)
	switch {
	case err != nil:
		return nil, errors.New("it has a time that cannot be stored")
	case len(data) > maxLine:
		return nil, fmt.Errorf("it is longer than %d MiB, which is more than a backup takes", maxLine>>20)
	case commas(data) > maxCommas:
		return nil, errManyValues
	}
	return data, nil
}

var errManyValues = fmt.Errorf("it has more than %d values, which is more than a backup takes", maxCommas)

// commas are how many commas a line has outside of its texts.
func commas(data []byte) int {
	n, text := 0, false
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			text = !text
		case '\\':
			i++
		case ',':
			if !text {
				n++
			}
		}
	}
	return n
}

// add writes the line of a version.
func (w *writer) add(data []byte) error {
	if w.versions == maxVersions {
		return fmt.Errorf("the store has more than %d versions, which is more than a backup takes", maxVersions)
	}
	w.versions++
	_, err := w.w.Write(data)
	return err
}

// other writes the first or the last line.
func (w *writer) other(v any) error {
	data, err := encode(v)
	if err == nil {
		_, err = w.w.Write(data)
	}
	return err
}

// end writes the last line.
func (w *writer) end(missing []string) error {
	return w.other(&line{End: &w.versions, Missing: missing})
}

// contents is what a backup has, without values.
type contents struct {
	header
	secrets []versions
	missing []string
}

// versions are those of a secret that have values, the oldest first.
type versions struct {
	name string
	all  []version
	// newest is the number of the newest version, with values or not.
	newest int
	// deleted reports that the newest version is deleted, and so the secret.
	deleted bool
}

// version is where one is in the text.
type version struct {
	number  int
	deleted bool
	offset  int64
	size    int
}

// errDamaged is the error for what no rhx writes. It shows nothing of it.
var errDamaged = errors.New("it is not as rhx writes one")

// read reads all of a backup's text, and so checks it.
func read(r io.Reader) (*contents, error) {
	lines := &lineReader{r: bufio.NewReaderSize(r, 1<<20)}
	first, err := lines.next()
	if err != nil {
		return nil, lines.wrong(err)
	}
	c := &contents{}
	if err := c.parseHeader(first); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for n := 0; ; n++ {
		data, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("its end is missing: it is cut off")
		}
		var l *line
		if err == nil {
			l, err = parseLine(data)
		}
		switch {
		case err != nil:
			return nil, lines.wrong(err)
		case l.End == nil:
			if n == maxVersions {
				return nil, fmt.Errorf("it has more than %d versions", maxVersions)
			}
			if err := c.add(l, lines.offset-int64(len(data))-1, len(data), seen); err != nil {
				return nil, lines.wrong(err)
			}
			continue
		case *l.End != n:
			return nil, fmt.Errorf("it has %d versions, and says that it has %d", n, *l.End)
		}
		if _, err := lines.next(); !errors.Is(err, io.EOF) {
			return nil, errors.New("there is something behind its end")
		}
		if c.missing = l.Missing; !oneLine(append(l.Missing, c.Store)...) {
			return nil, errDamaged
		}
		return c, c.complete()
	}
}

// oneLine reports whether texts can be shown as they are: what follows a line break would
// look like what rhx says itself.
func oneLine(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		return strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) })
	})
}

func (c *contents) parseHeader(data []byte) error {
	var any struct {
		Format *int `json:"rhx_backup"`
	}
	switch err := json.Unmarshal(data, &any); {
	case err != nil || any.Format == nil:
		return errors.New("it is not a backup of rhx")
	case *any.Format > format:
		return fault.WithHint(fmt.Errorf("a newer rhx wrote it (format %d; this rhx reads format %d)", *any.Format, format), "use that rhx, or a newer one")
	case *any.Format != format:
		return errDamaged
	}
	return strict(data, &c.header)
}

// add takes a version whose line is at an offset.
func (c *contents) add(l *line, offset int64, size int, seen map[string]bool) error {
	name := string(l.Name)
	last := len(c.secrets) - 1
	if last < 0 || c.secrets[last].name != name {
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		if err := c.complete(); err != nil {
			return err
		}
		seen[name] = true
		c.secrets = append(c.secrets, versions{name: name})
		last++
	}
	s := &c.secrets[last]
	if l.Version <= s.newest {
		return fmt.Errorf("version %d of %q comes behind version %d", l.Version, name, s.newest)
	}
	s.newest, s.deleted = l.Version, l.Deleted
	if l.Payload != nil {
		s.all = append(s.all, version{l.Version, l.Deleted, offset, size})
	}
	return nil
}

// complete ends a secret when all of its versions are known.
func (c *contents) complete() error {
	if len(c.secrets) == 0 {
		return nil
	}
	s := &c.secrets[len(c.secrets)-1]
	if len(s.all) == 0 {
		return fmt.Errorf("%q has no version with values", s.name)
	}
	if s.deleted {
		// Where the newest version is here without values, the one before takes its place.
		s.all[len(s.all)-1].deleted = true
	}
	return nil
}

// parseLine reads a line that is not the first.
func parseLine(data []byte) (*line, error) {
	l := &line{}
	if !utf8.Valid(data) {
		return nil, errDamaged
	}
	if commas(data) > maxCommas {
		return nil, errManyValues
	}
	if err := strict(data, l); err != nil {
		return nil, err
	}
	if l.End != nil {
		if l.Name != "" || l.Version != 0 || l.Provider != "" || l.Deleted || l.Payload != nil {
			return nil, errDamaged
		}
		return l, nil
	}
	if err := secret.ValidName(string(l.Name)); err != nil {
		return nil, err
	}
	if l.Version < 1 || l.Missing != nil || l.Payload == nil && !l.Deleted || l.Payload != nil && l.Values == nil {
		return nil, errDamaged
	}
	return l, nil
}

// strict reads one JSON object with known fields only, so that nothing of a backup is
// lost silently. Its error shows nothing of data.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if bytes.HasPrefix(data, []byte("{")) && d.Decode(v) == nil && d.InputOffset() == int64(len(data)) && !doubled(json.NewDecoder(bytes.NewReader(data)), false) {
		return nil
	}
	return errDamaged
}

// doubled reports whether an object of the next JSON value, which is a right one, has a
// key twice: the decoder takes the last one, other programs the first. Keys of a map are
// exact; those of all else are equal in capitals, too, as the decoder has them.
func doubled(d *json.Decoder, exact bool) bool {
	t, err := d.Token()
	if err != nil {
		return true
	}
	var keys map[string]bool
	switch t {
	case json.Delim('{'):
		keys = map[string]bool{}
	case json.Delim('['):
	default:
		return false
	}
	for d.More() {
		within := false
		if keys != nil {
			t, err := d.Token()
			key, ok := t.(string)
			if err != nil || !ok {
				return true
			}
			if !exact {
				key = folded(key)
				within = key == "VALUES"
			}
			if keys[key] {
				return true
			}
			keys[key] = true
		}
		if doubled(d, within) {
			return true
		}
	}
	_, err = d.Token()
	return err != nil
}

// folded is a key that all keys have which [strings.EqualFold] finds equal.
func folded(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, key)
}

// lineReader reads lines of bounded length.
type lineReader struct {
	r      *bufio.Reader
	offset int64 // behind the last line
	count  int
	buf    []byte
}

// next returns a line without its break, until the next call; io.EOF where none is left.
func (l *lineReader) next() ([]byte, error) {
	l.count++
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(part) > maxLine {
			return nil, fmt.Errorf("it is longer than %d MiB", maxLine>>20)
		}
		l.buf = append(l.buf, part...)
		l.offset += int64(len(part))
		switch {
		case err == nil:
			return l.buf[:len(l.buf)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(l.buf) > 0:
			return nil, errors.New("it is cut off")
		default:
			return nil, err
		}
	}
}

// wrong says in which line something is wrong.
func (l *lineReader) wrong(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	return fmt.Errorf("line %d: %w", l.count, err)
}
