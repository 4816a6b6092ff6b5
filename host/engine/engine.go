// Package engine wires the parts of one rhx together: providers, machines, stores and
// what works with them. The command line and package host are made of it.
package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rhx-dev/rhx/host/atomicfile"
	"github.com/rhx-dev/rhx/host/backup"
	"github.com/rhx-dev/rhx/host/config"
	"github.com/rhx-dev/rhx/host/deliver"
	"github.com/rhx-dev/rhx/host/detect"
	"github.com/rhx-dev/rhx/host/exchange"
	"github.com/rhx-dev/rhx/host/journal"
	"github.com/rhx-dev/rhx/host/machine"
	"github.com/rhx-dev/rhx/host/ownfile"
	"github.com/rhx-dev/rhx/host/project"
	"github.com/rhx-dev/rhx/host/records"
	"github.com/rhx-dev/rhx/host/session"
	"github.com/rhx-dev/rhx/host/spec"
	"github.com/rhx-dev/rhx/host/store"
	"github.com/rhx-dev/rhx/host/store/agestore"
	"github.com/rhx-dev/rhx/host/trust"
	"github.com/rhx-dev/rhx/specs"
)

// Parts are what an engine is made of.
type Parts struct {
	// Home is the absolute path of the home folder, Work that of the working folder,
	// "" for none.
	Home, Work string
	Getenv     func(string) string
	// NewRunner makes what runs wasm modules, when one is first needed; cache is the
	// folder for their machine code.
	NewRunner func(cache string, warn func(string)) (Runner, error)
	// OpenVault opens a store in HashiCorp Vault.
	OpenVault func(url string) (store.Store, error)
	// Passphrase asks for that of a key; nil where nobody can be asked.
	Passphrase func(prompt string) (string, error)
	// Progress is that of package records.
	Progress func(doing string, parts int) (step, end func())
	// Warn is told what a user should know and what stops nothing, Note what is being
	// done. Both may be called from several goroutines.
	Warn func(text string)
	Note func(format string, args ...any)
}

// Engine is one rhx. Its fields are set once.
type Engine struct {
	Dirs     config.Dirs
	Local    machine.Machine
	Specs    *spec.Registry
	Added    *trust.Providers
	Guests   *Guests
	Stores   *Stores
	Records  *records.Records
	Detector *detect.Detector
	Deliver  *deliver.Deliverer
	Book     *session.Book
	Exchange *exchange.Exchange
	Backup   *backup.Backup
	Project  *project.Project
}

// shownOthers is how many secrets are named that are not shared with the user.
const shownOthers = 5

// New makes an engine. It reads nothing yet.
func New(p Parts) *Engine {
	dirs := config.NewDirs(p.Home, p.Getenv)
	e := &Engine{Dirs: dirs, Local: machine.Local(p.Home, p.Getenv)}
	e.Added = trust.Open(dirs.Data, p.Work)
	e.Specs = spec.NewRegistry(specs.All(), filepath.Join(dirs.Config, "providers")).WithPackages(e.Added)
	e.Guests = &Guests{cache: filepath.Join(dirs.Cache, "wasm"), added: e.Added, newRunner: p.NewRunner, warn: p.Warn, note: p.Note}
	e.Stores = &Stores{Dirs: dirs, Home: p.Home, Getenv: p.Getenv, OpenVault: p.OpenVault, Passphrase: p.Passphrase, Warn: p.Warn, Note: p.Note}
	e.Records = &records.Records{Open: e.Stores.Open, Known: e.Specs.Known, Progress: p.Progress,
		Ends: &records.Ends{Path: filepath.Join(dirs.Cache, "expiries"), Seal: e.Stores.Seal, Unseal: e.Stores.Unseal}}
	e.Book = &session.Book{Dirs: dirs, Local: e.Local, Keys: e.Stores, Warn: p.Warn, Journal: &journal.Journal{
		Dir:    filepath.Join(dirs.State, "journal"),
		Seal:   e.Stores.Seal,
		Unseal: e.Stores.Unseal,
	}}
	e.Records.Others = func(names []string) {
		p.Warn(fmt.Sprintf("%d of the secrets in the store are not shared with you, and are left out: %s", len(names), strings.Join(names[:min(len(names), shownOthers)], ", ")))
	}
	e.Stores.Noted, e.Records.Read = e.Book.Stored, e.Book.NoteRead
	e.wire()
	return e
}

// wire makes the parts that need others.
func (e *Engine) wire() {
	e.Detector = &detect.Detector{Specs: e.Specs, Guests: e.Guests}
	e.Deliver = &deliver.Deliverer{Specs: e.Specs, Guests: e.Guests, Dirs: e.Dirs}
	e.Exchange = &exchange.Exchange{Specs: e.Specs, Guests: e.Guests, Dirs: e.Dirs, Local: e.Local, Records: e.Records, Detector: e.Detector, Deliver: e.Deliver, Book: e.Book}
	e.Backup = &backup.Backup{Records: e.Records, Local: e.Stores.Local, Warn: e.Stores.Warn, Lock: e.lockImports,
		Asking:    agestore.Asking{Passphrase: e.Stores.backupPassphrase, Checking: e.Stores.checking},
		KeyAsking: agestore.Asking{Passphrase: e.Stores.passphrase, Checking: e.Stores.checking},
	}
	e.Project = &project.Project{Specs: e.Specs, Records: e.Records, Detector: e.Detector, Deliver: e.Deliver, Book: e.Book, Local: e.Local, Getenv: e.Stores.Getenv}
}

// lockImports has one import of a backup come after the other.
func (e *Engine) lockImports(ctx context.Context) (unlock func() error, err error) {
	if err := atomicfile.MkdirAll(e.Dirs.State); err != nil {
		return nil, err
	}
	return ownfile.Lock(ctx, filepath.Join(e.Dirs.State, "import.lock"))
}

// Close releases the store and what runs modules.
func (e *Engine) Close() error {
	err := e.Records.Close()
	e.Guests.close(context.Background())
	return err
}
