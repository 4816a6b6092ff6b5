#!/bin/sh
# Installs the clients of the tests that are written for Node.js, once, outside the
# checkout, and prints the path of their folder: node_modules.
#
# usage: node.sh [--path]    --path: print the path, install nothing
set -eu
upstash=1.0.2
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/node-$upstash
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	npm install --prefix "$dir" --silent --no-audit --no-fund "@upstash/cli@$upstash" >&2
	touch "$dir/done"
fi
echo "$dir"
