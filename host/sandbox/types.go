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
)

// ABI is the version of the request and response documents.
const ABI = abi.Version

// The operations.
const (
	Extract  = abi.Extract
	Render   = abi.Render
	Describe = abi.Describe
)

// wireRequest is a Request with what the sandbox does to it.
type wireRequest abi.Request
