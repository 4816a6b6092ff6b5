#!/bin/sh
# Makes what goreleaser does not: the formula for Homebrew (its casks can name no folder of
# pages of the manual, and quarantine programs), the folders of the container, dist/bin with
# the programs of each platform, and of these the wheels and npm packages, which the checksums
# then list, too.
#
# usage: files.sh VERSION DIST
set -eu
version=$1 dist=$2
here=$(dirname "$0")
mkdir -p "$dist/homebrew" "$dist/bin"
formula=$(cat "$here/rhx.rb.in")
for platform in linux_amd64 linux_arm64 darwin_amd64 darwin_arm64; do
	sum=$(awk -v name="rhx_${version}_$platform.tar.gz" '$2 == name { print $1 }' "$dist/rhx_${version}_checksums.txt")
	[ ${#sum} -eq 64 ] || { echo "files.sh: no checksum for $platform" >&2 && exit 1; }
	formula=$(printf '%s\n' "$formula" | sed "s/@$platform@/$sum/")
done
printf '%s\n' "$formula" | sed "s/@VERSION@/$version/" >"$dist/homebrew/rhx.rb"
jq -r '.[] | select(.type == "Binary" and (.extra.ID | IN("rhx", "rhx-full"))) | "\(.path) \(.goos)_\(.goarch) \(.name)"' "$dist/artifacts.json" | while read -r path platform name; do
	mkdir -p "$dist/bin/$platform"
	ln -f "$path" "$dist/bin/$platform/$name"
done
for arch in amd64 arm64; do
	sh "$here/rootfs.sh" "$dist/bin/linux_$arch" "$dist/container/$arch"
done
cp "$here/Containerfile" "$dist/container/"
wheels=$(sh "$here/wheels.sh" "$dist" "$version" "$dist/bin")
packages=$(sh "$here/npm.sh" "$dist" "$version" "$dist/bin")
cd "$dist"
sums=rhx_${version}_checksums.txt
for file in install.sh $wheels $packages; do
	sha256sum "${file##*/}"
done | sort -k 2 "$sums" - >"$sums.new"
mv "$sums.new" "$sums"
