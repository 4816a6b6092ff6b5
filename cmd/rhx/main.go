// Command rhx finds the credentials that a machine has, keeps them in a store,
// and puts them where they are needed.
//
// The commands are here, one file each; what they do is in package host.
package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], systemStreams()))
}
