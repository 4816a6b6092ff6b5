#!/bin/sh
# Builds mdBook from crates.io, once, and prints the path of the program.
set -eu
version=0.5.4
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/mdbook-$version
if [ ! -x "$dir/bin/mdbook" ]; then
	echo "mdbook.sh: building mdBook $version, once; this takes some minutes" >&2
	# Without the server of mdbook serve, which would be most of it.
	cargo install mdbook --version "$version" --locked --no-default-features --features search --root "$dir" >&2
fi
echo "$dir/bin/mdbook"
