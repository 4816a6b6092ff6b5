package main

// providerCmd is what there is for those who write providers.
type providerCmd struct {
	Build    providerBuildCmd    `cmd:"" help:"Compile the C sources of a provider package to its wasm module, with clang."`
	Test     providerTestCmd     `cmd:"" help:"Run the cases of a provider package, and feed it hostile files."`
	Describe providerDescribeCmd `cmd:"" help:"Print what the wasm module of a provider package says of itself."`
}
