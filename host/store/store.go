// Package store keeps secrets, with versions. Implementations are in the
// packages below it; [storetest] is what each must pass.
//
// [storetest]: https://pkg.go.dev/github.com/rhx-dev/rhx/host/store/storetest
package store

import (
	"context"
	"errors"
	"time"

	"github.com/rhx-dev/rhx/host/secret"
)

// Errors that implementations return or wrap, so that callers can tell them apart.
var (
	// ErrNotFound: no secret of that name, or not that version of it.
	ErrNotFound = errors.New("not found in the store")
	// ErrConflict: a check-and-set Put found another version than expected.
	ErrConflict = errors.New("the store has a newer version")
	// ErrDenied: the store refused the credentials, or they do not suffice.
	ErrDenied = errors.New("permission denied by the store")
	// ErrUnavailable: the store cannot be reached or cannot answer now.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrUnsupported: this kind of store cannot do what was asked for.
	ErrUnsupported = errors.New("the store cannot do this")
)

// Info describes one version of a secret without its values.
type Info struct {
	Name     string
	Provider string
	// Version counts from 1.
	Version int
	// Updated is when this version was written, in UTC.
	Updated time.Time
	// Expires is when the values stop working, in UTC; zero where the store does not
	// know that without reading them.
	Expires time.Time
	// Deleted reports that the version is deleted: Get does not return it.
	Deleted bool
	// Destroyed reports that its values are gone, so that Undelete cannot bring
	// them back. A destroyed version is Deleted as well.
	Destroyed bool
	// By names who saved it, in a store of several people: "?" where that is nobody of
	// them, "" where there is nobody to tell apart. Only History says it.
	By string
}

// Record is one version of a secret with its values.
type Record struct {
	Info
	// Secret has the same Name and Provider as Info.
	Secret secret.Secret
}

// Namer is a store that can name its secrets with far fewer requests than List
// takes.
type Namer interface {
	// Names returns the names of all secrets, sorted. Those of deleted ones can
	// be among them. An error may also mean that the store does not allow this
	// question, while it allows others.
	Names(ctx context.Context) ([]string, error)
}

// Archive is a store that also has what is deleted, for a backup.
type Archive interface {
	// AllNames returns the names of all secrets of which there is a version, deleted or
	// not, sorted. It may return some with an error of kind fault.Partial that names the rest.
	AllNames(ctx context.Context) ([]string, error)
	// GetDeleted is Get for a version that is deleted.
	GetDeleted(ctx context.Context, name string, version int) (*Record, error)
}

// Sharer is a store of several people, who need not read the same secrets.
type Sharer interface {
	// Others returns those of names that are not shared with the user, who sees that they are there.
	Others(ctx context.Context, names []string) ([]string, error)
}

// Together is a store that looks once at what many secrets have in common.
type Together interface {
	// Together says that the secrets which are read until end is called are read at once: each is
	// as it was at some time since.
	Together() (end func())
}

// Wrapper is a store that can hand a secret to another machine by a token: it is
// good for one use and a short time, so that a secret which somebody else took on
// the way is noticed.
type Wrapper interface {
	// Wrap returns a token for the newest version of a secret; ErrNotFound if it is
	// not there. That it is deleted may show only when the token is used.
	Wrap(ctx context.Context, name string, ttl time.Duration) (secret.Value, error)
	// WrapText returns a token for a text, which is in the field WrappedField.
	WrapText(ctx context.Context, text secret.Value, ttl time.Duration) (secret.Value, error)
	// Reach returns the variables by which another machine finds the server.
	Reach() (map[string]string, error)
}

// WrappedField is the field of what WrapText wraps.
const WrappedField = "contents"

// ErrIntercepted: a wrapping token that is not what it was made to be.
var ErrIntercepted = errors.New("the wrapping token was used already, has expired, or is another one: it may have been intercepted")

// As returns what else a store can do: T is an interface such as [Namer]. A store that
// stands before another one is asked what is under it.
func As[T any](st Store) (T, bool) {
	for {
		if as, ok := st.(T); ok {
			return as, true
		}
		front, ok := st.(interface{ Under() Store })
		if !ok {
			var none T
			return none, false
		}
		st = front.Under()
	}
}

// AnyVersion as the expected version of Put means: whatever is there.
const AnyVersion = -1

// Store holds secrets by name. Names are as [secret.ValidName] has them: any
// text, with "/" between steps; "a" and "a/b" can both be secrets. Values may
// hold any bytes. Its methods may be called from several goroutines, and
// several processes may use one store at once.
type Store interface {
	// URL is how users name the store: "local", "vault://MOUNT/PREFIX".
	URL() string
	// List returns the newest version of every secret that is not deleted,
	// sorted by name, without needing the key that decrypts values.
	List(ctx context.Context) ([]Info, error)
	// Get returns one version, 0 for the newest; ErrNotFound if it is not there
	// or deleted.
	Get(ctx context.Context, name string, version int) (*Record, error)
	// Put writes s as a new version and returns its number. expect is the
	// newest version that the caller knows (0: the secret must not exist or be
	// deleted), or AnyVersion; if it is not that, nothing is written and the
	// error is ErrConflict. Where a store holds more than texts, a value that
	// another program wrote stays of its type for as long as its text stays the
	// same, if this Store read the version that is replaced or put again.
	Put(ctx context.Context, s *secret.Secret, expect int) (int, error)
	// Delete marks the newest version as deleted: the secret is gone for List
	// and Get, its older versions can still be read by number. ErrNotFound if
	// it is not there or deleted already.
	Delete(ctx context.Context, name string) error
	// Undelete brings a deleted version back, 0 for the newest: it can be read
	// again, with the values that it had. One that is not deleted stays as it
	// is, without an error. ErrNotFound if the store has no such version or its
	// values are destroyed; ErrUnsupported where Delete removes values for good.
	Undelete(ctx context.Context, name string, version int) error
	// Destroy removes every version and all that is known about the secret.
	Destroy(ctx context.Context, name string) error
	// History returns every version that is still known, newest first;
	// ErrNotFound if there is none.
	History(ctx context.Context, name string) ([]Info, error)
	// Close releases connections and keys.
	Close() error
}
