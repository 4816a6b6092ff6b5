package vaultstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/rhx-dev/rhx/host/fault"
)

// EnvKV is the variable that says which KV engines are where, as "MOUNT=VERSION"
// with commas between: then Vault is not asked.
const EnvKV = "RHX_VAULT_KV"

const (
	vaultPrefix = "VAULT_"
	baoPrefix   = "BAO_"
	// usesBao is a name for which Environment answers whether OpenBao's variables
	// are set.
	usesBao = "RHX_USES_BAO"
	// twoServers is VAULT_ADDR where it and BAO_ADDR differ.
	twoServers = "BAO_ADDR and VAULT_ADDR"
)

// Environment returns getenv as this package reads it: OpenBao's BAO_ADDR is
// VAULT_ADDR, and likewise for the other variables, of which BAO_ goes before VAULT_
// as it does for OpenBao's own command. Options.Getenv need not be wrapped; what
// looks at the variables before this package does must be.
func Environment(getenv func(string) string) func(string) string {
	return func(name string) string {
		switch rest, vault := strings.CutPrefix(name, vaultPrefix); {
		case strings.HasPrefix(name, baoPrefix) && name != envBaoTokenPath:
			return "" // it is read by its other name, and once
		case name == usesBao:
			if getenv(baoPrefix+"ADDR") != "" || getenv(baoPrefix+"TOKEN") != "" {
				return "true"
			}
		case vault:
			bao, own := getenv(baoPrefix+rest), getenv(name)
			if name == api.EnvVaultAddress && bao != "" && own != "" && !SameServer(bao, own) {
				return twoServers
			}
			if bao != "" {
				return bao
			}
			return own
		}
		return getenv(name)
	}
}

// address returns where Vault is. The vault CLI takes https://127.0.0.1:8200
// when nothing says so; for a tool that sends keys a guess is not good enough.
func address(getenv func(string) string) (string, error) {
	name := api.EnvVaultAgentAddr
	addr := getenv(name)
	if addr == "" {
		name = api.EnvVaultAddress
		addr = getenv(name)
	}
	switch addr {
	case "":
		return "", fault.WithHint(errors.New("VAULT_ADDR is not set, so it is not known where Vault is"),
			"rhx login --vault ADDR, or set VAULT_ADDR to the address of the server, such as https://vault.example.com:8200")
	case twoServers:
		return "", fault.WithHint(errors.New(twoServers+" name two servers"), "unset the one that is not meant")
	}
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "unix" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return "", fault.WithHint(fmt.Errorf("%s is not the address of a server", name),
			"it begins with https:// or http://, such as https://vault.example.com:8200")
	}
	if u.Scheme == "unix" {
		return addr, nil
	}
	server := serverOf(u)
	if server.RawQuery != "" || server.Fragment != "" {
		return "", fault.WithHint(fmt.Errorf("%s is the address of a page, not of a server", name), "it ends with the port, such as https://vault.example.com:8200")
	}
	return server.String(), nil
}

// serverOf returns the address of the server of an address that was copied from
// elsewhere: from a page of the web UI, or from the API, whose paths begin with /v1.
func serverOf(u *url.URL) *url.URL {
	server := *u
	path := strings.TrimRight(u.Path, "/")
	if before, page, ok := strings.Cut(path+"/", "/ui/"); ok && (page == "" || page == "vault/" || strings.HasPrefix(page, "vault/")) {
		path = before
		server.RawQuery, server.Fragment, server.RawFragment = "", "", ""
	}
	path = strings.TrimRight(strings.TrimSuffix(path, "/v1"), "/")
	if path != strings.TrimRight(u.Path, "/") {
		server.Path, server.RawPath = path, ""
	}
	return &server
}

// warnings says where the connection to the server is not protected.
func (c *client) warnings() []string {
	var out []string
	u, err := url.Parse(c.addr)
	if err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
		out = append(out, "the connection to Vault at "+c.where()+" is not encrypted: the token and all secrets can be read on their way")
	}
	if c.transport.TLSClientConfig.InsecureSkipVerify && err == nil && u.Scheme == "https" {
		out = append(out, "VAULT_SKIP_VERIFY is set: the token and all secrets go to whoever answers for Vault at "+c.where())
	}
	return out
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// kvFrom returns what EnvKV says of the engine at a path; "" if nothing.
func kvFrom(setting, path string) (mount, version string, err error) {
	for _, s := range strings.Split(setting, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		at, v, _ := strings.Cut(s, "=")
		if at = strings.Trim(at, "/"); at == "" || v != "1" && v != "2" {
			return "", "", fault.WithHint(fmt.Errorf("%s is not a list of MOUNT=VERSION", EnvKV), "such as secret=2,team/kv=1")
		}
		if (path == at || strings.HasPrefix(path, at+"/")) && len(at) > len(mount) {
			mount, version = at, v
		}
	}
	return mount, version, nil
}

// environ is the environment of a program that is run: this process's, without
// what opens rhx's own store.
func environ(with ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "RHX_AGE_") && name != "RHX_BACKUP_PASSPHRASE" && name != "RHX_IMPORT_PASSPHRASE" && name != api.EnvVaultToken {
			env = append(env, v)
		}
	}
	return append(env, with...)
}

// parseBool reads a variable that is true or false; "" is false.
func parseBool(getenv func(string) string, name string) (bool, error) {
	v := getenv(name)
	if v == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, fmt.Errorf("%s is %q, not true or false", name, v)
	}
	return b, nil
}
