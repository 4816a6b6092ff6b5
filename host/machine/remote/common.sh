# Sent by rhx on standard input; POSIX sh, for dash, busybox, bash and ksh alike.
umask 077
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
trap '' PIPE
# raw and esc print a string, esc with escapes. Only what the shell does itself
# will do: the arguments of a program are seen by every user.
case $(command -v printf) in
printf)
	raw() { printf '%s' "$1"; }
	esc() { printf '%b' "$1"; }
	;;
*)
	raw() { print -rn -- "$1"; }
	esc() { print -n -- "$1"; }
	if [ "$(command -v print)" != print ]; then
		echo "${M}noprint
${M}done"
		exit
	fi
	;;
esac
# say begins a piece of the answer.
say() {
	raw "$M$*
"
}
# no says why nothing was done.
no() { say no "$@"; }
# follow sets f to where the symbolic links at $1 lead, and fails in a circle.
follow() {
	f=$1 links=0
	while [ -L "$f" ]; do
		links=$((links + 1))
		[ "$links" -le 40 ] || return 1
		l=$(readlink "$f" && echo .) || return 1
		l=${l%??}
		case $l in
		/*) f=$l ;;
		*) f=${f%/*}/$l ;;
		esac
	done
}
# searchable: what is in the folder $1 can be seen. test in busybox goes by the bits of the mode,
# for root, too.
searchable() { [ -x "$1" ] || (cd "$1") 2>/dev/null; }
# denied: $1 cannot be seen, because a folder on its way may not be searched.
denied() {
	p=$1
	while p=${p%/*} && [ -n "$p" ]; do
		if [ -d "$p" ]; then
			! searchable "$p"
			return
		fi
	done
	return 1
}
