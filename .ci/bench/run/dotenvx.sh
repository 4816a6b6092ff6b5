#!/bin/sh
# Installs dotenvx (https://github.com/dotenvx/dotenvx), to which the bench compares,
# with npm, and prints the path of the program. Does nothing but print when it is
# there already.
set -eu
version=2.38.2
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/dotenvx-$version
if [ ! -e "$dir/done" ]; then
	mkdir -p "$dir"
	npm install --prefix "$dir" --silent --no-audit --no-fund "@dotenvx/dotenvx@$version" >&2
	touch "$dir/done"
fi
echo "$dir/node_modules/.bin/dotenvx"
