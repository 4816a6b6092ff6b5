#!/bin/sh
# Builds the Vault server and CLI that the tests run against, and prints the
# path of the program. Does nothing but print when it is there already.
#
# Vault's tags do not build as a module: they point at folders of their own
# repository for api and sdk, which a module download lacks. So this copies the
# module, points it at the published api and sdk, and applies vault.patch where
# the tag is ahead of the newest published sdk.
#
# usage: vault.sh [--path]    --path: print the path, build nothing
set -eu

version=1.21.4
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/vault-$version
case "$(go env GOOS)" in windows) exe=.exe ;; *) exe= ;; esac
bin=$dir/vault$exe

if [ "${1-}" = --path ] || [ -x "$bin" ]; then
	echo "$bin"
	exit 0
fi

mkdir -p "$dir"
# One build at a time where flock exists. Without it two builds at once cost
# time only: each works in its own folder and the rename is atomic.
if command -v flock >/dev/null 2>&1; then
	exec 9>"$dir/lock"
	flock 9
	if [ -x "$bin" ]; then
		echo "$bin"
		exit 0
	fi
	# Left by a build that was killed.
	rm -rf "$dir"/build.*
fi

work=$(mktemp -d "$dir/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
export GOWORK=off

echo "vault.sh: building Vault $version, once; this takes some minutes" >&2
cd "$work"
src=$(go mod download -json "github.com/hashicorp/vault@v$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
cp -R "$src" "$work/src"
chmod -R u+w "$work/src"
cd "$work/src"
# The ceiling keeps git from taking a repository around the cache for the tree to patch.
GIT_CEILING_DIRECTORIES=$work git apply "$here/vault.patch"
for module in api api/auth/approle api/auth/kubernetes api/auth/userpass sdk; do
	go mod edit -dropreplace="github.com/hashicorp/vault/$module"
done
CGO_ENABLED=0 go build -mod=mod -buildvcs=false -trimpath -ldflags='-s -w' -o "$work/vault$exe" . >&2
"$work/vault$exe" version >&2
mv "$work/vault$exe" "$bin"
echo "$bin"
