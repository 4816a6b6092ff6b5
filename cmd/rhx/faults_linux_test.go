package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/rhx-dev/rhx/host/store/agestore"
)

// soaked is how often something is done that make soak does each times for one of SEEDS.
func soaked(each, short int) int {
	if n, err := strconv.Atoi(os.Getenv("RHX_SOAK")); err == nil {
		return each * n
	}
	return short
}

// tried is a command whose system calls fail, or which is killed. All of a machine's
// commands that work without a network are here.
type tried struct {
	args  string
	stdin string
	// reads is for a command that changes nothing: where it succeeds it has to print all,
	// or to warn of what it could not read.
	reads bool
	// parts is for one that writes several secrets to a file: those that it can.
	parts bool
	// once is for one that says, called again, what is left to do by another command.
	once bool
}

func triedCommands() []tried {
	return []tried{
		{args: "save openai api_key=-", stdin: "fake-new-key"},
		{args: "save aws --overwrite"},
		{args: "save own --values values.json"},
		{args: "save --all --overwrite"},
		{args: "load aws/new"},
		{args: "load aws --overwrite"},
		{args: "load aws/new --ttl 8h"},
		{args: "load ssh/deploy"},
		{args: "load --all --overwrite", parts: true},
		{args: "load huggingface --to token.json"},
		{args: "load openai own --env --overwrite"},
		{args: "apply --yes --overwrite"},
		{args: "harden --yes cargo"},
		{args: "undo --yes"},
		{args: "delete huggingface --yes"},
		{args: "delete lambda --contents --yes"},
		{args: "rollback openai --to 1"},
		{args: "undelete gone"},
		{args: "copy own own2"},
		{args: "move own own3"},
		{args: "import dotenv .env --yes"},
		{args: "init --manifest new.yaml", once: true},
		{args: "store import backup --identity backup.key --yes"},
		{args: "store export made --to " + backupKey().Recipient().String()},
		{args: "store rekey --yes"},
		{args: "trust --revoke"},
		{args: "provider add acme --yes"},
		{args: "provider remove added"},
		{args: "list -o json", reads: true},
		{args: "get openai api_key", reads: true},
		{args: "show own --reveal", reads: true},
		{args: "history openai -o json", reads: true},
		{args: "detect --reveal", reads: true},
		{args: "env -s openai -s own", reads: true},
		{args: "env -b everything", reads: true},
		{args: "run -s openai -- printenv OPENAI_API_KEY", reads: true},
		{args: "run --mask -s own -- echo done", reads: true},
		{args: "run -b filed -- sh -c cat<\"$AWS_SHARED_CREDENTIALS_FILE\"", reads: true},
		{args: "plan --overwrite", reads: true},
		{args: "status", reads: true},
		{args: "why OPENAI_API_KEY -b everything", reads: true},
		{args: "where aws", reads: true},
		{args: "store verify", reads: true},
		{args: "log --verify", reads: true},
		{args: "providers aws", reads: true},
		{args: "provider verify", reads: true},
	}
}

// backupKey is the key of the backups that are tried.
var backupKey = sync.OnceValue(func() *age.X25519Identity {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return key
})

// times are those of a backup's text.
var times = regexp.MustCompile(`"(updated|created)":"[^"]+"`)

// opened is what is in a backup, without times; a torn one is what it is.
func opened(data []byte) string {
	plain, err := age.Decrypt(bytes.NewReader(data), backupKey())
	if err != nil {
		return string(data)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		return string(data)
	}
	return times.ReplaceAllString(string(text), "")
}

// trials is a home folder in which commands are tried, each time from the same beginning.
type trials struct {
	t                   *testing.T
	rhx, home, template string
	before              map[string]string
	done                []map[string]string // after each command, when nothing fails
	said                []string            // what each command prints then
	took                []time.Duration     // and how long it takes
	commands            []tried
	killed              bool // so that nobody could tidy up
}

