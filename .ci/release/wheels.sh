#!/bin/sh
# Makes wheels that carry rhx, one for each platform, and prints their paths. The same
# programs and the same commit give the same bytes.
#
# usage: wheels.sh OUT VERSION [BIN]
#   BIN: a folder of GOOS_GOARCH/rhx and rhx-full; without it they are built for this machine
set -eu
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
mkdir -p "$1"
out=$(CDPATH='' cd -- "$1" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
bin=${3:-}
[ -n "$bin" ] || { bin=$stage/bin; sh "$here/build.sh" "$bin" "$2"; }
bin=$(CDPATH='' cd -- "$bin" && pwd)
python=$(sh "$root/.ci/tools/packaging.sh")/bin/python

# As Python writes versions; what is no release is a development version of none.
version=$(printf '%s\n' "$2" | sed -n -E 's/^v?([0-9]+\.[0-9]+\.[0-9]+)(-(a|b|rc)\.?([0-9]+))?$/\1\3\4/p')
[ -n "$version" ] || version=0.0.0.dev0+$(printf '%s' "$2" | sed -E 's/[^A-Za-z0-9]+/./g; s/^\.|\.$//g')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export RHX_VERSION="$version" SOURCE_DATE_EPOCH

cp -R "$root/cmd/python" "$stage/python"
cp "$root/LICENSE" "$stage/python/"
bash "$root/.ci/notices.sh" "$stage/python/THIRD_PARTY_NOTICES"
cd "$stage/python"
for platform in "$bin"/*_*; do
	RHX_BIN="$platform" RHX_PLATFORM="${platform##*/}" "$python" -m hatchling build -t wheel -d "$stage/wheels" >&2
done
cd "$stage/wheels"
for wheel in *.whl; do
	mv "$wheel" "$out/"
	echo "$out/$wheel"
done
