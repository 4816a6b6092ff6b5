package machine

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// setting is what becomes of one key that ssh -G prints: set follows it; without
// set, why says what makes it harmless to this program.
type setting struct {
	set func(c *sshConfig, value string)
	why string
}

// sshSettings has every key of ssh -G, up to OpenSSH 10. A test compares it with
// what the installed ssh prints. What a newer ssh prints beside these, and not
// only as its default, is refused: see unknownSettings.
var sshSettings = sync.OnceValue(func() map[string]setting {
	return map[string]setting{
		// Which host, and as whom.
		"host":          harmless("what the user named"),
		"hostname":      text(func(c *sshConfig) *string { return &c.host }),
		"user":          text(func(c *sshConfig) *string { return &c.user }),
		"port":          text(func(c *sshConfig) *string { return &c.port }),
		"hostkeyalias":  text(func(c *sshConfig) *string { return &c.alias }),
		"addressfamily": {set: func(c *sshConfig, v string) { c.family = families[v] }},

		// The way there.
		"proxyjump":           textOrNone(func(c *sshConfig) *string { return &c.jump }),
		"proxycommand":        textOrNone(func(c *sshConfig) *string { return &c.proxyCommand }),
		"proxyusefdpass":      flagOf(func(c *sshConfig) *bool { return &c.fdPass }),
		"bindaddress":         text(func(c *sshConfig) *string { return &c.bindAddress }),
		"bindinterface":       text(func(c *sshConfig) *string { return &c.bindInterface }),
		"connecttimeout":      {set: func(c *sshConfig, v string) { c.timeout = seconds(v) }},
		"connectionattempts":  number(func(c *sshConfig) *int { return &c.attempts }),
		"tcpkeepalive":        {set: func(c *sshConfig, v string) { c.noTCPKeepAlive = v == "no" }},
		"serveraliveinterval": {set: func(c *sshConfig, v string) { c.aliveEvery = seconds(v) }},
		"serveralivecountmax": number(func(c *sshConfig) *int { return &c.aliveCount }),
		"controlmaster":       {set: func(c *sshConfig, v string) { c.ownMaster = v == "yes" || v == "true" || v == "ask" }},
		"controlpath":         textOrNone(func(c *sshConfig) *string { return &c.controlPath }),
		"ciphers":             list(func(c *sshConfig) *[]string { return &c.ciphers }),
		"macs":                list(func(c *sshConfig) *[]string { return &c.macs }),
		"kexalgorithms":       list(func(c *sshConfig) *[]string { return &c.keyExchanges }),

		// That it is the right host.
		"hostkeyalgorithms":     list(func(c *sshConfig) *[]string { return &c.hostKeyAlgorithms }),
		"casignaturealgorithms": list(func(c *sshConfig) *[]string { return &c.caAlgorithms }),
		"requiredrsasize":       number(func(c *sshConfig) *int { return &c.rsaBits }),
		"rsaminsize":            number(func(c *sshConfig) *int { return &c.rsaBits }), // Red Hat's name for it
		"userknownhostsfile":    {set: func(c *sshConfig, v string) { c.userHosts = splitPaths(v) }},
		"globalknownhostsfile":  {set: func(c *sshConfig, v string) { c.globalHosts = splitPaths(v) }},
		"knownhostscommand":     textOrNone(func(c *sshConfig) *string { return &c.hostsCommand }),
		"revokedhostkeys":       {set: func(c *sshConfig, v string) { c.revokedKeys = splitPaths(v) }},
		"stricthostkeychecking": {set: func(c *sshConfig, v string) { c.strict = strictness[v] }},
		"hashknownhosts":        flagOf(func(c *sshConfig) *bool { return &c.hashHosts }),
		"checkhostip":           flagOf(func(c *sshConfig) *bool { return &c.checkIP }),

		// Who is let in.
		"batchmode":                       flagOf(func(c *sshConfig) *bool { return &c.batch }),
		"identityfile":                    each(func(c *sshConfig) *[]string { return &c.identities }),
		"certificatefile":                 each(func(c *sshConfig) *[]string { return &c.certificates }),
		"identitiesonly":                  flagOf(func(c *sshConfig) *bool { return &c.identitiesOnly }),
		"identityagent":                   text(func(c *sshConfig) *string { return &c.agent }),
		"addkeystoagent":                  text(func(c *sshConfig) *string { return &c.addKeys }),
		"pubkeyacceptedalgorithms":        list(func(c *sshConfig) *[]string { return &c.keyAlgorithms }),
		"pubkeyacceptedkeytypes":          list(func(c *sshConfig) *[]string { return &c.keyAlgorithms }),
		"preferredauthentications":        list(func(c *sshConfig) *[]string { return &c.methods }),
		"pubkeyauthentication":            {set: func(c *sshConfig, v string) { c.publicKey = v != "no" && v != "false" }},
		"passwordauthentication":          flagOf(func(c *sshConfig) *bool { return &c.password }),
		"kbdinteractiveauthentication":    flagOf(func(c *sshConfig) *bool { return &c.kbdInt }),
		"challengeresponseauthentication": flagOf(func(c *sshConfig) *bool { return &c.kbdInt }),
		"numberofpasswordprompts":         number(func(c *sshConfig) *int { return &c.prompts }),
		// These ways in are named where the host lets nobody in by another one.
		"gssapiauthentication":    flagOf(func(c *sshConfig) *bool { return &c.gssapi }),
		"hostbasedauthentication": flagOf(func(c *sshConfig) *bool { return &c.hostBased }),
		"pkcs11provider":          textOrNone(func(c *sshConfig) *string { return &c.pkcs11 }),

		// What the command there gets.
		"sendenv": each(func(c *sshConfig) *[]string { return &c.sendEnv }),
		"setenv":  each(func(c *sshConfig) *[]string { return &c.setEnv }),

		// ssh -G has done these.
		"canonicalizefallbacklocal":   harmless("done by ssh -G"),
		"canonicalizehostname":        harmless("done by ssh -G"),
		"canonicalizemaxdots":         harmless("done by ssh -G"),
		"canonicalizepermittedcnames": harmless("done by ssh -G"),
		"canonicaldomains":            harmless("done by ssh -G"),
		"ignoreunknown":               harmless("done by ssh -G"),
		"tag":                         harmless("done by ssh -G"),

		// Host keys are always verified, and no other source of trust is asked.
		"nohostauthenticationforlocalhost": harmless("host keys are always verified"),
		"verifyhostkeydns":                 harmless("the DNS is not trusted: the question is asked"),
		"updatehostkeys":                   harmless("known_hosts only learns what was confirmed"),
		"gssapikeyexchange":                harmless("host keys are verified instead"),
		"gssapikexalgorithms":              harmless("host keys are verified instead"),

		// Nothing is ever forwarded, and rhx runs commands of its own, as scp does.
		"clearallforwardings":       harmless("nothing is forwarded"),
		"dynamicforward":            harmless("nothing is forwarded"),
		"exitonforwardfailure":      harmless("nothing is forwarded"),
		"forwardagent":              harmless("nothing is forwarded"),
		"forwardx11":                harmless("nothing is forwarded"),
		"forwardx11timeout":         harmless("nothing is forwarded"),
		"forwardx11trusted":         harmless("nothing is forwarded"),
		"gatewayports":              harmless("nothing is forwarded"),
		"gssapidelegatecredentials": harmless("nothing is forwarded"),
		"localforward":              harmless("nothing is forwarded"),
		"permitremoteopen":          harmless("nothing is forwarded"),
		"remoteforward":             harmless("nothing is forwarded"),
		"streamlocalbindmask":       harmless("nothing is forwarded"),
		"streamlocalbindunlink":     harmless("nothing is forwarded"),
		"tunnel":                    harmless("nothing is forwarded"),
		"tunneldevice":              harmless("nothing is forwarded"),
		"xauthlocation":             harmless("nothing is forwarded"),
		"channeltimeout":            harmless("nothing is forwarded"),
		"controlpersist":            harmless("rhx uses a master, and makes none"),
		"escapechar":                harmless("of an interactive session"),
		"enableescapecommandline":   harmless("of an interactive session"),
		"forkafterauthentication":   harmless("of an interactive session"),
		"localcommand":              harmless("of an interactive session"),
		"obscurekeystroketiming":    harmless("of an interactive session"),
		"permitlocalcommand":        harmless("of an interactive session"),
		"remotecommand":             harmless("of an interactive session"),
		"requesttty":                harmless("of an interactive session"),
		"sessiontype":               harmless("of an interactive session"),
		"stdinnull":                 harmless("of an interactive session"),

		// Of no weight here.
		"compression":                 harmless("every host also takes plain data"),
		"enablesshkeysign":            harmless("for host-based authentication"),
		"fingerprinthash":             harmless("how fingerprints look"),
		"gssapirenewalforcesrekey":    harmless("for GSSAPI"),
		"gssapitrustdns":              harmless("for GSSAPI"),
		"gssapiclientidentity":        harmless("for GSSAPI"),
		"gssapiserveridentity":        harmless("for GSSAPI"),
		"hostbasedacceptedalgorithms": harmless("for host-based authentication"),
		"hostbasedkeytypes":           harmless("for host-based authentication"),
		"ipqos":                       harmless("a wish to the network"),
		"kbdinteractivedevices":       harmless("a wish to the host"),
		"loglevel":                    harmless("rhx has messages of its own"),
		"logverbose":                  harmless("rhx has messages of its own"),
		"rekeylimit":                  harmless("keys are changed as RFC 4253 says"),
		"securitykeyprovider":         harmless("hardware keys are used through the agent"),
		"syslogfacility":              harmless("rhx has messages of its own"),
		"versionaddendum":             harmless("what ssh calls itself"),
		"usekeychain":                 harmless("where Apple's ssh-add keeps passphrases"),
		"visualhostkey":               harmless("how fingerprints look"),
		"warnweakcrypto":              harmless("rhx has messages of its own"),

		// Of ssh before version 8.
		"cipher":                  harmless("of version 1 of the protocol"),
		"compressionlevel":        harmless("of version 1 of the protocol"),
		"protocol":                harmless("rhx speaks version 2"),
		"rhostsrsaauthentication": harmless("of version 1 of the protocol"),
		"rsaauthentication":       harmless("of version 1 of the protocol"),
		"useprivilegedport":       harmless("for host-based authentication"),
	}
})

