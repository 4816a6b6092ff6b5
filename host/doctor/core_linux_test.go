package doctor

import "testing"

func TestCoreDumps(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"": "", "|/usr/share/apport/apport %p": "", "core": "a command that crashes leaves its memory in its working folder", "/var/cores/core.%p": "a command that crashes leaves its memory in /var/cores",
	} {
		got := ""
		for _, f := range coreDumps(pattern) {
			got = f.What
		}
		if got != want {
			t.Errorf("%q: %q, not %q", pattern, got, want)
		}
	}
}

func TestSharesOfTheNetwork(t *testing.T) {
	t.Parallel()
	for number, want := range map[uint32]string{0x6969: "NFS", 0xff534d42: "CIFS", 0xef53: "", 0x01021994: "", 0x9123683e: ""} {
		if got := networked(number); got != want {
			t.Errorf("%x: %q, not %q", number, got, want)
		}
	}
}
