#!/bin/sh
# Installs what the tests need and this machine lacks: servers and clients from
# Debian's packages, Python's clients, compilers of wasm, and Vault and a newer gh
# built from the Go proxy. Does nothing where all is there.
set -eu
cd "$(dirname "$0")"

# command:package
wanted="sshd:openssh-server ssh:openssh-client dropbear:dropbear-bin ip:iproute2 aws:awscli gh:gh kubectl:kubernetes-client
gcc:gcc python3:python3 curl:curl openssl:openssl age:age clang:clang wasm-ld:lld man:man-db fish:fish zsh:zsh tcsh:tcsh busybox:busybox mksh:mksh ksh93:ksh93u+m git:git rclone:rclone skopeo:skopeo minisign:minisign slapd:slapd softhsm2-util:softhsm2
hcloud:hcloud-cli redis-cli:redis-tools redis-server:redis-server gem:ruby composer:composer rpm:rpm jq:jq
node:nodejs npm:npm /usr/bin/rustc:rustc /usr/bin/cargo:cargo java:default-jdk-headless mvn:maven strace:strace
gnome-keyring-daemon:gnome-keyring dbus-run-session:dbus-daemon gpg:gpg gpg-agent:gpg-agent pass:pass"
PATH="$PATH:/usr/sbin:/sbin"
missing=
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -e /usr/include/wasm32-wasi/stdio.h ] || missing="$missing wasi-libc"
[ -n "$(find /usr/lib/llvm-14/lib/clang -name 'libclang_rt.builtins-wasm32.a' 2>/dev/null)" ] || missing="$missing libclang-rt-14-dev-wasm32"
[ -d /usr/lib/rustlib/wasm32-wasi/lib ] || missing="$missing libstd-rust-dev-wasm32"
python3 -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
python3 -c 'import ctypes; ctypes.CDLL("libpq.so.5")' 2>/dev/null || missing="$missing libpq5"
[ -n "$(find /usr/lib -name libnss_wrapper.so 2>/dev/null)" ] || missing="$missing libnss-wrapper"
[ -n "$(find /usr/lib/postgresql -name initdb 2>/dev/null)" ] || missing="$missing postgresql"
# What the cargo of clients.sh links, and what finds the completions of packages.
for lib in bash-completion libcurl4 libgit2-1.5 libsqlite3-0 libssh2-1; do
	dpkg -s "$lib" >/dev/null 2>&1 || missing="$missing $lib"
done
if [ -n "$missing" ]; then
	command -v apt-get >/dev/null 2>&1 || { echo "install these first:$missing" >&2; exit 1; }
	apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
sh ./python.sh >/dev/null
sh ./packaging.sh >/dev/null
sh ./dotenv.sh >/dev/null
sh ./node.sh >/dev/null
sh ./readers.sh >/dev/null
sh ./goreaders.sh >/dev/null
sh ./gh.sh >/dev/null
sh ./guests.sh >/dev/null
sh ./clients.sh >/dev/null
sh ./tofu.sh >/dev/null
sh ./nfpm.sh >/dev/null
sh ./sops.sh >/dev/null
sh ./vault.sh >/dev/null
