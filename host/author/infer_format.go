package author

import (
	"errors"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
)

// maxSample is the size in bytes up to which a sample is looked at.
const maxSample = 256 << 10

// formatOf says in which format a sample is. Where its content fits several, its
// name decides, and then what people write.
func formatOf(base string, data []byte) (string, error) {
	switch {
	case len(data) > maxSample:
		return "", errors.New("it is larger than 256 KiB; a sample with one or two secrets is enough")
	case len(strings.TrimSpace(string(data))) == 0:
		return "", errors.New("it is empty")
	case !utf8.Valid(data) || strings.ContainsRune(string(data), 0):
		return "", errors.New("it is binary, and rhx reads text formats only")
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
	if strings.Contains(text, "PRIVATE KEY-----") && decodes("keypair", data) {
		return "keypair", nil
	}
	if isNpmrc(base, data) {
		return "ini", nil
	}
	if format := formatOfName(base); format != "" {
		if decodes(format, data) {
			return format, nil
		}
		return "", errors.New("it is not valid " + format + ", as its name says")
	}
	has := func(re string) bool { return regexp.MustCompile(`(?m)` + re).MatchString(text) }
	section, assigns := has(`^\s*\[[^\]]+\]`), has(`^\s*[^\s:=#;]+\s*=`)
	switch {
	case (text[0] == '{' || text[0] == '[') && decodes("json", data):
		return "json", nil
	case text[0] == '<' && decodes("xml", data):
		return "xml", nil
	case has(`\A(machine|default)\s`) && decodes("netrc", data):
		return "netrc", nil
	case has(`^\w[\w-]*([ \t]+"[^"]*")*[ \t]*\{`) && decodes("hcl", data):
		return "hcl", nil
	case (section || assigns) && decodes("toml", data) && !has(`^\s*export\s`) && (section || !upper(text)):
		return "toml", nil
	case section && decodes("ini", data):
		return "ini", nil
	case assigns && (upper(text) || has(`=\s*["']`)) && decodes("dotenv", data):
		return "dotenv", nil
	case assigns && !has(`=\s*["']`) && decodes("ini", data):
		return "ini", nil
	case has(`^\s*["']?[\w.-]+["']?\s*:(\s|$)`) && decodes("yaml", data):
		return "yaml", nil
	case regexp.MustCompile(`^`+tokenForm+`{8,}$`).MatchString(text) && text[0] != '/' && text[0] != '~':
		return "text", nil
	}
	return "", errors.New("it fits none of the formats that rhx reads (" + strings.Join(codec.Names(), " ") + "), or several")
}

func formatOfName(base string) string {
	base = strings.ToLower(base)
	switch path.Ext(base) {
	case ".json":
		return "json"
	case ".yaml", ".yml":
		return "yaml"
	case ".toml":
		return "toml"
	case ".ini":
		return "ini"
	case ".env":
		return "dotenv"
	case ".xml":
		return "xml"
	case ".properties":
		return "properties"
	case ".tfvars", ".hcl":
		return "hcl"
	}
	switch {
	case strings.HasPrefix(base, ".env."):
		return "dotenv"
	case strings.TrimLeft(base, "._") == "netrc":
		return "netrc"
	}
	return ""
}

// upper reports whether every name that is assigned to is in upper case, as
// variables are.
func upper(text string) bool {
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:export\s+)?([^\s:=#;]+)\s*=`).FindAllStringSubmatch(text, -1) {
		if m[1] != strings.ToUpper(m[1]) {
			return false
		}
	}
	return true
}

func decode(format string, opts codec.Options, data []byte) (*codec.Node, error) {
	f, err := codec.New(format, opts)
	if err != nil {
		return nil, err
	}
	return f.Decode(data)
}

// decodes reports whether data has something in a format.
func decodes(format string, data []byte) bool {
	root, err := decode(format, codec.Options{}, data)
	return err == nil && (len(root.Pairs) > 0 || len(root.Items) > 0 || root.Kind == codec.String && (format == "keypair" || format == "text"))
}
