package codec

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// iniAWS is a credentials file as people keep it.
const iniAWS = `# my keys
[default]
aws_access_key_id = FAKEID1
AWS_Secret_Access_Key=fake/secret+1=

# the work account
[work]
aws_access_key_id = FAKEID2
aws_secret_access_key = fake%secret2
s3 =
    max_concurrent_requests = 20
    # fewer on the train
    max_queue_size = 100
region = eu-west-1
`

func TestIniRead(t *testing.T) {
	runReads(t, ini{}, []readCase{
		{"an empty file is an empty tree", "", "{}"},
		{"a file of comments too", "# a\n; b\n\n", "{}"},
		{"a byte order mark too", bom, "{}"},
		{"sections and options", iniAWS, "{default:{aws_access_key_id:FAKEID1, aws_secret_access_key:fake/secret+1=}, work:{aws_access_key_id:FAKEID2, aws_secret_access_key:fake%secret2, s3:\nmax_concurrent_requests = 20\nmax_queue_size = 100, region:eu-west-1}}"},
		{"options before any section", "api_key = X\n[a]\nb=c\n", "{:{api_key:X}, a:{b:c}}"},
		{"the first delimiter counts", "[a]\nb = c:d=e\nf: g=h\n", "{a:{b:c:d=e, f:g=h}}"},
		{"blanks in the brackets are a part of the name", "[ default ]\na=b\n", "{ default :{a:b}}"},
		{"quotes in a section name stay", "[profile \"my dev\"]\na=b\n", "{profile \"my dev\":{a:b}}"},
		{"a comment behind a section is none of its name", "[a] # see [b]\nc=d\n", "{a:{c:d}}"},
		{"a bracket in a name is", "[a]b]\nc=d\n", "{a]b:{c:d}}"},
		{"a # in a value is text", "[a]\nb = c # d\n", "{a:{b:c # d}}"},
		{"blank lines in a value stay, comments do not", "[a]\nb = c\n\n  # x\n  d\n\ne=f\n", "{a:{b:c\n\nd, e:f}}"},
		{"an indented section name continues a value", "[a]\nb = c\n  [d]\n", "{a:{b:c\n[d]}}"},
		{"but not where there is none", "[a]\n  [d]\n  e = f\n  g = h\n", "{a:{}, d:{e:f, g:h}}"},
		{"a section that occurs twice is merged, the last option wins", "[a]\nb=1\nc=2\n[d]\n[a]\nB=3\n", "{a:{b:3, c:2}, d:{}}"},
		{"an option without a delimiter is null", "[mysqld]\nskip-networking\nport=1\n", "{mysqld:{skip-networking:null, port:1}}"},
		{"CRLF, lone CR and a missing last line ending", "[a]\r\nb = c\r\nd = e\rf = g", "{a:{b:c, d:e, f:g}}"},
		{"a byte order mark is skipped", bom + "[a]\nb=c\n", "{a:{b:c}}"},
		{"bytes that are not UTF-8 stay", "[a]\n\xffK = \xfe\n", "{a:{\xffk:\xfe}}"},
	})
	runReads(t, ini{Options{InlineComments: true}}, []readCase{
		{"inline comments end values", "[a]\nb = c # d\ne = f;g\nh = #i\nj = k\n  l ; m\nn=#o\n", "{a:{b:c, e:f;g, h:, j:k\nl, n:#o}}"},
		{"and names without a value", "[a]\nb # c\n", "{a:{b:null}}"},
	})
	runErrors(t, ini{}, []errorCase{
		{"a section that is not closed", "[a]\nb=c\n[sectionfakefake\n", "line 3: the section name is not closed by ]"},
		{"a section without a name", "[ ]\n", "line 1: the section has no name"},
		{"text without a delimiter", "[a]\nb = c\nfakefakefakefake text\n", "line 3: neither [section] nor name = value"},
		{"a word before any section", "fakefakefakefake\n", "line 1: neither [section] nor name = value"},
		{"a value without a name", "[a]\n = fakefakefakefake\n", "line 2: the option has no name"},
		{"more of a value that is not there", "[a]\nb\n  fakefakefakefake\n", "line 3: an indented line after an option without a value"},
		{"UTF-16", "\xff\xfe[\x00", "line 1: the file is UTF-16; save it as UTF-8"},
	})
}

