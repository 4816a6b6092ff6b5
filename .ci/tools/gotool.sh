#!/bin/sh
# Builds a tool in Go that tests or the bench need, and prints the path of the
# program. Does nothing but print when it is there already.
# Usage: gotool.sh NAME MODULE VERSION [PACKAGE]    PACKAGE is ./cmd/NAME where it is not said
set -eu
name=$1 module=$2 version=$3 package=${4-./cmd/$1}
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/$name-$version
if [ -x "$dir/$name" ]; then
	echo "$dir/$name"
	exit 0
fi
mkdir -p "$dir"
work=$(mktemp -d "$dir/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
echo "gotool.sh: building $name $version, once; this takes some minutes" >&2
cd "$work"
src=$(GOWORK=off go mod download -json "$module@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cd "$src"
GOWORK=off CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' -o "$work/$name" "$package" >&2
mv "$work/$name" "$dir/$name" # whole, or not there
echo "$dir/$name"
