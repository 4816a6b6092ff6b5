package codec

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var xmlServers = xmlFormat{[]string{"server", "add"}}

// xmlMaven is like the file that Maven comes with.
const xmlMaven = `<?xml version="1.0" encoding="UTF-8"?>

<!-- License -->
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"
          xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
          xsi:schemaLocation='http://maven.apache.org/SETTINGS/1.0.0 settings.xsd'>
  <!-- <offline>false</offline> -->
  <servers>
    <!-- server
     | <server><id>x</id></server>
     -->
    <server>
      <id>central</id> <!-- of the mirror -->
      <username>u &amp; v</username>
      <password><![CDATA[fake<1>]]></password>
    </server>
  </servers>
  <profiles/>
  <mirrors>
    <!-- none -->
  </mirrors>
</settings>
`

func TestXMLReads(t *testing.T) {
	for _, c := range []struct{ rule, in, want string }{
		{"nothing", "", `{}`},
		{"blanks", bom + " \n", `{}`},
		{"no root", "<?xml version='1.0'?>\n<!-- c -->\n", `{}`},
		{"a file of Maven", xmlMaven, `{"settings":{"@xmlns":"http://maven.apache.org/SETTINGS/1.0.0","@xmlns:xsi":"http://www.w3.org/2001/XMLSchema-instance","@xsi:schemaLocation":"http://maven.apache.org/SETTINGS/1.0.0 settings.xsd","servers":{"server":[{"id":"central","username":"u & v","password":"fake<1>"}]},"profiles":null,"mirrors":null}}`},
		{"an empty root", "<a/>", `{"a":null}`},
		{"text", bom + "<a> x\r\ny\rz </a>", `{"a":" x\ny\nz "}`},
		{"white space alone is no text", "<a> \r\n\t</a>", `{"a":null}`},
		{"but as a reference or CDATA it is", "<a><b>&#32;</b><c><![CDATA[ ]]></c></a>", `{"a":{"b":" ","c":" "}}`},
		{"text in pieces", "<a>x<!-- c -->y<![CDATA[<&]]>&#65;&#x42;&lt;&gt;&amp;&quot;&apos;<?p x?></a>", `{"a":"xy<&AB<>&\"'"}`},
		{"attributes", "<a b = 'x\"' c=\"\ty\r\nz&#10;&quot;\nw\r\" d=''/>", `{"a":{"@b":"x\"","@c":" y z\n\" w ","@d":""}}`},
		{"attributes and text", `<a b="x">y</a>`, `{"a":{"@b":"x","#text":"y"}}`},
		{"attributes and white space", `<a b="x"> </a>`, `{"a":{"@b":"x"}}`},
		{"elements of one name", "<a><b>1</b><c/><b>2</b><b x=''/></a>", `{"a":{"b":["1","2",{"@x":""}],"c":null}}`},
		{"one of a list", "<a><server/><add>1</add></a>", `{"a":{"server":[null],"add":["1"]}}`},
		{"the root is none", "<server><a/></server>", `{"server":{"a":null}}`},
		{"text beside elements", "<a> x <b>1</b>y</a>", `{"a":{"b":"1","#text":" x y"}}`},
		{"prefixes", "<p:a xmlns:p='u'><p:b/></p:a>", `{"p:a":{"@xmlns:p":"u","p:b":null}}`},
		{"what follows the root", "<a/>\n<!-- c --><?p?>\n", `{"a":null}`},
	} {
		if got := treeShow(t, xmlServers, c.in); got != c.want {
			t.Errorf("%s: %s, not %s", c.rule, got, c.want)
		}
	}
	root, err := xmlFormat{}.Decode([]byte("<a>x<b>1</b></a>"))
	if err != nil || !root.Find(Keys("a", xmlText)).Opaque {
		t.Errorf("text beside elements is a value: %v", err)
	}
	root, err = xmlFormat{}.Decode([]byte("<a b=''>x</a>"))
	if err != nil || root.Find(Keys("a", xmlText)).Opaque {
		t.Errorf("text beside attributes is none: %v", err)
	}
}

