# Gives the variables of secrets to the steps that follow. rhx says first what is to be
# hidden in logs (::add-mask::), by its errors, which the runner reads too.
set -euo pipefail -f

args=()
for name in $RHX_INPUT_SECRETS; do args+=("--secret=$name"); done
for name in $RHX_INPUT_BUNDLES; do args+=("--bundle=$name"); done
[ -z "$RHX_INPUT_BUNDLES" ] || args+=(--yes)
[ -z "$RHX_INPUT_STORE" ] || args+=("--store=$RHX_INPUT_STORE")
rhx env "${args[@]}" --no-input --format github >>"$GITHUB_ENV"
