package release

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v3"
)

// programs is the folder with rhx and rhx-full, built once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rhx-release")
	if err != nil {
		return "", err
	}
	builtIn = dir
	for name, tags := range map[string]string{"rhx": "slim", "rhx-full": ""} {
		cmd := exec.Command("go", "build", "-tags", tags, "-ldflags", "-s -w -X main.version=v"+version+" -X main.commit="+strings.Repeat("0", 40)+" -X main.date=2026-11-30T03:21:21Z", "-o", filepath.Join(dir, name), "./cmd/rhx")
		cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, errors.Join(err, errors.New(string(out)))
		}
	}
	return dir, nil
})

// builtIn is that folder, or nothing where no test asked for it.
var builtIn string

func TestMain(m *testing.M) {
	status := m.Run()
	if builtIn != "" {
		_ = os.RemoveAll(builtIn)
	}
	os.Exit(status)
}

// folder returns the folder of the programs.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// pack makes packages that goreleaser would make, in a folder, where they have the names of
// a release.
func pack(t *testing.T, to string, formats ...string) {
	t.Helper()
	bin, dir := folder(t), t.TempDir()
	assets := filepath.Join(dir, "assets")
	must(t, exec.Command("sh", "assets.sh", filepath.Join(bin, "rhx"), assets))
	text, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		NFPMs []map[string]any `yaml:"nfpms"`
	}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("bin/release/", assets+"/", "{{ .CommitDate }}", "2026-11-30T03:21:21Z").Replace(string(text))), &all); err != nil {
		t.Fatal(err)
	}
	// What goreleaser calls otherwise, or adds.
	of := all.NFPMs[0]
	contents := of["contents"].([]any)
	for _, name := range []string{"rhx", "rhx-full"} {
		contents = append(contents, map[string]any{"src": filepath.Join(bin, name), "dst": of["bindir"].(string) + "/" + name, "file_info": map[string]any{"mode": 0o755}})
	}
	// To press them takes seconds.
	of["deb"] = map[string]any{"compression": "none"}
	of["rpm"].(map[string]any)["compression"] = "gzip:1"
	of["name"], of["version"], of["arch"], of["platform"], of["contents"] = of["package_name"], version, runtime.GOARCH, "linux", contents
	for _, key := range []string{"package_name", "formats", "bindir"} {
		delete(of, key)
	}
	config, err := yaml.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nfpm.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	nfpm := strings.TrimSpace(must(t, exec.Command("sh", "../tools/nfpm.sh", "--path")))
	for _, format := range formats {
		file := filepath.Join(to, "rhx_"+version+"_linux_"+runtime.GOARCH+"."+format)
		cmd := exec.Command(nfpm, "package", "-p", format, "-f", filepath.Join(dir, "nfpm.yaml"), "-t", file)
		cmd.Dir = filepath.Join("..", "..")
		must(t, cmd)
	}
}

