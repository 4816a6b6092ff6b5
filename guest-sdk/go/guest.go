// Package guest is the kit for an rhx provider in Go.
//
// A provider is a WASI command: rhx starts it once per request, writes one JSON
// document to its standard input and reads one from its standard output. This
// package does that part; a provider fills in two methods:
//
//	package main
//
//	import guest "github.com/rhx-dev/rhx/guest-sdk/go"
//
//	type provider struct{}
//
//	func (provider) Extract(req guest.Request) ([]guest.Secret, error) {
//		f := req.Files[0]
//		if !f.Exists {
//			return nil, nil // no file, no secrets
//		}
//		// The whole file is the token of the default profile.
//		return []guest.Secret{{Values: map[string]string{"token": string(f.Content)}}}, nil
//	}
//
//	func (provider) Render(req guest.Request, s guest.Secret) ([]guest.File, error) {
//		return []guest.File{{Path: req.Files[0].Path, Content: []byte(s.Values["token"])}}, nil
//	}
//
//	func main() { guest.Main(provider{}) }
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -o example.wasm .
//
// and try it without rhx, in any WASI runtime:
//
//	wasmtime run example.wasm <request.json
//
// Rules that rhx holds a provider to: it sees the files and variables of the
// request and nothing else; it has 64 MiB of memory and 2 seconds; it never puts
// a value into a message. An instance lives for one request, and rhx zeroes it
// afterwards.
//
// The package imports nothing that is large: fmt, encoding/json and os would
// each add several hundred kilobytes to a module, and so to the time that it takes to start.
package guest

// ABI is the version of the request and response documents.
const ABI = 1

// Provider is what a module does.
type Provider interface {
	// Extract returns the secrets in the files and variables of the request:
	// none where there are none.
	Extract(Request) ([]Secret, error)
	// Render returns files of the request with the secret in them. What belongs
	// to others in a file stays as it is.
	Render(Request, Secret) ([]File, error)
}

// Describer is a provider that says what it is. Without it, a module is called
// as it was started, and has no version.
type Describer interface {
	Describe() (name, version string)
}

// ReadOnly is to be embedded by a provider that cannot write.
type ReadOnly struct{}

// Render implements [Provider]: it is an error.
func (ReadOnly) Render(Request, Secret) ([]File, error) {
	return nil, Unsupported("", 0, "this module does not write")
}

func (ReadOnly) readOnly() {}

// Request is what rhx asks.
type Request struct {
	// Provider is the name of the provider that the module works for.
	Provider string
	// Profile is the only profile wanted; "" for all of them.
	Profile string
	// Options are the module's settings.
	Options map[string]string
	// Files are the files that the provider's spec declares.
	Files []File
	// Env are the variables that the provider's spec declares, where set.
	Env map[string]string
}

// File is a file of a request, or of the answer to Render.
type File struct {
	Path    string
	Content []byte
	// Exists reports whether a file of a request is there.
	Exists bool
	// Mode is the permissions that a rendered file is to have, at most 0600
	// unless the provider's spec allows more. 0 stands for 0600.
	Mode uint32
}

// Secret is one set of values, all of them UTF-8.
type Secret struct {
	// Profile is the secret's name within the file; "" for a file that holds one.
	Profile string
	Values  map[string]string
	// Public are the keys of Values that may be shown, such as a user's name.
	Public []string
	// Expires is when the values end, a time of RFC 3339; "" where they do not.
	Expires string
}

// Code is the kind of an error.
type Code string

// The codes.
const (
	// CodeInvalid is for a file or request that is broken.
	CodeInvalid Code = "invalid"
	// CodeUnsupported is for what is right, and this provider cannot do.
	CodeUnsupported Code = "unsupported"
	// CodeConflict is for a file that holds something that stands in the way.
	CodeConflict Code = "conflict"
)

// Error is an error that rhx shows with its place. Another error that a provider
// returns is reported as invalid, without a place.
type Error struct {
	Code Code
	// Message never holds a value.
	Message string
	// Path is that of a file of the request, or "".
	Path string
	// Line counts from 1; 0 where there is none.
	Line int
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Invalid returns an error with [CodeInvalid].
func Invalid(path string, line int, message string) error {
	return &Error{CodeInvalid, message, path, line}
}

// Unsupported returns an error with [CodeUnsupported].
func Unsupported(path string, line int, message string) error {
	return &Error{CodeUnsupported, message, path, line}
}

// Conflict returns an error with [CodeConflict].
func Conflict(path string, line int, message string) error {
	return &Error{CodeConflict, message, path, line}
}

// Main carries out the request on standard input. A program's main calls it and
// does nothing else.
func Main(p Provider) {
	in, err := readAll()
	if err != nil {
		writeAll(failure(Invalid("", 0, "cannot read the request")))
		return
	}
	writeAll(Answer(p, program(), in))
}

// Answer carries out one request, a JSON document, and returns the response, as
// Main does. It is for a provider's own tests. name is what a provider without
// Describe is called.
func Answer(p Provider, name string, request []byte) []byte {
	req, op, s, err := parse(request)
	if err != nil {
		return failure(err)
	}
	_, readOnly := p.(interface{ readOnly() })
	switch {
	case op == "extract":
		secrets, err := p.Extract(req)
		if err == nil {
			err = check(secrets)
		}
		if err != nil {
			return failure(err)
		}
		return answerSecrets(secrets)
	case op == "render" && !readOnly:
		files, err := p.Render(req, s)
		if err != nil {
			return failure(err)
		}
		return answerFiles(files)
	case op == "describe":
		version := ""
		if d, ok := p.(Describer); ok {
			name, version = d.Describe()
		}
		return answerDescribe(name, version, !readOnly)
	}
	return failure(Unsupported("", 0, "this module does not know the operation"))
}
