#!/bin/sh
# Makes what packages and archives have beside the programs: pages of the manual, scripts
# of completion, the names by which clients look for rhx, and the texts of licences.
#
# usage: assets.sh RHX FOLDER    RHX is a program that runs here, of the release's version
set -eu
rhx=$1 to=$2
cd "$(dirname "$0")/../.."
rm -rf "$to"
mkdir -p "$to/completions" "$to/man1gz"
"$rhx" -q man --dir "$to"
for page in "$to"/man1/*.1; do
	gzip -9n <"$page" >"$to/man1gz/${page##*/}.gz"
done
# The scripts call the rhx that wrote them; those of a package call the one in PATH.
path=$(readlink -f "$rhx")
for pair in bash:rhx.bash zsh:_rhx fish:rhx.fish; do
	"$rhx" completion "${pair%%:*}" | sed "s|'$path'|rhx|g" >"$to/completions/${pair#*:}"
	if grep -F "$path" "$to/completions/${pair#*:}" >&2; then
		echo "assets.sh: the path of $rhx is in the completion of ${pair%%:*}" >&2
		exit 1
	fi
done
bash .ci/notices.sh "$to/THIRD_PARTY_NOTICES" # which licences ask of whoever hands out programs
chmod 644 "$to/THIRD_PARTY_NOTICES" "$to"/completions/* "$to"/man1/* "$to"/man1gz/*
for os in linux darwin windows; do
	mkdir "$to/$os"
	cp LICENSE "$to/$os"
	chmod 644 "$to/$os/LICENSE"
	[ "$os" = windows ] && continue # which has no links in its archives
	: >"$to/$os/rhx"                # so that they lead somewhere
	for name in git-credential-rhx docker-credential-rhx terraform-credentials-rhx; do
		ln -s rhx "$to/$os/$name"
	done
done