// Each kind of package is installed into a root that has nothing else, run there and taken
// out, as make release does it with its own.
func TestPackagesAreUsed(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	pack(t, dist, "rpm", "apk")
	out := must(t, exec.Command("sh", "use.sh", version, dist))
	for _, want := range []string{"rpm: installed and run\n", "apk (its archive alone: apk is not to be had): installed and run\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	// What was changed on its way is noticed.
	for _, format := range []string{"rpm", "apk"} {
		dir := t.TempDir()
		name := "rhx_" + version + "_linux_" + runtime.GOARCH + "." + format
		data, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("sh", "use.sh", version, dir).CombinedOutput(); err == nil {
			t.Errorf("a spoilt %s is installed:\n%s", format, out)
		}
	}
}

//go:embed testdata/deb.sh
var useDeb string

// The deb is installed, used and removed in a root of its own: this machine's, of which
// nothing is changed. What removal leaves is the user's.
func TestDeb(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	pack(t, dist, "deb")
	pkg := filepath.Join(dist, "rhx_"+version+"_linux_"+runtime.GOARCH+".deb")
	fields := must(t, exec.Command("dpkg-deb", "-f", pkg))
	for _, want := range []string{"Package: rhx\n", "Version: 1.2.3~fake", "Architecture: " + runtime.GOARCH + "\n", "Recommends: openssh-client", "Description: finds credentials, "} {
		if !strings.Contains(fields, want) {
			t.Errorf("%q is not in\n%s", want, fields)
		}
	}
	dir := t.TempDir()
	// A file system of its own, in memory, which goes with the namespace: folders of this
	// machine below, and above them what is written.
	flags, options := "-mpf", ""
	if os.Geteuid() != 0 {
		flags, options = "-rmpf", ",userxattr"
	}
	cmd := exec.Command("unshare", flags, "--kill-child", "sh", "-euc", `mount --make-rprivate /
mount -t tmpfs none "$1"
cd "$1"
mkdir new old root root/proc root/dev root/tmp root/home
mount -t proc none root/proc
: >root/dev/null
mount --bind /dev/null root/dev/null
ln -s /proc/self/fd root/dev/fd
for name in usr etc var; do
	mkdir "new/$name" "old/$name" "root/$name"
	mount -t overlay none -o "lowerdir=/$name,upperdir=new/$name,workdir=old/$name$4" "root/$name"
done
for name in bin sbin lib lib64; do ln -s "usr/$name" "root/$name"; done
rm -f root/var/lib/man-db/auto-update # else dpkg has man-db read all pages of this machine
cp "$2" root/tmp/rhx.deb
printf %s "$3" >root/tmp/deb.sh
written() { find new -type f ! -path 'new/var/lib/dpkg/*' ! -path 'new/var/log/*' ! -path 'new/var/cache/*' ! -name .wh.\*; }
chroot root sh /tmp/deb.sh install
written | grep -qx new/usr/bin/rhx-full
chroot root sh /tmp/deb.sh use
chroot root sh /tmp/deb.sh remove
echo left behind:
written
find root/usr root/etc root/var/lib -name '*rhx*'
cd root
find home -type f
`, "sh", dir, pkg, useDeb, options)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	_, left, _ := strings.Cut(string(out), "left behind:\n")
	for line := range strings.Lines(left) {
		if !strings.HasPrefix(line, "home/jane/") {
			t.Errorf("it leaves %s", line)
		}
	}
	for _, file := range []string{".aws/credentials", ".local/share/rhx/identity.txt"} {
		if !strings.Contains(left, "home/jane/"+file+"\n") {
			t.Errorf("the user's %s is gone", file)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("%v\n%s", err, out)
	}
}

// The file system of the container is all that rhx needs, for a user that is not root.
func TestContainerFileSystem(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	must(t, exec.Command("sh", "rootfs.sh", folder(t), root))
	must(t, exec.Command("mkdir", root+"/proc", root+"/dev")) // as its runtime does
	cmd := exec.Command("unshare", "-rmpf", "--kill-child", "sh", "-euc", `mount --make-rprivate /
mount -t proc none "$1/proc"
mount -t tmpfs none "$1/dev"
: >"$1/dev/null"
mount --bind /dev/null "$1/dev/null"
root=$1 key=$2
run() { env -i HOME=/home/rhx PATH=/usr/bin OPENAI_API_KEY="$key" unshare -U --map-user=65532 --map-group=65532 --root="$root" --wd=/home/rhx "$@"; }
run /usr/bin/rhx version -o json
run /usr/bin/rhx detect
run /usr/bin/rhx save openai
run /usr/bin/rhx run -s openai -- /usr/bin/rhx get openai api_key
`, "sh", root, "sk-"+"FAKE0123456789abcdefghijklmnop")
	out, err := cmd.CombinedOutput()
	for _, want := range []string{`"version": "v` + version + `"`, `"agrees": true`, "$OPENAI_API_KEY", "openai: saved\n", "sk-" + "FAKE0123456789abcdefghijklmnop"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "usr/share/doc/rhx/THIRD_PARTY_NOTICES")); err != nil {
		t.Errorf("the licences of what the programs link ask that their texts go with them: %v", err)
	}
	info, statErr := os.Stat(filepath.Join(root, "home/rhx/.local/share/rhx/identity.txt"))
	if err != nil || statErr != nil || info.Mode().Perm() != 0o600 || t.Failed() {
		t.Errorf("%v, %v\n%s", err, statErr, out)
	}
}
