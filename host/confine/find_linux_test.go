package confine

import (
	"slices"
	"strings"
	"testing"
)

// A part of the mountinfo of a machine, with a folder that is mounted twice.
const someMounts = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:21 / /proc rw - proc proc rw
31 27 254:1 / /home rw - ext4 /dev/vdb rw
32 27 254:1 /jane /srv/with\\040space rw - ext4 /dev/vdb rw
33 27 254:1 /jane/.aws /mnt/aws rw - ext4 /dev/vdb rw
34 27 254:1 /janet /mnt/janet rw - ext4 /dev/vdb rw
35 27 254:2 / /home/other rw - ext4 /dev/vdc rw
`

func TestOtherPathsToAFile(t *testing.T) {
	all := mountsIn([]byte(strings.ReplaceAll(someMounts, `\\`, `\`)))
	for name, want := range map[string][]string{
		"/home/jane/.aws/credentials":      {"/mnt/aws/credentials", "/srv/with space/.aws/credentials"},
		"/home/jane/.aws":                  {"/mnt/aws", "/srv/with space/.aws"},
		"/mnt/aws/credentials":             {"/home/jane/.aws/credentials", "/srv/with space/.aws/credentials"},
		"/home/jane":                       {"/mnt/aws", "/srv/with space"},
		"/home/janet/x":                    {"/mnt/janet/x"},
		"/home/other/x":                    nil,
		"/etc/passwd":                      nil,
		"/srv/with space/.aws/credentials": {"/home/jane/.aws/credentials", "/mnt/aws/credentials"},
	} {
		got := aliases(name, all)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// A file system that was mounted above another one hides that one.
func TestMountOfAPath(t *testing.T) {
	all := mountsIn([]byte(`27 1 254:0 / / rw - ext4 /dev/vda rw
31 27 254:1 / /home/jane rw - ext4 /dev/vdb rw
32 27 254:2 / /home rw - ext4 /dev/vdc rw
33 27 254:2 / /backup rw - ext4 /dev/vdc rw
`))
	for id, want := range map[string]string{"32": "254:2", "31": "254:1", "": "254:1", "33": "254:1", "27": "254:0"} {
		if got := holding("/home/jane/.aws", id, all); got.device != want {
			t.Errorf("mount %q: device %s, want %s", id, got.device, want)
		}
	}
	if got := holding("/home/jane", "32", nil); got != nil {
		t.Error(got)
	}
	mine, err := mounts()
	if err != nil {
		t.Fatal(err)
	}
	if id := mountID("/proc"); !slices.ContainsFunc(mine, func(m mountPoint) bool { return m.id == id && m.kind == "proc" }) {
		t.Errorf("/proc is on mount %q", id)
	}
	if id := mountID("/nothing/there"); id != "" {
		t.Error(id)
	}
}

func TestPathsOfSockets(t *testing.T) {
	got := socketsIn([]byte(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 15873 /run/docker.sock
0000000000000000: 00000003 00000000 00000000 0001 03 15874
0000000000000000: 00000002 00000000 00010000 0001 01 15875 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00010000 0005 01 15876 /tmp/with  space/a
0000000000000000: 00000003 00000000 00000000 0001 03 15877 /run/docker.sock
0000000000000000: 00000002 00000000 00010000 0001 01 15878 relative/x
`))
	if want := []string{"/run/docker.sock", "/tmp/with  space/a"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What the kernel writes may have any name of a user's in it.
func FuzzMounts(f *testing.F) {
	f.Add([]byte(someMounts), "/home/jane/.aws")
	f.Add([]byte(`1 2 3:4 \04 \999`), "/")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		all := mountsIn(data)
		for _, p := range aliases(name, all) {
			if p == name {
				t.Errorf("%q is its own alias", name)
			}
		}
	})
}

func TestOutermost(t *testing.T) {
	got := outermost([]string{"/a", "/a/b", "/ab", "/c/d", "/c/d/e"})
	if want := []string{"/a", "/ab", "/c/d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
