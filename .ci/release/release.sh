#!/bin/sh
# Makes all files of a release in dist, and publishes nothing: docs/releasing.md. Where the
# commit has a tag vX.Y.Z, they are of that version, else of a snapshot.
#
#   RHX_MINISIGN_KEY=FILE    signs the checksums; FILE.pub, beside it, goes into install.sh
set -eu
cd "$(dirname "$0")/../.."
here=.ci/release
fail() { echo "release.sh: $1" >&2 && exit 1; }

for program in nix-hash jq; do # goreleaser leaves the nix file out without the first
	command -v $program >/dev/null 2>&1 || fail "$program is not here: apt install nix-bin jq"
done
goreleaser=$(sh .ci/tools/gotool.sh goreleaser github.com/goreleaser/goreleaser/v2 2.16.0 .)
cyclonedx=$(sh .ci/tools/gotool.sh cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod 1.10.0)
PATH=$PATH:${cyclonedx%/*}
# Modules come by go mod download before, so that nothing is asked while all is built.
go mod download

pub=
if [ -n "${RHX_MINISIGN_KEY-}" ]; then
	pub=${RHX_MINISIGN_KEY%.key}.pub
	[ -f "$pub" ] || pub=$RHX_MINISIGN_KEY.pub
	[ -f "$pub" ] || fail "the public key is not beside $RHX_MINISIGN_KEY"
	case $(realpath "$RHX_MINISIGN_KEY") in "$PWD"/*) fail "a key in the checkout would be published one day: keep it elsewhere" ;; esac
fi

dirty=
[ -z "$(git status --porcelain)" ] || dirty=-dirty
tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || true)
if [ -n "$tag" ]; then
	[ -z "$dirty" ] || fail "there are changes that are not committed: this is not $tag"
	version=${tag#v} snapshot=
	notes=$(sh $here/notes.sh "$version")
else
	version=$(git describe --tags --match 'v[0-9]*' --abbrev=0 2>/dev/null || echo v0.0.0)
	version=${version#v}
	version=${version%%-*}
	version=${version%.*}.$((${version##*.} + 1))-dev.g$(git rev-parse HEAD | cut -c 1-12) snapshot=--snapshot
	notes=$(sh $here/notes.sh Unreleased)
fi
export RHX_VERSION="$version"
mkdir -p bin
CGO_ENABLED=0 GOFLAGS='' go build -trimpath -buildvcs=false -tags slim -ldflags "-X main.version=v$version$dirty" -o bin/release-rhx ./cmd/rhx
sh $here/assets.sh bin/release-rhx bin/release

# shellcheck disable=SC2086 # no word, or one
"$goreleaser" release $snapshot --clean --skip publish,announce --parallelism 2

printf '%s\n' "$notes" >dist/notes.md
sh $here/fill.sh "$version" "$pub" >dist/install.sh
sh $here/files.sh "$version" dist
if [ -n "$pub" ]; then
	# Not by goreleaser, which gives minisign no terminal to ask for the passphrase at. What
	# is signed says the version and no time: the signature is the same each time.
	sums=dist/rhx_${version}_checksums.txt
	minisign -S -s "$RHX_MINISIGN_KEY" -c "rhx v$version" -t "rhx v$version" -m "$sums"
	minisign -Vq -p "$pub" -m "$sums"
else
	echo "release.sh: no key: the checksums are not signed, and dist/install.sh refuses to install; RHX_MINISIGN_KEY=FILE signs" >&2
fi
sh $here/check.sh "$version" dist
