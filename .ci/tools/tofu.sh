#!/bin/sh
# Builds OpenTofu, which asks credentials helpers as Terraform does. Prints the path of
# the program, and does nothing else when it is there already.
#
# usage: tofu.sh [--path]    --path: print the path, build nothing
set -eu
version=1.12.6
tofu=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/tofu-$version/tofu
if [ "${1-}" != --path ] && [ ! -x "$tofu" ]; then
	sh "$(dirname "$0")/gotool.sh" tofu github.com/opentofu/opentofu "$version" >/dev/null
	"$tofu" --version >&2 || { rm "$tofu"; exit 1; }
fi
echo "$tofu"
