#!/bin/sh
# Builds rhx and rhx-full for this machine, as they are released: OUT/GOOS_GOARCH/.
#
# usage: build.sh OUT VERSION
set -eu
out=$1/$(go env GOOS)_$(go env GOARCH)
exe=$(go env GOEXE)
cd "$(dirname -- "$0")/../.."
export CGO_ENABLED=0
go build -trimpath -tags slim -ldflags "-s -w -X main.version=$2" -o "$out/rhx$exe" ./cmd/rhx
go build -trimpath -ldflags "-s -w -X main.version=$2" -o "$out/rhx-full$exe" ./cmd/rhx
