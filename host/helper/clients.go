package helper

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/codec"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/spec"
)

// isCommand reports whether a command in a client's configuration starts rhx.
func isCommand(text string) bool { return rhxCommand().MatchString(text) }

var rhxCommand = lazily(`^\S*\brhx(-full)?(\.exe)? helper [a-z]+(\s.*)?$`)

// rhxProgram is the path of rhx alone.
var rhxProgram = lazily(`(^|/)rhx(-full)?(\.exe)?$`)

func clients() []Client {
	return []Client{
		{Name: "aws", Protocol: spec.ProtocolAWS, Each: true, vars: []string{"AWS_CONFIG_FILE"}, file: awsConfig,
			note:  "keys in ~/.aws/credentials, and in the environment, count before what rhx answers",
			files: func(info machine.Info) []string { return moved(info, "AWS_CONFIG_FILE", "", "~/.aws/config") }},
		{Name: "cargo", Protocol: spec.ProtocolCargo, vars: []string{"CARGO_HOME"}, file: cargoConfig,
			note: "cargo 1.74 and later; older ones ask nobody",
			files: func(info machine.Info) []string {
				return []string{cargoHome(info) + "/config.toml", cargoHome(info) + "/config"}
			}},
		{Name: "docker", Protocol: spec.ProtocolDocker, vars: []string{"DOCKER_CONFIG"}, file: dockerConfig, link: "docker-credential-rhx",
			note: "docker looks no more at what is in auths of its file: rhx harden docker takes that into the store",
			files: func(info machine.Info) []string {
				return moved(info, "DOCKER_CONFIG", "config.json", "~/.docker/config.json")
			}},
		{Name: "git", Protocol: spec.ProtocolGit, vars: []string{"GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME"}, file: gitConfig{},
			files: func(info machine.Info) []string {
				if path.IsAbs(info.Env["GIT_CONFIG_GLOBAL"]) {
					return []string{info.Env["GIT_CONFIG_GLOBAL"]}
				}
				return append([]string{info.Home + "/.gitconfig"}, moved(info, "XDG_CONFIG_HOME", "git/config", "~/.config/git/config")...)
			}},
		{Name: "kubectl", Protocol: spec.ProtocolKubectl, Each: true, vars: []string{"KUBECONFIG"}, file: kubeConfig,
			note: "a token or a certificate of the same user in the file counts before what rhx answers",
			files: func(info machine.Info) []string {
				var out []string
				for p := range strings.SplitSeq(info.Env["KUBECONFIG"], ":") {
					if path.IsAbs(p) {
						out = append(out, p)
					}
				}
				if out == nil {
					out = []string{info.Home + "/.kube/config"}
				}
				return out
			}},
		{Name: "pip", Protocol: spec.ProtocolKeyring, vars: []string{"PIP_CONFIG_FILE", "XDG_CONFIG_HOME"}, file: pipConfig, link: "keyring",
			note: "pip asks only where the index's URL has the user: https://USER@HOST/simple/",
			files: func(info machine.Info) []string {
				if path.IsAbs(info.Env["PIP_CONFIG_FILE"]) {
					return []string{info.Env["PIP_CONFIG_FILE"]}
				}
				return append(moved(info, "XDG_CONFIG_HOME", "pip/pip.conf", "~/.config/pip/pip.conf"), info.Home+"/.pip/pip.conf")
			}},
		{Name: "podman", Protocol: spec.ProtocolDocker, vars: []string{"XDG_CONFIG_HOME"}, link: "docker-credential-rhx",
			file: wholeFile{"# Written by rhx helper install podman; rhx helper uninstall podman removes it.\n", "credential-helpers = [\"rhx\", \"containers-auth.json\"]\n"},
			files: func(info machine.Info) []string {
				return moved(info, "XDG_CONFIG_HOME", "containers/registries.conf.d/50-rhx.conf", "~/.config/containers/registries.conf.d/50-rhx.conf")
			}},
		{Name: "terraform", Protocol: spec.ProtocolTerraform, vars: []string{"TF_CLI_CONFIG_FILE"}, file: terraformConfig, link: "terraform-credentials-rhx",
			own:   func(info machine.Info) string { return info.Home + "/.terraform.d/plugins" },
			files: func(info machine.Info) []string { return moved(info, "TF_CLI_CONFIG_FILE", "", "~/.terraformrc") }},
		{Name: "tofu", Protocol: spec.ProtocolTerraform, vars: []string{"TF_CLI_CONFIG_FILE"}, file: terraformConfig, link: "terraform-credentials-rhx",
			own:   func(info machine.Info) string { return info.Home + "/.terraform.d/plugins" },
			files: func(info machine.Info) []string { return moved(info, "TF_CLI_CONFIG_FILE", "", "~/.tofurc") }},
		{Name: "uv", Protocol: spec.ProtocolKeyring, vars: []string{"UV_CONFIG_FILE", "XDG_CONFIG_HOME"}, file: uvConfig, link: "keyring",
			note: "uv asks only where the index's URL has the user, or the index has authenticate = \"always\"",
			files: func(info machine.Info) []string {
				if path.IsAbs(info.Env["UV_CONFIG_FILE"]) {
					return []string{info.Env["UV_CONFIG_FILE"]}
				}
				return moved(info, "XDG_CONFIG_HOME", "uv/uv.toml", "~/.config/uv/uv.toml")
			}},
	}
}

