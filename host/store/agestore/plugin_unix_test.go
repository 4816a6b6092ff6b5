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

	"github.com/rhx-dev/rhx/host/store"
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

// A key of a plugin, such as one in hardware, is encrypted to by its plugin, and by nothing
// where that is not there.
func TestAPublicKeyOfAPlugin(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	r, err := ParseRecipient(plugin.EncodeRecipient(pluginName, []byte(id.Recipient().String())))
	noError(t, err)
	if _, err := encodeFile(store.Info{Name: "a", Version: 1}, []byte("{}"), []age.Recipient{r}); err == nil || !strings.Contains(err.Error(), "age-plugin-"+pluginName) {
		t.Error(err)
	}
	plain, err := encodePayload(fake("a"))
	noError(t, err)
	installPlugin(t)
	data, err := encodeFile(store.Info{Name: "a", Version: 1}, plain, []age.Recipient{r})
	noError(t, err)
	if info, _, err := decodeFile(data, []age.Identity{id}); err != nil || info.Name != "a" {
		t.Error(info, err)
	}
}

// installPlugin has the plugin be in PATH.
func installPlugin(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	noError(t, err)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "age-plugin-"+pluginName), []byte("#!/bin/sh\n"+childEnv+"=plugin=. exec '"+self+"' \"$@\"\n"), 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// A key of a plugin, such as one in hardware, reads what is shared with it; without the
// plugin nothing is.
func TestSharingWithAPlugin(t *testing.T) {
	ann := somebody(t)
	putFake(t, ann, "a", "FAKE1")
	id, err := age.GenerateX25519Identity()
	noError(t, err)
	m := &Member{Name: "hardware", Recipients: []string{plugin.EncodeRecipient(pluginName, []byte(id.Recipient().String()))}}
	if _, err := ann.Share(t.Context(), m, "ann"); err == nil || !strings.Contains(err.Error(), "age-plugin-"+pluginName) {
		t.Error(err)
	}
	if r, err := ann.Shared(t.Context()); err != nil || r != nil {
		t.Errorf("%+v, %v", r, err)
	}
	installPlugin(t)
	share(t, ann, m, 1)
	putFake(t, ann, "b", "FAKE2")
	identity := write(t, filepath.Join(t.TempDir(), "id"), []byte(id.String()+"\n"), 0o600)
	if n, all := opens(t, ann, identity); n != 2 || all != 2 {
		t.Errorf("the plugin's key opens %d of %d", n, all)
	}
	right(t, ann)
}
