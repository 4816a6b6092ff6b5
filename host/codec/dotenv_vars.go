package codec

import "strings"

// DotenvVar is one variable of a dotenv file, as [DotenvVars] finds it.
type DotenvVar struct {
	Name, Value string
	// Line is that of its name, counted from 1.
	Line int
	// Expands reports that programs put something else in place of a part of Value: a
	// shell and docker compose in place of $NAME or a command outside single quotes,
	// python-dotenv in place of ${NAME} in any. A value in backquotes is one to Node alone.
	Expands bool
}

// DotenvVars returns the variables of a dotenv file in order, each once: of several
// with one name the last counts, as it does for Decode.
func DotenvVars(data []byte) ([]DotenvVar, error) {
	vars, err := dotenvParse(data)
	if err != nil {
		return nil, err
	}
	last := map[string]int{}
	for i, v := range vars {
		last[v.name] = i
	}
	var out []DotenvVar
	for i, v := range vars {
		if last[v.name] == i {
			out = append(out, DotenvVar{v.name, v.value, v.line + 1, dotenvExpands(string(data[v.from:v.end]), v.quote) || hasReference(v.value)})
		}
	}
	return out, nil
}

// dotenvExpands reports whether a shell expands something in a value as the file has it.
func dotenvExpands(raw string, quote byte) bool {
	switch quote {
	case '\'':
		return false
	case '`': // Node takes them for quotes, a shell for a command, and python-dotenv for a part of the value
		return true
	}
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == '`':
			return true
		case c == '$' && i+1 < len(raw):
			if next := raw[i+1 : i+2]; next != "." && isWord(next) || strings.Contains("{($*@#?!", next) {
				return true
			}
		}
	}
	return false
}
