package trust

import (
	"fmt"
	"path"
	"strings"

	"github.com/rhx-dev/rhx/host/hazard"
	"github.com/rhx-dev/rhx/host/spec"
)

// runsPrograms marks the permissions by which a provider can run programs as the user.
const runsPrograms = hazard.RunsPrograms

// Dangerous reports whether a permission lets a provider run programs as the user,
// outside of the sandbox.
func Dangerous(permission string) bool { return strings.Contains(permission, "("+runsPrograms) }

// runs are files that have programs run as the user when they are written, below the
// home folder, by what reads them. A name that ends in "/" is a folder with all that
// is in it, and one that begins with "*/" is a name in any folder.
var runs = []struct {
	by    string
	names []string
}{
	{"a shell, when it starts or ends", []string{
		".profile", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".bash_completion", ".zshrc", ".zshenv", ".zprofile",
		".zlogin", ".zlogout", ".kshrc", ".mkshrc", ".shrc", ".cshrc", ".tcshrc", ".login", ".logout", ".config/fish/", ".config/nushell/", ".config/elvish/",
		".xonshrc", ".config/xonsh/", ".config/powershell/", "documents/powershell/", "documents/windowspowershell/", ".oh-my-zsh/", ".oh-my-bash/",
	}},
	{"the login of a user", []string{
		".pam_environment", ".xinitrc", ".xserverrc", ".xsession", ".xsessionrc", ".xprofile", ".config/environment.d/", ".config/autostart/", ".config/autostart-scripts/",
		".config/plasma-workspace/", ".config/sway/", ".config/i3/", ".i3/", ".config/hypr/", ".config/systemd/", ".local/share/systemd/", ".config/upstart/",
		"library/launchagents/", "appdata/roaming/microsoft/windows/start menu/", ".local/share/applications/", ".local/share/dbus-1/",
	}},
	{"an SSH server or client", []string{".ssh/authorized_keys", ".ssh/authorized_keys2", ".ssh/rc", ".ssh/environment", ".ssh/config", ".ssh/config.d/"}},
	{"cron or at", []string{".crontab", ".config/cron/", "*/crontabs/", "*/cron.d/", "*/spool/cron/"}},
	{"git", []string{".gitconfig", ".config/git/", "*/.git/", "*/hooks/"}},
	{"an editor, pager or terminal", []string{
		".vimrc", ".gvimrc", ".exrc", ".vim/", ".config/nvim/", ".local/share/nvim/", ".emacs", ".emacs.d/", ".config/emacs/", ".config/code/user/", ".vscode/", ".vscode-server/",
		".lessfilter", ".tmux.conf", ".config/tmux/", ".screenrc", ".config/kitty/", ".config/alacritty/", ".wezterm.lua", ".config/wezterm/",
	}},
	{"an interpreter, debugger or build tool", []string{
		".gdbinit", ".config/gdb/", ".lldbinit", ".irbrc", ".pryrc", ".rprofile", ".renviron", ".julia/config/", ".ipython/", ".jupyter/", ".pythonrc", ".pdbrc", ".perldb",
		".cargo/config", ".cargo/config.toml", ".gradle/init.gradle", ".gradle/init.d/", ".sbt/", ".envrc", ".direnvrc", ".config/direnv/", ".mise.toml", ".config/mise/", ".tool-versions",
		".local/lib/", ".rbenv/", ".pyenv/", ".nvm/", ".asdf/",
	}},
	{"whoever looks there for programs", []string{"bin/", ".local/bin/", ".cargo/bin/", "go/bin/", ".bun/bin/", ".deno/bin/", ".npm-global/"}},
	{"a mail program", []string{".forward", ".procmailrc", ".mailcap", ".muttrc", ".config/mutt/", ".config/neomutt/"}},
}

