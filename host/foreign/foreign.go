// Package foreign reads what other tools keep or export: password managers, managers of
// configurations, stores in clouds. It takes bytes and gives items. It opens no file that
// something in them names, and no error of it quotes them.
//
// All that is read may be hostile: every format is bounded in size, depth and count.
package foreign

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
)

const (
	// MaxSize is how large an export may be, in bytes.
	MaxSize = 64 << 20
	// maxItems is how many items an export may have.
	maxItems = 20_000
	// maxFields is how many fields an item may have.
	maxFields = 500
	// maxText is how large a value may be, in bytes.
	maxText = 1 << 20
	// maxCommas bounds the parts of JSON and CSV, and with them the memory that they take.
	maxCommas = 2_000_000
)

// tooMany is the error of a text with more parts than an export has.
func tooMany(data []byte) error {
	if n := bytes.Count(data, []byte(",")) + bytes.Count(data, []byte("[")) + bytes.Count(data, []byte("{")); n > maxCommas {
		return errors.New("it has too many parts for an export")
	}
	return nil
}

// Export is what a tool gave.
type Export struct {
	Items []Item
	// Left are items without anything to take.
	Left []Left
	// Sealed reports that what was read is encrypted.
	Sealed bool
}

// Left is an item, or a part of one, that is not taken.
type Left struct {
	Name, Why string
	// NoValue reports that nothing of worth is left: there was no value.
	NoValue bool
}

// Item is one entry: an account, a note, a configuration.
type Item struct {
	// Title is what the tool shows it by, with the folders before it; "" for none.
	Title string
	// Name is what its secret may be called by; "" for one made of Title's last part.
	Name string
	// Profile is the provider's, as the provider has it; "" where the tool has none.
	Profile string
	// User tells items of one name apart.
	User string
	// URLs are the addresses that it is for.
	URLs   []string
	Fields []Field
	// File is the path below the home folder of the file that the only field holds; ""
	// for other items.
	File string
	// Left are its parts that are not taken.
	Left []Left
}

// Field is one value of an item.
type Field struct {
	Name  string
	Value secret.Value
	// Shown reports that the tool shows it: a user, an address.
	Shown bool
}

// add adds a field unless it is empty.
func (it *Item) add(name, value string, shown bool) {
	switch {
	case value == "":
	case len(value) > maxText:
		it.leave(name, fmt.Sprintf("it is larger than %d KiB", maxText>>10))
	default:
		it.Fields = append(it.Fields, Field{name, secret.NewValue(value), shown})
	}
}

// url adds an address.
func (it *Item) url(address string) {
	if address != "" {
		it.URLs = append(it.URLs, address)
		it.add("url", address, true)
	}
}

// leave names a part that is not taken.
func (it *Item) leave(name, why string) { it.Left = append(it.Left, Left{Name: name, Why: why}) }

// gone names a part in which nothing of worth is.
func (it *Item) gone(name, why string) {
	it.Left = append(it.Left, Left{Name: name, Why: why, NoValue: true})
}

// put adds an item, or names it where it has no value.
func (e *Export) put(it Item) {
	if len(it.Fields) > 0 {
		e.Items = append(e.Items, it)
		return
	}
	if it.Title == "" {
		it.Title = "an item without a title"
	}
	if len(it.Left) == 0 {
		e.Left = append(e.Left, Left{Name: it.Title, Why: "it has no value", NoValue: true})
	}
	for _, l := range it.Left {
		l.Name = it.Title + ": " + l.Name
		e.Left = append(e.Left, l)
	}
}

// checked refuses an export with more than the bounds.
func (e *Export) checked() (*Export, error) {
	if len(e.Items)+len(e.Left) > maxItems {
		return nil, fmt.Errorf("it has more than %d items", maxItems)
	}
	for i := range e.Items {
		if len(e.Items[i].Fields)+len(e.Items[i].Left) > maxFields {
			return nil, fmt.Errorf("an item has more than %d fields", maxFields)
		}
	}
	return e, nil
}

// joined are the parts of a title that are not empty.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "/")
}

// documents reads JSON: one document, or several behind one another.
func documents(data []byte) ([]*codec.Node, error) {
	if err := tooMany(data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := json.NewDecoder(bytes.NewReader(data))
	var out []*codec.Node
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF) && len(out) > 0:
			return out, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("it is empty")
		case err != nil: // its text may quote
			return nil, errors.New("it is not JSON, or it is cut off")
		case len(out) == maxItems:
			return nil, fmt.Errorf("it has more than %d items", maxItems)
		}
		n, err := codec.FromJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("it is not JSON that rhx reads: %w", err)
		}
		out = append(out, n)
	}
}

// document reads one document of JSON, a map.
func document(data []byte) (*codec.Node, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != codec.Map {
		return nil, errors.New("it is not one JSON object")
	}
	return docs[0], nil
}

// text is what a map has under a key, where that is a text or a number.
func text(n *codec.Node, key string) string { return scalar(n.Get(key)) }

// items are those of the list that a map has under a key.
func items(n *codec.Node, key string) []*codec.Node {
	if n = n.Get(key); n == nil {
		return nil
	}
	return n.Items
}

// scalar is the text of a text, a number, or a truth.
func scalar(n *codec.Node) string {
	if n.Scalar() && n.Kind != codec.Null {
		return n.Text
	}
	return ""
}

// all is the text of any value: a tree is JSON.
func all(n *codec.Node) string {
	if n == nil || n.Kind == codec.Null {
		return ""
	}
	if n.Scalar() {
		return n.Text
	}
	return string(codec.ToJSON(n))
}

// variables adds every entry of a map as a field: entries of maps in it by their steps.
func (it *Item) variables(prefix string, n *codec.Node) {
	for _, p := range n.Pairs {
		if p.Value.Kind == codec.Map && len(p.Value.Pairs) > 0 {
			it.variables(prefix+p.Key+".", p.Value)
			continue
		}
		before := len(it.Fields) + len(it.Left)
		if it.add(prefix+p.Key, all(p.Value), false); len(it.Fields)+len(it.Left) == before {
			it.gone(prefix+p.Key, "it is empty")
		}
	}
}

// table reads CSV whose first line has the names of its columns. It gives the value of a
// column in each line.
func table(data []byte, columns ...string) ([]func(string) string, error) {
	if err := tooMany(data); err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord = -1
	head, err := r.Read()
	if err != nil {
		return nil, errors.New("it is not CSV")
	}
	at := map[string]int{}
	for i, name := range head {
		at[name] = i
	}
	for _, c := range columns {
		if _, ok := at[c]; !ok {
			return nil, fmt.Errorf("it is CSV without a column %q", c)
		}
	}
	var rows []func(string) string
	for {
		row, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("line %d is not CSV", wrong.Line)
		case err != nil:
			return nil, errors.New("it is not CSV")
		case len(row) != len(head):
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d has %d columns, and the first line %d", line, len(row), len(head))
		case len(rows) == maxItems:
			return nil, fmt.Errorf("it has more than %d items", maxItems)
		}
		rows = append(rows, func(name string) string {
			if i, ok := at[name]; ok {
				return row[i]
			}
			return ""
		})
	}
}

// first is the first byte that is not white space.
func first(data []byte) byte {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if len(data) == 0 {
		return 0
	}
	return data[0]
}
