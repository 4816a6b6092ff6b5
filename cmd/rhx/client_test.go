package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// clientSteps tries one client of other people, in both directions. The script says
// how it writes and how it reads, in two programs beside it: "write" and "read", which
// end with .sh, .py or .js by their language. "write" finds the value of KEY in the
// variable FAKE_KEY, in capitals; "read" prints the values that the client has, in the
// order of the arguments, one a line.
type clientSteps struct {
	ts         *testscript.TestScript
	name       string
	vars       []string
	keys       []string
	values     map[string]string
	work, home string
}

// cmdClient is the testscript command "client [-file|-env] [VAR=TEXT...] SECRET
// KEY=VALUE...": the client uses a file, a variable, or both. VAR, in capitals, is set
// for all that runs. Another value of a key has 2 for each 1.
func cmdClient(ts *testscript.TestScript, neg bool, args []string) {
	only := ""
	if len(args) > 0 && (args[0] == "-file" || args[0] == "-env") {
		only, args = args[0], args[1:]
	}
	n := max(0, slices.IndexFunc(args, func(arg string) bool { return !strings.Contains(arg, "=") }))
	vars, args := args[:n], args[n:]
	if neg || len(args) < 2 {
		ts.Fatalf("usage: client [-file|-env] [VAR=TEXT...] SECRET KEY=VALUE...")
	}
	s := &clientSteps{ts: ts, name: args[0], vars: vars, values: map[string]string{}, work: ts.Getenv("WORK"), home: ts.Getenv("HOME")}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		if !strings.Contains(value, "1") {
			ts.Fatalf("%s: without a 1, %s has no other value", arg, key)
		}
		s.keys, s.values[key] = append(s.keys, key), value
	}
	if only == "-env" {
		s.save()
	} else {
		s.files()
	}
	if only != "-file" {
		s.reads("in the environment", s.run("rhx", "run", "-s", s.name, "--", "env", "HOME="+s.home, "sh", "-c", s.program("read")))
	}
}

// files goes through the client's own file, a lost one, and its own with other values.
// At the end there is none, and the store has the other values.
func (s *clientSteps) files() {
	s.client("write")
	s.detected()
	s.run("rhx", "save", s.name)
	own := s.tree()
	for path := range own {
		s.ts.Check(os.Chmod(filepath.Join(s.home, path), 0o600))
	}
	s.run("rhx", "load", s.name)
	s.unchanged("a load of what is there", own)

	s.replace(nil)
	s.run("rhx", "load", s.name)
	s.reads("of a new file", s.client("read"))
	s.detected()
	loaded := s.tree()
	s.run("rhx", "load", s.name)
	s.unchanged("a second load", loaded)

	s.replace(own)
	for key, value := range s.values {
		s.values[key] = strings.ReplaceAll(value, "1", "2")
	}
	s.save()
	s.run("rhx", "load", "--overwrite", s.name)
	after := s.tree()
	s.reads("of its own file, with other values", s.client("read"))
	// What is no value is as the client wrote it.
	for path, data := range own {
		one := func(data []byte) string { return strings.ReplaceAll(string(data), "2", "1") }
		if one(after[path]) != one(data) {
			s.ts.Fatalf("%s: more than the values is another: %q was %q", path, after[path], data)
		}
	}
	s.replace(nil)
}

func (s *clientSteps) save() {
	args := []string{"rhx", "save", s.name}
	for _, key := range s.keys {
		path := filepath.Join(s.work, "value-"+key)
		s.ts.Check(os.WriteFile(path, []byte(s.values[key]), 0o600))
		args = append(args, key+"=@"+path)
	}
	s.run(args...)
}

// detected checks that rhx finds just the values.
func (s *clientSteps) detected() {
	var found []struct {
		Name, State string
		Values      map[string]string
	}
	provider, _, _ := strings.Cut(s.name, "/")
	s.ts.Check(json.Unmarshal([]byte(s.run("rhx", "detect", provider, "--reveal", "-o", "json")), &found))
	for _, f := range found {
		if f.Name == s.name && f.State == "value" && maps.Equal(f.Values, s.values) {
			return
		}
	}
	s.ts.Fatalf("rhx finds %+v, not %s with %v", found, s.name, s.values)
}

func (s *clientSteps) reads(what, out string) {
	want := ""
	for _, key := range s.keys {
		want += s.values[key] + "\n"
	}
	if out != want {
		s.ts.Fatalf("%s, the client reads %q, not %q", what, out, want)
	}
}

// program is the shell's command for one of the script's programs.
func (s *clientSteps) program(name string) string {
	for ending, with := range map[string]string{".sh": "sh -eu", ".py": `"$VENV"/bin/python`, ".js": "node"} {
		if path := filepath.Join(s.work, name+ending); exists(path) {
			return "exec " + with + " '" + path + "'"
		}
	}
	s.ts.Fatalf("there is no program %q", name)
	return ""
}

func (s *clientSteps) client(program string) string { return s.run("sh", "-c", s.program(program)) }

func (s *clientSteps) run(argv ...string) string {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = s.work
	for _, name := range []string{"PATH", "HOME", "WORK", "TMPDIR", "TERM", "LC_ALL", "GORACE", "VENV", "NODE", "VAULT"} {
		cmd.Env = append(cmd.Env, name+"="+s.ts.Getenv(name))
	}
	// None of them gets out of this machine.
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		cmd.Env = append(cmd.Env, name+"=http://127.0.0.1:9")
	}
	cmd.Env = append(cmd.Env, "no_proxy=127.0.0.1,localhost", "NO_PROXY=127.0.0.1,localhost")
	cmd.Env = append(cmd.Env, s.vars...)
	if argv[0] != "rhx" {
		for key, value := range s.values {
			cmd.Env = append(cmd.Env, "FAKE_"+strings.ToUpper(key)+"="+value)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.ts.Fatalf("%q: %v\n%s%s", argv, err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// tree returns the files of the home folder but rhx's own.
func (s *clientSteps) tree() map[string][]byte {
	files := map[string][]byte{}
	s.ts.Check(filepath.WalkDir(s.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "rhx" {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(s.home, path)
		if err == nil {
			files[rel], err = os.ReadFile(path)
		}
		return err
	}))
	return files
}

func (s *clientSteps) replace(files map[string][]byte) {
	for path := range s.tree() {
		s.ts.Check(os.Remove(filepath.Join(s.home, path)))
	}
	for path, data := range files {
		s.ts.Check(os.MkdirAll(filepath.Dir(filepath.Join(s.home, path)), 0o700))
		s.ts.Check(os.WriteFile(filepath.Join(s.home, path), data, 0o600))
	}
}

func (s *clientSteps) unchanged(what string, was map[string][]byte) {
	now := s.tree()
	if !maps.EqualFunc(now, was, bytes.Equal) {
		s.ts.Fatalf("%s changes files: %q, was %q", what, now, was)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