func TestXMLErrors(t *testing.T) {
	runErrors(t, xmlFormat{}, []errorCase{
		{"not closed", "<a>\n<b></b>", "line 2, column 8: not valid XML: an element is not closed"},
		{"closed wrong", "<a>\n</b>", "line 2, column 1: not valid XML: an end tag that closes nothing"},
		{"closed with another prefix", "<x:a></y:a>", "line 1, column 6: not valid XML: an end tag that closes nothing"},
		{"not opened", "</a>", "line 1, column 1: not valid XML: an end tag that closes nothing"},
		{"two roots", "<a/>\n<b/>", "line 2, column 1: not valid XML: there is more than one root element"},
		{"text before", "fakefakefakefake<a/>", "line 1, column 1: not valid XML: text outside the root element"},
		{"text behind", "<a/>x", "line 1, column 5: not valid XML: text outside the root element"},
		{"text alone", "fakefakefakefake", "line 1, column 1: not valid XML: text outside the root element"},
		{"a document type", "<!DOCTYPE a [<!ENTITY b 'c'>]>\n<a>&b;</a>", "line 1, column 1: the file has a document type, whose entities rhx does not expand"},
		{"an entity of its own", "<a>\n&fakefakefakefake;</a>", "line 2, column 19: not valid XML: an & that begins no entity; as text it is &amp;"},
		{"an entity in an attribute", "<a b='&x;'/>", "line 1, column 10: not valid XML: an & that begins no entity; as text it is &amp;"},
		{"an end in a tag", "<a b", "line 1, column 5: not valid XML: it ends too early"},
		{"a tag that is none", "<a>x < y</a>", "line 1, column 7: not valid XML: a < that begins no element; as text it is &lt;"},
		{"a tag in an attribute", "<a b='<'/>", "line 1, column 8: not valid XML: a < in an attribute; as text it is &lt;"},
		{"no quotes", "<a b=c/>", "line 1, column 7: not valid XML"},
		{"no value", "<a b/>", "line 1, column 6: not valid XML"},
		{"no space between", "<a b='1'c='2'/>", `line 1, column 1: not valid XML: the attributes of an element are not all of the form NAME="VALUE", or two have one name`},
		{"two of one name", "<a b='1' c='' b='2'/>", `line 1, column 1: not valid XML: the attributes of an element are not all of the form NAME="VALUE", or two have one name`},
		{"a late declaration", " <?xml version='1.0'?><a/>", "line 1, column 2: not valid XML: the declaration comes first"},
		{"another encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "line 1: the file is in another encoding than UTF-8; save it as UTF-8"},
		{"another version", "<?xml version='1.1'?><a/>", "line 1, column 22: not valid XML"},
		{"not UTF-8", "<a>\n\xff</a>", "line 2, column 1: not UTF-8 text"},
		{"control characters", "<a>\x01</a>", "line 1, column 5: not valid XML"},
		{"an end of CDATA", "<a>]]></a>", "line 1, column 7: not valid XML"},
	})
	if _, err := (xmlFormat{}).Decode([]byte(strings.Repeat("<a>", treeMaxDepth) + strings.Repeat("</a>", treeMaxDepth))); err != nil {
		t.Error(err)
	}
	for file, want := range map[string]string{
		strings.Repeat("<a>", treeMaxDepth+1):                "line 1, column 3001: elements nest too deeply",
		"<a>" + strings.Repeat("<a/>", xmlMaxParts) + "</a>": "line 1, column 400000: there are too many elements and attributes",
		"<a" + manyAttributes(xmlMaxParts) + "/>":            "line 1, column 1: there are too many elements and attributes",
	} {
		if _, err := (xmlFormat{}).Decode([]byte(file)); err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	for _, file := range []string{"<a>" + strings.Repeat("<a/>", xmlMaxParts-1) + "</a>", "<a" + manyAttributes(xmlMaxParts-1) + "/>"} {
		if _, err := (xmlFormat{}).Decode([]byte(file)); err != nil {
			t.Error(err)
		}
	}
	if got := treeShow(t, xmlFormat{}, "<?xml version='1.0' encoding='utf-8'?><a/>"); got != `{"a":null}` {
		t.Error(got)
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}

// xmlServer is the place of a value of a server in xmlMaven.
func xmlServer(id string, keys ...string) Path {
	return append(Path{{Key: "settings"}, {Key: "servers"}, {Key: "server"}, {Field: "id", Equals: id}}, Keys(keys...)...)
}

func TestXMLEdits(t *testing.T) {
	swap := func(old, new string) string {
		if strings.Count(xmlMaven, old) != 1 {
			t.Errorf("%q is not once in the file", old)
		}
		return strings.Replace(xmlMaven, old, new, 1)
	}
	login := []Edit{{xmlServer("new", "username"), Text("u")}, {xmlServer("new", "password"), Text("p")}}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	const written = "<settings>\n  <servers>\n    <server>\n      <id>new</id>\n      <username>u</username>\n      <password>p</password>\n    </server>\n  </servers>\n</settings>\n"
	treeRun(t, xmlServers, []treeCase{
		{rule: "a new file", in: "", edits: login, out: head + written},
		{rule: "a blank file with a mark", in: bom + "\r\n", edits: treeSet("v", "a", "b"), out: bom + strings.ReplaceAll(head, "\n", "\r\n") + "<a>\r\n  <b>v</b>\r\n</a>\r\n"},
		{rule: "no root yet", in: "<!-- c -->", edits: treeSet("v", "a"), out: "<!-- c -->\n<a>v</a>\n"},
		{rule: "no root yet, behind a line", in: "<!-- c -->\n", edits: treeSet("v", "a"), out: "<!-- c -->\n<a>v</a>\n"},
		{rule: "a value", in: xmlMaven, edits: []Edit{{xmlServer("central", "username"), Text("<w> & 'x' \"y\" é😀\r\n]]>")}},
			out: swap("u &amp; v", "&lt;w&gt; &amp; 'x' \"y\" &#233;&#128512;&#13;\n]]&gt;")},
		{rule: "in place of CDATA", in: xmlMaven, edits: []Edit{{xmlServer("central", "password"), Text("x")}}, out: swap("<![CDATA[fake<1>]]>", "x")},
		{rule: "another server", in: xmlMaven, edits: login,
			out: swap("    </server>\n  </servers>", "    </server>\n    <server>\n      <id>new</id>\n      <username>u</username>\n      <password>p</password>\n    </server>\n  </servers>")},
		{rule: "another value of a server", in: xmlMaven, edits: []Edit{{xmlServer("central", "passphrase"), Text("x")}}, out: swap("</password>\n", "</password>\n      <passphrase>x</passphrase>\n")},
		{rule: "no value any more", in: xmlMaven, edits: []Edit{{Path: xmlServer("central", "password")}}, out: swap("      <password><![CDATA[fake<1>]]></password>\n", "")},
		{rule: "the last server goes, the comments stay", in: xmlMaven, edits: []Edit{{Path: xmlServer("central")}},
			out: xmlMaven[:strings.Index(xmlMaven, "    <server>\n      <id>")] + xmlMaven[strings.Index(xmlMaven, "  </servers>"):]},
		{rule: "into an empty element", in: xmlMaven, edits: treeSet("x", "settings", "profiles", "profile"), out: swap("<profiles/>", "<profiles>\n    <profile>x</profile>\n  </profiles>")},
		{rule: "beside a comment", in: xmlMaven, edits: treeSet("x", "settings", "mirrors", "mirror"), out: swap("<!-- none -->\n", "<!-- none -->\n    <mirror>x</mirror>\n")},
		{rule: "a new element of the root", in: xmlMaven, edits: treeSet("x", "settings", "localRepository"), out: swap("</mirrors>\n", "</mirrors>\n  <localRepository>x</localRepository>\n")},
		{rule: "an attribute keeps its quotes", in: xmlMaven, edits: treeSet("it's \"x\"\n\t", "settings", "@xsi:schemaLocation"),
			out: swap("http://maven.apache.org/SETTINGS/1.0.0 settings.xsd", "it&#39;s \"x\"&#10;&#9;")},
		{rule: "a new attribute", in: "<a>\n\t<b x='1' />\n</a>", edits: append(treeSet("\"'", "a", "b", "@y"), treeSet("2", "a", "@z")...), out: "<a z=\"2\">\n\t<b x='1' y=\"&quot;'\" />\n</a>"},
		{rule: "an attribute goes", in: "<a b='1'\n c = '2' d='3'>x</a>", edits: treeDel("a", "@c"), out: "<a b='1' d='3'>x</a>"},
		{rule: "the last attribute goes", in: "<a><b c='1'/></a>", edits: treeDel("a", "b", "@c"), out: "<a><b/></a>"},
		{rule: "the text stays", in: "<a><b c='1'>x</b></a>", edits: treeDel("a", "b", "@c"), out: "<a><b>x</b></a>"},
		{rule: "the text goes", in: "<a><b c='1'>x<!-- y --></b></a>", edits: treeDel("a", "b", xmlText), out: "<a><b c='1'><!-- y --></b></a>"},
		{rule: "text beside an attribute", in: "<a c='1' />", edits: treeSet("x", "a", xmlText), out: "<a c='1'>x</a>"},
		{rule: "which is there", in: "<a c='1'> y </a>", edits: treeSet("x", "a", xmlText), out: "<a c='1'>x</a>"},
		{rule: "text without one", in: "<a><b/></a>", edits: treeSet("x", "a", "b", xmlText), out: "<a><b>x</b></a>"},
		{rule: "text in an empty element", in: "<a> <b > </b> </a>", edits: treeSet("x", "a", "b"), out: "<a> <b >x</b> </a>"},
		{rule: "text of pieces", in: "<a>\n <!-- 1 -->\n old <!-- 2 --> er\n</a>", edits: treeSet("x", "a"), out: "<a><!-- 1 -->x<!-- 2 --></a>"},
		{rule: "text beside a comment", in: "<a>\n <!-- 1 -->\n</a>", edits: treeSet("x", "a"), out: "<a><!-- 1 -->x</a>"},
		{rule: "no text", in: "<a>x</a>", edits: treeSet("", "a"), out: "<a></a>"},
		{rule: "text of blanks", in: "<a/>", edits: treeSet(" \n", "a"), out: "<a>&#32;&#10;</a>"},
		{rule: "an attribute of blanks", in: "<a b=''/>", edits: treeSet(" ", "a", "@b"), out: "<a b=' '/>"},
		{rule: "one line stays one", in: "<a><b>1</b></a>", edits: []Edit{{Keys("a", "c"), treeM("d", "2", "add", treeL(treeM("@k", "3")))}}, out: "<a><b>1</b><c><d>2</d><add k=\"3\" /></c></a>"},
		{rule: "also in an empty element", in: "<a><b/></a>", edits: treeSet("1", "a", "b", "c"), out: "<a><b><c>1</c></b></a>"},
		{rule: "an empty root on one line", in: "<a></a>", edits: treeSet("1", "a", "b"), out: "<a><b>1</b></a>"},
		{rule: "an element on one line in a file of lines", in: "<a>\n    <b></b>\n    <c><d/></c>\n</a>\n", edits: append(treeSet("1", "a", "b", "x"), treeSet("2", "a", "c", "y")...),
			out: "<a>\n    <b>\n        <x>1</x>\n    </b>\n    <c><d/><y>2</y></c>\n</a>\n"},
		{rule: "line endings", in: "<a>\r\n\t<b/>\r\n</a>", edits: treeSet("1", "a", "c"), out: "<a>\r\n\t<b/>\r\n\t<c>1</c>\r\n</a>"},
		{rule: "an element with all", in: "<a>\n</a>", edits: []Edit{{Keys("a"), treeM("@x", 1, "b", treeM("@y", true, xmlText, "t"), "c", nil, "add", treeL("1", nil), "d", treeM(), "e", treeL(), "f", treeM("@z", nil))}},
			out: "<a x=\"1\">\n  <b y=\"true\">t</b>\n  <c/>\n  <add>1</add>\n  <add/>\n  <d/>\n  <f z=\"\" />\n</a>"},
		{rule: "an item of a list", in: "<a>\n  <add key=\"U\" value=\"u\" />\n  <!-- c -->\n</a>\n", edits: []Edit{{Path{{Key: "a"}, {Key: "add"}, {Field: "@key", Equals: "P"}, {Key: "@value"}}, Text("p")}},
			out: "<a>\n  <add key=\"U\" value=\"u\" />\n  <!-- c -->\n  <add key=\"P\" value=\"p\" />\n</a>\n"},
		{rule: "the first of two without a list goes", in: "<a><b k='1'/><b k='2'><!-- c --></b></a>", edits: []Edit{{Path: Path{{Key: "a"}, {Key: "b"}, {Field: "@k", Equals: "1"}}}}, out: "<a><b k='2'><!-- c --></b></a>"},
		{rule: "the last of two without a list goes", in: "<a><b k='1'><!-- c --></b><b k='2'/></a>", edits: []Edit{{Path: Path{{Key: "a"}, {Key: "b"}, {Field: "@k", Equals: "2"}}}}, out: "<a><b k='1'><!-- c --></b></a>"},
		{rule: "all of three go", in: "<a>\n<b/>\n<b/>\n<b/>\n<c/></a>", edits: treeDel("a", "b"), out: "<a>\n<c/></a>"},
		{rule: "an element becomes text", in: "<a><b x='1'><c/><d/></b></a>", edits: treeSet("x", "a", "b"), out: "<a><b>x</b></a>"},
		{rule: "text becomes an element", in: "<a><b>x</b></a>", edits: []Edit{{Keys("a", "b"), treeM("c", "y")}}, out: "<a><b><c>y</c></b></a>"},
		{rule: "a list of several", in: "<a><b>1</b></a>", edits: []Edit{{Keys("a", "b"), treeL("1", "2")}}, out: "<a><b>1</b><b>2</b></a>"},
		{rule: "a list is another", in: "<a><add>1</add><add>2</add><add>3</add></a>", edits: []Edit{{Keys("a", "add"), treeL("1", "4", "5", "3")}}, out: "<a><add>1</add><add>4</add><add>5</add><add>3</add></a>"},
		{rule: "a listed value is one of a list", in: "<a/>", edits: treeSet("x", "a", "add"), out: "<a>\n  <add>x</add>\n</a>"},
		{rule: "and a listed value in a map", in: "<a/>", edits: []Edit{{nil, treeM("a", treeM("add", "x"))}}, out: "<a>\n  <add>x</add>\n</a>"},
		{rule: "the root goes", in: head + "<a/>\n<!-- c -->\n", edits: treeDel("a"), out: head + "<!-- c -->\n"},
		{rule: "all goes", in: "<a>x</a>", edits: []Edit{{}}, out: ""},
		{rule: "another element keeps a comment on its line", in: "<a>\n  <b/> <!-- c -->\n  <d/>\n</a>", edits: treeDel("a", "b"), out: "<a>\n   <!-- c -->\n  <d/>\n</a>"},
		{rule: "a line with two elements", in: bom + "<a>\n  <b/> <d/>\n</a>", edits: treeDel("a", "d"), out: bom + "<a>\n  <b/> \n</a>"},
		{rule: "a root with the name of a list", in: "", edits: treeSet("x", "server"), out: head + "<server>x</server>\n"},
		{rule: "what is not there does not go", in: "<a><b/></a>", edits: treeDel("a", "x"), out: "<a><b/></a>"},
		{rule: "no text beside an attribute", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeM("@c", "1", xmlText, "")}}, out: "<a>\n  <b c=\"1\" />\n</a>"},
		{rule: "the indentation of its siblings", in: "<a>\n  <b>\n          <c/>\n  </b>\n</a>", edits: treeSet("x", "a", "b", "d"), out: "<a>\n  <b>\n          <c/>\n          <d>x</d>\n  </b>\n</a>"},
		{rule: "two roots", in: "<a/>", edits: treeSet("x", "b"), err: "one root element"},
		{rule: "a list of roots", in: "", edits: []Edit{{Keys("a"), treeL("1", "2")}}, err: "one root element"},
		{rule: "text for a root", in: "<a/>", edits: []Edit{{nil, Text("x")}}, err: "one root element"},
		{rule: "control characters", in: "<a/>", edits: treeSet("\x01", "a"), err: "cannot hold the new value"},
		{rule: "in an attribute", in: "<a b=''/>", edits: treeSet("\x01", "a", "@b"), err: "cannot hold the new value"},
		{rule: "in a new one", in: "<a/>", edits: treeSet("\x01", "a", "@b"), err: "cannot hold the new value"},
		{rule: "in a new element", in: "<a/>", edits: treeSet("\xff", "a", "b"), err: "cannot hold the new value"},
		{rule: "in new text", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeM("@c", "", xmlText, "\ufffe")}}, err: "cannot hold the new value"},
		{rule: "no character", in: "<a/>", edits: treeSet("\uffff", "a"), err: "cannot hold the new value"},
		{rule: "a name", in: "<a/>", edits: treeSet("x", "a", "b c"), err: "of this name"},
		{rule: "the name of a root", in: "", edits: treeSet("x", "a b"), err: "of this name"},
		{rule: "a name of nothing", in: "<a/>", edits: treeSet("x", "a", ""), err: "of this name"},
		{rule: "a name with a digit first", in: "<a/>", edits: treeSet("x", "a", "1b"), err: "of this name"},
		{rule: "an attribute's name", in: "<a/>", edits: treeSet("x", "a", "@"), err: "of this name"},
		{rule: "all that a name has", in: "<a/>", edits: treeSet("x", "a", "_b-.1Z"), out: "<a>\n  <_b-.1Z>x</_b-.1Z>\n</a>"},
		{rule: "an element in an attribute", in: "<a b=''/>", edits: []Edit{{Keys("a", "@b"), treeM("c", "x")}}, err: "hold text only"},
		{rule: "an element in a new attribute", in: "<a/>", edits: []Edit{{Keys("a", "@b"), treeM("c", "x")}}, err: "hold text only"},
		{rule: "an element in text", in: "<a b=''>x</a>", edits: []Edit{{Keys("a", xmlText), treeM("c", "x")}}, err: "hold text only"},
		{rule: "an element in new text", in: "<a b=''/>", edits: []Edit{{Keys("a", xmlText), treeM("c", "x")}}, err: "hold text only"},
		{rule: "an element in the text of one", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeM(xmlText, treeM("c", "x"), "@d", "")}}, err: "hold text only"},
		{rule: "an element beside text", in: "<a b=''>x</a>", edits: treeSet("x", "a", "c"), err: "beside elements"},
		{rule: "text beside an element", in: "<a><b/></a>", edits: treeSet("x", "a", xmlText), err: "beside elements"},
		{rule: "both, new", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeM(xmlText, "x", "c", "y")}}, err: "beside elements"},
		{rule: "both, new, the other way round", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeM("c", "y", xmlText, "x")}}, err: "beside elements"},
		{rule: "no element from beside text", in: "<a>x<b/><c/></a>", edits: treeDel("a", "b"), err: "beside elements"},
		{rule: "nor text from beside one", in: "<a>x<b/><c/></a>", edits: treeDel("a", xmlText), err: "beside elements"},
		{rule: "but a value in one", in: "<a>x<b>1</b></a>", edits: treeSet("2", "a", "b"), out: "<a>x<b>2</b></a>"},
		{rule: "a list of one", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeL("x")}}, err: "are a list"},
		{rule: "a list of one for an element", in: "<a><b/></a>", edits: []Edit{{Keys("a", "b"), treeL("x")}}, err: "are a list"},
		{rule: "a list of lists", in: "<a/>", edits: []Edit{{Keys("a", "b"), treeL("x", treeL("y"))}}, err: "are a list"},
		{rule: "an element that is a list", in: "<a/>", edits: treeSet("x", "a", "add", "b"), err: "are a list"},
	})
}

