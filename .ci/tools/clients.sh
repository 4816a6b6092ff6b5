#!/bin/sh
# Installs clients of the tests that Debian 12 has not, or not as new: uv, and a cargo
# that asks credential providers (1.74 and later; Debian keeps it for browsers, and it
# cannot be installed beside the older one). Prints a folder with both.
#
# usage: clients.sh [--path]    --path: print the path, install nothing
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
uv=0.13.9
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/clients-$uv
if [ "${1-}" != --path ] && [ ! -e "$dir/done" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	"$(sh "$here/python.sh")/bin/pip" install -q --disable-pip-version-check --no-deps --target "$dir/python" "uv==$uv" >&2
	ln -s python/bin/uv "$dir/uv"
	mkdir "$dir/deb" && cd "$dir/deb"
	apt-get download -q cargo-web >&2 || { apt-get update -qq && apt-get download -q cargo-web >&2; }
	dpkg-deb -x ./cargo-web_*.deb "$dir/cargo-web"
	cd "$dir"
	rm -rf "$dir/deb"
	ln -s cargo-web/usr/bin/cargo "$dir/cargo"
	"$dir/uv" --version >&2
	"$dir/cargo" --version >&2
	touch "$dir/done"
fi
echo "$dir"
