package codec

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dotenvWrite returns the text of value that every program reads back as value: a shell
// that sources the file (checked with bash and dash), docker compose, Node's dotenv and
// python-dotenv; or the problem that one of them would have. To docker run --env-file
// quotes are a part of the value, so they are written only where they are needed. quote
// is the quote of the old value, or 0; it stays if it can hold the new value. eol is
// the line ending of the file.
//
// No shell can read a file with CRLF, so its rules do not count there.
func dotenvWrite(value string, quote byte, eol string) (text, problem string) {
	if problem := dotenvUnfit(value); problem != "" {
		return "", problem
	}
	for _, q := range slices.Compact([]byte{quote, 0, '\'', '"'}) {
		if dotenvHolds(value, q, eol) {
			if q == 0 {
				return value, ""
			}
			if eol != "\n" {
				value = strings.ReplaceAll(value, "\n", `\n`)
			}
			return string(rune(q)) + value + string(rune(q)), ""
		}
	}
	switch {
	case strings.Contains(value, "\n") && eol != "\n":
		return "", "the value has line breaks beside other special characters; in a file with CRLF line endings docker compose would read it as another one"
	case !strings.Contains(value, "'"):
		return "", `the value has a \ at its end or before another one, which Node's dotenv and python-dotenv read differently`
	case strings.ContainsAny(value, "$`"):
		return "", "the value has ' beside $ or `, for which a shell needs escapes that Node's dotenv and python-dotenv do not know"
	}
	return "", "the value has ' beside \" or \\, for which a shell needs escapes that Node's dotenv does not know"
}

// dotenvUnfit says why one of the readers cannot read value back in any quotes, or "".
func dotenvUnfit(value string) string {
	switch {
	case strings.Contains(value, "\x00"):
		return "the value has a NUL byte, which no variable can hold"
	case !utf8.ValidString(value):
		return "the value is not UTF-8, as which Node's dotenv and python-dotenv read the file"
	case strings.Contains(value, "\r"):
		return "the value has a carriage return, of which Node's dotenv makes a line break"
	case hasReference(value):
		return "the value has ${ and }, for which python-dotenv puts in a variable, also in quotes"
	}
	return ""
}

// dotenvHolds reports whether all readers read value back between two of quote, or
// without quotes if that is 0.
func dotenvHolds(value string, quote byte, eol string) bool {
	switch quote {
	case 0:
		return dotenvBare(value)
	case '\'':
		return !strings.Contains(value, "'") && !strings.Contains(value, `\\`) && !strings.HasSuffix(value, `\`) &&
			(eol == "\n" || !strings.Contains(value, "\n"))
	case '"':
		return !strings.ContainsAny(value, "\"\\$`")
	}
	return false
}

// dotenvBare reports whether value may stand without quotes.
func dotenvBare(value string) bool {
	for i, r := range value {
		switch {
		case strings.ContainsRune("_.-/:@%+,=^!", r), unicode.IsLetter(r), unicode.IsDigit(r):
		case r == '~' && i > 0 && strings.IndexByte(":=", value[i-1]) < 0: // elsewhere it is a home folder
		default:
			return false
		}
	}
	return true
}

// isVariable reports whether name can be the name of a variable in a shell.
func isVariable(name string) bool {
	return isWord(name) && !strings.ContainsAny(name, ".-") && name[0] > '9'
}