func TestXMLLines(t *testing.T) {
	root, err := xmlServers.Decode([]byte("<a>\n<b\nx='1'>\n</b><server/>\n<c/>\n<c>2</c></a>"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(linesOf(root, "", nil), " "), "a:1 a.b:2 a.b.@x:3 a.server:4 a.server.0:4 a.c:5 a.c.0:5 a.c.1:6"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func FuzzXML(f *testing.F) {
	for _, s := range []string{"", xmlMaven, "<a><b/></a>", "<a b='1'>x<!-- #m --></a>", "<a>\r\n\t<b x=\"&lt;\">&#65;<![CDATA[y]]></b>\r\n</a>", "<?xml version='1.0'?><p:a xmlns:p='u'>x<b/>y</p:a>"} {
		f.Add([]byte(s), "server", "new")
		f.Add([]byte(s), "@k", " <it's> & \"x\"\n")
		f.Add([]byte(s), xmlText, "x")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, value string) {
		treeFuzz(t, xmlServers, data, key, value, "<!-- #m -->")
	})
}

func TestXMLStress(t *testing.T) {
	treeStress(t, xmlServers, []string{
		"<a>", "<a>", "</a>", "</a>", "<b/>", "<b>x</b>", "<server><name>n</name>", "<server>\n", "</server>", "<c x='1'>", "<c x=\"2\" name='n'>", "</c>", " ", "\n", "\n  ", "\r\n", "t", "&amp;", "<![CDATA[y]]>", "<!-- #m -->", "<!-- #m -->\n", "<?p?>", "<add k='v' />", "<a><b/></a>",
	}, "<!-- #m -->")
}

// Java's parser reads a file as this package does, and finds what was written.
func TestSoakXMLReaders(t *testing.T) {
	java := startJava(t)
	pieces := []string{"<a>", "</a>", "<b/>", "<b>x</b>", "<c x='1'>", "<c x=\"2&#10;\ty\" z = ''>", "</c>", " ", "\n", "\r\n", "t", "&amp;", "&#65;", "<![CDATA[ y ]]>", "<!-- c -->", "<?p q?>", "<d\n/>", "&x;", "<e>&#32;</e>", "<server>", "</server>", "]]>", "\u00e9", "<f> z </f>"}
	words := []string{"a", " ", "<", ">", "&", "\"", "'", "\n", "\r", "\t", "\u00e9", "\u2028", "\U0001f600", "]]>", "&lt;", "<!--", "\u0085", "\x7f", "\ufffd"}
	read, written := 0, 0
	soak(t, func(t *testing.T, r *rand.Rand) {
		for range 600 {
			file := []byte("<r>" + randomText(r, pieces, 9) + "</r>")
			root, err := xmlServers.Decode(file)
			raw, ok := java.ask("xml", file)
			if (err == nil) != ok {
				t.Errorf("%q: %v; Java can read it: %v", file, err, ok)
			}
			if err != nil || !ok {
				continue
			}
			read++
			checkXML(t, file, root, raw)
			places := append(leaves(root, nil), Keys("r", "new"), Keys("r", "@new"), Keys("r", "server"))
			path, value := places[r.IntN(len(places))], randomText(r, words, 4)
			out, err := Apply(xmlServers, file, []Edit{{path, Text(value)}})
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Errorf("%s = %q in %q: %v", path, value, file, err)
				}
				continue
			}
			written++
			raw, ok = java.ask("xml", out)
			root, err = xmlServers.Decode(out)
			if err != nil || !ok {
				t.Fatalf("%v; Java can read %q: %v", err, out, ok)
			}
			checkXML(t, out, root, raw)
		}
	})
	if read < 50 || written < 40 {
		t.Errorf("only %d files were read, and %d written", read, written)
	}
}