// moved is the file that a variable names, below it rel, or else the default one.
func moved(info machine.Info, name, rel, def string) []string {
	if dir := info.Env[name]; path.IsAbs(dir) {
		return []string{path.Join(dir, rel)}
	}
	return []string{info.Home + strings.TrimPrefix(def, "~")}
}

// dockerConfig names one helper for all registries, or one for a registry.
var dockerConfig = treeConfig{
	format: "json",
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		keys := []string{"credsStore"}
		if e.secret != "" {
			at, _ := parseAddress(e.at)
			key := at.host
			if dockerAddress(at).host == "index.docker.io" {
				key = "https://index.docker.io/v1/"
			}
			keys = []string{"credHelpers", key}
		}
		return []codec.Edit{set("rhx", keys...)}, free(root, e, "rhx", keys...)
	},
	rhx: func(root *codec.Node) []codec.Edit {
		var out []codec.Edit
		if textAt(root, "credsStore") == "rhx" {
			out = append(out, unset("credsStore"))
		}
		if helpers := root.Get("credHelpers"); helpers != nil {
			left := 0
			for _, p := range helpers.Pairs {
				if p.Value.Scalar() && p.Value.Text == "rhx" {
					out = append(out, unset("credHelpers", p.Key))
				} else {
					left++
				}
			}
			if left == 0 && len(helpers.Pairs) > 1 {
				out = append(out, unset("credHelpers"))
			}
		}
		return out
	},
	other: func(root *codec.Node) []string {
		var out []string
		if text := textAt(root, "credsStore"); text != "" && text != "rhx" {
			out = append(out, text)
		}
		if helpers := root.Get("credHelpers"); helpers != nil {
			for _, p := range helpers.Pairs {
				if p.Value.Text != "rhx" {
					out = append(out, p.Value.Text+" for "+p.Key)
				}
			}
		}
		return out
	},
}

// awsConfig names one command in a profile.
var awsConfig = treeConfig{
	format: "ini", options: codec.Options{InlineComments: true},
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		section := "default"
		if e.rec.Profile != "" && e.rec.Provider == "aws" {
			section = "profile " + e.rec.Profile
		}
		command := strings.Join(e.command(spec.ProtocolAWS), " ")
		return []codec.Edit{set(command, section, "credential_process")}, free(root, e, command, section, "credential_process")
	},
	rhx: func(root *codec.Node) []codec.Edit {
		var out []codec.Edit
		for _, p := range root.Pairs {
			if isCommand(textAt(p.Value, "credential_process")) {
				out = append(out, unset(p.Key, "credential_process"))
			}
		}
		return out
	},
}

// cargoConfig has a list of helpers, of which the last is asked first.
var cargoConfig = treeConfig{
	format: "toml",
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		alias := list(e.program)
		if e.secret != "" {
			alias.Items = append(alias.Items, codec.Text("--secret"), codec.Text(e.secret))
		}
		edits := []codec.Edit{{Path: codec.Keys("credential-alias", "rhx"), Value: alias}}
		have := root.Find(codec.Keys("registry", "global-credential-providers"))
		all := texts(have)
		switch {
		case have == nil:
			all = []string{"cargo:token"} // what cargo has where nothing is said
		case e.replace:
			all = nil
		}
		if !slices.Contains(all, "rhx") {
			all = append(all, "rhx")
		}
		return append(edits, codec.Edit{Path: codec.Keys("registry", "global-credential-providers"), Value: list(all...)}), nil
	},
	rhx: func(root *codec.Node) []codec.Edit {
		var out []codec.Edit
		if alias := texts(root.Find(codec.Keys("credential-alias", "rhx"))); len(alias) > 0 && rhxProgram().MatchString(alias[0]) {
			out = append(out, unset("credential-alias", "rhx"))
		}
		all := texts(root.Find(codec.Keys("registry", "global-credential-providers")))
		if left := slices.DeleteFunc(slices.Clone(all), func(text string) bool { return text == "rhx" }); len(left) < len(all) {
			e := unset("registry", "global-credential-providers")
			if !slices.Equal(left, []string{"cargo:token"}) && len(left) > 0 {
				e.Value = list(left...)
			}
			out = append(out, e)
		}
		return out
	},
	other: func(root *codec.Node) []string {
		return slices.DeleteFunc(texts(root.Find(codec.Keys("registry", "global-credential-providers"))), func(text string) bool { return text == "rhx" })
	},
}

