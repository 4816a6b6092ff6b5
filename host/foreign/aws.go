package foreign

import (
	"encoding/base64"
	"errors"
	"path"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
)

// AWS reads what `aws secretsmanager get-secret-value` and `batch-get-secret-value`, and
// `aws ssm get-parameter`, `get-parameters` and `get-parameters-by-path` print as JSON,
// also several behind one another.
func AWS(data []byte) (*Export, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	e := &Export{}
	params := &parameters{byPath: map[string]*Item{}}
	for _, d := range docs {
		switch {
		case d.Get("SecretValues") != nil:
			for _, n := range items(d, "SecretValues") {
				e.managed(n)
			}
			for _, n := range items(d, "Errors") {
				e.Left = append(e.Left, Left{Name: text(n, "SecretId"), Why: "AWS gave no value: " + text(n, "ErrorCode")})
			}
		case d.Get("SecretString") != nil || d.Get("SecretBinary") != nil:
			e.managed(d)
		case d.Get("Parameters") != nil:
			for _, n := range items(d, "Parameters") {
				params.take(n)
			}
			for _, n := range items(d, "InvalidParameters") {
				e.Left = append(e.Left, Left{Name: scalar(n), Why: "AWS has no such parameter"})
			}
		case d.Get("Parameter") != nil:
			params.take(d.Get("Parameter"))
		case d.Get("SecretList") != nil:
			return nil, errors.New("aws secretsmanager list-secrets has no values: batch-get-secret-value has them")
		default:
			return nil, errors.New("it is not what aws secretsmanager or aws ssm prints with --output json")
		}
		if text(d, "NextToken") != "" {
			e.Left = append(e.Left, Left{Name: "what follows", Why: "the output is a part only: it ends with NextToken"})
		}
	}
	for _, it := range params.order {
		e.put(*it)
	}
	return e.checked()
}

// managed takes a secret of Secrets Manager: a map of values in JSON, or one value.
func (e *Export) managed(n *codec.Node) {
	it := Item{Title: text(n, "Name")}
	it.Name = strings.Trim(it.Title, "/")
	value := text(n, "SecretString")
	if tree, ok := codec.TreeIn(value); ok && tree.Kind == codec.Map {
		it.variables("", tree)
	} else {
		it.add("value", value, false)
	}
	if b := text(n, "SecretBinary"); b != "" {
		raw, err := base64.StdEncoding.DecodeString(b)
		if err != nil {
			it.leave("SecretBinary", "it is not base64")
		} else {
			it.add("binary", string(raw), false)
		}
	}
	e.put(it)
}

// parameters are those of Parameter Store: those of a path are one item.
type parameters struct {
	byPath map[string]*Item
	order  []*Item
}

func (p *parameters) take(n *codec.Node) {
	name := strings.Trim(text(n, "Name"), "/")
	dir, key := path.Split(name)
	dir = strings.Trim(dir, "/")
	if dir == "" {
		dir, key = name, "value"
	}
	it := p.byPath[dir]
	if it == nil {
		it = &Item{Title: dir, Name: dir}
		p.byPath[dir], p.order = it, append(p.order, it)
	}
	value := text(n, "Value")
	switch {
	// What KMS encrypted begins so in base64.
	case text(n, "Type") == "SecureString" && (strings.HasPrefix(value, "AQICAH") || strings.HasPrefix(value, "AQECAH")):
		it.leave(key, "it is encrypted: --with-decryption has aws decrypt it")
	case value == "":
		it.gone(key, "it is empty")
	default:
		it.add(key, value, false)
	}
}