// checkXML compares a tree with what Java reads: elements and attributes with their
// text, in any order.
func checkXML(t *testing.T, file []byte, root *Node, raw []byte) {
	t.Helper()
	list, err := FromJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, triple := range list.Items {
		text := triple.Items[2].Text
		if triple.Items[1].Text == "" && strings.Trim(text, xmlSpace) == "" {
			text = "" // here, white space is text in some places only
		}
		want = append(want, fmt.Sprintf("%s %s %q", triple.Items[0].Text, triple.Items[1].Text, text))
	}
	var got []string
	var walk func(n *Node, path, name string)
	walk = func(n *Node, path, name string) {
		for _, item := range n.Items {
			walk(item, path, name)
		}
		text, leaf := n.Text, n.Scalar()
		if n.Kind == Map {
			leaf = true
			for _, p := range n.Pairs {
				switch {
				case p.Key == xmlText:
					text = p.Value.Text
				case p.Key[0] == '@':
					got = append(got, fmt.Sprintf("%s %s %q", path+"/"+name, p.Key, p.Value.Text))
				default:
					leaf = false
					walk(p.Value, path+"/"+name, p.Key)
				}
			}
		}
		if leaf {
			if strings.Trim(text, xmlSpace) == "" {
				text = ""
			}
			got = append(got, fmt.Sprintf("%s  %q", path+"/"+name, text))
		}
	}
	walk(root.Pairs[0].Value, "", root.Pairs[0].Key)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("Java reads %q as\n%q\nnot\n%q", file, want, got)
	}
}
