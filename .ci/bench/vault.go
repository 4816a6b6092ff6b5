package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	atOnce   = 32 // requests, as many as rhx has
	inLoop   = 20 // calls of the vault command, whose time is scaled to all secrets
	token    = "fake-root-of-the-bench"
	mount    = "secret" // which a server in dev mode has
	fakeID   = "AKIA" + "IOSFODNN7EXAMPLE"
	fakeTail = "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"
)

// server is a Vault server in dev mode, and a bare client of it.
type server struct {
	*place
	b      *bencher
	addr   string
	client *http.Client
	stop   func()
}

// startVault starts one and waits until it answers.
func startVault(b *bencher) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	s := &server{b: b, addr: "http://" + addr, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}}
	if s.place, err = newPlace(b.dir, "VAULT_ADDR="+s.addr, "VAULT_TOKEN="+token); err != nil {
		return nil, err
	}
	cmd := s.command("", b.has("vault"), "server", "-dev", "-dev-no-store-token", "-dev-root-token-id="+token, "-dev-listen-address="+addr, "-log-level=error")
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s.send(context.Background(), http.MethodGet, "config", "") == nil {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("vault did not answer within a minute")
}

func path(prefix string, n int) string { return fmt.Sprintf("%s/aws/p%d", prefix, n) }

func secretKey(n int) string { return fmt.Sprintf("%s%06d", fakeTail[:34], n) }

// values are a secret's, as JSON.
func values(n int) string {
	return fmt.Sprintf(`{"access_key":%q,"secret_key":%q}`, fakeID, secretKey(n))
}

// profiles are a credentials file of AWS.
func profiles(from, to int) string {
	var file strings.Builder
	for n := from; n < to; n++ {
		fmt.Fprintf(&file, "[p%d]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", n, fakeID, secretKey(n))
	}
	return file.String()
}

