#!/bin/sh
# Builds the program ./references, which reads files as libraries of Go do, once for each
# state of it, outside the checkout, and prints the path of its folder.
#
# usage: goreaders.sh [--path]    --path: print the path, build nothing
set -eu
cd "$(dirname "$0")"
hash=$(cat go.mod references/main.go | cksum | cut -d' ' -f1)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/goreaders-$hash
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	mkdir -p "$dir"
	go build -trimpath -o "$dir/references" ./references >&2
	touch "$dir/done"
fi
echo "$dir"
