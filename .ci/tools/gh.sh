#!/bin/sh
# Builds GitHub's CLI, newer than Debian 12's: since 2.40 hosts.yml has several
# accounts for a host. Prints the path of the program, and does nothing else
# when it is there already.
#
# usage: gh.sh [--path]    --path: print the path, build nothing
set -eu
version=2.72.0
gh=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/gh-$version/gh
if [ "${1-}" != --path ] && [ ! -x "$gh" ]; then
	sh "$(dirname "$0")/gotool.sh" gh github.com/cli/cli/v2 "$version" >/dev/null
	"$gh" --version >&2 || { rm "$gh"; exit 1; }
fi
echo "$gh"
