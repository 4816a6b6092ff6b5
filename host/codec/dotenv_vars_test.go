package codec

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestDotenvVars(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"none", "# c\nA\n", ""},
		{"in the order of the file, with their lines", "# c\nB=1\nA='x\ny'\nexport C=3\n", "2 B=1|3 A=x\ny|5 C=3"},
		{"the last of several counts", "A=1\nB=2\nA=3\n", "2 B=2|3 A=3"},
		{"a later value stands for an earlier reference", "A=$B\nA=1\n", "2 A=1"},
		{"and the other way round", "A=1\nA=$B\n", "2 A=$B expands"},
		{"variables and commands", "A=$B\nC=x${D}\nE=\"$F\"\nG=$(id)\nI=x`id`\n", "1 A=$B expands|2 C=x${D} expands|3 E=$F expands|4 G=$(id) expands|5 I=x`id` expands"},
		{"what a shell alone expands", "A=a$$b\nB=a$1\nC=a$!b\nD=a$_\nE=a$-b\n", "1 A=a$$b expands|2 B=a$1 expands|3 C=a$!b expands|4 D=a$_ expands|5 E=a$-b expands"},
		{"a $ that is one for all", "A=5$\nB=a$.b\nC=\"$\"\nD=$%\n", "1 A=5$|2 B=a$.b|3 C=$|4 D=$%"},
		{"single quotes keep it", "A='$B `id`'\n", "1 A=$B `id`"},
		{"but not from python-dotenv", "A='x${B}'\n", "1 A=x${B} expands"},
		{"so does a backslash in double quotes", `A="\$B \` + "`" + `"` + "\n", "1 A=$B \\`"},
		{"a pair of which is one", `A="\\$B"` + "\n", `1 A=\$B expands`},
		{"outside quotes it is text for most", `A=\$B` + "\n", `1 A=\$B expands`},
		{"Node's quotes", "A=`$B`\nC=`id`\n", "1 A=$B expands|2 C=id expands"},
	} {

		vars, err := DotenvVars([]byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var got []string
		for _, v := range vars {
			text := fmt.Sprintf("%d %s=%s", v.Line, v.Name, v.Value)
			if v.Expands {
				text += " expands"
			}
			got = append(got, text)
		}
		if got := strings.Join(got, "|"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
	if _, err := DotenvVars([]byte("A=1\nfoo bar\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a line that is none: %v", err)
	}
}

// The variables are those that Decode finds.
func FuzzDotenvVars(f *testing.F) {
	for _, s := range []string{"", dotenvFile, "A=1\nA=$B", "A=\"\\$\"\nB='${C}'", bom + "A=`x`\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := dotenv{}.Decode(data)
		vars, err2 := DotenvVars(data)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("Decode: %v, DotenvVars: %v", err, err2)
		}
		if err != nil {
			return
		}
		if len(vars) != len(tree.Pairs) {
			t.Fatalf("%d variables, not %d", len(vars), len(tree.Pairs))
		}
		for _, v := range vars {
			if n := tree.Get(v.Name); n == nil || n.Text != v.Value || n.Line != v.Line {
				t.Fatalf("%s is %q in line %d, not %+v", v.Name, v.Value, v.Line, n)
			}
			if !strings.ContainsAny(v.Value, "$") && !bytes.Contains(data, []byte("`")) && v.Expands {
				t.Fatalf("nothing in %q is expanded", v.Value)
			}
		}
	})
}
