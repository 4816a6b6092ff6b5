package doctor

import (
	"context"
	"fmt"
)

var recordCheck = Check{Name: "record", Needs: Open, Look: func(ctx context.Context, d *Doctor) ([]Finding, error) {
	if !d.local() {
		return nil, nil
	}
	local, err := d.Engine.Stores.Local()
	if err != nil {
		return nil, err
	}
	v, err := local.Verify(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, u := range v.Unfinished {
		found = append(found, Finding{Level: Warning, What: u.What, Why: "A command was interrupted: who was taken out can still read what is not encrypted anew, or knows what is not changed.", Command: u.Command})
	}
	if len(v.Problems) == 0 {
		return found, nil
	}
	return append(found, Finding{
		Level: Warning, What: fmt.Sprintf("the store is not as rhx left it: %s%s", v.Problems[0], more(len(v.Problems)-1)),
		Why:     "Somebody without your key may have taken secrets away, put old ones back or added some.",
		Command: "rhx store verify",
	}), nil
}}

// more says that there are others.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}
