#!/bin/sh
# Makes the Python environment that builds the wheel and tests the module, once for each
# packaging.txt, outside the checkout, and prints its path.
#
# usage: packaging.sh [--path]    --path: print the path, install nothing
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/packaging-$(cksum <"$here/packaging.txt" | cut -d' ' -f1)
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	mkdir -p "${dir%/*}"
	rm -rf "$dir"
	python3 -m venv "$dir" >&2
	"$dir/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: -r "$here/packaging.txt" >&2
	touch "$dir/done"
fi
echo "$dir"
