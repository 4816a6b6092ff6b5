package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/foreign"
)

// itemFlags are those of every import of items.
type itemFlags struct {
	Name      string `help:"What the secret is called by; of several, what their names begin with: N/ITEM." placeholder:"N"`
	DryRun    bool   `help:"Say what would be saved; save nothing."`
	Yes       bool   `short:"y" help:"Do not ask; replace values that an import of the same tool saved before."`
	Overwrite bool   `help:"Also replace what the store has from elsewhere."`
}

type importOnePasswordCmd struct {
	File string `arg:"" help:"What op prints as JSON, or a 1PUX archive; - for stdin."`
	itemFlags
}

type importBitwardenCmd struct {
	File string `arg:"" help:"An export of Bitwarden or Vaultwarden: JSON, zip or CSV; - for stdin."`
	itemFlags
}

type importKeePassCmd struct {
	File string `arg:"" help:"An export of KeePass or KeePassXC: XML or CSV; - for stdin."`
	itemFlags
}

type importDopplerCmd struct {
	File string `arg:"" help:"What doppler secrets download prints as JSON; - for stdin."`
	itemFlags
}

type importInfisicalCmd struct {
	File string `arg:"" help:"What infisical export prints as JSON; - for stdin."`
	itemFlags
}

type importAWSCmd struct {
	File string `arg:"" help:"What aws secretsmanager or aws ssm prints as JSON; - for stdin."`
	itemFlags
}

type importPassCmd struct {
	Dir      string   `arg:"" optional:"" help:"The password store, or a folder of it, if not ~/.password-store."`
	Identity []string `sep:"none" help:"The age identity of a store of passage." placeholder:"FILE"`
	itemFlags
}

type importGopassCmd struct{ itemFlags }

type importChezmoiCmd struct {
	Dir      string   `arg:"" optional:"" help:"The source folder, if not ~/.local/share/chezmoi."`
	Identity []string `sep:"none" help:"The age identity, if not the one that chezmoi's configuration names." placeholder:"FILE"`
	itemFlags
}

type importAWSVaultCmd struct {
	Dir string `arg:"" optional:"" help:"The folder of the keyring, if not ~/.awsvault/keys."`
	itemFlags
}

type importVaultCmd struct {
	Path string `arg:"" optional:"" help:"Where in Vault: MOUNT/PATH, a secret or all below it."`
	File string `help:"What vault kv get -format=json prints, instead; - for stdin." placeholder:"FILE"`
	itemFlags
}

type importSopsCmd struct {
	File []string `arg:"" help:"Files that sops encrypted: YAML, JSON, dotenv or ini."`
	itemFlags
}

// itemsHelp is what all imports of items do.
const itemsHelp = `Shows what each item becomes, or why it is left out, and asks; --dry-run saves nothing, --yes asks nothing, as scripts need it. An item whose variables, addresses or title say which provider its key is for becomes a secret of that provider; any other becomes one of no provider, called as the item is. No value is shown, and no name is made of one. Exit status 3: something with a value was left out.`

func (c *importOnePasswordCmd) Help() string {
	return itemsHelp + `

Examples:
  op item list --format json | op item get - --format json --reveal | rhx import 1password -
  rhx import 1password export.1pux --dry-run`
}

func (c *importBitwardenCmd) Help() string {
	return itemsHelp + `

An export that is encrypted with a password of its own is opened by that, which is asked for or taken from RHX_IMPORT_PASSPHRASE.

Examples:
  bw export --format json --raw | rhx import bitwarden -
  rhx import bitwarden bitwarden_export.json`
}

func (c *importKeePassCmd) Help() string {
	return itemsHelp + `

Examples:
  keepassxc-cli export -f xml passwords.kdbx | rhx import keepass -
  rhx import keepass export.csv`
}

func (c *importDopplerCmd) Help() string {
	return itemsHelp + `

Examples:
  doppler secrets download --no-file --format json | rhx import doppler -`
}

func (c *importInfisicalCmd) Help() string {
	return itemsHelp + `

Examples:
  infisical export --env prod --format=json | rhx import infisical - --name api`
}

