package inventory

import (
	"slices"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	for name, want := range map[string]string{
		"gpu":                       "gpu",
		"gpu-[1:3]":                 "gpu-1 gpu-2 gpu-3",
		"gpu-[08:11]":               "gpu-08 gpu-09 gpu-10 gpu-11",
		"jane@gpu[1:2]:2222":        "jane@gpu1:2222 jane@gpu2:2222",
		"r[a:b]-[1:5:2].x":          "ra-1.x ra-3.x ra-5.x rb-1.x rb-3.x rb-5.x",
		"[Y:b]":                     "Y Z a b",
		"[1:1]":                     "1",
		"[::1]:22":                  "[::1]:22",
		"jane@[fe80::1%eth0]":       "jane@[fe80::1%eth0]",
		"[2001:db8:0:0:0:0:0:1]":    "[2001:db8:0:0:0:0:0:1]",
		"[::1]-[1:2]":               "[::1]-1 [::1]-2",
		"a[b":                       "! a[b: brackets hold a range, such as [01:64] or [a:c], or an IPv6 address",
		"a]b":                       "! a]b: brackets hold a range, such as [01:64] or [a:c], or an IPv6 address",
		"gpu-[01-64]":               "! gpu-[01-64]: brackets hold a range, such as [01:64] or [a:c], or an IPv6 address",
		"gpu-[1:2]-[3,4]":           "! gpu-[1:2]-[3,4]: brackets hold a range, such as [01:64] or [a:c], or an IPv6 address",
		"[::1]:22[1:2]":             "[::1]:221 [::1]:222",
		"":                          "",
		"gpu-[3:1]":                 "! gpu-[3:1]: [3:1] is empty: it goes down",
		"gpu-[1:x]":                 "! gpu-[1:x]: [1:x] goes from a number to a letter",
		"gpu-[1:9:0]":               "! gpu-[1:9:0]: the step of [1:9:0] is not a number above 0",
		"gpu-[1:100000]":            "! gpu-[1:100000]: [1:100000] is too large",
		"g[1:200]-[1:200]":          "! g[1:200]-[1:200]: more than 10000 hosts",
		"g[1:99999999999999999999]": "! g[1:99999999999999999999]: [1:99999999999999999999] is too large",
	} {
		hosts, err := Expand(name)
		got := strings.Join(hosts, " ")
		if err != nil {
			got = "! " + err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

const sample = `# rhx hosts, version 1
bastion
[gpu]
gpu-[1:2] ansible_user=ubuntu  # two
box ansible_host=10.0.0.7 ansible_port="2222" other=x

; more
[cpu]
bastion
cpu-1
[gpu:vars]
this is = not a host
[fleet:children]
gpu
cpu
fleet
`

func TestInventory(t *testing.T) {
	inv, err := Parse("hosts", strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	gpu := []string{"ubuntu@gpu-1", "ubuntu@gpu-2", "10.0.0.7:2222"}
	for name, want := range map[string][]string{
		"gpu":   gpu,
		"cpu":   {"bastion", "cpu-1"},
		"fleet": append(slices.Clone(gpu), "bastion", "cpu-1"),
		"all":   append(append([]string{"bastion"}, gpu...), "cpu-1"),
	} {
		if got, ok := inv.Group(name); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "nope", "gpu-1"} {
		if got, ok := inv.Group(name); ok {
			t.Errorf("%q: %v", name, got)
		}
	}
	if got := inv.Groups(); !slices.Equal(got, []string{"gpu", "cpu", "fleet"}) {
		t.Error(got)
	}
}

func TestInventoryErrorsHaveTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"a\n[g":                        "hosts:2: a group's line ends in ]",
		"[ab:b:c]":                     "hosts:1: not a group: [ab:b:c]",
		"a\n# rhx hosts, version 2\nb": "hosts:2: it is of version 2, and this rhx reads version 1: use a newer rhx",
		"[]":                           "hosts:1: not a group: []",
		"---\nall:":                    "hosts:1: this is YAML; an inventory has a host on each line and [GROUP] above those of a group",
		"a b":                          `hosts:1: "b" is neither a second host, which would need a line of its own, nor a variable`,
		"h[1:2] ansible_host=x":        "hosts:1: ansible_host cannot be that of a range of hosts",
		"h[9:1]":                       "hosts:1: h[9:1]: [9:1] is empty: it goes down",
		"[g:children]\na b":            "hosts:2: a group's name is expected here",
		"a[1:9999]\nb[1:9999]":         "hosts:2: more than 10000 hosts",
	} {
		if _, err := Parse("hosts", strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzInventory(f *testing.F) {
	f.Add(sample)
	f.Add("[g]\nx[01:05:2] ansible_host=a\n[::1]:22\n[g:children]\ng\n")
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := Parse("f", strings.NewReader(text))
		if err != nil {
			return
		}
		all := inv.All()
		if len(all) > Most {
			t.Errorf("%d hosts", len(all))
		}
		for _, g := range inv.Groups() {
			hosts, ok := inv.Group(g)
			if g != "all" && !ok {
				t.Errorf("no group %q", g)
			}
			for _, h := range hosts {
				if !slices.Contains(all, h) {
					t.Errorf("%q is in no list", h)
				}
			}
		}
	})
}
