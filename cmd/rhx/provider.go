package main

// providerCmd is what there is for providers that are not part of rhx: for those
// who write them, and for those who get them from others.
type providerCmd struct {
	New      providerNewCmd      `cmd:"" help:"Make a provider package, from a sample of a file or from a language's kit."`
	Build    providerBuildCmd    `cmd:"" help:"Compile a provider package to its wasm module, with its language's own tools."`
	Test     providerTestCmd     `cmd:"" help:"Run the cases of a provider package, and feed it hostile files."`
	Describe providerDescribeCmd `cmd:"" help:"Print what the wasm module of a provider package says of itself."`
	Add      providerAddCmd      `cmd:"" help:"Add a provider of somebody else: a folder, a .tar.gz file or an https address of one."`
	Remove   providerRemoveCmd   `cmd:"" help:"Remove added providers."`
	List     providerListCmd     `cmd:"" help:"List the added providers and the keys that are trusted."`
	Verify   providerVerifyCmd   `cmd:"" help:"Check that added providers are as they were approved."`
}
