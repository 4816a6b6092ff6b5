#!/bin/sh
# Builds vals (https://github.com/helmfile/vals), to which the bench compares, and
# prints the path of the program. Does nothing but print when it is there already.
set -eu
version=0.46.1
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/vals-$version
if [ -x "$dir/vals" ]; then
	echo "$dir/vals"
	exit 0
fi
mkdir -p "$dir"
work=$(mktemp -d "$dir/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "vals.sh: building vals $version, once; this takes some minutes" >&2
cd "$work"
src=$(GOWORK=off go mod download -json "github.com/helmfile/vals@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cd "$src"
GOWORK=off CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' -o "$work/vals" ./cmd/vals >&2
mv "$work/vals" "$dir/vals" # whole, or not there
echo "$dir/vals"
