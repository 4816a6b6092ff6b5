// Package abi holds what goes into a wasm guest and comes out of it, for those
// who ask one without needing the runtime that runs it.
package abi

import (
	"io/fs"
	"time"
)

// Version is the version of the request and response documents.
const Version = 1

// Op is what a module is asked to do.
type Op string

// The operations.
const (
	// Extract asks for the secrets in the files and variables of the request.
	Extract Op = "extract"
	// Render asks for the files with the secret of the request in them.
	Render Op = "render"
	// Describe asks for the module's name, version and operations.
	Describe Op = "describe"
)

// Request is one call of a module.
type Request struct {
	Op Op
	// Provider is the name of the provider that the module works for.
	Provider string
	// Profile is the profile wanted; "" for all of them, or the default one.
	Profile string
	// Options are the module's settings from the provider's spec.
	Options map[string]string
	// Files are the files that the module may read, and for Render write.
	Files []File
	// Env are the environment variables that the module may read.
	Env map[string]string
	// Secret is what Render puts into the files; nil for other operations.
	Secret *Secret
}

// File is a file in a request or a response.
type File struct {
	// Path names the file. The sandbox compares it and never opens it.
	Path    string
	Content []byte
	// Exists reports whether the file is there. Only in requests.
	Exists bool
	// Mode is, in a response, the permissions that the file is to have; 0600
	// where the module gives none. In a request it is the most that a response
	// may ask for; 0 stands for 0600.
	Mode fs.FileMode
}

// Secret is one set of values.
type Secret struct {
	Profile string
	Values  map[string]string
	// Public are the keys of Values that are no secrets.
	Public []string
	// Expires is when the values end; zero where they do not.
	Expires time.Time
}

// Response is what a module answered.
type Response struct {
	// Secrets are the answer to Extract; their profiles are unique.
	Secrets []Secret
	// Files are the answer to Render, each with a path of the request, at most once.
	Files []File
	// Name, Version and Ops are the answer to Describe.
	Name, Version string
	Ops           []Op
}

// Module is a guest's code.
type Module struct {
	// Name is how messages call it, and its argv[0].
	Name string
	// Wasm is the module's file.
	Wasm []byte
	// Trusted is for modules that are part of rhx. All others are compiled and
	// run in a process of their own.
	Trusted bool
	// Random gives the module this machine's randomness. Without it what looks
	// random is the same in every call.
	Random bool
}
