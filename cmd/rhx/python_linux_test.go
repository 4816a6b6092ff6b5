package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine/sshtest"
)

// packaging is the Python environment that .ci/tools/packaging.sh makes.
func packaging(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("sh", "../../.ci/tools/packaging.sh", "--path").Output()
	dir := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "done"))
	}
	if err != nil {
		t.Fatalf("the tools for packages are not there (%v): run make test-deps", err)
	}
	return dir
}

// output runs a program in a folder with this machine's environment and more, and returns
// what it writes to its standard output.
func output(t *testing.T, dir string, more []string, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), more...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(argv, " "), err, out, errs.String())
	}
	return string(out)
}

// thisPlatform is the folder in which releases have this machine's programs.
const thisPlatform = runtime.GOOS + "_" + runtime.GOARCH

// releasedPrograms is a folder GOOS_GOARCH/rhx and rhx-full of this machine. To pack the
// second one, too, would cost more than it shows: a script starts it.
func releasedPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, thisPlatform)
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(slimRhx(t), filepath.Join(bin, "rhx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "rhx-full"), []byte("#!/bin/sh\nexec '"+plainProgram(t)+"' \"$@\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// textsOfPlatforms is such a folder with texts in place of the programs of all platforms, for
// what is only looked at.
func textsOfPlatforms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64", "windows_arm64"} {
		exe := ""
		if strings.HasPrefix(platform, "windows") {
			exe = ".exe"
		}
		for _, name := range []string{"rhx", "rhx-full"} {
			file := filepath.Join(dir, platform, name+exe)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(name+" of "+platform), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// The wheels of all platforms have their programs where installers look for them, and the
// same programs give the same bytes.
func TestWheels(t *testing.T) {
	t.Parallel()
	bin := textsOfPlatforms(t)
	make := func(version string) []string {
		return strings.Fields(output(t, "../..", nil, "sh", ".ci/release/wheels.sh", t.TempDir(), version, bin))
	}
	packaging(t)
	wheels, again := make("v1.2.0-rc.1"), make("v1.2.0-rc.1")
	var names []string
	for i, wheel := range wheels {
		names = append(names, filepath.Base(wheel))
		one, err := os.ReadFile(wheel)
		if err != nil {
			t.Fatal(err)
		}
		if two, err := os.ReadFile(again[i]); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s has other bytes the second time (%v)", filepath.Base(wheel), err)
		}
		checkWheel(t, wheel)
	}
	want := []string{
		"rhx-1.2.0rc1-py3-none-macosx_12_0_arm64.whl",
		"rhx-1.2.0rc1-py3-none-macosx_12_0_x86_64.whl",
		"rhx-1.2.0rc1-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
		"rhx-1.2.0rc1-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64.whl",
		"rhx-1.2.0rc1-py3-none-win_amd64.whl",
		"rhx-1.2.0rc1-py3-none-win_arm64.whl",
	}
	if !slices.Equal(names, want) {
		t.Errorf("wheels %q", names)
	}
}

// checkWheel looks into a wheel of version 1.2.0rc1: RECORD has every file with its digest,
// programs can be run and are those of the platform, all else is for all to read.
func checkWheel(t *testing.T, wheel string) {
	t.Helper()
	r, err := zip.OpenReader(wheel)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	base, info, exe := filepath.Base(wheel), "rhx-1.2.0rc1.dist-info/", ""
	if strings.Contains(base, "-win_") {
		exe = ".exe"
	}
	scripts := map[string]string{}
	var record []string
	text, err := fs.ReadFile(r, info+"RECORD")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		data, err := fs.ReadFile(r, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		name, script := strings.CutPrefix(f.Name, "rhx-1.2.0rc1.data/scripts/")
		mode := fs.FileMode(0o644)
		if script {
			scripts[name], mode = string(data), 0o755
		}
		if f.Mode().Perm() != mode {
			t.Errorf("%s: %s has mode %v", base, f.Name, f.Mode())
		}
		if f.Name == info+"RECORD" {
			record = append(record, f.Name+",,")
		} else {
			record = append(record, fmt.Sprintf("%s,sha256=%s,%d", f.Name, base64.RawURLEncoding.EncodeToString(sum(data)), len(data)))
		}
	}
	if got := strings.Fields(string(text)); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(record))) {
		t.Errorf("%s: RECORD is %q, and there is %q", base, got, record)
	}
	if len(scripts) != 5 || !strings.HasPrefix(scripts["rhx"+exe], "rhx of ") || !strings.HasPrefix(scripts["rhx-full"+exe], "rhx-full of ") {
		t.Errorf("%s has the programs %q", base, scripts)
	}
	for _, client := range []string{"git-credential-rhx", "docker-credential-rhx", "terraform-credentials-rhx"} {
		want := "#!/bin/sh\n"
		if exe != "" {
			want = "rhx of windows_"
		}
		if !strings.HasPrefix(scripts[client+exe], want) {
			t.Errorf("%s: %s is %q", base, client, scripts[client+exe])
		}
	}
	for _, file := range []string{"rhx/py.typed", info + "licenses/LICENSE", info + "METADATA"} {
		if _, err := fs.Stat(r, file); err != nil {
			t.Error(err)
		}
	}
}

