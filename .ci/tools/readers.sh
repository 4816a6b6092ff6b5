#!/bin/sh
# Installs programs that read the formats of host/codec in their own way, to compare
# it with, once, outside the checkout, and prints the path of their folder:
# node_modules, and python.
#
# usage: readers.sh [--path]    --path: print the path, install nothing
set -eu
smithy=4.7.2 # the ini loader of the AWS SDK for JavaScript
npmini=7.0.0 # that of npm
ruamel=0.19.1
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/readers-$smithy-$npmini-$ruamel
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	npm install --prefix "$dir" --silent --no-audit --no-fund "@smithy/shared-ini-file-loader@$smithy" "ini@$npmini" >&2
	venv=$(sh "$(dirname "$0")/python.sh")
	"$venv/bin/pip" install -q --disable-pip-version-check --target "$dir/python" "ruamel.yaml==$ruamel" >&2
	touch "$dir/done"
fi
echo "$dir"
