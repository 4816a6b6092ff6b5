package main

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/fault"
)

type getCmd struct {
	Secret  string `arg:"" predictor:"stored" help:"The secret's name."`
	Key     string `arg:"" predictor:"key" optional:"" help:"The value's key, such as api_key; not needed where the secret has one value."`
	Version int    `predictor:"version" help:"An older version." placeholder:"N"`
}

func (c *getCmd) Help() string {
	return `Prints the value as it is. On a terminal a line break is added, and a value with control characters, which the terminal would obey, is refused: it goes to a file, a pipe, or with -o json, which takes UTF-8 alone.

Examples:
  rhx get openai
  rhx get aws/prod access_key --version 2`
}

func (c *getCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	if err := a.storedOne(&c.Secret); err != nil {
		return err
	}
	rec, err := e.Records.Get(ctx, c.Secret, c.Version)
	if err != nil {
		return err
	}
	keys := rec.Secret.Values.Keys()
	if c.Key == "" && len(keys) == 1 {
		c.Key = keys[0]
	}
	if c.Key == "" {
		return fault.WithHint(fault.WithKind(fmt.Errorf("%s has several values: name one of them", c.Secret), fault.Usage), "it has "+strings.Join(keys, ", "))
	}
	v, ok := rec.Secret.Values[c.Key]
	if !ok {
		return fault.WithHint(fmt.Errorf("%s has no value %q%s", c.Secret, c.Key, fault.DidYouMean(c.Key, keys)), "it has "+strings.Join(keys, ", "))
	}
	text := v.Reveal()
	if a.Output != "table" && !utf8.ValidString(text) {
		return fault.WithHint(fmt.Errorf("the value %s of %s is not UTF-8, which %s cannot hold", c.Key, c.Secret, strings.ToUpper(a.Output)),
			"without -o it is printed as it is; show --reveal -o "+a.Output+" has it in base64, under \"binary\"")
	}
	if a.Output != "table" {
		_, err := a.data(map[string]string{c.Key: text})
		return err
	}
	if a.OutTTY && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return a.exact("this value", text)
}