func TestIniEdit(t *testing.T) {
	swap := func(old, new string) string {
		if !strings.Contains(iniAWS, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(iniAWS, old, new, 1)
	}
	runEdits(t, ini{}, []editCase{
		{"a value is replaced where it stands", iniAWS, set("FAKEID9", "work", "aws_access_key_id"), swap("= FAKEID2", "= FAKEID9")},
		{"the file's spelling of an option stays", iniAWS, set("new", "default", "aws_secret_access_key"), swap("AWS_Secret_Access_Key=fake/secret+1=", "AWS_Secret_Access_Key=new")},
		{"an option is found in any spelling", iniAWS, set("new", "work", "REGION"), swap("region = eu-west-1", "region = new")},
		{"and removed", iniAWS, remove("work", "REGION"), swap("region = eu-west-1\n", "")},
		{"an option that lacks goes behind the last one of its section", iniAWS, set("tok", "default", "aws_session_token"), swap("secret+1=\n", "secret+1=\naws_session_token=tok\n")},
		{"an option of several lines goes with all of them, comments stay", iniAWS, remove("work", "s3"), swap("s3 =\n    max_concurrent_requests = 20\n    # fewer on the train\n    max_queue_size = 100\n", "    # fewer on the train\n")},
		{"one line replaces several", iniAWS, set("x", "work", "s3"), swap("s3 =\n    max_concurrent_requests = 20\n    # fewer on the train\n    max_queue_size = 100\n", "s3 = x\n    # fewer on the train\n")},
		{"several lines keep their indentation", iniAWS, set("\na = 1\nb = 2", "work", "s3"), swap("s3 =\n    max_concurrent_requests = 20\n    # fewer on the train\n    max_queue_size = 100\n", "s3 =\n    a = 1\n    b = 2\n    # fewer on the train\n")},
		{"several lines replace one", iniAWS, set("a\n\nb", "work", "region"), swap("region = eu-west-1\n", "region = a\n\n    b\n")},
		{"a section is removed, but not what belongs to the next", iniAWS, remove("default"), swap("[default]\naws_access_key_id = FAKEID1\nAWS_Secret_Access_Key=fake/secret+1=\n\n", "")},
		{"the last section is removed", iniAWS, remove("work"), iniAWS[:strings.Index(iniAWS, "[work]")]},
		{"a whole section is merged into the one that is there", iniAWS, []Edit{{Keys("default"), group("aws_access_key_id", "FAKEID1", "region", "x")}}, swap("AWS_Secret_Access_Key=fake/secret+1=\n", "region = x\n")},
		{"a new section follows the blank line that others have", iniAWS, []Edit{{Keys("new"), group("a", "b", "c", "d")}}, iniAWS + "\n[new]\na = b\nc = d\n"},
		{"or has none where others have none", "[a]\nb = c\n[d]\ne = f\n", set("h", "new", "g"), "[a]\nb = c\n[d]\ne = f\n[new]\ng = h\n"},
		{"after one section a blank line is written", "[a]\nb = c\n", set("h", "new", "g"), "[a]\nb = c\n\n[new]\ng = h\n"},
		{"and no second one", "[a]\nb = c\n\n", set("h", "new", "g"), "[a]\nb = c\n\n[new]\ng = h\n"},
		{"an empty file gets a section alone", "", []Edit{{Keys("default"), group("a", "b", "c", "d")}}, "[default]\na = b\nc = d\n"},
		{"a whole document", "[a]\nb=c\n[d]\ne=f\n", []Edit{{Value: &Node{Kind: Map, Pairs: []Pair{{"d", group("e", "g")}}}}}, "[d]\ne=g\n"},
		{"a section without options", "", []Edit{{Keys("a"), group()}}, "[a]\n"},
		{"the habit of the section is followed", "[a]\nb=c\n[d]\n e : f\n", slicesOf(set("1", "a", "x"), set("2", "d", "x")), "[a]\nb=c\nx=1\n[d]\n e : f\n x : 2\n"},
		{"but columns are not", "[a]\nkey     = v\n", set("1", "a", "x"), "[a]\nkey     = v\nx = 1\n"},
		{"an option goes before the comment of the next section", "[a]\nb = c\n\n# about d\n[d]\n", set("1", "a", "x"), "[a]\nb = c\nx = 1\n\n# about d\n[d]\n"},
		{"the occurrence that wins is changed", "[a]\nb=1\n[a]\nb=2\n", set("3", "a", "b"), "[a]\nb=1\n[a]\nb=3\n"},
		{"every occurrence is removed", "[a]\nb=1\nc=2\n[a]\nb=2\n", remove("a", "b"), "[a]\nc=2\n[a]\n"},
		{"every occurrence of a section is removed", "[a]\nb=1\n[x]\n[a]\nb=2\n", remove("a"), "[x]\n"},
		{"a new option goes into the last occurrence", "[a]\nb=1\n[x]\n[a]\nc=2\n[y]\n", set("3", "a", "d"), "[a]\nb=1\n[x]\n[a]\nc=2\nd=3\n[y]\n"},
		{"an option before any section is added at the top", "[a]\nb=1\n", set("k", "", "api_key"), "api_key=k\n[a]\nb=1\n"},
		{"an option before any section is replaced", "# lambda\napi_key = old\n", set("new", "", "api_key"), "# lambda\napi_key = new\n"},
		{"the last of them can be removed", "# lambda\napi_key = old\n[a]\n", remove("", "api_key"), "# lambda\n[a]\n"},
		{"and all of them at once", "# lambda\na = old\nb = old\n[a]\n", remove(""), "# lambda\n[a]\n"},
		{"lambda's file is written with blanks", "", set("k", "", "api_key"), "api_key = k\n"},
		{"new lines have the file's line ending", bom + "[a]\r\nb = c\r\n", slicesOf(set("1", "a", "x"), set("2", "d", "y")), bom + "[a]\r\nb = c\r\nx = 1\r\n\r\n[d]\r\ny = 2\r\n"},
		{"mixed line endings stay", "[a]\r\nb = c\nd = e\r\n", set("1", "a", "b"), "[a]\r\nb = 1\nd = e\r\n"},
		{"a missing last line ending stays missing", "[a]\nb = c", set("1", "a", "x"), "[a]\nb = c\nx = 1"},
		{"also behind a new section", "[a]\nb = c", []Edit{{Keys("d"), group("x", "1", "y", "2")}}, "[a]\nb = c\n\n[d]\nx = 1\ny = 2"},
		{"an empty value is filled in the way of its line", "[a]\nb=\nc =\nd = \ne=  \n", slicesOf(set("1", "a", "b"), set("1", "a", "c"), set("1", "a", "d"), set("1", "a", "e")), "[a]\nb=1\nc = 1\nd = 1\ne= 1\n"},
		{"a value is emptied", "[a]\nb = c\n", set("", "a", "b"), "[a]\nb =\n"},
		{"a null gets a value", "[a]\nx=y\nb\n", set("c", "a", "b"), "[a]\nx=y\nb=c\n"},
		{"a null is removed", "[a]\nb\nc\n", remove("a", "b"), "[a]\nc\n"},
		{"a null is kept", "[a]\nb\nc=d\n", set("e", "a", "c"), "[a]\nb\nc=e\n"},
		{"blanks behind a value stay", "[a]\nb = c  \n", set("d", "a", "b"), "[a]\nb = d  \n"},
		{"a comment sign in a value is text", "[a]\nb = c\n", set("d # e", "a", "b"), "[a]\nb = d # e\n"},
		{"blanks at the ends are refused", "[a]\nb = c\n", set(" d", "a", "b"), "error: a.b: a line of the value begins or ends with white space, which ini does not keep"},
		{"a line break at the end is refused", "[a]\nb = c\n", set("d\n", "a", "b"), "error: a.b: the value ends with a line break, which ini does not keep"},
		{"a carriage return is refused", "[a]\nb = c\n", set("d\re", "a", "b"), "error: a.b: the value has a carriage return or a NUL byte, which ini cannot hold"},
		{"a line that would be a comment is refused", "[a]\nb = c\n", set("d\n# e", "a", "b"), "error: a.b: a line of the value begins like a comment"},
		{"an impossible option is refused", "[a]\n", set("d", "a", "x=y"), "error: a.x=y: ini cannot hold an option of this name"},
		{"an impossible section is refused", "[a]\n", set("d", "x]y", "a"), "error: \"x]y\": ini cannot hold a section of this name"},
		{"a section that keeps a header from being a value stays", "[a]\nb = c\n[d]\n  [e]\n", remove("d"), "error: d: cannot be removed: the header of the section after it is indented and would continue the value before it"},
		{"a section is not a value", "[a]\n", set("d", "a"), "error: a: this is a group of values, not a value"},
		{"an option is not a section", "[a]\n", []Edit{{Keys("a", "b"), group("c", "d")}}, "error: a.b: this format holds text only"},
		{"options do not nest", "[a]\nb = c\n", set("d", "x", "y", "z"), "error: x.y.z: this format does not nest so deep"},
		{"numbers are not text", "[a]\n", []Edit{{Keys("a", "b"), &Node{Kind: Number, Text: "1"}}}, "error: a.b: this format holds text only"},
	})
	runEdits(t, ini{Options{InlineComments: true}}, []editCase{
		{"an inline comment stays", "[a]\nb = c ; d\n", set("e", "a", "b"), "[a]\nb = e ; d\n"},
		{"beside an empty value too", "[a]\nb = # d\n", set("e", "a", "b"), "[a]\nb = e # d\n"},
		{"and beside one that is emptied", "[a]\nb = c # d\n", set("", "a", "b"), "[a]\nb = # d\n"},
		{"and beside a null", "[a]\nb # d\n", set("c", "a", "b"), "[a]\nb = c # d\n"},
		{"a value that would be cut is refused", "[a]\nb = c\n", set("d # e", "a", "b"), "error: a.b: the value has a # or ; after white space, which would be read as a comment"},
		{"a # inside a word is not", "[a]\nb = c\n", set("d#e", "a", "b"), "[a]\nb = d#e\n"},
	})
}

func slicesOf(edits ...[]Edit) (all []Edit) {
	for _, e := range edits {
		all = append(all, e...)
	}
	return all
}

// TestIniAsPython compares with configparser, which botocore reads with, what is
// read from files before and after edits.
func TestIniAsPython(t *testing.T) {
	files := []string{
		iniAWS, strings.ReplaceAll(iniAWS, "\n", "\r\n"), strings.TrimSuffix(iniAWS, "\n"),
		"[a]\nb = c:d=e\nf: g=h\n", "[a]\nb = c\n\n  # x\n  d\n\ne=f\n", "[a]\nb = c\n  [d]\n", "[a]\n  [d]\n  e = f\n  g = h\n",
		"[a]\nb=1\nc=2\n[d]\n[a]\nB=3\n", "[mysqld]\nskip-networking\nport=1\n", "[a] # see\nb = %(c)s # d\n; e\nc=\n", "[a]\x1d\nb\u00a0=\u2003c\x1f\n\u00a0d\n", "[a]\rb=c\r\r\n d\n",
		"[DEFAULT]\na = b\n[p]\nkey_content = x\n  y\n", "[a]\nb =\n c\n\td\n   e\nf = g\n",
	}
	edits := []Edit{
		{Keys("a", "b"), Text("new = #1")}, {Keys("work", "region"), Text("%x;y")}, {Keys("p", "key_content"), Text("one\n\ntwo")}, {Path: Keys("work", "s3")},
		{Path: Keys("a", "b")}, {Path: Keys("default")}, {Keys("new"), group("k", "v", "long", "\nx = 1\ny = 2")}, {Keys("a", "zz"), Text("1")},
	}
	for _, opts := range []Options{{}, {InlineComments: true}} {
		var all []string
		for _, file := range files {
			all = append(all, file)
			for _, e := range edits {
				out, err := Apply(ini{opts}, []byte(file), []Edit{e})
				if err != nil {
					if !opts.InlineComments {
						t.Errorf("%v in %q: %v", e.Path, file, err)
					}
					continue
				}
				all = append(all, string(out))
			}
		}
		script := `
import configparser, io, json, sys
out = []
for text in json.load(sys.stdin):
    p = configparser.RawConfigParser(strict=False, allow_no_value=True, default_section='\0', inline_comment_prefixes=` + map[bool]string{true: `'#;'`, false: "None"}[opts.InlineComments] + `)
    p.read_file(io.TextIOWrapper(io.BytesIO(text.encode()), encoding='utf-8'))
    out.append({s: dict(p.items(s)) for s in p.sections()})
json.dump(out, sys.stdout)`
		var theirs []map[string]map[string]*string
		runPython(t, script, all, &theirs)
		for i, file := range all {
			n, err := ini{opts}.Decode([]byte(file))
			if err != nil {
				t.Errorf("%q: %v", file, err)
				continue
			}
			want := &Node{Kind: Map}
			for s, options := range theirs[i] {
				section := &Node{Kind: Map}
				for k, v := range options {
					value := &Node{}
					if v != nil {
						value = Text(*v)
					}
					section.Pairs = append(section.Pairs, Pair{k, value})
				}
				want.Pairs = append(want.Pairs, Pair{s, section})
			}
			if !same(n, want) {
				t.Errorf("%q\n   rhx %s\npython %s", file, show(n), show(want))
			}
		}
	}
}

// runPython gives in as JSON to a Python script and reads what it writes to out.
func runPython(t *testing.T, script string, in, out any) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = strings.NewReader(string(text))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, complaint.String())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
}

