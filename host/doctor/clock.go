package doctor

import (
	"context"
	"fmt"
	"time"
)

// clockCheck looks for what was written in the future.
var clockCheck = Check{Name: "clock", Needs: Listed, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	infos, err := d.Engine.Records.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range infos {
		if ahead := time.Until(i.Updated); ahead > skewed {
			return []Finding{{
				Level: Warning, What: fmt.Sprintf("%s was saved %v from now: this machine's clock, or that of the one that saved it, is wrong", i.Name, ahead.Round(time.Second)),
				Why:     "What expires, and what is to be taken out again, goes by the clock.",
				Command: "sudo timedatectl set-ntp true",
			}}, nil
		}
	}
	return nil, nil
}}
