#!/bin/sh
# Installs the compilers of guest-sdk's languages that Debian has not: those of
# AssemblyScript and Zig, outside the checkout. Prints a folder: bin/ has asc and
# zig, zig/bin/python3 a Python that has Zig as a package, and cache/ is for what
# compilers keep.
#
# usage: guests.sh [--path]    --path: print the path, install nothing
set -eu
asc=0.27.37
zig=0.17.1
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/guests-$asc-$zig
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	rm -rf "$dir"
	mkdir -p "$dir/bin" "$dir/cache"
	npm install --silent --no-audit --no-fund --prefix "$dir" --save-exact "assemblyscript@$asc" >&2
	ln -s ../node_modules/.bin/asc "$dir/bin/asc"
	python3 -m venv "$dir/zig" >&2
	"$dir/zig/bin/pip" install -q --disable-pip-version-check "ziglang==$zig" >&2
	package=$("$dir/zig/bin/python3" -c 'import os, ziglang; print(os.path.dirname(ziglang.__file__))')
	ln -s "$package/zig" "$dir/bin/zig"
	touch "$dir/done"
fi
echo "$dir"
