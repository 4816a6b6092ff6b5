package machine_test

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhx-dev/rhx/host/machine/machinetest"
)

// The contract once more, with the real docker and a real container: of Docker, or of podman
// that speaks its protocol (podman system service, DOCKER_HOST). The container has nothing
// but busybox.
func TestSoakDocker(t *testing.T) {
	if os.Getenv("RHX_SOAK") == "" {
		t.Skip("make soak runs it: it needs a daemon that may make containers")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	const image = "rhx-soak:busybox"
	docker(t, busyboxImage(t, busybox), "import", "-", image)
	t.Cleanup(func() { docker(t, nil, "rmi", "-f", image) })
	home := t.TempDir()
	args := []string{"run", "-d", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "-v", home + ":" + home, "-e", "HOME=" + home}
	env := map[string]string{"RHX_TEST_A": "one", "RHX_TEST_B": "two $x '"}
	for name, value := range env {
		args = append(args, "-e", name+"="+value)
	}
	name := docker(t, nil, append(args, image, "/bin/sleep", "100000")...)
	t.Cleanup(func() { docker(t, nil, "rm", "-f", name) })
	machinetest.Run(t, machinetest.Target{
		Machine: inContainer(t, "docker:"+name), Files: machinetest.OS{T: t}, Home: home, OS: "linux", Env: env, Root: os.Geteuid() == 0,
	})
}

// docker returns what docker prints.
func docker(t *testing.T, in []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", args[0], err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// busyboxImage is a root file system with busybox under all its names.
func busyboxImage(t *testing.T, busybox string) []byte {
	t.Helper()
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	names, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	add := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "etc", "root", "tmp"} {
		add(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, program)
	for _, name := range strings.Fields(string(names)) {
		if name != "busybox" {
			add(&tar.Header{Typeflag: tar.TypeSymlink, Name: filepath.Join("bin", name), Linkname: "busybox"}, nil)
		}
	}
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return image.Bytes()
}
