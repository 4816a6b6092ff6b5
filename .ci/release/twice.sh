#!/bin/sh
# Makes the release of this commit again, in a clone in another folder, with nothing that was
# compiled before, another home folder, mask of modes, time zone and language, and says which
# files differ from those in dist. make release ran before it, with the same keys.
set -eu
cd "$(dirname "$0")/../.."
[ -f dist/artifacts.json ] || { echo "twice.sh: there is no release in dist to compare with: make release" >&2; exit 1; }
[ -z "$(git status --porcelain)" ] || { echo "twice.sh: there are changes that are not committed, and a clone has them not" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
(umask 077 && git clone -q . "$work/elsewhere") # with its tags

# What was downloaded stays where it is.
tools=${XDG_CACHE_HOME:-$HOME/.cache}
modules=$(go env GOMODCACHE)
mkdir "$work/home"
(
	cd "$work/elsewhere"
	umask 077
	export HOME="$work/home" XDG_CACHE_HOME="$tools" GOMODCACHE="$modules" GOCACHE="$work/compiled" TZ=Asia/Kathmandu LANG=de_DE.UTF-8 LC_COLLATE=en_US.UTF-8
	sh .ci/release/release.sh
)

# Of the files, not of dist/config.yaml and such, in which goreleaser notes what it did.
# cosign signs differently each time.
digests() { (cd "$1" && find rhx* install.sh notes.md bin homebrew scoop aur nix container ! -type d ! -name '*.sigstore.json' ! -path '*_v*' -exec sha256sum {} + | LC_ALL=C sort -k 2); }
digests dist >"$work/first"
digests "$work/elsewhere/dist" >"$work/second"
if ! diff "$work/first" "$work/second"; then
	echo "twice.sh: these files are not the same when they are made again" >&2
	exit 1
fi
echo "twice.sh: $(wc -l <"$work/first") files, and each is the same"
