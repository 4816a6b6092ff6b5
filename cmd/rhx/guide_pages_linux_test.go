package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
	"github.com/rhx-dev/rhx/host/store/vaulttest"
)

// notTested is how many blocks of a page are marked so.
var notTested = map[string]int{
	"docs/stores.md":      1,
	"guest-sdk/README.md": 1,
}

// guideSetups make what a page finds on the machine.
var guideSetups = map[string]func(*guide){
	"README.md": func(g *guide) {
		g.credentials()
		g.shell("mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -C '' -f .ssh/id_ed25519")
		g.env = append(g.env, "OPENAI_API_KEY="+fakes()["SK"])
		g.hosts("gpu-01", "gpu-02")
	},
	"docs/agent.md": func(g *guide) {
		g.shell("RHX_AGE_IDENTITY=passphrase RHX_AGE_PASSPHRASE='" + typedPassphrase + "' sh -c '" +
			`printf not-real | rhx save db password=-; ssh-keygen -q -t ed25519 -N "" -C "" -f k; rhx save ssh/id_ed25519 --provider ssh --from k; rm k k.pub'`)
		g.t.Cleanup(func() { _ = g.start("rhx lock; rhx agent ssh --stop; rhx agent stop").Run() })
	},
	"docs/ci.md":     func(g *guide) { g.shell("printf not-a-key-at-all | rhx save openai api_key=-") },
	"docs/config.md": func(g *guide) { g.file(".config/rhx/config.yaml", "") },
	"docs/doctor.md": func(g *guide) {
		g.shell("printf not-real | rhx save db password=-; chmod 644 .local/share/rhx/identity.txt")
	},
	"docs/harden.md": func(g *guide) {
		g.file(".aws/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", fakes()["AKIA"], fakes()["AWSKEY"]))
		g.file(".git-credentials", "https://jane:not-real@git.example.com\n")
		g.file(".config/gh/hosts.yml", "github.com:\n    user: jane\n    oauth_token: "+fakes()["GHO"]+"\n")
	},
	"docs/moving-in.md": func(g *guide) { g.program("bw", "cat <<'END'\n"+bitwardenExport()+"END\n") },
	"docs/projects.md": func(g *guide) {
		g.file("api/.env", "OPENAI_API_KEY="+fakes()["SK"]+"\nDB_PASSWORD=not-real\nDEBUG=yes\nPORT=8080\nURL=http://$HOST/\n")
	},
	"docs/scan.md": func(g *guide) { g.shell("printf not-a-real-password | rhx save db password=-") },
	"docs/stores.md": func(g *guide) {
		g.credentials()
		g.shell("rhx save aws/prod; for i in 2 3; do printf not-real-$i | rhx save aws/prod secret_key=-; done")
		g.shell("for i in 1 2; do printf not-real-$i | rhx save db password=-; done; printf not-real | rhx save openai api_key=-")
		g.vault("ml-team")
	},
	"docs/guides/laptop.md": func(g *guide) {
		g.file(".aws/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", fakes()["AKIA"], fakes()["AWSKEY"]))
		g.file(".config/gh/hosts.yml", "github.com:\n    user: jane\n    oauth_token: "+fakes()["GHO"]+"\n")
		g.shell("mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -C '' -f .ssh/id_ed25519")
	},
	"docs/guides/gpu-fleet.md": func(g *guide) {
		g.credentials()
		g.shell("rhx save aws github; printf " + fakes()["HF"] + " | rhx save huggingface token=-; printf " + fakes()["WANDBKEY"] + " | rhx save wandb api_key=-")
		g.hosts("gpu-01", "gpu-02")
	},
	"docs/guides/team-vault.md": func(g *guide) {
		g.file(".aws/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", fakes()["AKIA"], fakes()["AWSKEY"]))
		g.vault("ml-team")
		g.shell("vault print token > .vault-token && chmod 600 .vault-token")
	},
	"docs/guides/agents.md": func(g *guide) { g.credentials(); g.shell("rhx save github") },
	"docs/guides/kubernetes.md": func(g *guide) {
		g.containers("web", "prod/api")
		g.shell("printf not-a-key-at-all | rhx save openai api_key=-; printf not-a-token-at-all | rhx save github oauth_token=-")
	},
	"docs/containers.md": func(g *guide) {
		g.containers("web", "prod/api-5d9f")
		g.shell("printf not-a-key-at-all | rhx save openai api_key=-; printf not-a-token-at-all | rhx save github oauth_token=-")
	},
	"docs/ttl.md": func(g *guide) {
		g.credentials()
		g.shell("rhx save aws github; printf not-real | rhx save openai api_key=-; rm -r .aws .config/gh")
		g.hosts("gpu-01", "gpu-02")
	},
}

