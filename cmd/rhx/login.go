package main

import (
	"context"
)

type loginCmd struct {
	Vault     string `help:"The server's address; else VAULT_ADDR, or the last login's." placeholder:"ADDR"`
	Method    string `predictor:"method" help:"How to log in: ${methods}. Else userpass with --username, token without." placeholder:"METHOD"`
	Namespace string `help:"The namespace (Vault Enterprise, HCP)." placeholder:"NS"`
	Username  string `help:"Your name, for userpass and ldap." placeholder:"NAME"`
	Role      string `help:"The role, for jwt, oidc, kubernetes and cert; the role ID, for approle." placeholder:"ROLE"`
	Mount     string `help:"Where the auth method is below auth/, if not at its own name." placeholder:"PATH"`
	JWT       string `name:"jwt" help:"The file with the JWT, for jwt and kubernetes." placeholder:"FILE"`
	Port      int    `help:"Where the browser comes back to, for oidc." default:"8250" placeholder:"8250"`
	NoBrowser bool   `help:"Print the address for the browser only, for oidc."`

	Upload     bool `help:"Save what rhx detect finds to the store, without asking." xor:"upload"`
	NoUpload   bool `help:"Do not offer that." xor:"upload"`
	Download   bool `help:"Load what is in the store onto this machine, without asking." xor:"download"`
	NoDownload bool `help:"Do not offer that." xor:"download"`
	Yes        bool `short:"y" help:"Yes to both, replacing values that differ."`
}

func (c *loginCmd) Help() string {
	return `Logs in to HashiCorp Vault, keeps the token encrypted, and makes the server's store the default one. The password, secret ID, token or JWT is asked for and not shown, or read from stdin where that is no terminal.

Then rhx shows which secrets of this machine the store lacks or has other values of, and offers to upload them, and which of the store this machine lacks, and offers to download them. What the store has other values of is replaced by a yes at the question or --yes, not by --upload alone; --yes uploads first, so this machine's values win.

Examples:
  rhx login --vault https://vault.example.com:8200 --username jane
  rhx login --vault https://vault.example.com:8200 --method oidc --store vault://secret/ml-team
  rhx login --method approle --role ROLE-ID --download < secret-id`
}

func (c *loginCmd) Run(ctx context.Context, a *app) error {
	return a.login(ctx, c)
}

type logoutCmd struct {
	DeleteSecrets bool `help:"Delete what rhx placed on this machine, without asking." xor:"secrets"`
	KeepSecrets   bool `help:"Keep it, without asking." xor:"secrets"`
	Yes           bool `short:"y" help:"Yes to every question."`
}

func (c *logoutCmd) Help() string {
	return `Asks for each secret that load or login placed on this machine whether to delete it there: its own keys only, and a file only where rhx made it and nothing else is in it. Then the token is revoked and deleted, and rhx asks whether its configuration shall go.

Without a terminal and without --delete-secrets or --yes, secrets and configuration stay. Values that differ from the stored ones are deleted only by a yes at their own question.

Examples:
  rhx logout
  rhx logout --keep-secrets`
}

func (c *logoutCmd) Run(ctx context.Context, a *app) error {
	return a.logout(ctx, c)
}
