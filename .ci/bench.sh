#!/bin/sh
# Ratios of whole commands, then the benchmarks of the parts. Run it on a quiet
# machine; it judges nothing.
set -eu
cd "$(dirname "$0")/.."
go run ./.ci/bench "$PWD/bin"
go test -run '^$' -bench . -benchmem ./host/...
