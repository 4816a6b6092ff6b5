#!/bin/sh
# Prints the notes of a release: the section of CHANGELOG.md with its number, or the one
# that is headed Unreleased. None is an error.
#
# usage: notes.sh VERSION|Unreleased [FILE]    FILE is a changelog, if not CHANGELOG.md
set -eu
changes=${2-$(dirname "$0")/../../CHANGELOG.md}
awk -v want="$1" '
	/^## / { on = $2 == want; if (on) { found++; next } }
	on { text = text $0 "\n"; if ($0 != "") some = 1 }
	END {
		if (found != 1 || !some) exit 1
		sub(/^\n+/, "", text); sub(/\n+$/, "\n", text); printf "%s", text
	}' "$changes" || {
	echo "notes.sh: $changes has not one section \"## $1\" with text in it" >&2
	exit 1
}
