package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
	"github.com/rhx-dev/rhx/host/spec"
)

// awsCredentials is what a credential_process prints, in version 1.
type awsCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string `json:",omitempty"`
	Expiration      string `json:",omitempty"`
}

// AWS answers the AWS command line and SDKs with the secret of a profile: Helpers.Secret,
// or the one of that name.
func (h *Helpers) AWS(ctx context.Context, profile string, out io.Writer) error {
	named := *h
	if named.Secret == "" {
		if profile == "default" {
			profile = ""
		}
		named.Secret = secret.Name("aws", profile)
	}
	a, err := named.one(ctx, question{protocol: spec.ProtocolAWS})
	if errors.Is(err, ErrNone) {
		return fmt.Errorf("%s has no access key", named.Secret)
	}
	if err != nil {
		return err
	}
	c := awsCredentials{Version: 1, AccessKeyID: a.parts["access_key"], SecretAccessKey: a.parts["secret_key"], SessionToken: a.parts["session_token"]}
	if end := a.rec.Secret.Expires; !end.IsZero() {
		c.Expiration = end.UTC().Format(time.RFC3339)
	}
	return a.writeJSON(out, c)
}
