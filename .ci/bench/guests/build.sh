#!/bin/sh
# Builds the guests of the bench into a folder: build.sh FOLDER
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"
sdk=../../../guest-sdk/c
sources="$sdk/example/acme.c $sdk/rhx.c"
wasm="clang --target=wasm32-wasi -mcpu=mvp -std=gnu11 -Os -I$sdk -Wl,--strip-all -Wl,--gc-sections -Wl,-z,stack-size=65536"
plugin="$wasm -mexec-model=reactor -Dread=plugin_read -Dwrite=plugin_write -Dmain=acme_main"
# shellcheck disable=SC2086 # lists of words
{
	$wasm -o "$out/command.wasm" $sources
	$plugin -DEXTISM -o "$out/extism.wasm" cplugin/plugin.c $sources
	$plugin -o "$out/goplugin-c.wasm" cplugin/plugin.c $sources
	cc -std=gnu11 -O2 -I"$sdk" -o "$out/native" $sources
}
GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -buildmode=c-shared -o "$out/goplugin-go.wasm" ./goplugin
(cd ../../../guest-sdk/go/example && GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -o "$out/command-go.wasm" .)