// kubeConfig has a command for each user.
var kubeConfig = treeConfig{
	format: "yaml",
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		var context struct {
			User string `json:"user"`
		}
		_ = json.Unmarshal([]byte(e.rec.Values["context"].Reveal()), &context)
		if context.User == "" {
			return nil, fmt.Errorf("%s does not say which user its context has", e.secret)
		}
		user := append(codec.Keys("users"), codec.Step{Field: "name", Equals: context.User})
		user = append(user, codec.Keys("user")...)
		if root.Find(user[:2]) == nil {
			return nil, fmt.Errorf("it has no user %q: rhx load %s puts the context there", context.User, e.secret)
		}
		if have := root.Find(append(user[:len(user):len(user)], codec.Keys("exec", "command")...)); have.Scalar() && !rhxProgram().MatchString(have.Text) && !e.replace {
			return nil, &OthersError{[]string{have.Text}}
		}
		argv := e.command(spec.ProtocolKubectl)
		exec := &codec.Node{Kind: codec.Map, Pairs: []codec.Pair{
			{Key: "apiVersion", Value: codec.Text(execVersions[0])},
			{Key: "command", Value: codec.Text(argv[0])},
			{Key: "args", Value: list(argv[1:]...)},
			{Key: "interactiveMode", Value: codec.Text("Never")},
			{Key: "provideClusterInfo", Value: &codec.Node{Kind: codec.Bool, Text: "true"}},
		}}
		return []codec.Edit{{Path: append(user, codec.Keys("exec")...), Value: exec}}, nil
	},
	rhx: func(root *codec.Node) []codec.Edit {
		var out []codec.Edit
		users := root.Get("users")
		if users == nil {
			return nil
		}
		for _, u := range users.Items {
			name := textAt(u, "name")
			if args := texts(u.Find(codec.Keys("user", "exec", "args"))); name == "" || !rhxProgram().MatchString(textAt(u, "user", "exec", "command")) || len(args) < 2 || args[0] != "helper" || args[1] != spec.ProtocolKubectl {
				continue
			}
			p := append(codec.Keys("users"), codec.Step{Field: "name", Equals: name})
			out = append(out, codec.Edit{Path: append(p, codec.Keys("user", "exec")...)})
		}
		return out
	},
}

// terraformConfig has one block for the only helper.
var terraformConfig = treeConfig{
	format: "hcl", options: codec.Options{Blocks: "credentials credentials_helper"},
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		var edits []codec.Edit
		if helpers := root.Get("credentials_helper"); helpers != nil {
			for _, p := range helpers.Pairs {
				if p.Key == "rhx" {
					continue
				}
				if !e.replace {
					return nil, &OthersError{[]string{p.Key}}
				}
				edits = append(edits, unset("credentials_helper", p.Key))
			}
		}
		args := &codec.Node{Kind: codec.List}
		if e.secret != "" {
			args = list("--secret", e.secret)
		}
		block := &codec.Node{Kind: codec.Map, Pairs: []codec.Pair{{Key: "args", Value: args}}}
		return append(edits, codec.Edit{Path: codec.Keys("credentials_helper", "rhx"), Value: block}), nil
	},
	rhx: func(root *codec.Node) []codec.Edit {
		if root.Find(codec.Keys("credentials_helper", "rhx")) == nil {
			return nil
		}
		return []codec.Edit{unset("credentials_helper", "rhx")}
	},
}

// pipConfig and uvConfig have pip and uv run the keyring command.
var pipConfig = treeConfig{
	format: "ini", options: codec.Options{},
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		if e.secret != "" {
			return nil, errNoSecret
		}
		return []codec.Edit{set("subprocess", "global", "keyring-provider")}, free(root, e, "subprocess", "global", "keyring-provider")
	},
	rhx: func(root *codec.Node) []codec.Edit {
		if textAt(root, "global", "keyring-provider") != "subprocess" {
			return nil
		}
		return []codec.Edit{unset("global", "keyring-provider")}
	},
}

var uvConfig = treeConfig{
	format: "toml",
	put: func(root *codec.Node, e *entry) ([]codec.Edit, error) {
		if e.secret != "" {
			return nil, errNoSecret
		}
		return []codec.Edit{set("subprocess", "keyring-provider")}, free(root, e, "subprocess", "keyring-provider")
	},
	rhx: func(root *codec.Node) []codec.Edit {
		if textAt(root, "keyring-provider") != "subprocess" {
			return nil
		}
		return []codec.Edit{unset("keyring-provider")}
	},
}

var errNoSecret = errors.New("the keyring command cannot be told which secret answers; the index's address decides")
