#!/bin/sh
# Runs every test whose name begins with TestSoak with many random seeds:
# soak.sh [SEEDS]. A failure names the variable that makes the test fail again.
set -eu
cd "$(dirname "$0")/.."
export RHX_SOAK="${1:-100}"
for dir in $(git ls-files '*_test.go' | xargs grep -l '^func TestSoak' | xargs -n1 dirname | sort -u); do
	echo "== ./$dir"
	go test -count=1 -timeout 0 -run '^TestSoak' "./$dir"
done