// credentials are those of two profiles of aws, and of gh.
func (g *guide) credentials() {
	f := fakes()
	g.file(".aws/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n[prod]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		f["AKIA"], f["AWSKEY"], f["AKIA"], f["AWSKEY2"]))
	g.file(".config/gh/hosts.yml", "github.com:\n    user: jane\n    oauth_token: "+f["GHO"]+"\n")
}

// containers are folders, in which stand-ins of docker and kubectl run commands. docker run
// starts one here, with the variables of --env-file; kubectl apply takes a Secret.
func (g *guide) containers(names ...string) {
	g.t.Helper()
	at := g.t.TempDir()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(at, name), 0o700); err != nil {
			g.t.Fatal(err)
		}
	}
	script := `if [ "$1" = run ]; then
	env -i PATH="$PATH" $(cat "$4") sh -c "$8"
	exit
fi
if [ "$1" = apply ]; then
	grep -q '^kind: Secret$' "$3" && sed -n 's/^  name: \(.*\)/secret\/\1 configured/p' "$3"
	exit
fi
shift
name=
while [ $# -gt 0 ]; do
	case $1 in
	-n) name=$2/; shift ;;
	--) shift; break ;;
	-*) ;;
	*) name=$name$1; [ "${0##*/}" = kubectl ] || { shift; break; } ;;
	esac
	shift
done
[ -d "` + at + `/$name" ] || { echo "No such container: $name" >&2; exit 1; }
cd / && exec env -i PATH="$PATH" HOME="` + at + `/$name" "$@"
`
	g.program("docker", script)
	g.program("kubectl", script)
}

// hosts are SSH servers by these names.
func (g *guide) hosts(names ...string) {
	g.t.Helper()
	var config strings.Builder
	for _, name := range names {
		config.WriteString(sshtest.Start(g.t, sshtest.Options{}).HostBlock(name) + "\n")
	}
	g.file(".ssh/config", config.String())
}

// vault is a server in which the page's vault://secret/ is an engine of its own, with a
// token for it in VAULT_TOKEN for the vault command, and a user jane.
func (g *guide) vault(prefix string) {
	t := g.t
	t.Helper()
	s := vaulttest.Shared(t)
	mount := s.MountKV(t, "secret", 2, 10)
	user := "jane-" + mount
	policy := fmt.Sprintf(`path "%s/*" { capabilities = ["create","read","update","delete","list","patch"] }`, mount)
	if _, _, err := s.Request(t.Context(), "POST", "sys/auth/userpass", map[string]any{"type": "userpass"}); err != nil {
		t.Fatal(err)
	}
	s.API(t, "PUT", "sys/policies/acl/"+user, map[string]any{"policy": policy})
	s.API(t, "POST", "auth/userpass/users/"+user, map[string]any{"password": typedPassphrase, "token_policies": user})
	g.names = append(g.names, [2]string{"https://vault.example.com:8200", s.Addr}, [2]string{"secret/" + prefix, mount + "/" + prefix},
		[2]string{"--username jane", "--username " + user}, [2]string{"of jane", "of " + user}, [2]string{"as jane", "as " + user})
	g.env = append(g.env, "VAULT_ADDR="+s.Addr)
	g.program("vault", fmt.Sprintf("VAULT_TOKEN='%s' exec '%s' \"$@\"\n", s.RootToken, s.Program()))
}

// bitwardenExport is what bw export prints for the page: three items.
func bitwardenExport() string {
	return `{"encrypted": false, "folders": [], "items": [
 {"id": "1", "type": 1, "name": "AWS work", "fields": [
   {"name": "AWS_ACCESS_KEY_ID", "value": "` + fakes()["AKIA"] + `", "type": 0},
   {"name": "AWS_SECRET_ACCESS_KEY", "value": "` + fakes()["AWSKEY"] + `", "type": 1}]},
 {"id": "2", "type": 1, "name": "GitHub", "login": {"username": "jane", "password": "not-real",
   "uris": [{"uri": "https://github.com"}], "fido2Credentials": [{"credentialId": "x", "keyValue": "not-real"}]},
   "fields": [{"name": "GH_TOKEN", "value": "` + fakes()["GHO"] + `", "type": 1}]},
 {"id": "3", "type": 1, "name": "Mail", "login": {"username": "jane", "password": "not-real-either"}}]}
`
}
