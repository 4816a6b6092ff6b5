package main

import (
	"runtime/debug"
	"testing"
)

func TestWhatAProgramWasBuiltFrom(t *testing.T) {
	t.Parallel()
	vcs := func(pairs ...string) (s []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, debug.BuildSetting{Key: "vcs." + pairs[i], Value: pairs[i+1]})
		}
		return s
	}
	const sum = "3ce3cd440a5ac5741502c16d0fc7f34de4558825"
	for name, test := range map[string]struct {
		told build
		main string
		vcs  []debug.BuildSetting
		want build
	}{
		"a release":                       {told: build{Version: "v1.2.3", Commit: sum, Date: "2026-11-30T04:21:21+01:00"}, main: "(devel)", want: build{Version: "v1.2.3", Commit: sum, Date: "2026-11-30T03:21:21Z"}},
		"what is told comes first":        {told: build{Version: "v1.2.3", Commit: sum, Date: "2026-11-30T03:21:21Z"}, main: "v1.2.4", vcs: vcs("revision", "0000", "time", "2020-01-01T00:00:00Z"), want: build{Version: "v1.2.3", Commit: sum, Date: "2026-11-30T03:21:21Z"}},
		"git describe of changes":         {told: build{Version: "v1.2.3-4-g3ce3cd4-dirty", Commit: sum}, want: build{Version: "v1.2.3-4-g3ce3cd4-dirty", Commit: sum, Modified: true}},
		"go build of a tag":               {main: "v1.2.3", vcs: vcs("revision", sum, "time", "2026-11-30T03:21:21Z", "modified", "false"), want: build{Version: "v1.2.3", Commit: sum, Date: "2026-11-30T03:21:21Z"}},
		"go build of changes":             {main: "v1.2.4-0.20261130032121-3ce3cd440a5a+dirty", vcs: vcs("revision", sum, "time", "2026-11-30T03:21:21Z", "modified", "true"), want: build{Version: "v1.2.4-0.20261130032121-3ce3cd440a5a+dirty", Commit: sum, Date: "2026-11-30T03:21:21Z", Modified: true}},
		"go install of a tag":             {main: "v1.2.3", want: build{Version: "v1.2.3"}},
		"go install of a commit":          {main: "v0.0.0-20261130032121-3ce3cd440a5a", want: build{Version: "v0.0.0-20261130032121-3ce3cd440a5a", Commit: "3ce3cd440a5a", Date: "2026-11-30T03:21:21Z"}},
		"go install after a tag":          {main: "v1.2.4-0.20261130032121-3ce3cd440a5a", want: build{Version: "v1.2.4-0.20261130032121-3ce3cd440a5a", Commit: "3ce3cd440a5a", Date: "2026-11-30T03:21:21Z"}},
		"go install after a pre-release":  {main: "v1.2.4-rc.1.0.20261130032121-3ce3cd440a5a", want: build{Version: "v1.2.4-rc.1.0.20261130032121-3ce3cd440a5a", Commit: "3ce3cd440a5a", Date: "2026-11-30T03:21:21Z"}},
		"a pre-release is no commit":      {main: "v1.2.4-20261130-abcdef", want: build{Version: "v1.2.4-20261130-abcdef"}},
		"changes known to Go alone":       {told: build{Version: "v1.2.3"}, vcs: vcs("modified", "true"), want: build{Version: "v1.2.3", Modified: true}},
		"no repository, and nothing told": {main: "(devel)", want: build{Version: "devel"}},
		"no note at all":                  {want: build{Version: "devel"}},
	} {
		got := builtFrom(test.told, &debug.BuildInfo{Main: debug.Module{Version: test.main}, Settings: test.vcs})
		if got.Go == "" || got.OS == "" || got.Arch == "" {
			t.Errorf("%s: %+v", name, got)
		}
		got.Go, got.OS, got.Arch = "", "", ""
		if got != test.want {
			t.Errorf("%s:\n%+v, not\n%+v", name, got, test.want)
		}
	}
	if got := builtFrom(build{}, nil); got.Version != "devel" {
		t.Errorf("without a note: %+v", got)
	}
}
