#!/usr/bin/env bash
# What changed in what rhx exports to others, against an earlier commit: the packages that
# docs/library.md promises to keep, and the kit of guest-sdk. Ends with 1 where something
# that was there is gone or means another thing.
#
# usage: api.sh [BASE]    BASE: a commit; without it the last tag
set -euo pipefail
cd "$(dirname "$0")/.."
version=v0.0.0-20261113113407-e3970619a1a4
packages="host host/secret guest-sdk guest-sdk/go"

base=${1:-$(git describe --tags --abbrev=0 2>/dev/null || true)}
[ -n "$base" ] || { echo "make api: there is no tag to compare with yet; make api BASE=COMMIT names what to compare with" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOBIN=$work go install "golang.org/x/exp/cmd/apidiff@$version"
mkdir "$work/old"
git archive "$base" | tar -x -C "$work/old"
status=0
for p in $packages; do
	[ -e "$work/old/$p" ] || { echo "$p: new"; continue; }
	(cd "$work/old" && "$work/apidiff" -w "$work/export" "./$p")
	"$work/apidiff" "$work/export" "./$p" >"$work/all"
	"$work/apidiff" -incompatible "$work/export" "./$p" >"$work/breaks"
	if [ -s "$work/all" ]; then
		echo "$p:"
		sed 's/^/  /' "$work/all"
	fi
	[ ! -s "$work/breaks" ] || status=1
done
[ $status -eq 0 ] && echo "make api: nothing that $base had is gone" || echo "make api: this breaks programs that were written for $base" >&2
exit $status