func (tr *trials) command(line string) *exec.Cmd {
	args := strings.Fields(line)
	cmd := exec.Command(tr.rhx, args...)
	tr.at(cmd)
	return cmd
}

func (tr *trials) at(cmd *exec.Cmd) {
	cmd.Dir = tr.home
	cmd.Env = environ(tr.home, "TZ=UTC", "GOTRACEBACK=none")
}

func (tr *trials) must(line, stdin string) string {
	tr.t.Helper()
	cmd := tr.command(line)
	cmd.Stdin = strings.NewReader(stdin)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		tr.t.Fatalf("rhx %s: %v\n%s%s", line, err, out, errors.String())
	}
	return string(out)
}

func newTrials(t *testing.T) *trials {
	t.Helper()
	dir := t.TempDir()
	tr := &trials{t: t, rhx: plainProgram(t), home: filepath.Join(dir, "home"), template: filepath.Join(dir, "template"), commands: triedCommands()}
	spec := "spec: 1\nname: %s\nvalues: {token: {env: %s_TOKEN}}\nfiles: [{path: ~/.%[1]s, format: json, keys: {token: token}}]\n"
	for name, text := range map[string]string{
		".aws/credentials": "# mine\n[default]\naws_access_key_id = AKIAFAKEFAKEFAKEFAKE\naws_secret_access_key = fake-old-fake-old-fake-old-fake-old-fake\n" +
			"[prod]\naws_access_key_id = AKIAFAKEFAKEFAKEFAK3\naws_secret_access_key = fake-prd-fake-prd-fake-prd-fake-prd-fake\n",
		".cache/huggingface/token": "hf_" + strings.Repeat("o", 34), ".lambda_cloud/lambda_keys": "api_key = fake-lambda\n",
		".cargo/credentials.toml": "[registry]\ntoken = \"fake-cargo\"\n",
		".env":                    "OPENAI_API_KEY=fake-dotenv\nDB_PASSWORD=fake-password\n", "values.json": `{"USER": "fake-user", "PASSWORD": "fake-password"}`,
		"acme/provider.yaml": fmt.Sprintf(spec, "acme", "ACME"), "added/provider.yaml": fmt.Sprintf(spec, "added", "ADDED"),
		"rhx.yaml": "version: 1\nsecrets: {aws: , lambda: , huggingface: , openai: }\n" +
			"bundles: {everything: {secrets: [openai], env: {MODE: prod}}, filed: {files: aws}, every: {files: [aws, lambda, huggingface], secrets: openai}}\nhosts: {here: {addresses: local, bundles: every}}\n",
	} {
		path := filepath.Join(tr.home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tr.must("save --all", "")
	tr.must("save openai api_key=-", "fake-first-key")
	tr.must("save openai api_key=-", "fake-second-key")
	tr.must("save aws/new --values -", `{"access_key": "AKIAFAKEFAKEFAKEFAK4", "secret_key": "fake-new-fake-new-fake-new-fake-new-fake"}`)
	tr.must("save aws --overwrite --values -", `{"access_key": "AKIAFAKEFAKEFAKEFAK2", "secret_key": "fake-two-fake-two-fake-two-fake-two-fake"}`)
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fake", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tr.must("save ssh/deploy private_key=@"+key+" public_key=@"+key+".pub", "")
	for _, name := range []string{"own", "gone"} {
		tr.must("save "+name+" --values -", `{"USER": "fake-before", "PASSWORD": "fake-before"}`)
	}
	tr.must("delete gone --yes", "")
	tr.must("provider add added --yes", "")
	// A backup with a secret that is here no more, and one that is.
	tr.must("save back --values -", `{"USER": "fake-back"}`)
	tr.must("store export backup --to "+backupKey().Recipient().String(), "")
	if err := os.WriteFile(filepath.Join(tr.home, "backup.key"), []byte(backupKey().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr.must("delete back --yes", "")
	tr.must("trust", "")
	tr.must("load huggingface --overwrite --to ~/undone.json", "") // for undo
	if err := os.CopyFS(tr.template, os.DirFS(tr.home)); err != nil {
		t.Fatal(err)
	}
	tr.before = tr.state()
	for _, c := range tr.commands {
		tr.begin()
		begin := time.Now()
		tr.said = append(tr.said, tr.must(c.args, c.stdin))
		tr.took = append(tr.took, time.Since(begin))
		after := tr.state()
		if c.reads != maps.Equal(after, tr.before) {
			t.Fatalf("rhx %s changes something: %v", c.args, !c.reads)
		}
		tr.done = append(tr.done, after)
	}
	return tr
}

// begin makes the home folder what it was.
func (tr *trials) begin() {
	tr.t.Helper()
	if err := os.RemoveAll(tr.home); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.CopyFS(tr.home, os.DirFS(tr.template)); err != nil {
		tr.t.Fatal(err)
	}
	err := filepath.WalkDir(tr.home, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = os.Chmod(path, map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()])
		}
		return err
	})
	if err != nil {
		tr.t.Fatal(err)
	}
}

// state is all that counts: the files of others, and the secrets of the store, by name.
func (tr *trials) state() map[string]string {
	tr.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(tr.home, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(tr.home, path)
		switch {
		case err != nil:
			return err
		case rel == ".local/share/rhx/store", rel == ".local/state/rhx", rel == ".cache/rhx":
			return filepath.SkipDir
		case d.IsDir() && tr.killed && temporary(d.Name()):
			return filepath.SkipDir
		case slices.Contains(notes, rel), d.Type().IsRegular() && temporary(d.Name()):
			return nil
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			switch out[rel] = string(data); rel {
			case "made":
				out[rel] = opened(data)
			case ".local/share/rhx/retired.age":
				out[rel] = "the keys before a rekey"
			}
			return err
		}
		return nil
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	ctx := context.Background()
	st := agestore.Open(agestore.Options{Dir: filepath.Join(tr.home, ".local/share/rhx")})
	defer st.Close()
	list, err := st.List(ctx)
	if err != nil {
		tr.t.Fatalf("the store cannot be read: %v", err)
	}
	for _, info := range list {
		rec, err := st.Get(ctx, info.Name, 0)
		if err != nil {
			tr.t.Fatalf("%s cannot be read: %v", info.Name, err)
		}
		var b strings.Builder
		for _, k := range rec.Secret.Values.Keys() {
			fmt.Fprintf(&b, "%s=%s\n", k, rec.Secret.Values[k].Reveal())
		}
		out["store: "+info.Name] = b.String()
	}
	return out
}

// notes are rhx's own files that are never the same twice: whether they are right shows
// when the store is read.
var notes = []string{".local/share/rhx/store.seen", ".local/share/rhx/identity.txt"}

// temporary reports whether a file is one that a write begins with. A later one takes it
// away (TestSoakApplyKilled, package atomicfile).
func temporary(name string) bool {
	return strings.HasPrefix(name, ".rhx-") && strings.HasSuffix(name, ".tmp") || strings.HasPrefix(name, ".new-")
}

// whole reports that each thing is as it was or as the command makes it: none is torn,
// and none is lost.
func (tr *trials) whole(i int, now map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, had := tr.before[name]
		is, has := tr.done[i][name]
		got := now[name]
		if name == placesFile || tr.commands[i].parts && had && has {
			if line := strange(got, was, is); line != "" {
				return fmt.Errorf("%s has a line that is neither old nor new: %q", name, line)
			}
			continue
		}
		if !(had && got == was || has && got == is) {
			return fmt.Errorf("%s is neither old nor new: %q", name, got)
		}
	}
	for name := range tr.before {
		if _, there := now[name]; !there {
			if _, stays := tr.done[i][name]; stays {
				return fmt.Errorf("%s is lost", name)
			}
		}
	}
	return nil
}

// placesFile is rhx's own note of where secrets are, in parts.
const placesFile = ".config/rhx/config.yaml"

// strange returns a line of a text that is in none of two others.
func strange(text, a, b string) string {
	for line := range strings.Lines(text) {
		// Where a killed command wrote the private key, the next one notes its own half.
		if !strings.Contains(a, line) && !strings.Contains(b, line) && !strings.HasSuffix(line, ".pub\n") {
			return line
		}
	}
	return ""
}

// failing are system calls, and how they fail.
var failing = map[string][]string{
	"openat": {"EIO", "EMFILE", "ENOSPC"}, "read": {"EIO"}, "pread64": {"EIO"}, "write": {"ENOSPC", "EIO"}, "pwrite64": {"ENOSPC"},
	"fsync": {"EIO"}, "renameat": {"EIO", "ENOSPC"}, "renameat2": {"EIO"}, "linkat": {"EIO"}, "mkdirat": {"ENOSPC"}, "unlinkat": {"EIO"},
	"getdents64": {"EIO"}, "newfstatat": {"EIO"}, "fstat": {"EIO"}, "flock": {"EIO"}, "fchmod": {"EIO"}, "ftruncate": {"EIO"}, "close": {"EIO"},
}

// hangs is when a command hangs: it takes a second at most.
const hangs = 2 * time.Minute

// openPipe is a pipe that was not closed in a trace.
var openPipe = regexp.MustCompile(`close\(\d+<pipe:.*\(INJECTED\)`)

// A system call of a command fails, any of any command. Nothing is torn or lost, no
// command that did not do its work says that it did, and the next one is not hindered.
func TestSoakFaults(t *testing.T) {
	t.Parallel()
	tr := newTrials(t)
	calls := make([]map[string]int, len(tr.commands))
	for i, c := range tr.commands {
		calls[i] = tr.count(c)
	}
	faults, hit, refused := soaked(40, 40), 0, 0
	for n := range faults {
		i := n % len(tr.commands)
		c := tr.commands[i]
		call := pick(slices.Sorted(maps.Keys(calls[i])))
		how := pick(failing[call])
		inject := fmt.Sprintf("inject=%s:error=%s:when=%d", call, how, 1+rand.IntN(calls[i][call]))
		what := fmt.Sprintf("rhx %s with %s", c.args, inject)
		tr.begin()
		note := filepath.Join(t.TempDir(), "note")
		ctx, cancel := context.WithTimeout(t.Context(), hangs)
		cmd := exec.CommandContext(ctx, "strace", append([]string{"-f", "--seccomp-bpf", "-y", "-qq", "-o", note, "-e", "trace=" + call, "-e", inject, tr.rhx}, strings.Fields(c.args)...)...)
		tr.at(cmd)
		// Without strace what it traces goes on.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.Stdin = strings.NewReader(c.stdin)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		err := cmd.Run()
		cancel()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		trace, terr := os.ReadFile(note)
		if terr != nil {
			t.Fatal(terr)
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			// A pipe that strace says it has not closed is open: who reads it waits for ever.
			// Linux closes a file whatever close returns.
			if !openPipe.Match(trace) {
				t.Errorf("%s: it hangs\n%s", what, said.String())
			}
			continue
		}
		if bytes.Contains(trace, []byte("(INJECTED)")) {
			hit++
		}
		// Go's runtime ends a program that cannot write to its own pipe.
		if strings.Contains(said.String(), "panic: ") || strings.Contains(said.String(), "fatal error: ") && !strings.Contains(said.String(), "netpollBreak write failed") {
			t.Errorf("%s: %s", what, said.String())
		}
		if c.once && err != nil && strings.Contains(said.String(), ": it is not in new.yaml") {
			continue // a manifest of the rest, which is said
		}
		now := tr.state()
		if werr := tr.whole(i, now); werr != nil {
			t.Errorf("%s: %v\n%v\n%s", what, werr, err, said.String())
		}
		switch {
		case err == nil && strings.Contains(said.String(), "warning: the places were not noted") && differs(now, tr.done[i]) == placesFile:
			// Its work is done, and what is not is said.
		case err == nil && !maps.Equal(now, tr.done[i]):
			t.Errorf("%s: it succeeds, and %s is not done\n%s", what, differs(now, tr.done[i]), said.String())
		case err == nil && c.reads && out.String() != tr.said[i] && !strings.Contains(said.String(), "warning: "):
			t.Errorf("%s: it succeeds, and prints\n%snot\n%s%s", what, out.String(), tr.said[i], said.String())
		case err != nil:
			refused++
			tr.again(i, what)
		}
	}
	t.Logf("%d faults, of which %d hit, in %d commands; %d commands failed", faults, hit, len(tr.commands), refused)
	if hit < faults/2 {
		t.Errorf("only %d of %d faults hit", hit, faults)
	}
}

// again runs a command once more: what was there is no hindrance.
func (tr *trials) again(i int, what string) {
	tr.t.Helper()
	c := tr.commands[i]
	if c.once {
		return
	}
	cmd := tr.command(c.args)
	cmd.Stdin = strings.NewReader(c.stdin)
	out, err := cmd.CombinedOutput()
	now := tr.state()
	if not := differs(now, tr.done[i]); not != "" && not != placesFile || strange(now[placesFile], tr.before[placesFile], tr.done[i][placesFile]) != "" {
		tr.t.Errorf("%s, and then without: %s is not done: %v\n%s", what, not, err, out)
	}
}

func differs(a, b map[string]string) string {
	var out []string
	for _, m := range []map[string]string{a, b} {
		for name := range m {
			if va, vb := a[name], b[name]; va != vb && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// count returns how many of the calls that can fail a command makes.
func (tr *trials) count(c tried) map[string]int {
	tr.t.Helper()
	tr.begin()
	note := filepath.Join(tr.t.TempDir(), "calls")
	names := strings.Join(slices.Sorted(maps.Keys(failing)), ",")
	cmd := exec.Command("strace", append([]string{"-f", "--seccomp-bpf", "-qq", "-o", note, "-e", "trace=" + names, tr.rhx}, strings.Fields(c.args)...)...)
	tr.at(cmd)
	cmd.Stdin = strings.NewReader(c.stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		tr.t.Fatalf("%v\n%s", err, out)
	}
	trace, err := os.ReadFile(note)
	if err != nil {
		tr.t.Fatal(err)
	}
	out := map[string]int{}
	for line := range strings.Lines(string(trace)) {
		_, call, _ := strings.Cut(line, " ")
		call, _, _ = strings.Cut(strings.TrimSpace(call), "(")
		if failing[call] != nil {
			out[call]++
		}
	}
	if len(out) < 3 {
		tr.t.Fatalf("rhx %s: %v", c.args, out)
	}
	return out
}

func pick[T any](list []T) T { return list[rand.IntN(len(list))] }

// A command is killed at any instant, any of them.
func TestSoakKills(t *testing.T) {
	t.Parallel()
	tr := newTrials(t)
	tr.killed = true
	kills, ended := soaked(14, 20), 0
	for n := range kills {
		i := n % len(tr.commands)
		c := tr.commands[i]
		tr.begin()
		cmd := tr.command(c.args)
		cmd.Stdin = strings.NewReader(c.stdin)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(tr.took[i]))
		_ = cmd.Process.Kill()
		if cmd.Wait() == nil {
			ended++
		}
		what := fmt.Sprintf("rhx %s killed", c.args)
		if err := tr.whole(i, tr.state()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		tr.again(i, what)
	}
	t.Logf("%d kills, of which %d came too late", kills, ended)
}
