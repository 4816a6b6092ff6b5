#!/bin/sh
# Makes the Python environment of the tests, once for each requirements.txt and
# constraints.txt, outside the checkout, and prints its path.
#
# usage: python.sh [--path]    --path: print the path, install nothing
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
hash=$(cat "$here/requirements.txt" "$here/constraints.txt" | cksum | cut -d' ' -f1)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/venv-$hash
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	mkdir -p "${dir%/*}"
	rm -rf "$dir"
	python3 -m venv "$dir" >&2
	"$dir/bin/pip" install -q --disable-pip-version-check --no-deps -r "$here/requirements.txt" -r "$here/constraints.txt" >&2
	touch "$dir/done"
fi
echo "$dir"
