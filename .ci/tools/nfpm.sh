#!/bin/sh
# Builds nFPM, which makes the deb that is installed in the tests, as goreleaser does for a
# release. Prints the path of the program, and does nothing else when it is there already.
#
# usage: nfpm.sh [--path]    --path: print the path, build nothing
set -eu
version=2.45.2 # the newest that needs no go-msix, which is not on every proxy
nfpm=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/nfpm-$version/nfpm
if [ "${1-}" != --path ] && [ ! -x "$nfpm" ]; then
	sh "$(dirname "$0")/gotool.sh" nfpm github.com/goreleaser/nfpm/v2 "$version" >/dev/null
	"$nfpm" --version >&2 || { rm "$nfpm"; exit 1; }
fi
echo "$nfpm"