func sum(data []byte) []byte {
	digest := sha256.Sum256(data)
	return digest[:]
}

// A wheel is made, installed by pip into an environment of its own and used there; the
// module's tests run with what was installed; and uninstalling leaves nothing.
func TestPythonModule(t *testing.T) {
	t.Parallel()
	tools, home := packaging(t), t.TempDir()
	wheel := strings.TrimSpace(output(t, "../..", nil, "sh", ".ci/release/wheels.sh", t.TempDir(), "1.2.3", releasedPrograms(t)))
	venv := filepath.Join(t.TempDir(), "venv")
	bin := filepath.Join(venv, "bin")
	output(t, "", nil, "python3", "-m", "venv", "--without-pip", venv)
	before := files(t, venv)
	pip := func(args ...string) {
		output(t, "", nil, append([]string{filepath.Join(tools, "bin", "python"), "-m", "pip", "-q", "--disable-pip-version-check", "--python", filepath.Join(bin, "python")}, args...)...)
	}
	pip("install", "--no-index", wheel)

	alone := []string{"HOME=" + home, "PATH=/usr/bin:/bin"}
	python := filepath.Join(bin, "python")
	version := output(t, "", alone, filepath.Join(bin, "rhx"), "version")
	for name, argv := range map[string][]string{
		"python -m rhx":   {python, "-m", "rhx", "version"},
		"the module":      {python, "-c", "import rhx; print(rhx.run(['sh', '-c', 'rhx version'], rhx.secret('a', {'b': 'c'}).save(), env={**__import__('os').environ, 'PATH': '" + bin + ":/bin'}, capture_output=True, text=True).stdout, end='')"},
		"rhx-full's link": {filepath.Join(bin, "rhx-full"), "version"},
	} {
		if got := output(t, "", alone, argv...); got != version || !strings.HasPrefix(got, "rhx ") {
			t.Errorf("%s: %q, not %q", name, got, version)
		}
	}
	if got := output(t, "", alone, python, "-c", "import rhx; print(rhx.__version__)"); got != "1.2.3\n" {
		t.Errorf("__version__ is %q", got)
	}
	// By a link elsewhere, as pipx makes them.
	link := filepath.Join(home, "git-credential-rhx")
	if err := os.Symlink(filepath.Join(bin, "git-credential-rhx"), link); err != nil {
		t.Fatal(err)
	}
	if got := output(t, "", alone, "sh", "-c", "printf 'protocol=https\nhost=example.com\nusername=u\npassword=FAKE\n\n' | "+link+" store; printf 'protocol=https\nhost=example.com\n\n' | "+link+" get"); !strings.Contains(got, "password=FAKE\n") {
		t.Errorf("git-credential-rhx: %q", got)
	}

	t.Run("pytest", func(t *testing.T) {
		s := sshtest.Start(t, sshtest.Options{})
		packages, err := filepath.Glob(filepath.Join(venv, "lib", "python3*", "site-packages"))
		if err != nil || len(packages) != 1 {
			t.Fatalf("%q, %v", packages, err)
		}
		docs, err := filepath.Abs("../../docs")
		if err != nil {
			t.Fatal(err)
		}
		env := []string{
			"PATH=" + bin + ":" + os.Getenv("PATH"), "PYTHONPATH=" + packages[0], "PYTHONDONTWRITEBYTECODE=1", "RHX_TEST_DOCS=" + docs,
			"RHX_TEST_SSH=" + s.HostBlock("box gpu-01"), "RHX_TEST_HOST_HOME=" + s.Home,
		}
		t.Log(output(t, "../python", env, filepath.Join(tools, "bin", "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", "--basetemp="+filepath.Join(t.TempDir(), "py")))
	})
	t.Run("mypy", func(t *testing.T) {
		output(t, "../python", nil, filepath.Join(tools, "bin", "mypy"), "--cache-dir="+filepath.Join(tools, "mypy"))
	})
	pip("uninstall", "-y", "rhx")
	if after := files(t, venv); !slices.Equal(before, after) {
		t.Errorf("left by pip uninstall: %q", slices.DeleteFunc(after, func(f string) bool { return slices.Contains(before, f) }))
	}
}

// files lists what is below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
