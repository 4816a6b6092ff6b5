#!/bin/sh
# Builds sops, which decrypts for rhx import sops. Prints the path of the program, and does
# nothing else when it is there already.
#
# usage: sops.sh [--path]    --path: print the path, build nothing
set -eu
version=3.13.3
sops=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/sops-$version/sops
if [ "${1-}" != --path ] && [ ! -x "$sops" ]; then
	sh "$(dirname "$0")/gotool.sh" sops github.com/getsops/sops/v3 "$version" >/dev/null
	"$sops" --version --disable-version-check >&2 || { rm "$sops"; exit 1; }
fi
echo "$sops"
