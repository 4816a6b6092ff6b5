package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"filippo.io/age"
	"filippo.io/age/plugin"
)

// A plugin of age for scripts: age-plugin-fakepin. Its keys are native ones by another name,
// and ask for a PIN; -generate makes one.
func init() {
	programs["age-plugin-fakepin"] = func() {
		if err := fakePin(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

func fakePin() error {
	p, err := plugin.New("fakepin")
	if err != nil {
		return err
	}
	p.HandleRecipient(func(data []byte) (age.Recipient, error) { return age.ParseX25519Recipient(string(data)) })
	p.HandleIdentity(func(data []byte) (age.Identity, error) {
		id, err := age.ParseX25519Identity(string(data))
		return &pinned{id, p}, err
	})
	p.RegisterFlags(nil)
	generate := flag.Bool("generate", false, "make a key")
	flag.Parse()
	if !*generate {
		os.Exit(p.Main())
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	fmt.Printf("# Recipient: %s\n%s\n", plugin.EncodeRecipient("fakepin", []byte(id.Recipient().String())), plugin.EncodeIdentity("fakepin", []byte(id.String())))
	return nil
}

type pinned struct {
	age.Identity
	p *plugin.Plugin
}

func (k *pinned) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if err := k.p.DisplayMessage("the key \x1b[31mblinks"); err != nil {
		return nil, err
	}
	pin, err := k.p.RequestValue("the PIN", true)
	if err != nil {
		return nil, err
	}
	if yes, err := k.p.Confirm("use it?", "use", "leave"); err != nil || !yes || pin != "1234" {
		return nil, errors.New("not with this PIN")
	}
	return k.Identity.Unwrap(stanzas)
}
