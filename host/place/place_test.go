package place_test

import (
	"encoding/json"
	"testing"

	"github.com/rhx-dev/rhx/host/place"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		p    place.Place
		text string
	}{
		{place.Here, "local"},
		{place.Place{}, "local"},
		{place.Store, "store"},
		{place.Host("gpu"), "gpu"},
		{place.Host("local2"), "local2"},
		{place.Host("store"), "host:store"},
		{place.Host("local"), "host:local"},
		{place.Host("host:x"), "host:host:x"},
		{place.Host(""), ""},
	} {
		if got := c.p.String(); got != c.text {
			t.Errorf("%#v: %q, want %q", c.p, got, c.text)
		}
		if got := place.Parse(c.text); got != c.p {
			t.Errorf("%q is %#v, want %#v", c.text, got, c.p)
		}
		data, err := json.Marshal(c.p)
		var back place.Place
		if err != nil || json.Unmarshal(data, &back) != nil || back != c.p {
			t.Errorf("%#v: %s, %v, and back %#v", c.p, data, err, back)
		}
	}
}

func TestHost(t *testing.T) {
	if p := place.Host("a:22"); !p.IsHost() || p.Address() != "a:22" {
		t.Errorf("%#v", p)
	}
	if place.Here.IsHost() || place.Store.IsHost() || place.Here.Address() != "" {
		t.Error("this machine or the store is a host")
	}
}

func TestInManifest(t *testing.T) {
	for text, want := range map[string]place.Place{
		"local": place.Here, "store": place.Host("store"), "host:local": place.Host("local"), "local2": place.Host("local2"),
	} {
		if got := place.InManifest(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}
