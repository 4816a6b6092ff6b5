#!/bin/sh
# Builds sops (https://github.com/getsops/sops), to which the bench compares, and
# prints the path of the program. Does nothing but print when it is there already.
set -eu
version=3.13.3
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/sops-$version
if [ -x "$dir/sops" ]; then
	echo "$dir/sops"
	exit 0
fi
mkdir -p "$dir"
work=$(mktemp -d "$dir/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "sops.sh: building sops $version, once; this takes some minutes" >&2
cd "$work"
src=$(GOWORK=off go mod download -json "github.com/getsops/sops/v3@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cd "$src"
GOWORK=off CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' -o "$work/sops" ./cmd/sops >&2
mv "$work/sops" "$dir/sops" # whole, or not there
echo "$dir/sops"
