// Command bench times whole commands of rhx against others in one run, in
// turn, so that the ratios hold while the machine's speed drifts. It judges
// nothing.
//
//	go run ./.ci/bench BIN    BIN is the folder with rhx and rhx-full
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const runs = 60

func main() {
	if err := bench(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type command struct {
	argv  []string
	stdin []byte
}

func bench(bin string) error {
	dir, err := os.MkdirTemp("", "rhx-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	home := filepath.Join(dir, "home")
	if err := prepare(dir, home); err != nil {
		return err
	}
	rhx := filepath.Join(bin, "rhx")
	for _, name := range []string{"git-credential-rhx", "docker-credential-rhx"} {
		if err := os.Symlink(rhx, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	fake := "sk-" + strings.Repeat("FAKE", 8)
	for _, c := range []command{
		{[]string{rhx, "save", "openai", "api_key=-"}, []byte(fake)},
		{[]string{rhx, "save", "git/jane@git.example", "--values", "-"}, []byte(`{"url": "https://git.example", "username": "jane", "password": "FAKE"}`)},
		{[]string{rhx, "save", "docker/ghcr.io"}, nil},
		{[]string{rhx, "detect"}, nil}, // fills the wasm cache
	} {
		if _, err := run(c, env); err != nil {
			return err
		}
	}
	empty := command{argv: []string{filepath.Join(dir, "empty")}}
	age := command{argv: []string{"age", "-d", "-i", filepath.Join(dir, "key.txt"), filepath.Join(dir, "secret.age")}}
	get := command{argv: []string{rhx, "get", "openai", "api_key"}}
	question := []byte("protocol=https\nhost=git.example\n\n")
	git := command{[]string{filepath.Join(dir, "git-credential-rhx"), "get"}, question}
	docker := command{[]string{filepath.Join(dir, "docker-credential-rhx"), "get"}, []byte("ghcr.io")}
	fmt.Printf("%-34s %10s   %-22s %10s   %s\n", "command", "median", "against", "median", "ratio (min - max)")
	for _, c := range []struct {
		name    string
		a       command
		against string
		b       command
	}{
		{"rhx version", command{argv: []string{rhx, "version"}}, "an empty Go program", empty},
		{"rhx run -s openai -- true", command{argv: []string{rhx, "run", "-s", "openai", "--", "true"}}, "age -d", age},
		{"rhx get openai api_key", get, "age -d", age},
		{"rhx get openai api_key", get, "an empty Go program", empty},
		{"git-credential-rhx get", git, "an empty Go program", empty},
		{"git-credential-rhx get", git, "rhx get", get},
		{"git-credential-rhx get", git, "git-credential-store", command{[]string{"git", "credential-store", "get"}, question}},
		{"git-credential-rhx get", git, "gh auth git-credential", command{[]string{"gh", "auth", "git-credential", "get"}, []byte("protocol=https\nhost=github.com\n\n")}},
		{"docker-credential-rhx get", docker, "an empty Go program", empty},
		{"docker-credential-rhx get", docker, "rhx get", get},
		{"rhx detect (10 secrets)", command{argv: []string{rhx, "detect"}}, "age -d", age},
		{"rhx detect openai", command{argv: []string{rhx, "detect", "openai"}}, "an empty Go program", empty},
		{"rhx list", command{argv: []string{rhx, "list"}}, "an empty Go program", empty},
		{"age -d", age, "an empty Go program", empty},
	} {
		var as, bs, ratios []float64
		for i := range runs + 3 {
			a, err := run(c.a, env)
			if err != nil {
				return err
			}
			b, err := run(c.b, env)
			if err != nil {
				return err
			}
			if i >= 3 { // the first ones warm up
				as, bs, ratios = append(as, a), append(bs, b), append(ratios, a/b)
			}
		}
		slices.Sort(as)
		slices.Sort(bs)
		slices.Sort(ratios)
		fmt.Printf("%-34s %7.2f ms   %-22s %7.2f ms   %.2f (%.2f - %.2f)\n", c.name, as[runs/2], c.against, bs[runs/2], ratios[runs/2], ratios[0], ratios[runs-1])
	}
	return nil
}

// run returns the command's time in milliseconds.
func run(c command, env []string) (float64, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Env = env
	cmd.Stdin = bytes.NewReader(c.stdin)
	if c.stdin == nil {
		cmd.Stdin = nil
	}
	var out bytes.Buffer
	start := time.Now()
	cmd.Stdout, cmd.Stderr = nil, nil
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", strings.Join(c.argv, " "), err, out.String())
	}
	return float64(took.Microseconds()) / 1000, nil
}

// prepare makes the HOME of the tests' kind, the program that does nothing, and
// a file for age.
func prepare(dir, home string) error {
	akia := "AKIA" + "IOSFODNN7EXAMPLE"
	files := map[string]string{
		"empty.go": "package main\n\nfunc main() {}\n",
		"home/.aws/credentials": "[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + strings.Repeat("FAKE", 10) +
			"\n[prod]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + strings.Repeat("FAKE", 10) + "\n",
		"home/.config/gh/hosts.yml": "github.com:\n    user: jane\n    oauth_token: gho_" + strings.Repeat("FAKE", 9) + "\n    git_protocol: ssh\n",
		"home/.kube/config": "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: https://127.0.0.1}\ncontexts:\n- name: dev\n  context: {cluster: c, user: u}\n" +
			"users:\n- name: u\n  user: {token: FAKE}\n",
		"home/.cache/huggingface/token":                            "hf_" + strings.Repeat("FAKE", 8),
		"home/.git-credentials":                                    "https://jane:FAKE@git.example\n",
		"home/.docker/config.json":                                 `{"auths": {"ghcr.io": {"auth": "amFuZTpGQUtF"}}}`,
		"home/.lambda_cloud/lambda_keys":                           "api_key = FAKE\n",
		"home/.netrc":                                              "machine api.wandb.ai\n  login user\n  password " + strings.Repeat("0123456789", 4) + "\n",
		"home/.config/gcloud/application_default_credentials.json": `{"type": "authorized_user", "client_id": "x", "client_secret": "FAKE", "refresh_token": "FAKE"}`,
		"secret": strings.Repeat("FAKE", 8),
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		return err
	}
	for _, argv := range [][]string{
		{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(home, ".ssh/id_ed25519")},
		{"go", "build", "-o", filepath.Join(dir, "empty"), filepath.Join(dir, "empty.go")},
		{"age-keygen", "-o", filepath.Join(dir, "key.txt")},
		{"sh", "-c", "cd " + dir + " && age -e -i key.txt -o secret.age secret"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", argv[0], err, out)
		}
	}
	return nil
}
