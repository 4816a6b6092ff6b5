# Logs in to Vault with the token by which the job can say who it is. The token is never an
# argument of a program.
set -euo pipefail

[ -n "${ACTIONS_ID_TOKEN_REQUEST_TOKEN-}" ] ||
	{ echo "::error::the job has no token of its own: it needs permissions: {id-token: write}"; exit 1; }
[ -n "$RHX_INPUT_ROLE" ] || { echo "::error::role is missing: the role of Vault's method jwt"; exit 1; }
audience=${RHX_INPUT_AUDIENCE:-$RHX_INPUT_VAULT}
jwt=$(umask 077 && mktemp "$RUNNER_TEMP/rhx-jwt.XXXXXX")
trap 'rm -f "$jwt"' EXIT
printf 'header = "Authorization: bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
	curl -fsS --retry 2 --connect-timeout 20 --get --data-urlencode "audience=$audience" --config - "$ACTIONS_ID_TOKEN_REQUEST_URL" |
	sed -n 's/.*"value" *: *"\([^"]*\)".*/\1/p' >"$jwt"
[ -s "$jwt" ] || { echo "::error::GitHub gave no token for the job"; exit 1; }
rhx login --vault "$RHX_INPUT_VAULT" --method jwt --mount "$RHX_INPUT_MOUNT" --role "$RHX_INPUT_ROLE" --jwt "$jwt" \
	${RHX_INPUT_STORE:+--store "$RHX_INPUT_STORE"} --no-upload --no-download --no-input
