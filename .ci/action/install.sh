# Installs rhx into the folder of the job's temporary files, and puts it into PATH of the
# steps that follow. What a release has is verified by its install.sh.
set -euo pipefail

prefix=$RUNNER_TEMP/rhx-program
mkdir -p "$prefix/bin"
case $RHX_INPUT_VERSION in
source)
	command -v go >/dev/null || { echo "::error::version: source needs Go: put actions/setup-go before this"; exit 1; }
	GOBIN=$prefix/bin make -C "$GITHUB_ACTION_PATH/../.." install
	;;
latest | [0-9]*.[0-9]*.[0-9]*)
	at=download/v$RHX_INPUT_VERSION
	[ "$RHX_INPUT_VERSION" != latest ] || at=latest/download
	curl -fsSL --retry 2 --connect-timeout 20 -o "$RUNNER_TEMP/rhx-install.sh" "https://github.com/rhx-dev/rhx/releases/$at/install.sh" ||
		{ echo "::error::there is no release $RHX_INPUT_VERSION of rhx, or it cannot be reached"; exit 1; }
	RHX_PREFIX=$prefix sh "$RUNNER_TEMP/rhx-install.sh"
	;;
*)
	echo "::error::version is latest, source or like 1.2.3"
	exit 1
	;;
esac
"$prefix/bin/rhx" version
echo "$prefix/bin" >>"$GITHUB_PATH"
# What rhx keeps, such as a login, goes with the job.
[ -n "${RHX_HOME-}" ] || echo "RHX_HOME=$RUNNER_TEMP/rhx-home" >>"$GITHUB_ENV"
