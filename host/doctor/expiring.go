package doctor

import (
	"context"
	"slices"
	"strings"
	"time"
)

// soon is from when on it is said that a secret expires.
const soon = 7 * 24 * time.Hour

var expiringCheck = Check{Name: "expiring", Needs: Open, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := d.Engine.Records.Expiries(ctx, infos)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for name, end := range ends {
		f := Finding{Command: "rhx show " + quoted(name)}
		switch left := time.Until(end); {
		case left <= 0:
			f.Level, f.What, f.Why = Warning, name+" has expired, on "+end.Local().Format("2006-01-02"), "Whatever uses it fails. Get a new one, and save it."
		case left < soon:
			f.Level, f.What, f.Why = Note, name+" expires on "+end.Local().Format("2006-01-02 15:04"), "Whatever uses it fails then."
		default:
			continue
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(x, y Finding) int { return strings.Compare(x.What, y.What) })
	return out, nil
}}
