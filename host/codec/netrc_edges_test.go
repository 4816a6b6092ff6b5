package codec

import "testing"

// Edits of netrc in odd places of a line or a file.
func TestNetrcLayout(t *testing.T) {
	entry := []Edit{{Keys("x"), group("password", "k", "login", "user")}}
	runEdits(t, netrc{}, []editCase{
		{"a field before a quoted one in the same line", "machine a login u\"v\" password p", remove("a", "login"), "machine a password p"},
		{"the last field of a line", "machine a login u password p\nmachine b\n", remove("a", "password"), "machine a login u\nmachine b\n"},
		{"a field at the end of the file", "machine a login u password p", remove("a", "password"), "machine a login u"},
		{"tabs around it go with it", "machine a\tlogin u\t\tpassword p\n", remove("a", "login"), "machine a\t\tpassword p\n"},
		{"the first field of a line", "machine a\n\tlogin u\t password p\n", remove("a", "login"), "machine a\n\tpassword p\n"},
		{"the first field of the last line", "machine a\n  login u ", remove("a", "login"), "machine a\n"},
		{"a field on a line of its own, with CRLF", "machine a\r\n  login u\r\n  password p\r\n", remove("a", "login"), "machine a\r\n  password p\r\n"},
		{"and with CR alone", "machine a\r  login u\r  password p\r", remove("a", "login"), "machine a\r  password p\r"},
		{"a machine in the middle of a line", "machine a login u machine b login v machine c\n", remove("b"), "machine a login u machine c\n"},
		{"a machine at the beginning", "machine a login u machine b\n", remove("a"), "machine b\n"},
		{"the only one", "machine a login u", remove("a"), ""},
		{"a field where a comment follows", "machine a login u # c\n", set("p", "a", "password"), "machine a login u password p # c\n"},
		{"a field in the middle of a line", "machine a login u machine b\n", set("p", "a", "password"), "machine a login u password p machine b\n"},
		{"a field of a machine with others behind it", "machine a machine b\n", set("p", "a", "password"), "machine a password p machine b\n"},
		{"a field behind one in quotes", "machine a login \"u\"password p\n", set("q", "a", "password"), "machine a login \"u\"password q\n"},
		{"an entry before the default one, with CRLF", "machine a\r\n  login b\r\n# rest\r\ndefault login c\r\n", entry, "machine a\r\n  login b\r\nmachine x login user password k\r\n# rest\r\ndefault login c\r\n"},
		{"before its comments of several lines", "# one\n  # two\ndefault login c\n", entry, "machine x login user password k\n# one\n  # two\ndefault login c\n"},
		{"and behind an empty line", "# one\n\ndefault login c\n", entry, "# one\n\nmachine x login user password k\ndefault login c\n"},
		{"a default entry at the beginning", "default login c\n", entry, "machine x login user password k\ndefault login c\n"},
		{"behind the byte order mark", bom + "default login c\n", entry, bom + "machine x login user password k\ndefault login c\n"},
		{"a machine whose name needs quotes", "", []Edit{{Keys("a b"), group("login", "u")}}, "machine \"a b\"\n  login u\n"},
		{"a name with a line break", "", set("u", "a\nb", "login"), "error: a\nb.login: netrc cannot hold a machine of this name"},
		{"a value that begins with a quote", "machine a login u\n", set(`"x`, "a", "login"), "machine a login \"\\\"x\"\n"},
		{"an empty value", "machine a login u\n", set("", "a", "login"), "machine a login \"\"\n"},
		{"the machine is set as a whole", "machine a login u account c\n", []Edit{{Keys("a"), group("password", "p", "login", "v")}}, "machine a login v password p\n"},
		{"a machine called default in quotes", "machine \"default\" login u\n", set("v", "default", "login"), "machine \"default\" login v\n"},
		{"it is removed with its password in mind only", "machine a login u\n", remove("b"), "machine a login u\n"},
	})
	runReads(t, netrc{}, []readCase{
		{"a # that is in quotes is a word", "machine a password \"#b\" login c", "{a:{login:c, password:#b}}"},
		{"a macro between machines", "machine a login u\nmacdef m\n\nmachine b login v\n", "{a:{login:u}, b:{login:v}}"},
	})
	runErrors(t, netrc{}, []errorCase{
		{"a # in quotes is no comment", "\"#\" machine a\n", "line 1: not machine, default, login, user, password, account or macdef"},
		{"default in quotes is no keyword", "\"default\" login a\n", "line 1: not machine, default, login, user, password, account or macdef"},
		{"nor is machine", "\"machine\" a\n", "line 1: not machine, default, login, user, password, account or macdef"},
		{"a quote that is not closed in place of a keyword", "machine a\n\"x\n", "line 2: the quote that opens here is not closed"},
		{"a backslash at the end", "machine a login x\\", "line 1: nothing follows the last backslash"},
	})
}

// Python takes a line for a comment by what stands before it: edits see to that.
func TestNetrcCommentsForPython(t *testing.T) {
	python := withClients(t, "netrc", Options{}, "python")
	runEdits(t, python, []editCase{
		{"quotes on one line with another field", "machine a login u\n# machine b login x\n", set("p q", "a", "password"), "machine a password \"p q\" login u\n# machine b login x\n"},
		{"a file that Python cannot read is not written", "machine a login \"u v\"\n# old\n", set("p q", "a", "password"), "error: Python cannot read this file: line 2: this is read as a keyword, and is none"},
		{"an empty line before a comment goes with the machine", "machine c login y\n\nmachine a login u\n#old text\n", remove("a"), "machine c login y\n#old text\n"},
		{"also with CRLF", "machine c login y\r\n\r\nmachine a login u\r\n#old text\r\n", remove("a"), "machine c login y\r\n#old text\r\n"},
		{"a machine before nothing", "machine c login y\nmachine a login u\n\n", remove("a"), "machine c login y\n\n"},
	})
}
