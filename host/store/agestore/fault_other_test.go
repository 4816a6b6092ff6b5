//go:build !linux

package agestore

// The faults that Linux can be made to have are in fault_linux_test.go.
func faultChildren() map[string]func(dir string) error { return map[string]func(string) error{} }
