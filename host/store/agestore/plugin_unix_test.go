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
	self, err := os.Executable()
	noError(t, err)
	bin := t.TempDir()
	write(t, filepath.Join(bin, "age-plugin-"+pluginName), []byte("#!/bin/sh\n"+childEnv+"=plugin=. exec '"+self+"' \"$@\"\n"), 0o755)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	data, err := encodeFile(store.Info{Name: "a", Version: 1}, plain, []age.Recipient{r})
	noError(t, err)
	if info, _, err := decodeFile(data, []age.Identity{id}); err != nil || info.Name != "a" {
		t.Error(info, err)
	}
}
