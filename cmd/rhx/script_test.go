package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	guestsdk "github.com/rhx-dev/rhx/guest-sdk"
)

// programs are what this test program is under other names.
var programs = map[string]func(){"rhx": main, "git-credential-rhx": main, "docker-credential-rhx": main, "terraform-credentials-rhx": main}

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == guestArg {
		main() // rhx as its own child, whatever this file is called
	}
	sshOfHome()
	testscript.Main(tidied{m}, programs)
}

// afterTests is called when all tests have run.
var afterTests []func()

// tidied is a test run that ends with afterTests.
type tidied struct{ testscript.TestingM }

func (m tidied) Run() int {
	defer func() {
		for _, then := range afterTests {
			then()
		}
	}()
	return m.TestingM.Run()
}

// TestScript runs testdata/script/*.txtar. Each has a HOME of its own, empty
// but for the files of the script, and none of this machine's environment.
//
// With go test -race a script's rhx is the plain program, until the command race; sshd
// and vault are one.
//
// Beside those of serverCommands and testscript's own commands there are:
//
//	race                from here on, rhx has the race detector: for what is concurrent
//	unhex FILE TEXT     write TEXT to FILE, with \r, \n, \t, \ufeff and \x00-\xff
//	fake FILE           replace ${AKIA}, ${SK} and the like in FILE by fake keys
//	mode FILE MODE      fail unless FILE has exactly these permission bits
//	snapshot FILE       remember FILE's bytes, inode and time
//	untouched FILE      fail unless FILE is as it was at its snapshot
//	quiet CMD...        run CMD, whatever its status; fail if it prints a canary
//	nocanary PATH...    fail if a file below PATH holds a canary
//	movelogin FROM TO   have the login that is kept be one at the server TO
//	client SECRET K=V   try a client in both directions: see cmdClient
//	elapse DURATION     have DURATION pass for what is to be taken out again
//	serve DIR           serve DIR over https, at $URL, until the script ends
//
// The condition root says that root runs the tests.
func TestScript(t *testing.T) {
	commands := map[string]func(*testscript.TestScript, bool, []string){
		"race":      cmdRace,
		"unhex":     cmdUnhex,
		"fake":      cmdFake,
		"mode":      cmdMode,
		"snapshot":  cmdSnapshot,
		"untouched": cmdUntouched,
		"quiet":     cmdQuiet,
		"nocanary":  cmdNoCanary,
		"serve":     cmdServe,
		"client":    cmdClient,
		"movelogin": cmdMoveLogin,
		"elapse":    cmdElapse,
	}
	maps.Copy(commands, serverCommands(t))
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup:              setup,
		Cmds:               commands,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %q", cond)
		},
	})
}

type snapshotKey struct{}

func setup(env *testscript.Env) error {
	env.Setenv("GORACE", raceOptions)
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("TERM", "dumb")
	env.Setenv("LC_ALL", "C.UTF-8")
	for name, value := range fakes() {
		env.Setenv(name, value)
	}
	tools, err := clients()
	if err != nil {
		return err
	}
	for name, path := range tools {
		env.Setenv(name, path)
	}
	// Files that MySQL's own editor, rclone and clearml-init wrote.
	for name, module := range map[string]string{"CASES": "mylogin", "RCLONE_CASES": "rclone", "CLEARML_CASES": "clearml"} {
		cases, err := filepath.Abs("../../providers-wasm/" + module + "/cases")
		if err != nil {
			return err
		}
		env.Setenv(name, cases)
	}
	sdk, err := filepath.Abs("../../guest-sdk")
	if err != nil {
		return err
	}
	env.Setenv("SDK", sdk)
	env.Setenv("KITS", strings.Join(guestsdk.Languages(), " "))
	// What builds guests, and where that keeps what it has built: in a new home
	// it would compile its own library for each script.
	guests := tools["GUESTS"]
	env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(guests, "bin"))
	if raceDetector() {
		rhx, err := builtPlain()
		if err != nil {
			return err
		}
		env.Values[plainKey{}] = filepath.Dir(rhx) + string(os.PathListSeparator)
		env.Setenv("PATH", filepath.Dir(rhx)+string(os.PathListSeparator)+env.Getenv("PATH"))
	}
	env.Setenv("GOCACHE", filepath.Join(guests, "cache", "go"))
	env.Setenv("ZIG_GLOBAL_CACHE_DIR", filepath.Join(guests, "cache", "zig"))
	env.Values[snapshotKey{}] = map[string]snapshot{}
	return nil
}

type plainKey struct{}

func cmdRace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: race")
	}
	if plain, ok := ts.Value(plainKey{}).(string); ok {
		ts.Setenv("PATH", strings.Replace(ts.Getenv("PATH"), plain, "", 1))
	}
}

