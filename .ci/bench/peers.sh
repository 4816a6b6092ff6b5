#!/bin/sh
# Installs the programs to which the bench compares rhx, each once, from the ordinary
# registries: peers.sh FOLDER [NAME...], all where none is named. For each it prints a line of name, version and path of the
# program, with tabs between; for one that cannot be installed there is no path, but what its
# client said. With INSTALL=no it takes what is there. Programs of one file are copied to FOLDER, as .ci/bench.sh says. CI has no
# part in it: fnox and secretspec alone compile for some ten minutes.
set -u
to=$1
shift
only=" $* "
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci

# peer NAME VERSION PROGRAM COMMAND...: COMMAND makes $dir/PROGRAM, and with it a file done.
peer() {
	name=$1 version=$2 dir=$cache/$1-$2 program=$cache/$1-$2/$3 kind=$4
	shift 3
	case $only in "  " | *" $name "*) ;; *) return ;; esac
	if ! there; then
		if [ "${INSTALL-}" = no ]; then
			printf '%s\t%s\t\tINSTALL=no, and it was not there\n' "$name" "$version"
			return
		fi
		mkdir -p "$dir"
		echo "peers.sh: installing $name $version, once" >&2
		if "$@" >"$dir/log" 2>&1; then
			touch "$dir/done"
		else
			printf '%s\t%s\t\t%s\n' "$name" "$version" "$(grep -i -m 1 error "$dir/log" || tail -n 1 "$dir/log")"
			return
		fi
	fi
	case $kind in gotool | cargotool) cp "$program" "$to/$name" && program=$to/$name ;; esac
	printf '%s\t%s\t%s\n' "$name" "$version" "$program"
}
there() {
	[ -e "$dir/done" ] || case $kind in gotool | vaulttool) [ -x "$program" ] ;; *) false ;; esac
}
gotool() { sh "$here/../tools/gotool.sh" "$name" "$1" "$version" "$2"; }
vaulttool() { sh "$here/../tools/vault.sh"; }
npmtool() { npm install --prefix "$dir" --silent --no-audit --no-fund "$1@$version"; }
piptool() { python3 -m venv "$dir" && "$dir/bin/pip" install -q --disable-pip-version-check "$name==$version"; }
# What two of them share is compiled once. A registry may not have yet what the authors' lock names.
cargotool() {
	for locked in --locked ''; do
		# shellcheck disable=SC2086 # nothing, where it is empty
		CARGO_TARGET_DIR=$cache/cargo-target cargo install $locked --root "$dir" --version "$version" "$name" && ln -f "$dir/bin/$name" "$dir/$name" && return
	done
	return 1
}
apttool() {
	command -v parallel-scp || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends pssh; } || return
	ln -sf "$(command -v parallel-scp)" "$dir/parallel-scp"
}

peer age 1.3.2 age gotool filippo.io/age ./cmd/age
peer sops 3.13.3 sops gotool github.com/getsops/sops/v3 ./cmd/sops
peer dotenvx 2.38.2 node_modules/.bin/dotenvx npmtool @dotenvx/dotenvx
peer varlock 1.20.0 node_modules/.bin/varlock npmtool varlock
peer ansible-core 2.17.7 bin/ansible-playbook piptool
peer pssh 2.3.4 parallel-scp apttool
peer mitmproxy 11.0.2 bin/mitmdump piptool
peer runhouse 0.0.42 bin/runhouse piptool
peer gopass 1.15.18 gopass gotool github.com/gopasspw/gopass .
peer gitleaks 8.30.1 gitleaks gotool github.com/zricethezav/gitleaks/v8 .
peer vals 0.46.1 vals gotool github.com/helmfile/vals ./cmd/vals
peer vault 1.21.4 vault vaulttool
peer secretspec 0.21.1 secretspec cargotool
peer trufflehog 3.90.0 trufflehog gotool github.com/trufflesecurity/trufflehog/v3 .
peer fnox 1.46.0 fnox cargotool
