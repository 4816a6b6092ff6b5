//go:build unix

package agestore

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

const pluginName = "rhxtest"

func init() { moreChildren["plugin"] = pluginMain }

// pluginMain is an age plugin whose public keys are native ones by another name.
func pluginMain(string) error {
	p, err := plugin.New(pluginName)
	if err != nil {
		return err
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) {
		return age.ParseX25519Recipient(string(data))
	})
	p.RegisterFlags(flag.CommandLine)
	flag.Parse()
	os.Exit(p.Main())
	return nil
}

// A key of a plugin, such as one in hardware, reads what is shared with it; without the
// plugin nothing is.
func TestShareWithAPlugin(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE1")
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	m := Member{Name: "hardware", Recipient: plugin.EncodeRecipient(pluginName, []byte(id.Recipient().String()))}
	if _, err := ann.Share(t.Context(), m, "ann"); err == nil || !strings.Contains(err.Error(), "age-plugin-"+pluginName) {
		t.Error(err)
	}
	if ms, err := ann.Members(t.Context()); err != nil || len(ms) != 0 {
		t.Errorf("%+v, %v", ms, err)
	}

	self, err := os.Executable()
	noError(t, err)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "age-plugin-"+pluginName), []byte("#!/bin/sh\n"+childEnv+"=plugin=. exec '"+self+"' \"$@\"\n"), 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	n, err := ann.Share(t.Context(), m, "ann")
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	putFake(t, ann, "b", "FAKE2")
	identity := write(t, filepath.Join(t.TempDir(), "id"), []byte(id.String()+"\n"), 0o600)
	if n, all := opens(t, ann, identity); n != 2 || all != 2 {
		t.Errorf("the plugin's key opens %d of %d", n, all)
	}
	right(t, ann)
}
