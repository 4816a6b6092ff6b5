package foreign

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// Doppler reads `doppler secrets download --no-file --format json`, a map of variables,
// or `doppler secrets --json`. What is in the place that Doppler gives in variables of its
// own is called by that.
func Doppler(data []byte) (*Export, error) {
	root, err := document(data)
	if err != nil {
		return nil, err
	}
	it := Item{}
	value := func(n *codec.Node) *codec.Node {
		if c := n.Get("computed"); c != nil {
			return c
		}
		return n
	}
	for _, p := range root.Pairs {
		switch p.Key {
		case "DOPPLER_PROJECT", "DOPPLER_CONFIG", "DOPPLER_ENVIRONMENT":
			it.gone(p.Key, "it names the place in Doppler")
		default:
			v := value(p.Value)
			if v.Kind == codec.List || v.Kind == codec.Map {
				return nil, errors.New("it is not the variables that doppler secrets download --format json prints: one is a list or an object")
			}
			it.variable(p.Key, v)
		}
	}
	project, config := scalar(value(root.Get("DOPPLER_PROJECT"))), scalar(value(root.Get("DOPPLER_CONFIG")))
	it.Title = strings.Trim(project+"-"+config, "-")
	return one(it)
}

// variable adds a value, or names it where it is empty.
func (it *Item) variable(name string, value *codec.Node) {
	if v := all(value); v != "" {
		it.add(name, v, false)
		return
	}
	it.gone(name, "it is empty")
}

// one is an export of one item.
func one(it Item) (*Export, error) {
	e := &Export{}
	e.put(it)
	return e.checked()
}

// Infisical reads `infisical export --format=json`: a list of variables. Those of each
// folder are an item.
func Infisical(data []byte) (*Export, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 || docs[0].Kind != codec.List {
		return nil, errors.New("it is not a list, as infisical export --format=json prints it")
	}
	e := &Export{}
	byPath := map[string]*Item{}
	var order []*Item
	for _, n := range docs[0].Items {
		key := text(n, "key")
		if key == "" {
			return nil, errors.New("it has an entry without a key")
		}
		p := strings.Trim(text(n, "secretPath"), "/")
		it := byPath[p]
		if it == nil {
			it = &Item{Title: p}
			byPath[p], order = it, append(order, it)
		}
		it.variable(key, n.Get("value"))
	}
	for _, it := range order {
		e.put(*it)
	}
	return e.checked()
}

// Sops reads the JSON that sops decrypts a file to: a map, or with "data" a file of
// another format.
func Sops(title string, data []byte) (*Export, error) {
	root, err := document(data)
	if err != nil {
		return nil, err
	}
	it := Item{Title: title}
	it.variables("", root)
	return one(it)
}

// VaultKV reads what `vault kv get -format=json` prints of a secret of KV 1 or 2.
func VaultKV(data []byte) (*Export, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	e := &Export{}
	for i, root := range docs {
		values := root.Get("data")
		if values == nil || values.Kind != codec.Map {
			return nil, errors.New("it is not what vault kv get -format=json prints")
		}
		if d := values.Get("data"); values.Get("metadata") != nil && d != nil {
			if values = d; d.Kind != codec.Map {
				return nil, errors.New("this version of the secret is deleted")
			}
		}
		it := Item{}
		if len(docs) > 1 {
			it.Title = fmt.Sprintf("secret %d", i+1)
		}
		it.variables("", values)
		e.put(it)
	}
	return e.checked()
}