func iniPath(group, key string) Path { return Keys(group, lower(key)) }

func iniSeeds(f *testing.F) {
	for _, s := range []string{
		"", iniAWS, strings.ReplaceAll(iniAWS, "\n", "\r\n"), bom + "api_key = X", "[a]\nb=1\n[x]\n[a]\nB = 2\n c\n", "[a]\n  [d]\n  e = f # g\n  h\n", "[a] ; c\nb\n\n c=\n", "# x\n[a]\r# y\r[b]\rc:d",
	} {
		for n := range uint(3) {
			f.Add([]byte(s), n, "a", "b", "new")
			f.Add([]byte(s), n, "new", "key", "x\n y")
			f.Add([]byte(s), n, "", "k", "a # b")
		}
	}
}

func FuzzIni(f *testing.F) {
	iniSeeds(f)
	fuzzEdit(f, ini{}, iniPath)
}

func FuzzIniInlineComments(f *testing.F) {
	iniSeeds(f)
	fuzzEdit(f, ini{Options{InlineComments: true}}, iniPath)
}

func TestIniEditsOfRandomFiles(t *testing.T) {
	words := []string{"[a]\n", "[b]\n", "\n[c] # d\n", "[a]\r\n", "k = x\n", "m:y\n", "K=\n", "k=x\r\n", " m = x ; y\n", "  k", "m", " = #", "x", "\n", "\n", "\r", " ", "  ", "\t", "# c", " ; d\n", "[", "]"}
	proveRandom(t, ini{}, words, iniPath)
	proveRandom(t, ini{Options{InlineComments: true}}, words, iniPath)
}
