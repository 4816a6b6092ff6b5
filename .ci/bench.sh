#!/bin/sh
# Ratios of whole commands, then the benchmarks of the parts. Run it on a quiet
# machine; it judges nothing.
set -eu
cd "$(dirname "$0")/.."
go run ./.ci/bench "$PWD/bin"
go test -run '^$' -bench . -benchmem ./host/...
# One extract by wazero alone, rhx, Extism, go-plugin, and without wasm. A module
# of its own builds it, so that those are no dependencies of rhx.
guests=$(mktemp -d)
trap 'rm -rf "$guests"' EXIT
sh .ci/bench/guests/build.sh "$guests"
(cd .ci/bench/guests && go build -o "$guests/bench" . && "$guests/bench" "$guests")
# 1,000 secrets saved to and loaded from Vault: rhx, a bare client, vault, vals.
vals=$(sh .ci/tools/gotool.sh vals github.com/helmfile/vals 0.46.1)
go run ./.ci/bench/vault "$PWD/bin" "$(sh .ci/tools/vault.sh)" "$vals"
# Six credentials to 1, 16 and 64 hosts, against ansible, parallel-scp and scp.
go run ./.ci/bench/fleet "$PWD/bin" "$(sh .ci/bench/fleet/tools.sh)"
# What rhx run costs over the command, beside sops, vals and dotenvx.
sops=$(sh .ci/tools/gotool.sh sops github.com/getsops/sops/v3 3.13.3)
go run ./.ci/bench/run "$PWD/bin" "$sops" "$vals" "$(sh .ci/bench/run/dotenvx.sh)"
