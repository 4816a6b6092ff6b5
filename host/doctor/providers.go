package doctor

import (
	"context"
	"fmt"
)

// providersCheck compares the providers of others with what was approved.
var providersCheck = Check{Name: "providers", Look: func(_ context.Context, d *Doctor) ([]Finding, error) {
	all, err := d.Engine.Added.List()
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, p := range all {
		if len(p.Problems) == 0 || p.Project && p.Files == nil { // of a project, and added by nobody
			continue
		}
		out = append(out, Finding{
			Level: Warning, What: fmt.Sprintf("the provider %s is not as you approved it: %s", p.Name, p.Problems[0]),
			Why:     "rhx does not use it: somebody changed it, or it is damaged.",
			Command: "rhx provider verify",
		})
	}
	return out, nil
}}
