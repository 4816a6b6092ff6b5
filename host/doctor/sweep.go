package doctor

import (
	"context"
	"fmt"

	"github.com/rhx-dev/rhx/host/place"
)

// sweepCheck looks for what was to be taken out again, and is still there.
var sweepCheck = Check{Name: "sweep", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	due, err := d.Engine.Book.Due()
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, e := range due {
		f := Finding{
			Level: Warning, What: fmt.Sprintf("%s was to be taken out of %s, and is still there", e.Secret, e.Where()), Why: "It was placed for a time that has passed.",
			Command: "rhx sweep",
		}
		if e.Machine != place.Here.String() {
			f.What = fmt.Sprintf("%s was to be taken out of %s on %s, and rhx does not know that it was", e.Secret, e.Where(), e.Machine)
		}
		out = append(out, f)
	}
	return out, nil
}}