// settings are files in which a key of any name can name a program. A spec says which
// keys of them it writes; a secret of no provider has any.
var settings = []struct {
	by    string
	names []string
}{
	{"an agent or editor", []string{
		"*/.claude/", "*/.claude.json", "*/.mcp.json", "*/mcp.json", "*/.cursor/", "*/.codex/", "*/.gemini/", "*/.vscode/", "*/.idea/", "*/.zed/", "*/.windsurf/", "*/.continue/", "*/opencode.json",
		".config/zed/", ".config/opencode/", ".config/goose/", ".codeium/", ".aider.conf.yml", "*/claude_desktop_config.json", "*/.devcontainer/", "*/devcontainer.json",
	}},
	{"rhx", []string{"*/rhx.yaml", "*/rhx.yml", "*/.rhx/"}},
	{"a cloud's or container's tool", []string{".aws/config", ".kube/", ".docker/", ".config/containers/", ".config/gcloud/", ".config/gh/", ".config/rclone/", ".terraformrc", ".config/helm/"}},
	{"a package or build tool", []string{"*/package.json", "*/composer.json", "*/deno.json", "*/pyproject.toml", "*/cargo.toml", "*/.cargo/", "*/.npmrc", "*/.yarnrc", "*/taskfile.y", "*/.pre-commit-config.yaml", "*/.github/", "*/.gitlab-ci.yml", "*/.circleci/", "*/mise.toml", "*/.mise.toml", "*/.config/mise/"}},
	{"docker compose", []string{"*/docker-compose", "*/compose.y", "*/compose.override.y"}},
}

// RunsByAnyKey is RunsByPath for a file that nobody here named, and into which any keys
// may go.
func RunsByAnyKey(p string) string {
	if by := RunsByPath(p); by != "" {
		return by
	}
	low := "/" + strings.TrimPrefix(strings.ToLower(path.Clean(p)), "~/")
	for _, r := range settings {
		for _, name := range r.names {
			within, everywhere := strings.CutPrefix(name, "*/")
			if everywhere && strings.Contains(low, "/"+within) || !everywhere && (low == "/"+name || strings.HasSuffix(name, "/") && strings.HasPrefix(low, "/"+name)) {
				return r.by
			}
		}
	}
	return ""
}

// RunsByPath says what would run programs if a file at a spec's path were written:
// it begins with "~/", and "{profile}" in it stands for any name. "" is for nothing
// that is known.
func RunsByPath(p string) string {
	p = strings.TrimPrefix(strings.ToLower(path.Clean(p)), "~/")
	before, after, any := strings.Cut(p, "{profile}")
	for _, r := range runs {
		for _, name := range r.names {
			within, everywhere := strings.CutPrefix(name, "*/")
			switch {
			case everywhere && strings.Contains("/"+p, "/"+within),
				!everywhere && strings.HasSuffix(name, "/") && strings.HasPrefix(p, name),
				p == name,
				any && strings.HasPrefix(name, before) && strings.HasSuffix(name, after) && !strings.Contains(name[len(before):], "/"):
				return r.by
			}
		}
	}
	return ""
}

// varDanger is said of such a variable.
const varDanger = " (" + runsPrograms + ": other programs do what it says)"

// fileDanger says, in brackets, what runs programs when a spec's file is written, on
// any system; "" for nothing that is known.
func fileDanger(f *spec.File) string {
	if f.ReadOnly {
		return ""
	}
	for _, p := range f.Paths.All() {
		if by := RunsByPath(p); by != "" {
			return fmt.Sprintf(" (%s: it is read by %s)", runsPrograms, by)
		}
	}
	for _, o := range f.Override {
		if o.Rel != "" && RunsByPath("~/"+o.Rel) != "" {
			return fmt.Sprintf(" (%s where $%s is the home folder)", runsPrograms, o.Var)
		}
	}
	return ""
}

// notOurs returns an error for a spec that names a file of rhx's own, or a variable
// that moves rhx. What variables and links make of a path is looked at when the file is
// to be read or written.
func notOurs(s *spec.Spec) error {
	for i := range s.Files {
		for _, p := range s.Files[i].Paths.All() {
			low := strings.ToLower(p)
			for _, dir := range []string{"~/.config/rhx/", "~/.local/share/rhx/", "~/.local/state/rhx/", "~/.cache/rhx/"} {
				if strings.HasPrefix(low, dir) {
					return fmt.Errorf("its file %s is rhx's own, and no provider may read or write it", p)
				}
			}
		}
		for _, o := range s.Files[i].Override {
			if strings.HasPrefix(o.Var, "RHX_") {
				return fmt.Errorf("$%s is rhx's own, and no provider may use it", o.Var)
			}
		}
	}
	vars := append([]string{s.Document}, s.Ambient...)
	for _, v := range s.Values {
		vars = append(vars, v.Env...)
	}
	for _, v := range vars {
		if strings.HasPrefix(v, "RHX_") {
			return fmt.Errorf("$%s is rhx's own, and no provider may use it", v)
		}
	}
	return nil
}
