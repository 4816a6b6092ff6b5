#!/bin/sh
# Makes all files of a release in dist, and publishes nothing: docs/releasing.md. Where the
# commit has a tag vX.Y.Z, they are of that version, else of a snapshot.
#
#   RHX_MINISIGN_KEY=FILE    signs the checksums; FILE.pub, beside it, goes into install.sh
#   RHX_COSIGN_KEY=FILE      signs them with cosign, too
set -eu
cd "$(dirname "$0")/../.."
# What is made is the same whoever makes it: order of names, modes of files.
export LC_ALL=C TZ=UTC
umask 022
here=.ci/release
fail() { echo "release.sh: $1" >&2 && exit 1; }

for program in nix-hash:nix-bin jq:jq npm:npm python3:python3-venv; do # goreleaser leaves the nix file out without the first
	command -v "${program%:*}" >/dev/null 2>&1 || fail "${program%:*} is not here: apt install ${program#*:}"
done
goreleaser=$(sh .ci/tools/gotool.sh goreleaser github.com/goreleaser/goreleaser/v2 2.16.0 .)
cyclonedx=$(sh .ci/tools/gotool.sh cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod 1.10.0)
PATH=$PATH:${cyclonedx%/*}
# Modules come by go mod download before, so that nothing is asked while all is built.
go mod download

pub=
for key in "${RHX_MINISIGN_KEY-}" "${RHX_COSIGN_KEY-}"; do
	[ -n "$key" ] || continue
	[ -f "$key" ] || fail "there is no key $key"
	case $(realpath "$key") in "$PWD"/*) fail "a key in the checkout would be published one day: keep it elsewhere" ;; esac
	[ -f "${key%.key}.pub" ] || [ -f "$key.pub" ] || fail "the public key is not beside $key"
done
public() { if [ -f "${1%.key}.pub" ]; then echo "${1%.key}.pub"; else echo "$1.pub"; fi; }
if [ -n "${RHX_MINISIGN_KEY-}" ]; then
	command -v minisign >/dev/null 2>&1 || fail "minisign is not here: apt install minisign"
	pub=$(public "$RHX_MINISIGN_KEY")
fi
[ -z "${RHX_COSIGN_KEY-}" ] || cosign=$(sh .ci/tools/gotool.sh cosign github.com/sigstore/cosign/v3 3.1.3)

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
sums=dist/rhx_${version}_checksums.txt
if [ -n "$pub" ]; then
	# Not by goreleaser, which gives minisign no terminal to ask for the passphrase at. What
	# is signed says the version and no time: the signature is the same each time.
	minisign -S -s "$RHX_MINISIGN_KEY" -c "rhx v$version" -t "rhx v$version" -m "$sums"
	minisign -Vq -p "$pub" -m "$sums"
else
	echo "release.sh: no key: the checksums are not signed, and dist/install.sh refuses to install; RHX_MINISIGN_KEY=FILE signs" >&2
fi
if [ -n "${RHX_COSIGN_KEY-}" ]; then
	# With the key alone: no log of others is asked or told. It signs differently each time.
	"$cosign" sign-blob --key "$RHX_COSIGN_KEY" --use-signing-config=false --tlog-upload=false --yes --bundle "$sums.sigstore.json" "$sums" >/dev/null
	chmod 644 "$sums.sigstore.json"
	"$cosign" verify-blob --key "$(public "$RHX_COSIGN_KEY")" --private-infrastructure --bundle "$sums.sigstore.json" "$sums"
fi
sh $here/check.sh "$version" dist
sh $here/use.sh "$version" dist
