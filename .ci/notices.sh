#!/usr/bin/env bash
# Writes the texts of the licences of all that rhx links, on each system that it is built
# for: they have to go with binaries.
#
# usage: notices.sh FILE
set -euo pipefail
export LC_ALL=C # the same order everywhere
file=$(realpath "$1")
cd "$(dirname "$0")/.."
modules=$(for os in linux darwin windows; do
	GOOS=$os go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/rhx
done | sort -u)
{
	echo "rhx links these modules. Their source, unchanged, is to be had from the Go module proxy"
	echo "and their repositories, by the names and versions below."
	while read -r path version dir; do
		found=
		for text in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/License* "$dir"/NOTICE*; do
			[ -f "$text" ] || continue
			found=yes
			printf '\n======== %s %s: %s\n\n' "$path" "$version" "${text##*/}"
			cat "$text"
		done
		[ -n "$found" ] || { echo "notices.sh: $path has no text of a licence" >&2; exit 1; }
	done <<<"$modules"
	printf '\n======== the Go standard library and runtime: LICENSE\n\n'
	cat "$(go env GOROOT)/LICENSE"
} >"$file.new"
mv "$file.new" "$file"
