#!/bin/sh
# Prints install.sh of a release: install.sh.in with the version and the public key, of
# which FILE.pub has the last line. Without a key the script refuses to install.
#
# usage: fill.sh VERSION [FILE.pub]
set -eu
key=
[ -z "${2-}" ] || key=$(tail -n 1 "$2")
case $1$key in *[!A-Za-z0-9.+/=-]*) echo "fill.sh: not a version and a key" >&2 && exit 1 ;; esac
sed "s|@VERSION@|$1|g; s|@KEY@|$key|" "$(dirname "$0")/install.sh.in"
