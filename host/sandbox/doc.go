// Package sandbox runs providers that are wasm modules: code written by
// others that reads and writes the files in which tools keep credentials.
//
// A module is a WASI command. [Sandbox.Run] starts it in a fresh instance for
// one request, gives it one JSON document on standard input and takes one from
// standard output, so no module ever sees two secrets in one life. It gets the
// files and variables in the request and nothing else: no folder, environment,
// socket, clock or randomness of this machine, and an end to its memory, its
// time and its output ([Limits]).
//
// Three things stand between a hostile module and the user:
//
//   - inspect reads the module before the wasm runtime sees it, and refuses
//     what the runtime would take too much memory or time to compile;
//   - the runtime (wazero) confines the code, and host.go is all it can call;
//   - decode reads its answer as the text of a stranger: size, depth, counts,
//     paths and modes are checked before any of it is used.
//
// A module of somebody else has a process of its own (package child), for one
// call: what the runtime cannot bound, the memory and the time of compiling and
// interpreting, ends there. Modules that are part of rhx run in this process.
//
// The package knows no secrets' meaning: it moves strings and bytes. Buffers
// that held a request, a response or a module's memory are zeroed after use;
// the strings of a [Response] belong to the caller.
package sandbox
