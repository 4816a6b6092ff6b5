#!/bin/sh
# Installs the libraries that read .env files in Node.js and Python, once, outside
# the checkout, and prints the path of their folder: node_modules, and python.
#
# usage: dotenv.sh [--path]    --path: print the path, install nothing
set -eu
node=18.0.10
python=1.2.4
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/dotenv-$node-$python
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	npm install --prefix "$dir" --silent --no-audit --no-fund "dotenv@$node" >&2
	venv=$(sh "$(dirname "$0")/python.sh")
	"$venv/bin/pip" install -q --disable-pip-version-check --target "$dir/python" "python-dotenv==$python" >&2
	touch "$dir/done"
fi
echo "$dir"
