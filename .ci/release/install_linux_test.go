package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const version = "1.2.3-fake"

// served is a release as its page serves it: files by their names.
type served struct {
	mu    sync.Mutex // another process asks for what a test has changed
	files map[string][]byte
	pub   string // the file of the public key
}

// release makes a release whose programs are scripts, signed by a key of its own.
func newRelease(t *testing.T) *served {
	t.Helper()
	dir := t.TempDir()
	s := &served{files: map[string][]byte{}, pub: filepath.Join(dir, "fake.pub")}
	must(t, exec.Command("minisign", "-GW", "-p", s.pub, "-s", filepath.Join(dir, "fake.key")))
	name := "rhx_" + version + "_linux_" + map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[strings.TrimSpace(must(t, exec.Command("uname", "-m")))]
	s.files[name+".tar.gz"] = archive(t, name)
	s.sign(t)
	return s
}

// sign lists and signs the files.
func (s *served) sign(t *testing.T) {
	t.Helper()
	sums := "rhx_" + version + "_checksums.txt"
	delete(s.files, sums)
	delete(s.files, sums+".minisig")
	var list bytes.Buffer
	for name, data := range s.files {
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(data), name)
	}
	path := filepath.Join(filepath.Dir(s.pub), sums)
	if err := os.WriteFile(path, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command("minisign", "-S", "-s", filepath.Join(filepath.Dir(s.pub), "fake.key"), "-m", path))
	s.files[sums] = list.Bytes()
	sig, err := os.ReadFile(path + ".minisig")
	if err != nil {
		t.Fatal(err)
	}
	s.files[sums+".minisig"] = sig
}

// the returns the only file whose name ends so.
func (s *served) the(t *testing.T, end string) string {
	t.Helper()
	for name := range s.files {
		if strings.HasSuffix(name, end) {
			return name
		}
	}
	t.Fatalf("no file *%s", end)
	return ""
}

// archive has the files that one of a release has.
func archive(t *testing.T, top string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, file := range []tar.Header{
		{Name: "LICENSE", Mode: 0o644},
		{Name: "rhx", Mode: 0o755},
		{Name: "rhx-full", Mode: 0o755},
		{Name: "git-credential-rhx", Linkname: "rhx"},
		{Name: "docker-credential-rhx", Linkname: "rhx"},
		{Name: "terraform-credentials-rhx", Linkname: "rhx"},
		{Name: "man1/rhx.1", Mode: 0o644},
		{Name: "man1/rhx-run.1", Mode: 0o644},
		{Name: "completions/rhx.bash", Mode: 0o644},
		{Name: "completions/_rhx", Mode: 0o644},
		{Name: "completions/rhx.fish", Mode: 0o644},
	} {
		text := "#!/bin/sh\necho rhx v" + version + "\n"
		if file.Name == "rhx-full" { // large enough to be cut off, and for a disk to be full; not packed
			text += ": " + strings.Repeat("0123456789abcdef", 1<<14) + "\n"
		}
		if file.Linkname != "" {
			file.Typeflag, file.Mode, text = tar.TypeSymlink, 0o777, ""
		}
		file.Name, file.Size = top+"/"+file.Name, int64(len(text))
		if err := w.WriteHeader(&file); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// serve serves the release on loopback, and returns the address.
func (s *served) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		data, ok := s.files[strings.TrimPrefix(r.URL.Path, "/")]
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		if whole, ok := bytes.CutSuffix(data, []byte("CUT OFF")); ok {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)+1000))
			data = whole
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// installer is install.sh of the release, the home folder, and a PATH with just these programs.
type installer struct{ script, home, path, base string }

