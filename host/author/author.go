// Package author makes and checks provider packages for those who write them: a
// folder with provider.yaml, the wasm module NAME.wasm if it names one, and cases.
package author

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rhx-dev/rhx/host/fault"
	"github.com/rhx-dev/rhx/host/sandbox/abi"
	"github.com/rhx-dev/rhx/host/spec"
)

// LargeModule is the size in bytes above which a module takes noticeably long
// to start.
const LargeModule = 512 << 10

// Package is a provider package in a folder.
type Package struct {
	Dir  string
	Spec *spec.Spec
	// Module is the module of the files that are read by one; its Name is "" in a
	// package without one.
	Module abi.Module
}

// Declarative reports whether the package is a spec alone, without a module.
func (p *Package) Declarative() bool { return p.Module.Name == "" }

// Open reads the package in a folder.
func Open(dir string) (*Package, error) {
	p, err := readPackage(dir)
	if err != nil || p.Declarative() {
		return p, err
	}
	name := filepath.Join(dir, p.Module.Name+".wasm")
	if p.Module.Wasm, err = os.ReadFile(name); errors.Is(err, os.ErrNotExist) {
		return nil, fault.WithHint(err, "build the module first: rhx provider build")
	} else if err != nil {
		return nil, err
	}
	return p, nil
}

// NeedsModule is the error of a package without a module where one is needed.
func (p *Package) NeedsModule() error {
	if !p.Declarative() {
		return nil
	}
	return fault.WithHint(fmt.Errorf("%s names no wasm module", filepath.Join(p.Dir, "provider.yaml")),
		"a package without a module is tried with rhx provider test, and needs no build")
}

// readSpec reads a package with a module, but for the module's code.
func readSpec(dir string) (*Package, error) {
	p, err := readPackage(dir)
	if err == nil {
		err = p.NeedsModule()
	}
	return p, err
}

// readPackage reads the package but for its module's code.
func readPackage(dir string) (*Package, error) {
	file := filepath.Join(dir, "provider.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.WithHint(err, "a provider package is a folder with provider.yaml in it")
	}
	sp, err := spec.Parse(file, data)
	if err != nil {
		return nil, err
	}
	p := &Package{Dir: dir, Spec: sp}
	for _, f := range sp.Files {
		switch {
		case f.Wasm == "" || f.Wasm == p.Module.Name:
		case p.Module.Name != "":
			return nil, fmt.Errorf("%s names two modules, %s and %s; a package has one", file, p.Module.Name, f.Wasm)
		default:
			p.Module.Name = f.Wasm
		}
	}
	return p, nil
}
