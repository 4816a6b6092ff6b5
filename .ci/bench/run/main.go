// Command run times what rhx run costs over the command itself, with ten secrets of
// a bundle from the local store, beside other programs that give a command the same
// ten, in turn. It judges nothing.
//
//	go run ./.ci/bench/run BIN SOPS VALS DOTENVX    BIN is the folder with rhx
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	runs    = 60
	warm    = 3
	secrets = 10
)

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: run BIN SOPS VALS DOTENVX")
		os.Exit(2)
	}
	if err := bench(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench prints the time of each over that of the command alone.
func bench(bin, sops, vals, dotenvx string) error {
	dir, err := os.MkdirTemp("", "rhx-bench-run")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &setup{dir: dir, rhx: filepath.Join(bin, "rhx"), sops: sops, dotenvx: dotenvx, env: []string{
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "SOPS_AGE_KEY_FILE=" + filepath.Join(dir, "key.txt"),
	}}
	if err := s.prepare(); err != nil {
		return err
	}
	ways := []struct {
		name string
		argv []string
		// every is how many rounds there are to one of it; the slow ones have fewer.
		every int
	}{
		{"the command alone", nil, 1},
		{"rhx run -b", []string{s.rhx, "run", "-b", "app", "--"}, 1},
		{"rhx run --mask -b", []string{s.rhx, "run", "--mask", "-b", "app", "--"}, 1},
		{"sops exec-env", []string{sops, "exec-env", "--same-process", "enc.yaml"}, 1},
		{"vals exec (from sops)", []string{vals, "exec", "-f", "vals.yaml", "--"}, 2},
		{"dotenvx run (encrypted)", []string{dotenvx, "run", "-q", "-f", "enc.env", "--"}, 10},
		{"dotenvx run (plain)", []string{dotenvx, "run", "-q", "-f", "plain.env", "--"}, 10},
	}
	for i, w := range ways[1:] {
		// sops has a shell read the command.
		command := []string{"printenv", "K7"}
		if w.argv[0] == sops {
			command = []string{"printenv K7"}
		}
		want := value(7)
		if i == 1 {
			want = "********"
		}
		out, err := s.run(nil, append(slices.Clone(w.argv), command...)...)
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(string(out)); got != want {
			return fmt.Errorf("%s does not give the command its variables", w.name)
		}
	}
	took := make([][]float64, len(ways))
	for i := range warm + runs {
		for j, w := range ways {
			if i%w.every != 0 {
				continue
			}
			start := time.Now()
			if _, err := s.run(nil, append(slices.Clone(w.argv), "true")...); err != nil {
				return err
			}
			if i >= warm {
				took[j] = append(took[j], float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	fmt.Printf("%-28s %10s %12s   %s\n", "10 secrets", "median", "over alone", "rhx run -b against it")
	alone, rhx := median(took[0]), median(took[1])
	for j, w := range ways {
		m := median(took[j])
		if j == 0 {
			fmt.Printf("%-28s %7.2f ms\n", w.name, m)
			continue
		}
		fmt.Printf("%-28s %7.2f ms %9.2f ms   %.2f\n", w.name, m, m-alone, (rhx-alone)/(m-alone))
	}
	return nil
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// setup is the same ten secrets for each program.
type setup struct {
	dir, rhx, sops, dotenvx string
	env                     []string
}

func value(i int) string { return fmt.Sprintf("fake-%d-%s", i, strings.Repeat("FAKEfake", 4)) }

func (s *setup) run(stdin []byte, argv ...string) ([]byte, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = s.env, s.dir
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", argv[0], err, errs.Bytes())
	}
	return out, err
}

func (s *setup) prepare() error {
	manifest, refs, plain := "version: 1\nsecrets:\n", "", ""
	all := map[string]string{}
	for i := range secrets {
		key := fmt.Sprintf("K%d", i)
		all[key] = value(i)
		manifest += fmt.Sprintf("  s%d: {values: {%s: }}\n", i, key)
		refs += fmt.Sprintf("%s: ref+sops://%s/enc.yaml#/%s\n", key, s.dir, key)
		plain += fmt.Sprintf("%s=%s\n", key, value(i))
	}
	manifest += "bundles:\n  app: {secrets: [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]}\n"
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	for name, data := range map[string]string{"rhx.yaml": manifest, "all.json": string(text), "vals.yaml": refs, "plain.env": plain, "enc.env": plain} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(data), 0o600); err != nil {
			return err
		}
	}
	for i := range secrets {
		if _, err := s.run([]byte(value(i)), s.rhx, "save", fmt.Sprintf("s%d", i), fmt.Sprintf("K%d=-", i)); err != nil {
			return err
		}
	}
	if _, err := s.run(nil, s.rhx, "trust"); err != nil {
		return err
	}
	if _, err := s.run(nil, "age-keygen", "-o", "key.txt"); err != nil {
		return err
	}
	public, err := s.run(nil, "age-keygen", "-y", "key.txt")
	if err != nil {
		return err
	}
	enc, err := s.run(nil, s.sops, "encrypt", "--age", strings.TrimSpace(string(public)), "--input-type", "json", "--output-type", "yaml", "all.json")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "enc.yaml"), enc, 0o600); err != nil {
		return err
	}
	_, err = s.run(nil, s.dotenvx, "encrypt", "-f", "enc.env")
	return err
}
