#!/bin/sh
# Installs what the fleet is compared with, ansible and pssh, and prints the
# folder of ansible's programs.
set -eu
dir=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/ansible-core-2.17.7
if ! command -v parallel-scp >/dev/null 2>&1; then
	apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pssh >&2
fi
if [ ! -e "$dir/done" ]; then
	mkdir -p "${dir%/*}"
	rm -rf "$dir"
	python3 -m venv "$dir" >&2
	"$dir/bin/pip" install -q --disable-pip-version-check ansible-core==2.17.7 >&2
	touch "$dir/done"
fi
echo "$dir/bin"
