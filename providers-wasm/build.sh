#!/bin/sh
# Builds the wasm modules of rhx from source.
#
#   sh providers-wasm/build.sh [FOLDER]
#
# writes NAME/NAME.wasm for each module into FOLDER (this folder if none is given)
# and lists the digests in FOLDER/SHA256SUMS. Needs clang, lld, wasi-libc and
# compiler-rt for wasm32; on Debian 12:
#
#   apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
#
# The same sources and packages give the same bytes wherever the tree lies:
# nothing of the path, the time or the machine is in a module.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
cc=${WASM_CC:-clang}

# -mcpu=mvp: the instructions of the first version of wasm, which every runtime has.
build() {
	name=$1
	shift
	mkdir -p "$out/$name"
	"$cc" --target=wasm32-wasi -mcpu=mvp -std=gnu11 -Os -Wall -Wextra -Werror -fno-ident \
		-ffile-prefix-map="$PWD/=" -Wl,--strip-all -Wl,--gc-sections -Wl,-z,stack-size=65536 \
		-I../guest-sdk/c -Ilib -o "$out/$name/$name.wasm" "$@"
	chmod 644 "$out/$name/$name.wasm"
}

build clearml clearml/clearml.c ../guest-sdk/c/rhx.c
build gitcredentials gitcredentials/gitcredentials.c ../guest-sdk/c/rhx.c
build mylogin mylogin/mylogin.c lib/aes.c ../guest-sdk/c/rhx.c
build pgpass pgpass/pgpass.c ../guest-sdk/c/rhx.c
build rclone rclone/rclone.c lib/aes.c ../guest-sdk/c/rhx.c

cd "$out"
sha256sum */*.wasm >SHA256SUMS
