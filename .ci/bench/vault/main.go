// Command vault times 1,000 secrets saved to and loaded from one Vault server in
// dev mode: rhx, a bare Go HTTP client with as many requests at once, the vault
// command in a loop, and vals. The rounds take turns, so that the ratios hold
// while the machine's speed drifts. It judges nothing.
//
//	go run ./.ci/bench/vault BIN VAULT VALS
//
// BIN is the folder with rhx and rhx-full; VAULT and VALS are programs.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	secrets  = 1000
	atOnce   = 32
	rounds   = 7
	inLoop   = 20 // calls of the vault command, whose time is scaled to all secrets
	token    = "fake-root-of-the-bench"
	mount    = "secret" // which a server in dev mode has
	fakeID   = "AKIA" + "IOSFODNN7EXAMPLE"
	fakeTail = "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: vault BIN VAULT VALS")
		os.Exit(2)
	}
	if err := bench(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// world is what the measured things share.
type world struct {
	rhx, vault, vals string
	dir, addr        string
	client           *http.Client
}

func bench(bin, vault, vals string) error {
	dir, err := os.MkdirTemp("", "rhx-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := &world{rhx: filepath.Join(bin, "rhx"), vault: vault, vals: vals, dir: dir,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}}
	stop, err := w.start()
	if err != nil {
		return err
	}
	defer stop()
	if err := w.prepare(); err != nil {
		return err
	}
	var order []string
	times := map[string][]time.Duration{}
	for r := range rounds + 1 {
		for _, step := range w.steps(r) {
			start := time.Now()
			if err := step.do(); err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			took := time.Since(start) * time.Duration(max(step.times, 1))
			if r == 0 { // warms up
				order = append(order, step.name)
				continue
			}
			times[step.name] = append(times[step.name], took)
		}
	}
	for i, name := range order {
		against := w.steps(0)[i].against
		ratios := make([]float64, rounds)
		for r := range ratios {
			ratios[r] = float64(times[name][r]) / float64(times[against][r])
		}
		slices.Sort(ratios)
		all := slices.Sorted(slices.Values(times[name]))
		fmt.Printf("%-46s %9.0f ms   %6.2f (%.2f - %.2f) of %s\n", name, float64(all[rounds/2].Microseconds())/1000, ratios[rounds/2], ratios[0], ratios[rounds-1], against)
	}
	return nil
}

// step is one thing to measure. times scales its time.
type step struct {
	name, against string
	times         int
	do            func() error
}

func (w *world) steps(round int) []step {
	put, both, get := "bare client: 1,000 puts", "bare client: 1,000 puts, 1,000 patches", "bare client: 1,000 gets"
	bare, rhx, cli := fmt.Sprintf("bare-%d", round), fmt.Sprintf("rhx-%d", round), fmt.Sprintf("cli-%d", round)
	home := filepath.Join(w.dir, fmt.Sprintf("home-%d", round))
	env := filepath.Join(w.dir, fmt.Sprintf("env-%d", round))
	return []step{
		{put, put, 0, func() error {
			return w.each(func(ctx context.Context, n int) error { return w.put(ctx, bare+"/a", n) })
		}},
		{both, both, 0, func() error {
			return w.each(func(ctx context.Context, n int) error {
				if err := w.put(ctx, bare+"/b", n); err != nil {
					return err
				}
				return w.patch(ctx, bare+"/b", n)
			})
		}},
		{"rhx save --all, new", both, 0, func() error { return w.runRhx(rhx, w.dir, "save", "--all", "-q") }},
		{"rhx save --all, new (against half the work)", put, 0, func() error { return w.runRhx(rhx+"-again", w.dir, "save", "--all", "-q") }},
		{get, get, 0, func() error { return w.each(func(ctx context.Context, n int) error { return w.get(ctx, rhx, n) }) }},
		{"rhx save --all, all there", get, 0, func() error { return w.runRhx(rhx, w.dir, "save", "--all", "-q") }},
		{"rhx load --all, into one file", get, 0, func() error { return w.runRhx(rhx, home, "load", "--all", "-q") }},
		{"rhx load --all, all there", get, 0, func() error { return w.runRhx(rhx, home, "load", "--all", "-q") }},
		{"vals eval", get, 0, func() error { return w.runVals(rhx) }},
		{fmt.Sprintf("vault kv put, %d times, scaled", inLoop), put, secrets / inLoop, func() error {
			for n := range inLoop {
				if err := w.run(w.vault, env, values(n), "kv", "put", mount+"/"+path(cli, n), "-"); err != nil {
					return err
				}
			}
			return nil
		}},
		{fmt.Sprintf("vault kv get, %d times, scaled", inLoop), get, secrets / inLoop, func() error {
			for n := range inLoop {
				if err := w.run(w.vault, env, nil, "kv", "get", "-format=json", mount+"/"+path(cli, n)); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func path(prefix string, n int) string { return fmt.Sprintf("%s/aws/p%d", prefix, n) }

// values are a secret's, as JSON.
func values(n int) []byte {
	return fmt.Appendf(nil, `{"access_key":%q,"secret_key":%q}`, fakeID, secretKey(n))
}

func secretKey(n int) string { return fmt.Sprintf("%s%04d", fakeTail, n) }

// each calls do for every secret, as many at once as rhx.
func (w *world) each(do func(context.Context, int) error) error {
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
	for n := range secrets {
		next <- n
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

func (w *world) put(ctx context.Context, prefix string, n int) error {
	return w.send(ctx, http.MethodPost, "data/"+path(prefix, n), fmt.Sprintf(`{"options":{"cas":0},"data":%s}`, values(n)))
}

// patch adds what rhx keeps beside the values.
func (w *world) patch(ctx context.Context, prefix string, n int) error {
	locations, err := json.Marshal(`[{"kind":"file","path":"~/.aws/credentials"}]`)
	if err != nil {
		return err
	}
	return w.send(ctx, http.MethodPatch, "metadata/"+path(prefix, n), fmt.Sprintf(`{"custom_metadata":{"provider":"aws","profile":"p%d","locations":%s}}`, n, locations))
}

func (w *world) get(ctx context.Context, prefix string, n int) error {
	return w.send(ctx, http.MethodGet, "data/"+path(prefix, n), "")
}

func (w *world) send(ctx context.Context, method, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, method, w.addr+"/v1/"+mount+"/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", token)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := w.client.Do(req)
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

func (w *world) runRhx(prefix, home string, args ...string) error {
	return w.run(w.rhx, home, nil, append([]string{"--store", "vault://" + mount + "/" + prefix}, args...)...)
}

func (w *world) runVals(prefix string) error {
	var refs strings.Builder
	for n := range secrets {
		fmt.Fprintf(&refs, "p%d: ref+vault://%s/%s#/secret_key\n", n, mount, path(prefix, n))
	}
	file := filepath.Join(w.dir, "vals.yaml")
	if err := os.WriteFile(file, []byte(refs.String()), 0o600); err != nil {
		return err
	}
	out, err := w.output(w.vals, w.dir, nil, "eval", "-f", file)
	if err == nil && bytes.Count(out, []byte(fakeTail)) != secrets {
		err = fmt.Errorf("vals gave %d values", bytes.Count(out, []byte(fakeTail)))
	}
	return err
}

func (w *world) run(program, home string, stdin []byte, args ...string) error {
	_, err := w.output(program, home, stdin, args...)
	return err
}

func (w *world) output(program, home string, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "VAULT_ADDR=" + w.addr, "VAULT_TOKEN=" + token}
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said.String())
	}
	return out, nil
}

// prepare makes a home with as many AWS profiles as there are secrets.
func (w *world) prepare() error {
	var file strings.Builder
	for n := range secrets {
		fmt.Fprintf(&file, "[p%d]\naws_access_key_id = %s\naws_secret_access_key = %s\n\n", n, fakeID, secretKey(n))
	}
	if err := os.MkdirAll(filepath.Join(w.dir, ".aws"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, ".aws", "credentials"), []byte(file.String()), 0o600)
}

// start starts the server and waits until it answers.
func (w *world) start() (stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	w.addr = "http://" + addr
	cmd := exec.Command(w.vault, "server", "-dev", "-dev-no-store-token", "-dev-root-token-id="+token, "-dev-listen-address="+addr, "-log-level=error")
	cmd.Env = []string{"HOME=" + w.dir, "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if w.send(context.Background(), http.MethodGet, "config", "") == nil {
			return stop, nil
		}
	}
	stop()
	return nil, fmt.Errorf("%s did not answer within a minute", w.vault)
}