// each calls do for n secrets, as many at once as rhx.
func each(n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for n := range next {
				if err := do(ctx, n); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

func (s *server) put(ctx context.Context, prefix string, n int) error {
	return s.send(ctx, http.MethodPost, "data/"+path(prefix, n), fmt.Sprintf(`{"options":{"cas":0},"data":%s}`, values(n)))
}

// patch adds what rhx keeps beside the values.
func (s *server) patch(ctx context.Context, prefix string, n int) error {
	locations, err := json.Marshal(`[{"kind":"file","path":"~/.aws/credentials"}]`)
	if err != nil {
		return err
	}
	return s.send(ctx, http.MethodPatch, "metadata/"+path(prefix, n), fmt.Sprintf(`{"custom_metadata":{"provider":"aws","profile":"p%d","locations":%s}}`, n, locations))
}

func (s *server) send(ctx context.Context, method, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, s.addr+"/v1/"+mount+"/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", token)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: HTTP %d", method, path, resp.StatusCode)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// bare are requests by the bare client.
func (s *server) bare(name string, n int, do func(context.Context, int) error) *thing {
	return &thing{name: name, do: func() (*os.ProcessState, error) { return nil, each(n, do) }}
}

// at is rhx with the store below a prefix, and a home folder.
func (s *server) at(prefix, home string, args ...string) *exec.Cmd {
	cmd := s.command("", append([]string{s.b.rhx, "--store", "vault://" + mount + "/" + prefix}, args...)...)
	cmd.Env = append(cmd.Env, "HOME="+home)
	return cmd
}

// vaults are a thousand secrets saved to a Vault server, and loaded from it.
func vaults(b *bencher) (string, error) {
	const n = 1000
	s, err := startVault(b)
	if err != nil {
		return "", err
	}
	defer s.stop()
	if err := write(b.dir, map[string]string{".aws/credentials": profiles(0, n)}); err != nil {
		return "", err
	}
	round := 0
	name := func(kind string) string { return fmt.Sprintf("%s-%d", kind, round) }
	rhx := func(title string, command func() *exec.Cmd) *thing {
		return &thing{name: title, do: func() (*os.ProcessState, error) {
			cmd := command()
			out, err := cmd.CombinedOutput()
			return cmd.ProcessState, failed(cmd.Args, err, out)
		}}
	}
	next := s.bare("a bare client: 1,000 writes, and their metadata", n, func(ctx context.Context, i int) error {
		if err := s.put(ctx, name("bare"), i); err != nil {
			return err
		}
		return s.patch(ctx, name("bare"), i)
	})
	next.before = func() error { round++; return nil }
	save := rhx("`rhx save --all`, new", func() *exec.Cmd { return s.at(name("rhx"), b.dir, "save", "--all", "-q") })
	save.before = func() error { round++; return nil }
	if err := s.at("there", b.dir, "save", "--all", "-q").Run(); err != nil {
		return "", err
	}
	read := s.bare("a bare client: 1,000 reads", n, func(ctx context.Context, i int) error {
		return s.send(ctx, http.MethodGet, "data/"+path("there", i), "")
	})
	again := rhx("`rhx save --all`, all there", func() *exec.Cmd { return s.at("there", b.dir, "save", "--all", "-q") })
	load := rhx("`rhx load --all`, into one file", func() *exec.Cmd {
		round++
		return s.at("there", filepath.Join(b.dir, name("home")), "load", "--all", "-q")
	})
	loaded := rhx("`rhx load --all`, all there", func() *exec.Cmd { return s.at("there", b.dir, "load", "--all", "-q") })
	vals := &thing{name: "`vals eval`", do: func() (*os.ProcessState, error) {
		out, err := s.output("", b.has("vals"), "eval", "-f", "vals.yaml")
		if got := strings.Count(out, fakeTail[:34]); err == nil && got != n {
			err = fmt.Errorf("vals gave %d values", got)
		}
		return nil, err
	}}
	var refs strings.Builder
	for i := range n {
		fmt.Fprintf(&refs, "p%d: ref+vault://%s/%s#/secret_key\n", i, mount, path("there", i))
	}
	if err := write(b.dir, map[string]string{"vals.yaml": refs.String()}); err != nil {
		return "", err
	}
	cli := func(title string, argv func(i int) (string, []string)) *thing {
		return &thing{name: title, parts: n / inLoop, do: func() (*os.ProcessState, error) {
			for i := range inLoop {
				stdin, args := argv(i)
				if _, err := s.output(stdin, append([]string{b.has("vault")}, args...)...); err != nil {
					return nil, err
				}
			}
			return nil, nil
		}}
	}
	cliPut := cli(fmt.Sprintf("`vault kv put`, %d times, scaled", inLoop), func(i int) (string, []string) {
		return values(i), []string{"kv", "put", mount + "/" + path(name("cli"), i), "-"}
	})
	cliGet := cli(fmt.Sprintf("`vault kv get`, %d times, scaled", inLoop), func(i int) (string, []string) {
		return "", []string{"kv", "get", "-format=json", mount + "/" + path("there", i)}
	})
	things := []*thing{next, save, read, again, load, loaded, cliPut, cliGet}
	pairs := []pair{
		{a: save, b: next, why: "it also starts, reads the machine's files and writes its journal and its log"}, {a: save, b: cliPut},
		{a: again, b: read, why: "it also starts, and reads and compares the machine's files"},
		{a: load, b: read, goal: 1.2, why: "it also asks which secrets there are, and edits a file a thousand times"},
		{a: loaded, b: read, why: "it also asks which secrets there are, and compares"}, {a: load, b: cliGet},
	}
	if b.has("vals") != "" {
		things, pairs = append(things, vals), append(pairs, pair{a: load, b: vals})
	}
	few, fewPairs, err := s.few()
	if err != nil {
		return "", err
	}
	pairs = append(pairs, fewPairs...)
	if err := inTurn(1, 7, things...); err != nil {
		return "", err
	}
	if err := inTurn(1, 21, few...); err != nil {
		return "", err
	}
	intro := fmt.Sprintf("A server in dev mode on this machine, and %d requests at once, by rhx as by the client of %d lines. A new secret is two requests: Vault takes no metadata with values.\n\n", atOnce, 40)
	return intro + rows(pairs) + b.missing("vals"), nil
}

// few are one value from Vault, and a command with ten.
func (s *server) few() ([]*thing, []pair, error) {
	p, err := newPlace(filepath.Join(s.dir, "ten"), append([]string{"RHX_STORE=vault://" + mount + "/ten"}, s.env[3:]...)...)
	if err != nil {
		return nil, nil, err
	}
	if err := p.ten(s.b); err != nil {
		return nil, nil, err
	}
	var refs strings.Builder
	for i := range secrets {
		fmt.Fprintf(&refs, "K%d: ref+vault://%s/ten/s%d#/K%d\n", i, mount, i, i)
	}
	if err := write(p.dir, map[string]string{"vault.yaml": refs.String()}); err != nil {
		return nil, nil, err
	}
	get := p.timed("`rhx get`, one from Vault", "", s.b.rhx, "get", "s7", "K7")
	kv := p.timed("`vault kv get`", "", s.b.has("vault"), "kv", "get", "-field=K7", mount+"/ten/s7")
	run := p.timed("`rhx run -b`, ten from Vault", "", s.b.rhx, "run", "-b", "app", "--", "true")
	things, pairs := []*thing{get, kv, run}, []pair{{a: get, b: kv}}
	if vals := s.b.has("vals"); vals != "" {
		one := p.timed("`vals get`", "", vals, "get", fmt.Sprintf("ref+vault://%s/ten/s7#/K7", mount))
		all := p.timed("`vals exec`", "", vals, "exec", "-f", "vault.yaml", "--", "true")
		things, pairs = append(things, one, all), append(pairs, pair{a: get, b: one}, pair{a: run, b: all})
	}
	for _, t := range things {
		if _, err := t.once(); err != nil {
			return nil, nil, err
		}
	}
	return things, pairs, nil
}
