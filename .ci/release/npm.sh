#!/bin/sh
# Makes npm packages that carry rhx, one for each platform and @rhx-dev/rhx, which has them
# as optional dependencies, and prints their paths. The same programs give the same bytes.
#
# usage: npm.sh OUT VERSION [BIN]
#   BIN: a folder of GOOS_GOARCH/rhx and rhx-full; without it they are built for this machine
set -eu
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
out=$(CDPATH='' cd -- "$1" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
bin=${3:-}
[ -n "$bin" ] || { bin=$stage/bin; sh "$here/build.sh" "$bin" "$2"; }

# As npm writes versions; what is no release is a development version of none.
version=$(printf '%s\n' "$2" | sed -n -E 's/^v?([0-9]+\.[0-9]+\.[0-9]+(-(a|b|rc)\.?[0-9]+)?)$/\1/p')
[ -n "$version" ] || version=0.0.0-dev.$(printf '%s' "$2" | sed -E 's/[^A-Za-z0-9]+/-/g; s/^-|-$//g')

mkdir "$stage/packages"
bash "$here/../notices.sh" "$stage/THIRD_PARTY_NOTICES"
node "$here/../../cmd/npm/package.js" "$stage/packages" "$version" "$bin" "$stage/THIRD_PARTY_NOTICES"
chmod -R u=rwX,go=rX "$stage/packages" # whatever the mask of the checkout was
for package in "$stage"/packages/*; do
	cd "$package"
	file=$(npm pack --silent --ignore-scripts --pack-destination "$out")
	echo "$out/$file"
done
