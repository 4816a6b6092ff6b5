# Sent by rhx on standard input; POSIX sh. Of each file that rhx made whole it leaves a
# process that removes it in time, where it is still as rhx wrote it. It holds no secret:
# a path, a digest, a number. The file ttl-ID has the number of the process that counts:
# another one ends.
umask 077
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
d=${RHX_HOME:+$RHX_HOME/state}
d=${d:-${XDG_STATE_HOME:-$HOME/.local/state}/rhx}
mkdir -p "$d" || exit 1
sum() {
	for by in sha256sum 'shasum -a 256' 'openssl dgst -sha256 -r'; do
		if command -v "${by%% *}" >/dev/null 2>&1; then
			s=$($by <"$1") && echo "${s%% *}"
			return
		fi
	done
	return 1
}
# disarm ends what was to remove the file with the ID $1.
disarm() { rm -f "$d/ttl-$1"; }
# arm: ID, number, path, digest, seconds.
arm() {
	echo "$2" >"$d/ttl-$1" || exit 1
	[ "$(sum "$3")" = "$4" ] || exit 1
	(
		# Not behind the parenthesis: mksh would keep the connection open.
		exec </dev/null >/dev/null 2>&1
		cd / # a folder that somebody is in cannot be unmounted
		trap '' HUP
		# A second more: the clock's is half over.
		slept=0 end=$(($(date +%s) + $5 + 1))
		while [ "$(cat "$d/ttl-$1" 2>/dev/null)" = "$2" ]; do
			# By the clock or by what was slept, whichever is first: clocks are set.
			left=$((end - $(date +%s)))
			[ "$left" -le $(($5 - slept)) ] || left=$(($5 - slept))
			if [ "$left" -le 0 ]; then
				[ -L "$3" ] || [ "$(sum "$3")" != "$4" ] || rm -f "$3"
				rm -f "$d/ttl-$1"
				exit
			fi
			[ "$left" -le 60 ] || left=60
			sleep "$left" || exit
			slept=$((slept + left))
		done
	) &
}
