package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	secrets = 10
	often   = 40 // rounds of what takes milliseconds
)

// words are fake values of secrets.
func value(i int) string { return fmt.Sprintf("fake-%d-%s", i, strings.Repeat("FAKEfake", 4)) }

// write writes files below a folder.
func write(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// machine is a home folder with ten kinds of credentials.
func machine() map[string]string {
	akia := "AKIA" + "IOSFODNN7EXAMPLE"
	key := strings.Repeat("FAKE", 10)
	return map[string]string{
		".aws/credentials":          "[default]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + key + "\n[prod]\naws_access_key_id = " + akia + "\naws_secret_access_key = " + key + "\n",
		".config/gh/hosts.yml":      "github.com:\n    user: jane\n    oauth_token: gho_" + strings.Repeat("FAKE", 9) + "\n    git_protocol: ssh\n",
		".kube/config":              "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: https://127.0.0.1}\ncontexts:\n- name: dev\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user: {token: FAKE}\n",
		".cache/huggingface/token":  "hf_" + strings.Repeat("FAKE", 8),
		".git-credentials":          "https://jane:FAKE@git.example\n",
		".docker/config.json":       `{"auths": {"ghcr.io": {"auth": "amFuZTpGQUtF"}}}`,
		".lambda_cloud/lambda_keys": "api_key = FAKE\n",
		".netrc":                    "machine api.wandb.ai\n  login user\n  password " + strings.Repeat("0123456789", 4) + "\n",
		".config/gcloud/application_default_credentials.json": `{"type": "authorized_user", "client_id": "x", "client_secret": "FAKE", "refresh_token": "FAKE"}`,
		"empty.go": "package main\n\nfunc main() {}\n",
		"secret":   strings.Repeat("FAKE", 8),
	}
}

// starts are commands that somebody waits for many times a day.
func starts(b *bencher) (string, error) {
	p, err := newPlace(b.dir)
	if err != nil {
		return "", err
	}
	if err := write(b.dir, machine()); err != nil {
		return "", err
	}
	fake := "sk-" + strings.Repeat("FAKE", 8)
	git := `{"url": "https://git.example", "username": "jane", "password": "FAKE"}`
	age := b.has("age")
	for _, step := range []struct {
		stdin string
		argv  []string
	}{
		{"", []string{"env", "HOME=" + os.Getenv("HOME"), "go", "build", "-o", "empty", "empty.go"}}, // with its cache
		{"", []string{"ln", "-s", b.rhx, "git-credential-rhx"}},
		{"", []string{"ln", "-s", b.rhx, "docker-credential-rhx"}},
		{"", []string{"age-keygen", "-o", "key.txt"}},
		{"", []string{"sh", "-c", `age -e -i key.txt -o secret.age secret; printf '{"api_key": "%s"}' "$(cat secret)" >plain.json`}},
		{"", []string{"sh", "-c", b.has("sops") + ` encrypt --age "$(age-keygen -y key.txt)" plain.json >enc.json`}},
		{fake, []string{b.rhx, "save", "openai", "api_key=-"}},
		{git, []string{b.rhx, "save", "git/jane@git.example", "--values", "-"}},
		{"", []string{b.rhx, "save", "docker/ghcr.io"}},
		{"", []string{b.rhx, "detect"}}, // fills the cache of modules
	} {
		if _, err := p.output(step.stdin, step.argv...); err != nil {
			return "", err
		}
	}
	p.env = append(p.env, "SOPS_AGE_KEY_FILE="+b.dir+"/key.txt")
	question := "protocol=https\nhost=git.example\n\n"
	empty := p.timed("an empty Go program", "", "./empty")
	decrypt := p.timed("`age -d`", "", age, "-d", "-i", "key.txt", "secret.age")
	version := p.timed("`rhx version`", "", b.rhx, "version")
	get := p.timed("`rhx get openai api_key`", "", b.rhx, "get", "openai", "api_key")
	with := p.timed("`rhx run -s openai -- true`", "", b.rhx, "run", "-s", "openai", "--", "true")
	list := p.timed("`rhx list`", "", b.rhx, "list")
	detect := p.timed("`rhx detect` (10 secrets)", "", b.rhx, "detect")
	one := p.timed("`rhx detect openai`", "", b.rhx, "detect", "openai")
	asGit := p.timed("`git-credential-rhx get`", question, "./git-credential-rhx", "get")
	asDocker := p.timed("`docker-credential-rhx get`", "ghcr.io", "./docker-credential-rhx", "get")
	sops := p.timed("`sops decrypt --extract`", "", b.has("sops"), "decrypt", "--extract", `["api_key"]`, "enc.json")
	pairs := []pair{
		{a: version, b: empty, goal: 2, why: "it links what reads ssh, YAML and age, whose packages begin by making tables"},
		{a: get, b: decrypt, goal: 1.3, why: "it also checks the store's record and writes its log"},
		{a: get, b: sops},
		{a: with, b: decrypt, goal: 1.5, why: "it also checks the store's record, writes its log and starts a command"},
		{a: asGit, b: get, why: "it reads git's question, and the specs for which addresses a secret is"},
		{a: asDocker, b: get, why: "it reads the specs for which addresses a secret is"},
		{a: list, b: decrypt, why: "it checks the store's record, and reads what it says of all secrets"},
		{a: one, b: decrypt, why: "it decrypts nothing: it starts, and reads a spec and the places that it names"},
		{a: detect, b: decrypt, why: "it reads the files of 235 kinds of credentials"},
	}
	things := []*thing{empty, version, decrypt, get, sops, with, list, one, detect, asGit, asDocker}
	left := ""
	// gpg's agent is warm: gopass asks it as any other time.
	if gopass := b.has("gopass"); gopass != "" {
		show := p.timed("`gopass show -o`", "", gopass, "show", "-o", "openai")
		defer func() { _, _ = p.output("", "gpgconf", "--kill", "all") }()
		if err := gopassStore(p, gopass, map[string]string{"openai": fake}); err != nil {
			left = leftOut("gopass", err)
		} else {
			things, pairs = append(things, show), append(pairs, pair{a: get, b: show})
		}
	}
	more, said, err := ones(b)
	if err != nil {
		return "", err
	}
	for _, t := range more {
		things, pairs = append(things, t), append(pairs, pair{a: get, b: t})
	}
	if err := inTurn(2, often, things...); err != nil {
		return "", err
	}
	return rows(pairs) + b.missing("gopass", "vals", "dotenvx", "fnox", "secretspec", "varlock") + left + said, nil
}

// ones are ways to read one of ten values, by those that keep variables.
func ones(b *bencher) (things []*thing, left string, err error) {
	p, err := newPlace(filepath.Join(b.dir, "ten"))
	if err != nil {
		return nil, "", err
	}
	p.env = append(p.env, "SOPS_AGE_KEY_FILE="+p.dir+"/key.txt", "FNOX_AGE_KEY_FILE="+p.dir+"/key.txt", "VARLOCK_TELEMETRY_DISABLED=1")
	if err := p.ten(b); err != nil {
		return nil, "", err
	}
	for _, m := range []struct {
		name, peer string
		argv       []string
	}{
		{"`vals get`, from sops", "vals", []string{"get", "ref+sops://" + p.dir + "/enc.yaml#/K7"}},
		{"`dotenvx get`, encrypted", "dotenvx", []string{"get", "K7", "-f", "enc.env"}},
		{"`fnox get`, age", "fnox", []string{"get", "K7"}},
		{"`secretspec get`, plain .env", "secretspec", []string{"get", "--provider", "dotenv", "K7"}},
		{"`varlock printenv`, plain .env", "varlock", []string{"printenv", "K7"}},
	} {
		program := b.has(m.peer)
		if program == "" {
			continue
		}
		out, err := p.output("", append([]string{program}, m.argv...)...)
		if err == nil && !strings.Contains(out, value(7)) {
			err = errors.New("it does not print the value")
		}
		if err != nil {
			left += leftOut(m.name, err)
			continue
		}
		t := p.timed(m.name, "", append([]string{program}, m.argv...)...)
		t.every = 4
		things = append(things, t)
	}
	return things, left, nil
}

// gopassStore makes a store of gopass with a key of GnuPG that has no passphrase.
func gopassStore(p *place, gopass string, all map[string]string) error {
	p.env = append(p.env, "GNUPGHOME="+p.dir+"/gnupg", "GOPASS_NO_NOTIFY=true", "GOPASS_HOMEDIR="+p.dir, "GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.org", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@example.org")
	for _, step := range []struct {
		stdin string
		argv  []string
	}{
		{"", []string{"mkdir", "-m", "700", "gnupg"}},
		{"", []string{"gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "bench@example.org", "default", "default", "never"}},
		{"", []string{gopass, "--yes", "init", "--crypto", "gpgcli", "--storage", "fs", "bench@example.org"}},
	} {
		if _, err := p.output(step.stdin, step.argv...); err != nil {
			return err
		}
	}
	for name, text := range all {
		if _, err := p.output(text, gopass, "insert", "-f", name); err != nil {
			return err
		}
	}
	return nil
}

// gopassTen are ten secrets, whose names become variables.
func gopassTen() map[string]string {
	all := map[string]string{}
	for i := range secrets {
		all[fmt.Sprintf("app/K%d", i)] = value(i)
	}
	return all
}

// runs are ways to give a command ten secrets.
func runs(b *bencher) (string, error) {
	p, err := newPlace(b.dir, "SOPS_AGE_KEY_FILE="+b.dir+"/key.txt", "FNOX_AGE_KEY_FILE="+b.dir+"/key.txt", "VARLOCK_TELEMETRY_DISABLED=1")
	if err != nil {
		return "", err
	}
	if err := p.ten(b); err != nil {
		return "", err
	}
	left := ""
	if gopass := b.has("gopass"); gopass != "" {
		defer func() { _, _ = p.output("", "gpgconf", "--kill", "all") }()
		if err := gopassStore(p, gopass, gopassTen()); err != nil {
			left = leftOut("gopass", err)
		}
	}
	type way struct {
		t    *thing
		argv []string
	}
	alone := p.timed("the command alone", "", "true")
	add := func(name string, every int, argv ...string) way {
		t := p.timed(name, "", append(argv, "true")...)
		t.every = every
		return way{t, argv}
	}
	ways := []way{
		add("`rhx run -b`", 1, b.rhx, "run", "-b", "app", "--"),
		add("`rhx run --mask -b`", 1, b.rhx, "run", "--mask", "-b", "app", "--"),
		add("`sops exec-env`", 1, b.has("sops"), "exec-env", "--same-process", "enc.yaml"),
	}
	for _, m := range []struct {
		name, peer string
		argv       []string
	}{
		{"`vals exec`, from sops", "vals", []string{"exec", "-f", "vals.yaml", "--"}},
		{"`dotenvx run`, encrypted", "dotenvx", []string{"run", "-q", "-f", "enc.env", "--"}},
		{"`dotenvx run`, plain", "dotenvx", []string{"run", "-q", "-f", "plain.env", "--"}},
		{"`fnox exec`, age", "fnox", []string{"exec", "--"}},
		{"`secretspec run`, plain .env", "secretspec", []string{"run", "--provider", "dotenv", "--"}},
		{"`varlock run`, plain .env", "varlock", []string{"run", "--no-redact-stdout", "--"}},
		{"`gopass env`", "gopass", []string{"env", "app"}},
	} {
		if program := b.has(m.peer); program != "" {
			ways = append(ways, add(m.name, 8, append([]string{program}, m.argv...)...))
		}
	}
	var pairs []pair
	things := []*thing{alone}
	for i, w := range ways {
		command, want := []string{"printenv", "K7"}, value(7)
		if w.t.name == "`sops exec-env`" { // it has a shell read the command
			command = []string{"printenv K7"}
		}
		if i == 1 {
			want = "********"
		}
		out, err := p.output("", append(append([]string{}, w.argv...), command...)...)
		if err == nil && !strings.Contains(out, want) {
			err = errors.New("it does not give the command its variables")
		}
		if err != nil && i > 2 {
			left += leftOut(w.t.name, err)
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", w.t.name, err)
		}
		things = append(things, w.t)
		if i > 0 {
			pairs = append(pairs, pair{a: ways[0].t, b: w.t, over: alone})
		}
	}
	pairs[1].goal, pairs[1].why = 0.25, ""
	if err := inTurn(2, often, things...); err != nil {
		return "", err
	}
	return fmt.Sprintf("The ratio is of what each adds to the command alone, %s ms. `sops` has one file to decrypt, rhx ten, each with its own key.\n\n", alone.spread()) + rows(pairs) + b.missing("vals", "dotenvx", "fnox", "secretspec", "varlock", "gopass") + left, nil
}

// ten saves ten secrets for each program.
func (p *place) ten(b *bencher) error {
	manifest, refs, plain, schema, spec := "version: 1\nsecrets:\n", "", "", "# @defaultSensitive=true @defaultRequired=true\n# ---\n", "[project]\nname = \"bench\"\nrevision = \"1.0\"\n\n[profiles.default]\n"
	all := map[string]string{}
	for i := range secrets {
		key := fmt.Sprintf("K%d", i)
		all[key] = value(i)
		manifest += fmt.Sprintf("  s%d: {values: {%s: }}\n", i, key)
		refs += fmt.Sprintf("%s: ref+sops://%s/enc.yaml#/%s\n", key, p.dir, key)
		plain += fmt.Sprintf("%s=%s\n", key, value(i))
		schema += key + "=\n"
		spec += key + " = { description = \"bench\", required = true }\n"
	}
	manifest += "bundles:\n  app: {secrets: [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]}\n"
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	files := map[string]string{"rhx.yaml": manifest, "all.json": string(text), "vals.yaml": refs, "plain.env": plain, "enc.env": plain, ".env": plain, ".env.schema": schema, "secretspec.toml": spec}
	if err := write(p.dir, files); err != nil {
		return err
	}
	steps := [][]string{
		{b.rhx, "trust"},
		{"age-keygen", "-o", "key.txt"},
		{"sh", "-c", b.has("sops") + ` encrypt --age "$(age-keygen -y key.txt)" --input-type json --output-type yaml all.json >enc.yaml`},
	}
	// What one of these cannot do is seen where its variables are asked for.
	var others [][]string
	if b.has("dotenvx") != "" {
		others = append(others, []string{b.has("dotenvx"), "encrypt", "-f", "enc.env"})
	}
	if b.has("fnox") != "" {
		others = append(others, []string{"sh", "-c", `printf 'default_provider = "age"\n[providers.age]\ntype = "age"\nrecipients = ["%s"]\n[secrets]\n' "$(age-keygen -y key.txt)" >fnox.toml`})
		for i := range secrets {
			others = append(others, []string{b.has("fnox"), "set", "--provider", "age", fmt.Sprintf("K%d", i), value(i)})
		}
	}
	for i := range secrets {
		if _, err := p.output(value(i), b.rhx, "save", fmt.Sprintf("s%d", i), fmt.Sprintf("K%d=-", i)); err != nil {
			return err
		}
	}
	for _, argv := range steps {
		if _, err := p.output("", argv...); err != nil {
			return err
		}
	}
	for _, argv := range others {
		_, _ = p.output("", argv...)
	}
	return nil
}