func newInstaller(t *testing.T, s *served, programs ...string) *installer {
	t.Helper()
	dir := t.TempDir()
	i := &installer{script: filepath.Join(dir, "install.sh"), home: filepath.Join(dir, "home"), path: filepath.Join(dir, "bin"), base: s.serve(t)}
	if err := os.WriteFile(i.script, []byte(must(t, exec.Command("sh", "fill.sh", version, s.pub))), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{i.home, i.path} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(strings.Fields("sh mkdir mktemp rm mv tar gzip awk cut sed head tail wc grep uname printf sha256sum"), programs...) {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(i.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// run runs the script by a shell, with more in the environment.
func (i *installer) run(shell []string, env ...string) (string, error) {
	cmd := exec.Command(shell[0], append(shell[1:], i.script)...)
	cmd.Env = append([]string{"PATH=" + i.path, "HOME=" + i.home, "RHX_BASE_URL=" + i.base}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// left lists the files below the home folder.
func (i *installer) left(t *testing.T) []string {
	t.Helper()
	return strings.Fields(must(t, exec.Command("find", i.home, "-mindepth", "1", "!", "-type", "d", "-printf", "%P\n")))
}

func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return string(out)
}

var dash = []string{"/bin/dash"}

func TestInstallScriptInstalls(t *testing.T) {
	t.Parallel()
	s := newRelease(t)
	for name, test := range map[string]struct {
		shell    []string
		programs []string
	}{
		"dash, curl, minisign":  {dash, []string{"curl", "minisign"}},
		"bash, wget, openssl":   {[]string{"/bin/bash"}, []string{"wget", "openssl"}},
		"busybox, curl openssl": {[]string{"/bin/busybox", "sh"}, []string{"curl", "openssl"}},
		"mksh, curl, openssl":   {[]string{"/bin/mksh"}, []string{"curl", "openssl"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstaller(t, s, test.programs...)
			for range 2 { // also over itself
				out, err := i.run(test.shell)
				want := fmt.Sprintf("rhx v%s is installed: %[2]s/bin/rhx, with rhx-full beside it\n%[2]s/bin is not in PATH; add it: export PATH=\"%[2]s/bin:$PATH\"\n", version, i.home+"/.local")
				if err != nil || out != want {
					t.Fatalf("%v\n%s, not\n%s", err, out, want)
				}
			}
			if got := len(i.left(t)); got != 10 {
				t.Errorf("%d files: %q", got, i.left(t))
			}
			for _, file := range []string{"bin/git-credential-rhx", "bin/docker-credential-rhx", "bin/terraform-credentials-rhx", "bin/rhx-full"} {
				if out := must(t, exec.Command(filepath.Join(i.home, ".local", file))); out != "rhx v"+version+"\n" {
					t.Errorf("%s: %s", file, out)
				}
			}
			for _, file := range []string{"man/man1/rhx-run.1", "bash-completion/completions/rhx", "zsh/site-functions/_rhx", "fish/vendor_completions.d/rhx.fish"} {
				if _, err := os.Stat(filepath.Join(i.home, ".local/share", file)); err != nil {
					t.Error(err)
				}
			}
			out, err := i.run(test.shell, "PATH="+i.path+":"+i.home+"/p/bin", "RHX_PREFIX="+i.home+"/p")
			if err != nil || strings.Contains(out, "not in PATH") || !strings.Contains(out, i.home+"/p/bin/rhx,") {
				t.Errorf("another folder: %v\n%s", err, out)
			}
		})
	}
}

// Whatever goes wrong, the script fails, says why, and leaves what was installed before as
// it was.
func TestInstallScriptRefuses(t *testing.T) {
	t.Parallel()
	type made struct {
		*served
		*installer
	}
	flip := func(data []byte, at int) []byte {
		data = bytes.Clone(data)
		data[at] ^= 1
		return data
	}
	s := newRelease(t)
	for name, test := range map[string]struct {
		spoil func(t *testing.T, m made)
		want  string
	}{
		"a tampered archive": {func(t *testing.T, m made) {
			name := m.the(t, ".tar.gz")
			m.files[name] = flip(m.files[name], len(m.files[name])/2)
		}, "is not what was released: its SHA-256 is "},
		"an archive that ends early": {func(t *testing.T, m made) {
			name := m.the(t, ".tar.gz")
			m.files[name] = append(m.files[name][:1000:1000], "CUT OFF"...)
		}, "install.sh: cannot get http://"},
		"an archive that ends early, and says so": {func(t *testing.T, m made) {
			name := m.the(t, ".tar.gz")
			m.files[name] = m.files[name][:1000]
		}, "is not what was released"},
		"tampered checksums": {func(t *testing.T, m made) {
			name := m.the(t, ".txt")
			m.files[name] = flip(m.files[name], 3)
		}, "the signature of rhx_" + version + "_checksums.txt is not by the key of rhx"},
		"checksums without a signature": {func(t *testing.T, m made) { delete(m.files, m.the(t, ".minisig")) }, "checksums.txt.minisig\n"},
		"an empty signature":            {func(t *testing.T, m made) { m.files[m.the(t, ".minisig")] = nil }, "the signature of rhx_" + version + "_checksums.txt is not by the key of rhx"},
		"the signature of another key": {func(t *testing.T, m made) {
			other := newRelease(t)
			for name, data := range other.files {
				m.files[name] = data
			}
		}, "the signature of rhx_" + version + "_checksums.txt is not by the key of rhx"},
		"signed checksums of another release": {func(t *testing.T, m made) {
			data := m.files[m.the(t, ".tar.gz")]
			delete(m.files, m.the(t, ".tar.gz"))
			m.files["rhx_1.0.0_linux_amd64.tar.gz"] = data
			m.sign(t)
			m.files["rhx_"+version+"_linux_amd64.tar.gz"], m.files["rhx_"+version+"_linux_arm64.tar.gz"] = data, data
		}, "_checksums.txt does not name rhx_" + version},
		"no server": {func(_ *testing.T, m made) { m.base = "http://127.0.0.1:1" }, "install.sh: cannot get http://127.0.0.1:1/rhx_"},
		"a script without a key": {func(t *testing.T, m made) {
			if err := os.WriteFile(m.script, []byte(must(t, exec.Command("sh", "fill.sh", version))), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "this copy has no key"},
		"another system":  {func(t *testing.T, m made) { m.fake(t, "uname", `[ "$1" = -s ] && echo Plan9 || echo x86_64`) }, "there is no release for Plan9 on x86_64\n  with Go, make install builds rhx"},
		"another machine": {func(t *testing.T, m made) { m.fake(t, "uname", `[ "$1" = -s ] && echo Linux || echo riscv64`) }, "there is no release for Linux on riscv64\n"},
		"a program that does not run": {func(t *testing.T, m made) {
			m.fake(t, "tar", `/bin/tar "$@" && /bin/chmod 600 "$4"/*/rhx`)
		}, "does not run here"},
		"a script that ends early": {func(t *testing.T, m made) {
			text, err := os.ReadFile(m.script)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(m.script, append(text[:len(text)*2/3], "\n}\nfalse\n"...), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verifier := range []string{"minisign", "openssl"}[:1+strings.Count(test.want, "signature")] {
				i := newInstaller(t, &served{files: clone(s.files), pub: s.pub}, "curl", verifier)
				if out, err := i.run(dash); err != nil {
					t.Fatalf("before: %v\n%s", err, out)
				}
				old := filepath.Join(i.home, ".local/bin/rhx")
				if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
				bad := &served{files: clone(s.files), pub: s.pub}
				i.base = bad.serve(t)
				bad.mu.Lock()
				test.spoil(t, made{bad, i})
				bad.mu.Unlock()
				out, err := i.run(dash)
				if err == nil || !strings.Contains(out, test.want) {
					t.Errorf("%s: %v\n%s", verifier, err, out)
				}
				if text, err := os.ReadFile(old); err != nil || string(text) != "old" || len(i.left(t)) != 10 {
					t.Errorf("%s: it was installed, or left something: %q, %v, %q", verifier, text, err, i.left(t))
				}
			}
		})
	}
}

func clone(files map[string][]byte) map[string][]byte {
	c := map[string][]byte{}
	for name, data := range files {
		c[name] = bytes.Clone(data)
	}
	return c
}

// fake replaces a program.
func (i *installer) fake(t *testing.T, name, script string) {
	t.Helper()
	path := filepath.Join(i.path, name)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestInstallScriptNeedsWhatVerifies(t *testing.T) {
	t.Parallel()
	s := newRelease(t)
	i := newInstaller(t, s, "curl")
	if out, err := i.run(dash); err == nil || !strings.Contains(out, "no program here can verify the signature\n  install minisign, or OpenSSL 3\n") || len(i.left(t)) != 0 {
		t.Errorf("without: %v\n%s", err, out)
	}
	i = newInstaller(t, s, "minisign")
	if out, err := i.run(dash); err == nil || !strings.Contains(out, "neither curl nor wget is here") || len(i.left(t)) != 0 {
		t.Errorf("without curl: %v\n%s", err, out)
	}
}

// A folder that cannot be written, and a disk that is full.
func TestInstallScriptHasNoRoom(t *testing.T) {
	t.Parallel()
	s := newRelease(t)
	i := newInstaller(t, s, "curl", "minisign")
	if err := os.WriteFile(filepath.Join(i.home, ".local"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := i.run(dash); err == nil || !strings.Contains(out, "cannot write to "+i.home+"/.local\n  RHX_PREFIX=FOLDER installs elsewhere\n") || len(i.left(t)) != 1 {
		t.Errorf("a file in its place: %v\n%s", err, out)
	}
	i = newInstaller(t, s, "curl", "minisign")
	for size, want := range map[string]string{"4k": "install.sh: cannot ", "200k": "install.sh: cannot unpack "} {
		// In a namespace of its own, where a small file system is the folder.
		script := `mount --make-rprivate / && mount -t tmpfs -o size=` + size + ` none "$HOME" && ` + dash[0] + ` "$1"; status=$?; find "$HOME" -mindepth 1 ! -type d; exit $status`
		cmd := exec.Command("unshare", "-rm", "/bin/sh", "-c", script, "sh", i.script)
		cmd.Env = []string{"PATH=" + i.path + ":/usr/bin:/bin", "HOME=" + i.home, "RHX_BASE_URL=" + i.base}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "/bin/rhx\n") || strings.Contains(string(out), ".rhx-install") {
			t.Errorf("%s: %v\n%s", size, err, out)
		}
	}
}
