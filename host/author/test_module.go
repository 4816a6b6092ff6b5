package author

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// checkModule has the module read one file of a case, and write back each secret.
func (t *Tester) checkModule(ctx context.Context, p *Package, f *spec.File, c *testCase) ([]answer, error) {
	content, exists := c.home[strings.TrimPrefix(f.Path(caseOS), "~/")]
	m := &call{t, p, f, c.env}
	secrets, err := m.extract(ctx, content, exists)
	if err != nil {
		return nil, err
	}
	for i := range secrets {
		if err := m.roundTrip(ctx, content, exists, secrets, &secrets[i]); err != nil {
			return nil, &roundTripError{secrets[i].Profile, err}
		}
	}
	return answers(secrets), nil
}

func answers(secrets []abi.Secret) []answer {
	out := make([]answer, 0, len(secrets))
	for _, s := range secrets {
		out = append(out, answer{Profile: s.Profile, Values: s.Values})
	}
	return out
}

// hostileModule has the module read a file that no tool wrote. A limit that it hits
// it must hit three times: the machine may be busy with something else.
func (t *Tester) hostileModule(ctx context.Context, p *Package, f *spec.File, data []byte) error {
	var err error
	for range 3 {
		_, err = (&call{t, p, f, nil}).extract(ctx, data, true)
		if _, _, ok := t.Reported(err); ok {
			return nil
		}
		if !errors.Is(err, abi.ErrLimit) {
			break
		}
	}
	return err
}

// call is what the requests for one file of a case have in common.
type call struct {
	t   *Tester
	p   *Package
	f   *spec.File
	env map[string]string
}

func (c *call) extract(ctx context.Context, data []byte, exists bool) ([]abi.Secret, error) {
	resp, err := c.t.Run(ctx, c.p.Module, &abi.Request{
		Op: abi.Extract, Provider: c.p.Spec.Name, Env: c.env,
		Files: []abi.File{{Path: c.f.Path(caseOS), Content: data, Exists: exists}},
	})
	if err != nil {
		return nil, err
	}
	return resp.Secrets, nil
}

func (c *call) render(ctx context.Context, data []byte, exists bool, s *abi.Secret) ([]byte, error) {
	resp, err := c.t.Run(ctx, c.p.Module, &abi.Request{
		Op: abi.Render, Provider: c.p.Spec.Name, Profile: s.Profile, Secret: s,
		Files: []abi.File{{Path: c.f.Path(caseOS), Content: data, Exists: exists, Mode: c.f.Mode}},
	})
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	if len(resp.Files) != 1 {
		return nil, fmt.Errorf("render gave %d files instead of one", len(resp.Files))
	}
	return resp.Files[0].Content, nil
}

// roundTrip renders a secret into no file and into the file that it came from:
// both extract to the same, and a second render changes nothing.
func (c *call) roundTrip(ctx context.Context, data []byte, exists bool, all []abi.Secret, s *abi.Secret) error {
	if c.f.ReadOnly {
		return nil
	}
	for _, into := range []struct {
		name   string
		data   []byte
		exists bool
		want   []abi.Secret
	}{
		{"a new file", nil, false, []abi.Secret{*s}},
		{"the case's file", data, exists, all},
	} {
		once, err := c.render(ctx, into.data, into.exists, s)
		if err != nil {
			return fmt.Errorf("into %s: %w", into.name, err)
		}
		back, err := c.extract(ctx, once, true)
		if err == nil {
			err = diff(answers(back), answers(into.want))
		}
		if err != nil {
			return fmt.Errorf("rendered into %s and extracted again: %w", into.name, err)
		}
		twice, err := c.render(ctx, once, true, s)
		if err != nil {
			return fmt.Errorf("into %s, again: %w", into.name, err)
		}
		if !bytes.Equal(once, twice) {
			return fmt.Errorf("a second render into %s changed it", into.name)
		}
	}
	return nil
}
