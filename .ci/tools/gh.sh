#!/bin/sh
# Builds GitHub's CLI, newer than Debian 12's: since 2.40 hosts.yml has several
# accounts for a host. Prints the path of the program, and does nothing else
# when it is there already.
#
# usage: gh.sh [--path]    --path: print the path, build nothing
set -eu
version=2.72.0
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/gh-$version
if [ "${1-}" = --path ] || [ -x "$dir/gh" ]; then
	echo "$dir/gh"
	exit 0
fi
mkdir -p "$dir"
work=$(mktemp -d "$dir/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "gh.sh: building gh $version, once; this takes some minutes" >&2
cd "$work"
src=$(GOWORK=off go mod download -json "github.com/cli/cli/v2@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cd "$src"
GOWORK=off CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' -o "$work/gh" ./cmd/gh >&2
"$work/gh" --version >&2
mv "$work/gh" "$dir/gh" # whole, or not there
echo "$dir/gh"