func (c *importAWSCmd) Help() string {
	return itemsHelp + ` This is for what Secrets Manager and Parameter Store hold; rhx save aws saves the keys that open them.

Examples:
  aws secretsmanager batch-get-secret-value --filters Key=name,Values=api --output json | rhx import aws-secrets -
  aws ssm get-parameters-by-path --path /api --recursive --with-decryption --output json | rhx import aws-secrets -`
}

func (c *importPassCmd) Help() string {
	return itemsHelp + ` Each file is decrypted by gpg, those of passage (.age) by rhx. The first line is the password, "key: value" lines are values of their own, and one-time passwords (otpauth://) stay as they are.

Examples:
  rhx import pass --dry-run
  rhx import pass ~/.password-store/work --name work`
}

func (c *importGopassCmd) Help() string {
	return itemsHelp + ` gopass itself reads its stores, mounted ones too.

Examples:
  rhx import gopass --dry-run`
}

func (c *importSopsCmd) Help() string {
	return itemsHelp + ` sops itself decrypts each file, with the keys that it finds. A file of another person can name the server that sops asks for its key.

Examples:
  rhx import sops secrets/prod.enc.yaml --name api`
}

func (c *importChezmoiCmd) Help() string {
	return itemsHelp + ` Only encrypted files are read, each as the file that chezmoi makes of it: a file of a provider, such as ~/.netrc, becomes its secrets, any other one secret with the whole text. gpg decrypts .asc files, rhx .age files.

Examples:
  rhx import chezmoi --dry-run
  rhx import chezmoi ~/dotfiles --identity ~/key.txt`
}

func (c *importAWSVaultCmd) Help() string {
	return itemsHelp + ` Reads the file backend (AWS_VAULT_BACKEND=file); its passphrase is asked for, or taken from AWS_VAULT_FILE_PASSPHRASE. Sessions are left: they end by themselves. For another backend: aws-vault exec PROFILE --no-session -- rhx save aws --from-env.

Examples:
  rhx import aws-vault --dry-run`
}

func (c *importVaultCmd) Help() string {
	return itemsHelp + ` For what others keep in Vault, with the login that rhx login or vault login made; a store of rhx is copied by rhx copy --all.

Examples:
  rhx import vault secret/team/api
  vault kv get -format=json secret/team/api | rhx import vault --file - --name api`
}

func (c *importOnePasswordCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "1password", c.File, c.itemFlags, foreign.OnePassword)
}

func (c *importBitwardenCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "bitwarden", c.File, c.itemFlags, func(data []byte) (*foreign.Export, error) {
		return foreign.Bitwarden(data, func() (string, error) { return a.importPassphrase("Password of the export") })
	})
}

func (c *importKeePassCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "keepass", c.File, c.itemFlags, foreign.KeePass)
}

func (c *importDopplerCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "doppler", c.File, c.itemFlags, foreign.Doppler)
}

func (c *importInfisicalCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "infisical", c.File, c.itemFlags, foreign.Infisical)
}

func (c *importAWSCmd) Run(ctx context.Context, a *app) error {
	return a.importFile(ctx, "aws-secrets", c.File, c.itemFlags, foreign.AWS)
}

// importPassphrase asks for what opens an export.
func (a *app) importPassphrase(prompt string) (string, error) {
	if p := a.Getenv("RHX_IMPORT_PASSPHRASE"); p != "" {
		return p, nil
	}
	p, err := a.hidden(prompt + ": ")
	if err != nil {
		return "", fault.WithHint(err, "RHX_IMPORT_PASSPHRASE has it where nobody can be asked")
	}
	return p, nil
}

func (c *importPassCmd) Run(ctx context.Context, a *app) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	dir := c.Dir
	if dir == "" {
		if dir = a.Getenv("PASSWORD_STORE_DIR"); dir == "" {
			dir = filepath.Join(home, ".password-store")
		}
	}
	identities := c.Identity
	if len(identities) == 0 {
		identities = []string{filepath.Join(home, ".passage", "identities")}
	}
	return a.importItems(ctx, "pass", a.shortPath(dir), c.itemFlags, func() (*foreign.Export, error) {
		e, err := foreign.Pass(ctx, dir, a.decrypting(identities))
		return e, a.folderError(err, dir, "rhx import pass DIR names the password store, and so does PASSWORD_STORE_DIR")
	})
}

