#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [TIME], such as 30s.
set -eu
cd "$(dirname "$0")/.."
time=${1:-30s}
for file in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz'); do
	dir=./$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		echo "== $dir $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1x "$dir"
	done
done
