#!/bin/sh
# Makes the site from docs, into the folder that is named (site). It needs no network once
# mdBook is built; what a browser loads is all in the folder, the search too.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-site}
mdbook=$(sh .ci/tools/mdbook.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp .ci/site/book.toml .ci/site/site.css "$work/"
go run ./.ci/site "$work/src"
"$mdbook" build "$work"
rm -rf "$out"
mv "$work/book" "$out"
echo "$out/index.html"
