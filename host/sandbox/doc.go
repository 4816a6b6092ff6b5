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
// The package knows no secrets' meaning: it moves strings and bytes. Buffers
// that held a request, a response or a module's memory are zeroed after use;
// the strings of a [Response] belong to the caller.
//
// What it does not do yet: compile in a process of its own. wazero cannot be
// stopped while it compiles, so a module made to be slow to compile that
// passes inspect is given up in time but goes on using a processor until the
// program ends. Only modules that are part of rhx run today.
package sandbox
