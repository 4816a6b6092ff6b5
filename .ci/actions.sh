#!/usr/bin/env bash
# Checks the action, the component and the workflows that docs/ci.md shows, by the schemas
# of GitHub and GitLab and by actionlint.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cache=${XDG_CACHE_HOME:-$HOME/.cache}/rhx-ci/check-jsonschema-0.39.0
if [ ! -e "$cache/done" ]; then
	rm -rf "$cache"
	python3 -m venv "$cache"
	"$cache/bin/pip" install -q --disable-pip-version-check check-jsonschema==0.39.0
	touch "$cache/done"
fi
lint=$(sh .ci/tools/gotool.sh actionlint github.com/rhysd/actionlint 1.7.12)

# actionlint knows the inputs of an action that is in the repository.
mkdir -p "$work/.github/workflows" "$work/.ci"
cp -r .ci/action "$work/.ci/"
awk -v to="$work/.github/workflows/" '/^```yaml$/ { getline; yes = /^name: /; n++ } /^```$/ { yes = 0 } yes { print > (to n ".yml") }' docs/ci.md
sed -i.bak 's#rhx-dev/rhx/.ci/action@v1#./.ci/action#' "$work"/.github/workflows/*.yml
(cd "$work" && git init -q . && "$lint" -no-color -shellcheck= -pyflakes= .github/workflows/*.yml)

"$cache/bin/check-jsonschema" -q --builtin-schema vendor.github-actions .ci/action/action.yml
"$cache/bin/check-jsonschema" -q --builtin-schema vendor.github-workflows "$work"/.github/workflows/*.yml
# Of a component the second document is a pipeline.
sed '1,/^---$/d' .ci/gitlab/templates/rhx.yml >"$work/gitlab.yml"
"$cache/bin/check-jsonschema" -q --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$work/gitlab.yml"
for script in .ci/action/*.sh; do bash -n "$script"; done
echo "the action, the component and $(ls "$work"/.github/workflows/*.yml | wc -l | tr -d ' ') workflow of docs/ci.md are as GitHub and GitLab want them"