// folderError is an error of reading a tool's folder. where says how to name another one, for
// where there is none.
func (a *app) folderError(err error, dir, where string) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("read %s: %w", a.shortPath(dir), err)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.WithHint(err, where)
	}
	return err
}

func (c *importGopassCmd) Run(ctx context.Context, a *app) error {
	tool := a.tool("gopass", "GOPASS_", "PASSWORD_STORE_")
	return a.importItems(ctx, "gopass", "gopass", c.itemFlags, func() (*foreign.Export, error) { return foreign.Gopass(ctx, tool) })
}

func (c *importSopsCmd) Run(ctx context.Context, a *app) error {
	tool := a.tool("sops", "SOPS_", "AWS_", "GOOGLE_", "CLOUDSDK_", "AZURE_", "VAULT_")
	files := make([]string, len(c.File))
	for i, f := range c.File {
		files[i] = a.path(f)
	}
	from := a.shortPath(files[0])
	if len(files) > 1 {
		from = plural(len(files), "file")
	}
	return a.importItems(ctx, "sops", from, c.itemFlags, func() (*foreign.Export, error) { return foreign.SopsFiles(ctx, tool, files) })
}

func (c *importChezmoiCmd) Run(ctx context.Context, a *app) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	xdg := func(name, usual string) string {
		if dir := a.Getenv(name); filepath.IsAbs(dir) {
			return dir
		}
		return filepath.Join(home, filepath.FromSlash(usual))
	}
	dir := c.Dir
	if dir == "" {
		dir = filepath.Join(xdg("XDG_DATA_HOME", ".local/share"), "chezmoi")
	}
	return a.importItems(ctx, "chezmoi", a.shortPath(dir), c.itemFlags, func() (*foreign.Export, error) {
		identities := c.Identity
		if len(identities) == 0 {
			if identities, err = foreign.ChezmoiIdentities(home, xdg("XDG_CONFIG_HOME", ".config")); err != nil {
				return nil, err
			}
		}
		e, err := foreign.Chezmoi(ctx, dir, a.decrypting(identities))
		return e, a.folderError(err, dir, "rhx import chezmoi DIR names the source folder; chezmoi source-path prints it")
	})
}

func (c *importVaultCmd) Run(ctx context.Context, a *app) error {
	switch {
	case (c.Path == "") == (c.File == ""):
		return fault.WithKind(errors.New("what is to be imported is a path in Vault, or --file"), fault.Usage)
	case c.File != "":
		return a.importFile(ctx, "vault", c.File, c.itemFlags, foreign.VaultKV)
	}
	return a.importItems(ctx, "vault", c.Path, c.itemFlags, func() (*foreign.Export, error) { return a.inVault(ctx, strings.Trim(c.Path, "/")) })
}

// inVault reads a secret in Vault, and all below its path.
func (a *app) inVault(ctx context.Context, where string) (*foreign.Export, error) {
	if where == "" {
		return nil, fault.WithKind(errors.New("the path in Vault is MOUNT/PATH"), fault.Usage)
	}
	out := &foreign.Export{Sealed: true}
	read := func(at, prefix string, only ...string) error {
		st, err := a.openVault("vault://" + at)
		if err != nil {
			return err
		}
		defer func() { _ = st.Close() }()
		e, err := foreign.Records(ctx, st, prefix, only)
		if err == nil {
			out.Items, out.Left = append(out.Items, e.Items...), append(out.Left, e.Left...)
		}
		return err
	}
	up, base := path.Split(where)
	if up != "" { // not all of a mount: the path can be a secret itself
		if err := read(strings.TrimSuffix(up, "/"), "", base); err != nil {
			return nil, err
		}
	} else {
		base = ""
	}
	if err := read(where, base); err != nil {
		return nil, err
	}
	if len(out.Items)+len(out.Left) == 0 {
		return nil, fmt.Errorf("there is no secret at %s in Vault, nor below it", where)
	}
	return out, nil
}

// Times in which a program has to decrypt something: where somebody can be asked for a
// passphrase, and where nobody can.
const (
	withPerson    = 3 * time.Minute
	withoutPerson = 30 * time.Second
)

