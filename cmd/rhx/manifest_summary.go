package main

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/cmd/rhx/term"
	"github.com/rhx-dev/rhx/host/author"
	"github.com/rhx-dev/rhx/host/engine"
	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/manifest"
	"github.com/rhx-dev/rhx/host/trust"
)

// maxTextShown is how much of a text of a manifest is shown before it is trusted.
const maxTextShown = 300

// summaryOf says what a manifest can make rhx do, in lines that are fit for a
// terminal whatever its names are: as it stands, and what each profile changes.
func summaryOf(e *engine.Engine, m *manifest.Manifest, data []byte) string {
	lines := summaryLines(e, m)
	for _, name := range m.Profiles {
		with, err := manifest.Parse(m.File, data, e.Project.ManifestOptions(name))
		if err != nil {
			lines = append(lines, term.Linef("With --profile %s: %v", name, err))
			continue
		}
		other := slices.DeleteFunc(summaryLines(e, with), func(line string) bool { return slices.Contains(lines, line) })
		if len(other) > 0 {
			lines = append(append(lines, term.Linef("With --profile %s:", name)), other...)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func summaryLines(e *engine.Engine, m *manifest.Manifest) []string {
	var out []string
	line := func(format string, args ...any) { out = append(out, term.Linef(format, args...)) }
	line("It uses %s, and of it the secrets %s.", cmp.Or(prefixed("the store ", m.Store), "your own store"), list(m.SecretNames()))
	for _, s := range m.Secrets {
		for _, v := range s.Values {
			switch {
			case v.Default != nil:
				line("  secret %s: %s is %s where the store has none", s.Name, v.Key, literal(v.Key, *v.Default))
			case v.Generate != nil:
				line("  secret %s: %s is generated, and saved, where the store has none", s.Name, v.Key)
			case v.Prompt != "":
				line("  secret %s: %s is asked for, and saved: %s", s.Name, v.Key, shortened(v.Prompt))
			}
		}
	}
	for _, b := range m.Bundles {
		for _, name := range b.Secrets {
			line("  bundle %s: variables of %s: %s", b.Name, name, list(marked(variablesOf(e, m.Secret(name)))))
		}
		for _, v := range b.Env {
			line("  bundle %s: %s=%s%s", b.Name, v.Name, written(v), marks(v))
		}
		for _, name := range b.Files {
			where := ""
			if b.Paths[name] != "" {
				where = ", written to " + b.Paths[name]
				if trust.RunsByPath(b.Paths[name]) != "" {
					where += " (" + hazard.RunsPrograms + ")"
				}
			}
			if b.TTL[name] > 0 {
				where += ", taken out again after " + b.TTL[name].String()
			}
			line("  bundle %s: file of %s%s", b.Name, name, where)
		}
		for _, l := range b.Broker {
			line("  bundle %s: the broker uses %s for %s only", b.Name, l.Secret, list(slices.Concat(l.Methods, l.Hosts, l.Paths)))
		}
		if len(b.Unset) > 0 {
			line("  bundle %s: without %s", b.Name, list(b.Unset))
		}
	}
	for _, c := range m.Commands {
		with := "no secrets"
		if len(c.Bundles) > 0 {
			with = "placeholders of the bundles " + list(c.Bundles)
		}
		line("  agents can run: %s, with %s", shortened(strings.Join(c.Run, " ")), with)
		for _, a := range c.Args {
			line("    where {%s} is %s", a.Name, shortened(cmp.Or(strings.Join(a.Choices, ", "), a.Pattern)))
		}
	}
	for _, g := range m.Hosts {
		line("  hosts %s: bundles %s go to %s", g.Name, list(g.Bundles), list(g.Addresses))
	}
	return out
}

// variablesOf are the variables that a secret gives.
func variablesOf(e *engine.Engine, s *manifest.Secret) []string {
	var out []string
	for _, v := range s.Values {
		out = append(out, v.Key)
	}
	if s.Provider == "" {
		return out
	}
	sp, err := e.Specs.Get(s.Provider)
	if err != nil {
		return []string{err.Error()}
	}
	for _, v := range sp.Values {
		if len(v.Env) > 0 {
			out = append(out, v.Env[0])
		}
	}
	if sp.Document != "" {
		out = append(out, sp.Document)
	}
	return out
}

// marked are the names of variables, with what they can do.
func marked(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if can := hazard.Of(name); can != "" {
			out[i] += " (" + can + ")"
		}
	}
	return out
}

// marks say, in brackets, what a variable with a text of its own can do, and which
// secrets are in it.
func marks(v manifest.Variable) string {
	var parts, secrets []string
	if can := hazard.Of(v.Name); can != "" {
		parts = append(parts, can)
	}
	for _, p := range v.Text {
		if name := p.Secret + "." + p.Key; p.Secret != "" && !slices.Contains(secrets, name) {
			secrets = append(secrets, name)
		}
	}
	if len(secrets) > 0 {
		parts = append(parts, "has "+strings.Join(secrets, ", ")+" in it")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// written is the text of a variable: one without references may be a secret that
// somebody wrote down.
func written(v manifest.Variable) string {
	if slices.ContainsFunc(v.Text, func(p manifest.Part) bool { return p.Secret != "" || p.EnvVar != "" }) {
		return shortened(v.Text.String())
	}
	return literal(v.Name, v.Text.String())
}

// literal is a text that is written in a manifest, unless it may be a secret.
func literal(name, text string) string {
	if !author.MayBeSecret(name, text) {
		return shortened(text)
	}
	if u, err := url.Parse(text); err == nil && u.User != nil {
		return shortened(u.Redacted())
	}
	return "********"
}

// shortened is a text of a manifest as far as it is shown.
func shortened(text string) string {
	r := []rune(text)
	if len(r) <= maxTextShown {
		return text
	}
	return fmt.Sprintf("%s… (%d characters more)", string(r[:maxTextShown]), len(r)-maxTextShown)
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
