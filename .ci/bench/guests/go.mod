// A module of its own, so that Extism and go-plugin are no dependencies of rhx.
module rhxbench

go 1.26.0

require (
	github.com/extism/go-sdk v1.7.1
	github.com/knqyf263/go-plugin v0.9.0
	github.com/rhx-dev/rhx v0.0.0
	github.com/tetratelabs/wazero v1.12.0
	google.golang.org/protobuf v1.34.2
)

require (
	github.com/dylibso/observe-sdk/go v0.0.0-20240819160327-2d926c5d788a // indirect
	github.com/elastic/go-seccomp-bpf v1.6.0 // indirect
	github.com/gobwas/glob v0.2.3 // indirect
	github.com/ianlancetaylor/demangle v0.0.0-20240805132620-81f5be970eca // indirect
	github.com/landlock-lsm/go-landlock v0.11.2 // indirect
	github.com/tetratelabs/wabin v0.0.0-20230304001439-f6f874872834 // indirect
	go.opentelemetry.io/proto/otlp v1.3.1 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	kernel.org/pub/linux/libs/security/libcap/psx v1.2.78 // indirect
)

replace github.com/rhx-dev/rhx => ../../..
