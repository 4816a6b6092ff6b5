package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdElapse lets time pass for what is to be taken out again: the list of it is as if it
// had been written so much earlier, on a machine whose clock was set back since, or which
// was started anew.
func cmdElapse(ts *testscript.TestScript, neg bool, args []string) {
	var back time.Duration
	restart := false
	for len(args) > 1 {
		switch args[0] {
		case "--clock-back":
			d, err := time.ParseDuration(args[1])
			ts.Check(err)
			back, args = d, args[2:]
		case "--restart":
			restart, args = true, args[1:]
		default:
			ts.Fatalf("no flag %s", args[0])
		}
	}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: elapse [--clock-back DURATION] [--restart] DURATION")
	}
	passed, err := time.ParseDuration(args[0])
	ts.Check(err)
	path := filepath.Join(ts.Getenv("HOME"), ".local/state/rhx/expiring.json")
	data, err := os.ReadFile(path)
	ts.Check(err)
	var list struct {
		Version  int              `json:"version"`
		Expiring []map[string]any `json:"expiring"`
	}
	ts.Check(json.Unmarshal(data, &list))
	for _, e := range list.Expiring {
		for _, key := range []string{"set", "due"} {
			at, err := time.Parse(time.RFC3339Nano, e[key].(string))
			ts.Check(err)
			e[key] = at.Add(back - passed)
		}
		if up, ok := e["up"].(float64); ok {
			e["up"] = int64(up) - int64(passed)
		}
		if restart {
			e["boot"] = "another"
		}
	}
	data, err = json.Marshal(list)
	ts.Check(err)
	ts.Check(os.WriteFile(path, data, 0o600))
}
