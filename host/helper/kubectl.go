package helper

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/spec"
)

// execInfo is what kubectl says, in KUBERNETES_EXEC_INFO.
type execInfo struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Cluster *struct {
			Server string `json:"server"`
		} `json:"cluster"`
	} `json:"spec"`
}

// execCredential is what it is answered.
type execCredential struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	Status     execStatus `json:"status"`
}

type execStatus struct {
	Token       string `json:"token,omitempty"`
	Certificate string `json:"clientCertificateData,omitempty"`
	Key         string `json:"clientKeyData,omitempty"`
	Expires     string `json:"expirationTimestamp,omitempty"`
}

// execVersions are those of the API whose answers are the same.
var execVersions = []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}

// Kubectl answers kubectl and other clients of client-go; info is the variable
// KUBERNETES_EXEC_INFO. Where they say which cluster they want to speak to, the secret
// has to be for it; where they do not, Helpers.Secret says which it is.
func (h *Helpers) Kubectl(ctx context.Context, info string, out io.Writer) error {
	i, q, err := parseExecInfo(info)
	if err != nil {
		return fmt.Errorf("KUBERNETES_EXEC_INFO: %w", err)
	}
	if q.at == nil && h.Secret == "" {
		return fault.WithHint(errors.New("kubectl did not say for which cluster"), "set provideClusterInfo in the kubeconfig, or name the secret: rhx helper kubectl --secret NAME")
	}
	a, err := h.one(ctx, q)
	if errors.Is(err, ErrNone) && q.at != nil {
		return fmt.Errorf("no secret in the store is for %s, with a token or a client certificate", q.at)
	}
	if errors.Is(err, ErrNone) {
		return fmt.Errorf("%s has no token and no client certificate", h.Secret)
	}
	if err != nil {
		return err
	}
	c := execCredential{APIVersion: i.APIVersion, Kind: "ExecCredential", Status: execStatus{
		Token: a.parts["token"], Certificate: pemText(a.parts["certificate"]), Key: pemText(a.parts["key"])}}
	if end := a.rec.Secret.Expires; !end.IsZero() {
		c.Status.Expires = end.UTC().Format(time.RFC3339)
	}
	return a.writeJSON(out, c)
}

func parseExecInfo(text string) (*execInfo, question, error) {
	i, q := &execInfo{APIVersion: execVersions[0]}, question{protocol: spec.ProtocolKubectl}
	if text == "" {
		return i, q, nil
	}
	if len(text) > maxExecInfo {
		return nil, q, errors.New("it is too long")
	}
	if err := oneJSON([]byte(text), i); err != nil {
		return nil, q, err
	}
	if i.Kind != "ExecCredential" || !slices.Contains(execVersions, i.APIVersion) {
		return nil, q, errors.New("it is not an ExecCredential of " + strings.Join(execVersions, " or "))
	}
	if i.Spec.Cluster != nil {
		at, ok := parseAddress(i.Spec.Cluster.Server)
		if !ok || at.scheme == "" {
			return nil, q, errors.New("the cluster's server is not an address")
		}
		q.at = &at
	}
	return i, q, nil
}

// maxExecInfo bounds the variable: a cluster's certificates and configuration are in it.
const maxExecInfo = 1 << 20

// pemText is what is in PEM, also where it is in base64 as in a kubeconfig.
func pemText(text string) string {
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil && strings.HasPrefix(string(raw), "-----BEGIN ") {
		return string(raw)
	}
	return text
}