var (
	families   = map[string]string{"inet": "tcp4", "inet6": "tcp6"}
	strictness = map[string]string{"true": "yes", "yes": "yes", "accept-new": "accept-new"}
)

func harmless(why string) setting { return setting{why: why} }

func text(field func(*sshConfig) *string) setting {
	return setting{set: func(c *sshConfig, v string) { *field(c) = v }}
}

// textOrNone is a setting that "none" takes away.
func textOrNone(field func(*sshConfig) *string) setting {
	return setting{set: func(c *sshConfig, v string) {
		if strings.EqualFold(v, "none") {
			v = ""
		}
		*field(c) = v
	}}
}

func flagOf(field func(*sshConfig) *bool) setting {
	return setting{set: func(c *sshConfig, v string) { *field(c) = v == "yes" || v == "true" }}
}

func number(field func(*sshConfig) *int) setting {
	return setting{set: func(c *sshConfig, v string) {
		if n, err := strconv.Atoi(v); err == nil && n >= 0 {
			*field(c) = n
		}
	}}
}

func list(field func(*sshConfig) *[]string) setting {
	return setting{set: func(c *sshConfig, v string) { *field(c) = strings.Split(v, ",") }}
}

// each is a setting that has a line for each of its values.
func each(field func(*sshConfig) *[]string) setting {
	return setting{set: func(c *sshConfig, v string) { *field(c) = append(*field(c), v) }}
}

// seconds is 0 for what is no number, such as "none".
func seconds(v string) time.Duration {
	if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 1<<31 {
		return time.Duration(n) * time.Second
	}
	return 0
}

// parse reads the output of ssh -G, lines of a key and a value, and returns the
// lines whose key it does not know.
func (c *sshConfig) parse(out []byte) (unknown []string) {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		key, v, _ := strings.Cut(line, " ")
		v = strings.TrimSpace(v)
		if v == "" {
			continue
		}
		s, ok := sshSettings()[strings.ToLower(key)]
		if !ok {
			unknown = append(unknown, line)
		} else if s.set != nil {
			s.set(c, v)
		}
	}
	return unknown
}

// splitPaths splits a list of files. ssh -G does not quote those with spaces,
// so what does not begin like a path belongs to the one before.
func splitPaths(v string) []string {
	var paths []string
	for _, word := range strings.Fields(v) {
		begins := strings.ContainsAny(word[:1], `/~%$\`) || word == "none" || len(word) > 2 && word[1] == ':'
		if !begins && len(paths) > 0 {
			paths[len(paths)-1] += " " + word
			continue
		}
		paths = append(paths, word)
	}
	return slices.DeleteFunc(paths, func(p string) bool { return p == "none" })
}
