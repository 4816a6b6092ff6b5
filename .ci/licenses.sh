#!/usr/bin/env bash
# Looks at the licence of everything that rhx links, on each system that it is built for, and
# fails where one is not among those that docs/dependencies.md has.
set -euo pipefail
cd "$(dirname "$0")/.."
allowed=Apache-2.0,BSD-2-Clause,BSD-3-Clause,ISC,MIT,MPL-2.0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOBIN=$work go install github.com/google/go-licenses@v1.6.0

# go-licenses takes the standard library, whose modules have no licence of their own, for
# what it cannot know where GOROOT is not said.
GOROOT=$(go env GOROOT)
export GOROOT CGO_ENABLED=0
# psx is under one of two licences, as its user likes: go-licenses sees the GPL alone.
psx=kernel.org/pub/linux/libs/security/libcap/psx
grep -q 'SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only' "$(go list -m -f '{{.Dir}}' $psx)/License"
for os in linux darwin windows; do
	if ! GOOS=$os "$work/go-licenses" check ./cmd/rhx ./host --ignore github.com/rhx-dev/rhx --ignore $psx --allowed_licenses="$allowed" >"$work/said" 2>&1; then
		grep -v -e 'contains non-Go code' -e "^$(go env GOMODCACHE)/" "$work/said" >&2
		echo "licenses.sh: not all licences of rhx on $os are among $allowed" >&2
		exit 1
	fi
done
echo "all licences are among $allowed" >&2
