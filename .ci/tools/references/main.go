// Command references reads files as libraries of Go do: a line of JSON for each file on
// standard input, {"reader": NAME, "data": BASE64}, and one for each on standard output,
// {"values": ...} or {"error": ...}. The tests of host/codec compare with it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"sigs.k8s.io/yaml"
)

var readers = map[string]func(data []byte) (any, error){
	"dotenv": func(data []byte) (any, error) {
		vars, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(string) (string, bool) { return "", false })
		values := [][3]string{}
		for k, v := range vars {
			values = append(values, [3]string{"", k, v})
		}
		return values, err
	},
	// What kubectl and its like read.
	"sigs-yaml": func(data []byte) (any, error) {
		text, err := yaml.YAMLToJSONStrict(data)
		if err != nil {
			return nil, err
		}
		in := json.NewDecoder(bytes.NewReader(text))
		in.UseNumber()
		var value any
		if err := in.Decode(&value); err != nil {
			return nil, err
		}
		return plain(value), nil
	},
}

// plain says the kind of each value.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		pairs := [][2]any{}
		for k, e := range v {
			pairs = append(pairs, [2]any{plain(k), plain(e)})
		}
		return map[string]any{"map": pairs}
	case []any:
		items := []any{}
		for _, e := range v {
			items = append(items, plain(e))
		}
		return map[string]any{"list": items}
	case nil:
		return map[string]string{"null": ""}
	case bool:
		return map[string]string{"bool": fmt.Sprint(v)}
	case json.Number:
		return map[string]string{"number": v.String()}
	}
	return map[string]string{"string": fmt.Sprint(value)}
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var job struct {
			Reader string
			Data   []byte
		}
		if in.Decode(&job) != nil {
			return
		}
		answer := map[string]any{}
		values, err := readers[job.Reader](job.Data)
		if answer["values"] = values; err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		if err := out.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
