package bundle

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// Formats lists the names that Format knows.
func Formats() []string {
	return []string{"shell", "fish", "dotenv", "json", "yaml", "docker", "github", "azure", "buildkite", "k8s", "systemd"}
}

// Format returns vars as text that the consumer named by format reads back as
// the same values. A value that it cannot hold is an error that names the
// variable. What goes to a system of CI is hidden there as a whole; FormatMasked says
// what of it.
func Format(format string, vars []Var) ([]byte, error) {
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("unknown format %q", format)
	}
	for _, v := range vars {
		if problem := unfit(format, v.Value.Reveal()); problem != "" {
			return nil, fmt.Errorf("%s %s", v.Name, problem)
		}
	}
	if format == "azure" || format == "buildkite" {
		_, text, err := FormatMasked(format, vars, valuesOf(vars))
		return text, err
	}
	var b bytes.Buffer
	for _, v := range vars {
		text := v.Value.Reveal()
		if len(v.Clears) > 0 {
			switch format {
			case "shell":
				fmt.Fprintf(&b, "unset %s\n", strings.Join(v.Clears, " "))
			case "fish":
				fmt.Fprintf(&b, "set -e %s\n", strings.Join(v.Clears, " "))
			}
		}
		switch format {
		case "shell":
			fmt.Fprintf(&b, "export %s=%s\n", v.Name, ShellQuote(text))
		case "fish":
			fmt.Fprintf(&b, "set -gx %s '%s'\n", v.Name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text))
		case "docker":
			// docker run --env-file takes the rest of the line as it is.
			fmt.Fprintf(&b, "%s=%s\n", v.Name, text)
		case "github":
			// GITHUB_ENV: lines up to a delimiter that the value cannot contain.
			end := "rhx_" + rand.Text()
			fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", v.Name, end, text, end)
		case "systemd":
			// EnvironmentFile=: in double quotes a backslash escapes these four only.
			fmt.Fprintf(&b, "%s=\"%s\"\n", v.Name, strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(text))
		}
	}
	switch format {
	case "dotenv", "yaml":
		return viaCodec(format, vars)
	case "json":
		return object(vars)
	case "k8s":
		return kubernetesSecret(vars)
	}
	return b.Bytes(), nil
}

// unfit says why a format cannot hold a text, or "".
func unfit(format, text string) string {
	switch format {
	case "shell", "fish", "k8s":
		return ""
	}
	if !utf8.ValidString(text) {
		return "is not UTF-8, which " + format + " cannot hold"
	}
	switch {
	case format == "docker" && strings.ContainsAny(text, "\r\n"):
		return "has a line break, which a docker env file cannot hold"
	case format == "docker" && len(text) > dockerLine:
		return "is longer than the 64 KiB that docker reads of a line"
	case format == "azure" && strings.ContainsAny(text, "\r\n"):
		return "has a line break, which Azure Pipelines does not take in a secret"
	case format == "systemd" && strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == 0x7f }):
		// env_value_is_valid in systemd's source: it leaves such a variable out.
		return "has a control character, which systemd does not take"
	}
	return ""
}

// dockerLine is the longest value that is sure to fit docker's line buffer
// (bufio.MaxScanTokenSize) with its name.
const dockerLine = 64<<10 - 1<<10

// ShellQuote returns text as one word of a POSIX shell.
func ShellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func viaCodec(format string, vars []Var) ([]byte, error) {
	f, err := codec.New(format, codec.Options{})
	if err != nil {
		return nil, err
	}
	var data []byte
	for _, v := range vars {
		if data, err = codec.Apply(f, data, []codec.Edit{{Path: codec.Keys(v.Name), Value: codec.Text(v.Value.Reveal())}}); err != nil {
			return nil, fmt.Errorf("%s as %s: %w", v.Name, format, err)
		}
	}
	return data, nil
}

func object(vars []Var) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{")
	for i, v := range vars {
		if i > 0 {
			b.WriteString(",")
		}
		text, err := jsonText(v.Value.Reveal())
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "\n  %q: %s", v.Name, text)
	}
	if len(vars) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("}\n")
	return b.Bytes(), nil
}

func jsonText(s string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func kubernetesSecret(vars []Var) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nkind: Secret\nmetadata:\n  name: rhx\ntype: Opaque\n")
	if len(vars) == 0 {
		b.WriteString("data: {}\n")
		return b.Bytes(), nil
	}
	b.WriteString("data:\n")
	for _, v := range vars {
		fmt.Fprintf(&b, "  %s: %s\n", v.Name, base64.StdEncoding.EncodeToString([]byte(v.Value.Reveal())))
	}
	return b.Bytes(), nil
}

// ParseShell reads what Format writes as "shell", where nothing is cleared. head
// is what stands before the first variable: comments and empty lines. ok is
// false where data is anything else.
func ParseShell(data []byte) (head []byte, vars []Var, ok bool) {
	rest := string(data)
	for rest != "" && (rest[0] == '#' || rest[0] == '\n') {
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			return nil, nil, false
		}
		rest = after
	}
	head = data[:len(data)-len(rest)]
	for rest != "" {
		after, export := strings.CutPrefix(rest, "export ")
		name, after, found := strings.Cut(after, "='")
		if !export || !found || !spec.ValidVar(name) {
			return nil, nil, false
		}
		var text strings.Builder
		for {
			part, tail, closed := strings.Cut(after, "'")
			if !closed {
				return nil, nil, false
			}
			text.WriteString(part)
			if more, quoted := strings.CutPrefix(tail, `\''`); quoted {
				text.WriteByte('\'')
				after = more
				continue
			}
			if rest, found = strings.CutPrefix(tail, "\n"); !found {
				return nil, nil, false
			}
			break
		}
		vars = append(vars, Var{Name: name, Value: secret.NewValue(text.String())})
	}
	return head, vars, true
}
