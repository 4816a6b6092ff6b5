// Package wall takes from this process, for good, what running a wasm module does not
// need. The runtime is the first wall around a module; this is the one behind it, for
// a module that finds a fault in the runtime and comes to run native code.
//
// It is there on Linux, as far as the kernel has it: [Files] with Landlock (since 5.13),
// [Calls] with seccomp. Elsewhere both do nothing.
package wall
