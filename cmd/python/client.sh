#!/bin/sh
# rhx, by the name by which a client looks for it.
case "${0##*/}" in
git-*) protocol=git ;;
docker-*) protocol=docker ;;
*) protocol=terraform ;;
esac
me=$(readlink -f -- "$0" 2>/dev/null) || me=$0
exec "${me%/*}/rhx" helper "$protocol" "$@"
