package doctor

import (
	"context"
	"fmt"
)

var logCheck = Check{Name: "log", Needs: Open, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	check, err := d.Engine.Book.VerifyLog(ctx)
	if err != nil || len(check.Problems) == 0 {
		return nil, err
	}
	return []Finding{{
		Level: Warning, What: fmt.Sprintf("rhx's log is not as rhx wrote it: %s%s", check.Problems[0], more(len(check.Problems)-1)),
		Why:     "Who read which secret may be missing there.",
		Command: "rhx log --verify",
	}}, nil
}}