// tool is a program of another tool, with its own variables.
func (a *app) tool(name string, prefixes ...string) *foreign.Tool {
	within := withoutPerson
	if a.hasTerminal() {
		within = withPerson
	}
	return foreign.NewTool(name, a.environ(), within, prefixes...)
}

// decrypting opens files: of gpg by the program of that name, of age here.
func (a *app) decrypting(identities []string) foreign.Decrypt {
	gpg := a.tool("gpg")
	args := []string{"--quiet", "--batch", "--no-tty", "--decrypt"}
	if !a.hasTerminal() {
		args = slices.Insert(args, 0, "--pinentry-mode=error") // there is nobody to ask
	}
	ask := func(name string) (string, error) {
		if name == "" {
			return a.importPassphrase("Passphrase of the encrypted files")
		}
		return a.importPassphrase("Passphrase of " + a.shortPath(name))
	}
	return func(ctx context.Context, end string, data []byte) ([]byte, error) {
		if end == ".age" {
			return foreign.Age(data, identities, foreign.MaxSealed, ask)
		}
		return gpg.Run(ctx, data, args...)
	}
}

// importFile imports what a tool has written into a file, or into a pipe.
func (a *app) importFile(ctx context.Context, tool, file string, flags itemFlags, parse func([]byte) (*foreign.Export, error)) error {
	if file == "-" && a.InTTY {
		return fault.WithHint(fault.WithKind(errors.New("nothing is piped in"), fault.Usage), "name the file instead of -")
	}
	from := fromStdin
	if file != "-" {
		from = a.shortPath(a.path(file))
	}
	plain := false
	err := a.importItems(ctx, tool, from, flags, func() (*foreign.Export, error) {
		data, err := a.readExport(ctx, file)
		if err != nil {
			return nil, err
		}
		export, err := parse(data)
		if err != nil {
			return nil, fault.WithHint(fmt.Errorf("read %s: %w", from, err), fault.Hint(err))
		}
		plain = !export.Sealed
		return export, nil
	})
	return a.reminded(err, file, plain && !flags.DryRun)
}

// reminded says of a file that it still has in plain text what was imported with the
// outcome err, and offers to remove it where everything arrived. It returns err.
func (a *app) reminded(err error, file string, plain bool) error {
	var status exitCode
	if file != "-" && plain && (err == nil || errors.As(err, &status)) {
		a.remindOf(a.path(file), err == nil)
	}
	return err
}

func (a *app) remindOf(path string, all bool) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	shown := a.shortPath(path)
	text := shown + " still has everything unencrypted"
	if !all || a.Output != "table" || !a.canAsk() {
		a.warn(text + "; remove it when nothing in it is needed any more")
		return
	}
	if !a.ask(text + ". Remove it?") {
		return
	}
	if err := os.Remove(path); err != nil {
		a.warn(shown + " is not removed: " + err.Error())
		return
	}
	a.say(shown + ": removed")
}

// readExport reads a file, or a pipe; "-" is stdin.
func (a *app) readExport(ctx context.Context, file string) ([]byte, error) {
	if file != "-" {
		file = a.path(file)
	}
	return a.input(ctx, file, foreign.MaxSize)
}

// importItems imports the items that read gives.
func (a *app) importItems(ctx context.Context, tool, from string, flags itemFlags, read func() (*foreign.Export, error)) error {
	e, err := a.engine()
	if err != nil {
		return err
	}
	// Before anything is read or asked: opening a store may start rhx anew.
	if _, err := e.Records.Store(ctx); err != nil {
		return err
	}
	export, err := read()
	if err != nil {
		return err
	}
	im, err := e.Exchange.PlanItems(ctx, export, exchange.ItemOptions{Tool: tool, Name: strings.Trim(flags.Name, "/"), Overwrite: flags.Overwrite})
	if err != nil {
		return err
	}
	return a.doImport(im, from, flags.DryRun, flags.Yes || flags.Overwrite, func(plan []exchange.Upload, replace bool) ([]exchange.Saved, error) {
		return e.Exchange.SaveItems(ctx, plan, replace, tool)
	})
}
