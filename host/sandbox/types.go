package sandbox

import "github.com/rhx-dev/rhx/host/sandbox/abi"

// The types of package abi, which holds them for those who need no runtime.
type (
	Op       = abi.Op
	Request  = abi.Request
	File     = abi.File
	Secret   = abi.Secret
	Response = abi.Response
	Module   = abi.Module
	Limits   = abi.Limits

	GuestError  = abi.GuestError
	ModuleError = abi.ModuleError
	Code        = abi.Code
)

// ErrLimit is what a ModuleError wraps where the module hit one of its limits.
var ErrLimit = abi.ErrLimit

// The codes of a GuestError.
const (
	Invalid     = abi.Invalid
	Unsupported = abi.Unsupported
	Conflict    = abi.Conflict
)

// ABI is the version of the request and response documents.
const ABI = abi.Version

// The operations.
const (
	Extract  = abi.Extract
	Render   = abi.Render
	Describe = abi.Describe
)
