package trust

import (
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/specs"
)

func TestPathsThatRunPrograms(t *testing.T) {
	for p, want := range map[string]string{
		"~/.bashrc":                             "a shell",
		"~/.BashRC":                             "a shell", // one and the same file on macOS
		"~/x/../.zshenv":                        "a shell",
		"~/.config/fish/config.fish":            "a shell",
		"~/.config/fish/conf.d/x.fish":          "a shell",
		"~/.{profile}":                          "a shell",
		"~/.bash{profile}":                      "a shell",
		"~/.ssh/authorized_keys":                "an SSH",
		"~/.ssh/{profile}":                      "an SSH",
		"~/.ssh/auth{profile}":                  "an SSH",
		"~/.config/autostart/x.desktop":         "the login",
		"~/.config/systemd/user/x.service":      "the login",
		"~/Library/LaunchAgents/x.plist":        "the login",
		"~/.config/autostart/{profile}.desktop": "the login",
		"~/src/x/.git/hooks/pre-commit":         "git",
		"~/.githooks/hooks/post-checkout":       "git",
		"~/.gitconfig":                          "git",
		"~/.local/bin/ls":                       "whoever",
		"~/bin/ls":                              "whoever",
		"~/.crontab":                            "cron",
		"~/.vimrc":                              "an editor",
		"~/.cargo/config.toml":                  "an interpreter",
		"~/.forward":                            "a mail",
		"~/.aws/credentials":                    "",
		"~/.acme/{profile}.json":                "",
		"~/.bashrc.d":                           "",
		"~/.config/fisher":                      "",
		"~/cabin/x":                             "",
		"~/.config/acme/bashrc":                 "",
		"~/.ssh/{profile}.pub":                  "",
		"~/.config/gh/hosts.yml":                "",
	} {
		if got := RunsByPath(p); want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", p, got)
		}
	}
	for name, want := range map[string]bool{"LD_PRELOAD": true, "DYLD_INSERT_LIBRARIES": true, "PATH": true, "BASH_ENV": true, "GIT_SSH_COMMAND": true, "GIT_CONFIG_COUNT": true,
		"NODE_OPTIONS": true, "PYTHONPATH": true, "GIT_TOKEN": false, "AWS_SECRET_ACCESS_KEY": false, "MY_PATH": false, "OLD_X": false} {
		if hazard.Runs(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestDangerousPermissions(t *testing.T) {
	s, err := spec.Parse("x.yaml", []byte(`
spec: 1
name: x
document: NODE_OPTIONS
values:
  a: {env: LD_PRELOAD}
  b: {env: [X_B, PATH]}
files:
  - {path: {default: ~/.x, macos: ~/.zshrc}, format: text, keys: {a: .}}
  - {path: ~/.y, override: [X_DIR/.bashrc], format: text, keys: {a: .}}
  - {path: ~/.profile, format: text, keys: {a: .}, read_only: true}
  - {path: ~/.z, override: [X_FILE, X_DIR/c.json], format: text, keys: {a: .}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range permissions(s) {
		if Dangerous(p) {
			got = append(got, p)
		}
	}
	want := []string{
		"read and write ~/.x, on darwin ~/.zshrc, as text, mode 0600 (RUNS PROGRAMS: it is read by a shell, when it starts or ends)",
		"read and write ~/.y, or $X_DIR/.bashrc, as text, mode 0600 (RUNS PROGRAMS where $X_DIR is the home folder)",
		"read and set $LD_PRELOAD, for a (secret) (RUNS PROGRAMS: other programs do what it says)",
		"read and set $NODE_OPTIONS, for all values (RUNS PROGRAMS: other programs do what it says)",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// What is marked is rare: a mark on everything is none.
func TestFewOfTheBuiltInSpecsAreDangerous(t *testing.T) {
	var marked []string
	for _, b := range specs.All() {
		s := b.Make()
		for _, p := range permissions(s) {
			if Dangerous(p) {
				marked = append(marked, s.Name+": "+p)
			}
		}
	}
	if len(marked) > 3 {
		t.Errorf("%d:\n%s", len(marked), strings.Join(marked, "\n"))
	}
}

func TestPackagesThatNameRhxsOwnFiles(t *testing.T) {
	for text, want := range map[string]string{
		"values: {k: {}}\nfiles: [{path: ~/.local/share/rhx/identity.txt, format: text, keys: {k: .}}]\n":                   "identity.txt is rhx's own",
		"values: {k: {}}\nfiles: [{path: {default: ~/.x, macos: ~/.Config/RHX/config.yaml}, format: text, keys: {k: .}}]\n": "is rhx's own",
		"values: {k: {}}\nfiles: [{path: ~/.x, override: [RHX_HOME/config/config.yaml], format: text, keys: {k: .}}]\n":     "$RHX_HOME is rhx's own",
		"values: {k: {env: RHX_AGE_PASSPHRASE}}\n":                                                  "$RHX_AGE_PASSPHRASE is rhx's own",
		"values: {k: {env: [X, RHX_STORE]}}\n":                                                      "$RHX_STORE is rhx's own",
		"values: {k: {env: X}}\nambient: RHX_STORE\n":                                               "$RHX_STORE is rhx's own",
		"values: {k: {}}\ndocument: RHX_X\n":                                                        "$RHX_X is rhx's own",
		"values: {k: {env: RH_X}}\nfiles: [{path: ~/.config/rhx2/x, format: text, keys: {k: .}}]\n": "",
	} {
		s, err := spec.Parse("x.yaml", []byte("spec: 1\nname: x\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		if err := notOurs(s); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
