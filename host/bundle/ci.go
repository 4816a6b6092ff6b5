package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/mask"
	"github.com/rhx-dev/rhx/host/secret"
)

// Masks reports that a format is one of a system of CI that can be told what to hide.
func Masks(format string) bool {
	return slices.Contains([]string{"azure", "buildkite", "github"}, format)
}

// FormatMasked is Format for those systems of CI that can be told what to hide in their
// logs: the hidden values, and each of their lines. log is to be written to the job's log
// (its output or its errors) before text is used; it is empty where text says all.
func FormatMasked(format string, vars []Var, hidden []secret.Value) (log, text []byte, err error) {
	for _, v := range vars {
		if problem := unfit(format, v.Value.Reveal()); problem != "" {
			return nil, nil, fmt.Errorf("%s %s", v.Name, problem)
		}
	}
	lines := mask.Lines(hidden)
	switch format {
	case "azure":
		return nil, azure(vars, hidden), nil
	case "buildkite":
		text, err := buildkite(vars, lines)
		return nil, text, err
	case "github":
		for _, line := range lines {
			log = fmt.Appendf(log, "::add-mask::%s\n", strings.ReplaceAll(line, "%", "%25"))
		}
	}
	text, err = Format(format, vars)
	return log, text, err
}

func valuesOf(vars []Var) []secret.Value {
	out := make([]secret.Value, len(vars))
	for i, v := range vars {
		out[i] = v.Value
	}
	return out
}

// azure are logging commands of Azure Pipelines: what is to be hidden, then the variables,
// of which those that hold anything of it are secret, and those that are a hidden value
// themselves, however short.
// https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
func azure(vars []Var, hidden []secret.Value) (text []byte) {
	hide := mask.Lines(hidden)
	for _, line := range hide {
		text = fmt.Appendf(text, "##vso[task.setsecret]%s\n", azureData.Replace(line))
	}
	for _, v := range vars {
		value := v.Value.Reveal()
		holds := slices.ContainsFunc(hide, func(line string) bool { return strings.Contains(value, line) }) ||
			slices.ContainsFunc(hidden, func(h secret.Value) bool { return value != "" && h.Reveal() == value })
		text = fmt.Appendf(text, "##vso[task.setvariable variable=%s;issecret=%t]%s\n", v.Name, holds, azureData.Replace(value))
	}
	return text
}

// azureData are the escapes that the agent takes back in a command's data.
var azureData = strings.NewReplacer("%", "%AZP25", "\r", "%0D", "\n", "%0A", ";", "%3B", "]", "%5D")

// buildkite is shell code: the agent's redactor is given what is to be hidden, on its
// input, and where it takes that the variables are set.
// https://buildkite.com/docs/agent/v3/cli-redactor
func buildkite(vars []Var, hide []string) ([]byte, error) {
	exports, err := Format("shell", vars)
	if err != nil || len(hide) == 0 {
		return exports, err
	}
	named := make(map[string]string, len(hide))
	for i, line := range hide {
		named[fmt.Sprint(i)] = line
	}
	list, err := json.Marshal(named)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "printf '%%s' %s | buildkite-agent redactor add --format json && {\n%s:\n}\n", ShellQuote(string(list)), exports), nil
}
