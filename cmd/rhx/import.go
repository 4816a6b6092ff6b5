package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/provider"
)

type importCmd struct {
	Dotenv      importDotenvCmd      `cmd:"" help:"Save the variables of a project's .env and similar files."`
	OnePassword importOnePasswordCmd `cmd:"" name:"1password" help:"Save items of 1Password."`
	Bitwarden   importBitwardenCmd   `cmd:"" help:"Save items of Bitwarden or Vaultwarden."`
	KeePass     importKeePassCmd     `cmd:"" name:"keepass" help:"Save entries of KeePass or KeePassXC."`
	Pass        importPassCmd        `cmd:"" help:"Save what pass or passage keeps in ~/.password-store."`
	Gopass      importGopassCmd      `cmd:"" help:"Save what gopass keeps."`
	Sops        importSopsCmd        `cmd:"" help:"Save what is in files that sops encrypted."`
	Doppler     importDopplerCmd     `cmd:"" help:"Save the variables of a config of Doppler."`
	Infisical   importInfisicalCmd   `cmd:"" help:"Save the variables of an environment of Infisical."`
	AWSSecrets  importAWSCmd         `cmd:"" name:"aws-secrets" help:"Save what AWS Secrets Manager or Parameter Store has."`
	Vault       importVaultCmd       `cmd:"" help:"Save what others keep in HashiCorp Vault."`
	AWSVault    importAWSVaultCmd    `cmd:"" name:"aws-vault" help:"Save the profiles in aws-vault's file keyring."`
	Chezmoi     importChezmoiCmd     `cmd:"" help:"Save the encrypted files of chezmoi."`
	Rhx         importExportCmd      `cmd:"" name:"rhx" help:"Save what rhx export wrote."`
	Runhouse    importRunhouseCmd    `cmd:"" help:"Save what Runhouse keeps in ~/.rh."`
}

type importRunhouseCmd struct {
	From   string `help:"Runhouse's folder, if not ~/.rh." placeholder:"DIR"`
	DryRun bool   `help:"Say what would be saved; save nothing."`
	Yes    bool   `short:"y" help:"Do not ask; replace values that differ in the store."`
}

func (c *importRunhouseCmd) Help() string {
	return `Reads secrets/*.json, secrets/login.env, and in config.yaml where Runhouse has placed secrets, and saves them to the store. Nothing of ~/.rh is changed, and the account's token is not read. A kubeconfig becomes a secret for each context; variables of login.env that no provider knows become the secret runhouse-env.

Examples:
  rhx import runhouse --dry-run`
}

// fromStdin is what is said of stdin as a place of secrets.
const fromStdin = "stdin"

// importJSON is the JSON of an import.
type importJSON struct {
	Secrets []savedJSON    `json:"secrets"`
	Left    []leftoverJSON `json:"left"`
}

type leftoverJSON struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

func (c *importRunhouseCmd) Run(ctx context.Context, a *app) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	dir := c.From
	if dir == "" {
		home, err := a.home()
		if err != nil {
			return err
		}
		dir = filepath.Join(home, ".rh")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	im, err := e.Exchange.PlanRunhouse(ctx, filepath.ToSlash(dir))
	if err != nil {
		return err
	}
	return a.doImport(im, dir, c.DryRun, c.Yes, func(plan []exchange.Upload, replace bool) ([]exchange.Saved, error) {
		return e.Exchange.Upload(ctx, plan, replace)
	})
}

// doImport shows what was found in a place, asks, and saves it.
func (a *app) doImport(im *exchange.Import, from string, dryRun, yes bool, save func([]exchange.Upload, bool) ([]exchange.Saved, error)) error {
	news, differ, err := a.showImport(from, im)
	if err != nil {
		return err
	}
	if len(im.Plan) == 0 && a.Output == "table" {
		a.say("Nothing to save.")
	}
	todo := im.Plan
	asked := false
	if !yes && !dryRun && news+differ > 0 {
		if !a.canAskBeside(from == fromStdin) || a.Output != "table" {
			return notConfirmed("rhx "+a.command, "rhx "+a.command+" --dry-run shows what it would save")
		}
		asked = true
		question := fmt.Sprintf("Save %s to the store?", plural(news+differ, "secret"))
		if differ > 0 {
			question = fmt.Sprintf("Save %s to the store, %d of them in place of the other version?", plural(news+differ, "secret"), differ)
		}
		if !a.ask(question) {
			todo = nil
		}
	}
	if dryRun {
		todo = nil
	}
	saved, err := save(todo, yes || asked)
	if err != nil {
		return err
	}
	left := slices.ContainsFunc(im.Left, func(l exchange.Leftover) bool { return !l.NoValue })
	failed := slices.ContainsFunc(saved, func(s exchange.Saved) bool { return s.Err != nil })
	if a.Output != "table" {
		out := importJSON{Secrets: savedList(saved), Left: []leftoverJSON{}}
		if dryRun {
			out.Secrets = plannedList(im.Plan)
		}
		for _, l := range im.Left {
			out.Left = append(out.Left, leftoverJSON{l.Name, l.Why})
		}
		if _, err := a.data(out); err != nil {
			return err
		}
	} else if len(saved) > 0 {
		if err := a.printSaved(saved); err != nil && !errors.As(err, new(exitCode)) {
			return err
		}
	}
	return partlyDone((failed || left) && !dryRun)
}

// some are the first of a list, for a cell of a table.
func some(keys []string) string {
	const most = 6
	if len(keys) > most+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
	}
	return strings.Join(keys, ", ")
}

// plannedList is what would be saved, for programs.
func plannedList(plan []exchange.Upload) []savedJSON {
	out := make([]savedJSON, 0, len(plan))
	for _, u := range plan {
		j := savedJSON{Name: u.Found.Name, Action: u.Action, Version: u.Version, Keys: u.Keys}
		if u.Err != nil {
			j.Error = u.Err.Error()
		}
		out = append(out, j)
	}
	return out
}

// showImport prints what was found, and counts what is new and what differs.
func (a *app) showImport(dir string, im *exchange.Import) (news, differ int, err error) {
	var rows [][]string
	for i, u := range im.Plan {
		what := "new"
		switch u.Action {
		case provider.Created:
			if news++; im.Keys {
				what = "new: " + some(u.Keys)
			}
			if p := u.Found.Provider; im.Providers && p != "" && u.Found.Name != p && !strings.HasPrefix(u.Found.Name, p+"/") {
				what += ", for " + p
			}
		case provider.Updated:
			differ++
			what = fmt.Sprintf("differs from version %d: %s", u.Version, strings.Join(u.Keys, ", "))
		case provider.Unchanged:
			what = "same"
		default:
			what = "not to be saved: " + u.Err.Error()
		}
		rows = append(rows, []string{u.Found.Name, im.From[i], what})
	}
	if a.Output != "table" {
		return news, differ, nil
	}
	for _, l := range im.Left {
		rows = append(rows, []string{l.Name, "-", "left: " + l.Why})
	}
	slices.SortStableFunc(rows, func(x, y []string) int { return strings.Compare(x[0], y[0]) })
	if !a.Quiet {
		fmt.Fprintln(a.Out, "Found in "+dir+":")
		err = a.stateTable([]string{"SECRET", "FROM", "WHAT"}, rows, 2)
	}
	return news, differ, err
}
