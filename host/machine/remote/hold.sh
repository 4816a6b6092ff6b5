# The files of one command, in memory, for as long as rhx says that it is there.
D=
gone() {
	[ -n "$D" ] || return 0
	rm -rf "$D" 2>/dev/null || {
		chmod -R u+rwx "$D"
		rm -rf "$D"
	} 2>/dev/null
	! [ -d "$D" ]
}
trap gone 0
trap 'exit 1' HUP INT TERM
# safe: nobody can put another into the place of what is made in the folder $1. at is then
# its path.
safe() {
	case $1 in /*) ;; *) return 1 ;; esac
	[ -w "$1" ] && { [ -O "$1" ] || [ -k "$1" ]; } || return 1
	at=$(cd -P "$1" 2>/dev/null && pwd -P)
}
# memory: the folder $1 is safe and in memory.
memory() {
	[ -r /proc/mounts ] && safe "$1" || return 1
	longest=0 system=
	while read -r device point kind rest; do
		point=${point%/}
		case $at/ in
		"$point"/*) [ "${#point}" -lt "$longest" ] || longest=${#point} system=$kind ;;
		esac
	done </proc/mounts
	[ "$system" = tmpfs ] || [ "$system" = ramfs ]
}
# sweep removes the folders in $1 whose processes are no more.
sweep() {
	for left in "$1"/rhx-on-*-*; do
		pid=${left##*/rhx-on-}
		pid=${pid%%-*}
		case $pid in
		'' | *[!0-9]*) continue ;;
		esac
		[ -d "$left" ] && [ -O "$left" ] && ! [ -L "$left" ] || continue
		kill -0 "$pid" 2>/dev/null || [ -d "/proc/$pid" ] || rm -rf "$left"
	done
}
# failed says why there are no files, and ends.
failed() {
	say failed
	raw "$1"
	say done
	exit 1
}
# folder makes D in the first of the folders that is in memory; where there is none, in the
# first that is safe if $1 says that a disk will do.
folder() {
	for fit in memory $1; do
		for base in "${XDG_RUNTIME_DIR-}" /dev/shm /tmp; do
			"$fit" "$base" || continue
			sweep "$at"
			D=$at/rhx-on-$$-$R
			mkdir -m 700 "$D" 2>/dev/null && return
			D=
		done
	done
	say nomemory
	say done
	exit 1
}
# file writes the file $1, which the function n$1 prints: folder, name, mode, size.
file() {
	e=$(mkdir -p "$D/$2" 2>&1) || failed "$e"
	f=$D/$2/$3
	"n$1" 2>/dev/null | cat >"$f" 2>/dev/null
	e=$(chmod "$4" "$f" 2>&1) || failed "$e"
	[ "$(wc -c <"$f")" -eq "$5" ] || failed 'No space left on device'
}
# watch ends all where rhx has said nothing for $1 seconds: the host may learn hours
# later that the connection is dead.
watch() {
	(
		trap - 0 HUP INT
		trap 'kill "$s"; exit' TERM
		while
			sleep "$1" &
			s=$!
			wait "$s"
			rm "$D/.beat"
		do
			:
		done
		gone
		# A process that took the number of a dead one is not to be ended.
		read -r self name state parent rest </proc/self/stat
		[ "$parent" != $$ ] || kill -9 $$
	) </dev/null >/dev/null 2>&1 &
	w=$!
}
# hold keeps the files until rhx ends its input, with a line now and then before that.
hold() {
	true >"$D/.beat"
	watch "$1"
	say folder
	raw "$D"
	say done
	while read -r beat; do
		true >"$D/.beat"
	done 2>/dev/null
	kill "$w" 2>/dev/null
	gone || exit 3
	exit 0
}
