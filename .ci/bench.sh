#!/bin/sh
# Installs what rhx is compared with, and measures: bench.sh [NAME...]. Without names all
# comparisons run and docs/BENCHMARKS.md is written; with names those are printed and kept, and the
# name page writes the page of what is kept. Run it on a quiet machine.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh .ci/bench/peers.sh "$work" >"$work/peers"
# Programs that were just linked lie in memory in small pages, and start slower than those
# that were copied, as every installed one is.
cp bin/rhx bin/rhx-full "$work/"
go run ./.ci/bench "$work" "$work/peers" "$@"