// clients finds what .ci/tools installs for the scripts client_* and provider_*:
// the folder of Python packages, VENV, a newer gh than Debian's, GH, compilers of wasm,
// GUESTS, what reads .env files in Node and Python, DOTENV, clients for
// Node, NODE, SOPS, TOFU and VAULT. Programs from Debian's packages are in PATH.
var clients = sync.OnceValues(func() (map[string]string, error) {
	found := map[string]string{}
	for name, installed := range map[string]struct{ script, file string }{
		"VENV":    {"python.sh", "done"},
		"GH":      {"gh.sh", ""},
		"GUESTS":  {"guests.sh", "done"},
		"DOTENV":  {"dotenv.sh", "done"},
		"VAULT":   {"vault.sh", ""},
		"TOFU":    {"tofu.sh", ""},
		"SOPS":    {"sops.sh", ""},
		"NODE":    {"node.sh", "done"},
		"CLIENTS": {"clients.sh", "done"},
	} {
		out, err := exec.Command("sh", "../../.ci/tools/"+installed.script, "--path").Output()
		found[name] = strings.TrimSpace(string(out))
		if err == nil {
			_, err = os.Stat(filepath.Join(found[name], installed.file))
		}
		if err != nil {
			return nil, fmt.Errorf("a client of the tests is not there (%w): run make test-deps", err)
		}
	}
	for _, name := range []string{"age", "aws", "composer", "curl", "gem", "gh", "git", "gpg", "hcloud", "kubectl", "npm", "openssl", "pass", "python3", "rclone", "redis-cli", "skopeo", "ssh-keygen"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("a client of the tests is not there (%w): run make test-deps", err)
		}
	}
	return found, nil
})

// fakes are values that look like real keys and are not. A prefix and a body
// are joined here, so that a scanner of this repository has nothing to find.
func fakes() map[string]string {
	return map[string]string{
		"AKIA":     "AKIA" + "IOSFODNN7EXAMPLE",
		"AKIA2":    "AKIA" + "I44QHTDHBEXAMPLE",
		"AWSKEY":   "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
		"AWSKEY2":  "je7MtGbClwBF/2Zp9Utk/h3yCo8nvb" + "EXAMPLEKEY",
		"SK":       "sk-" + "FAKEfakeFAKEfakeFAKEfake",
		"SKANT":    "sk-ant-" + "api03-FAKEfakeFAKEfakeFAKEfake",
		"GHO":      "gho_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFAKE",
		"HF":       "hf_" + "FAKEfakeFAKEfakeFAKEfakeFAKEfakeFA",
		"WANDBKEY": strings.Repeat("0123456789", 4),
	}
}

var fakeRE = regexp.MustCompile(`\$\{[A-Z0-9]+\}`)

// cmdFake replaces ${NAME} in a file by the fake value, and leaves other text.
func cmdFake(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fake FILE...")
	}
	known := fakes()
	for _, name := range args {
		path := ts.MkAbs(name)
		data, err := os.ReadFile(path)
		ts.Check(err)
		out := fakeRE.ReplaceAllStringFunc(string(data), func(m string) string {
			if v, ok := known[m[2:len(m)-1]]; ok {
				return v
			}
			return m
		})
		ts.Check(os.WriteFile(path, []byte(out), 0o600))
		ts.Check(os.Chmod(path, 0o600)) // as tools have it; a script's own files can be read by all
	}
}

// cmdUnhex writes bytes that a txtar file cannot hold.
func cmdUnhex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unhex FILE TEXT")
	}
	text := strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\ufeff`, "\ufeff", `\x00`, "\x00", `\xff`, "\xff").Replace(args[1])
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE MODE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := info.Mode().Perm().String()[1:]; got != args[1] {
		ts.Fatalf("%s has mode %s, not %s", args[0], got, args[1])
	}
}

type snapshot struct {
	data string
	info os.FileInfo
}

func cmdSnapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: snapshot FILE...")
	}
	all := ts.Value(snapshotKey{}).(map[string]snapshot)
	for _, name := range args {
		path := ts.MkAbs(name)
		data, err := os.ReadFile(path)
		ts.Check(err)
		info, err := os.Stat(path)
		ts.Check(err)
		all[path] = snapshot{string(data), info}
	}
}

func cmdUntouched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: untouched FILE...")
	}
	all := ts.Value(snapshotKey{}).(map[string]snapshot)
	for _, name := range args {
		path := ts.MkAbs(name)
		was, ok := all[path]
		if !ok {
			ts.Fatalf("no snapshot of %s", name)
		}
		data, err := os.ReadFile(path)
		ts.Check(err)
		info, err := os.Stat(path)
		ts.Check(err)
		switch {
		case string(data) != was.data:
			ts.Fatalf("%s has other bytes", name)
		case !os.SameFile(info, was.info) || !info.ModTime().Equal(was.info.ModTime()):
			ts.Fatalf("%s was written again", name)
		}
	}
}
