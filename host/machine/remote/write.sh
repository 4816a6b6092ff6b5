# The temporary files, as words for eval.
temps=
tidy() {
	[ -z "$temps" ] || eval "rm -f$temps" 2>/dev/null
	temps=
}
trap tidy 0
trap 'exit 1' HUP INT TERM
# Of the systems without an fsync for one file, some would write out all there
# is to write, which can take minutes.
case $(uname) in
Linux) case $(sync --help 2>&1) in *FILE*) fsync=1 ;; *) fsync= ;; esac ;;
*) fsync= ;;
esac
durable() { [ -z "$fsync" ] || sync "$@" 2>/dev/null; }
# why says that a command failed with the message $2.
why() {
	no "$1" why
	raw "$2"
}
# same: standard input is equal to the file $1.
if command -v cmp >/dev/null 2>&1; then
	same() { cmp -s - "$1"; }
else
	same() { [ "$(od -An -v -to1)" = "$(od -An -v -to1 <"$1")" ]; }
fi
# expected: f is what the change $1 expects; with $2, its content is not looked at.
expected() {
	if [ -e "$f" ] || [ -L "$f" ]; then
		if ! [ -f "$f" ]; then
			no "$1" irregular
		elif [ "$old" = 0 ]; then
			no "$1" changed
		elif ! [ -r "$f" ]; then
			no "$1" denied
		elif [ -n "$2" ] || "o$1" 2>/dev/null | same "$f"; then
			return 0
		else
			no "$1" changed
		fi
	elif denied "$f"; then
		no "$1" denied
	elif [ "$old" = 1 ] && [ "$remove" = 0 ]; then
		no "$1" changed
	else
		return 0
	fi
	return 1
}
# sweep removes what processes that are no more left in the folder d.
sweep() {
	for left in "$d"/.rhx-*-*.tmp; do
		[ -f "$left" ] || continue
		pid=${left##*/.rhx-}
		pid=${pid%%-*}
		case $pid in
		'' | *[!0-9]*) continue ;;
		esac
		kill -0 "$pid" 2>/dev/null || [ -d "/proc/$pid" ] || rm -f "$left"
	done
}
# bits sets m to the mode in $1, as ls writes it.
bits() {
	m=0
	case $1 in ?r*) m=$((m + 256)) ;; esac
	case $1 in ??w*) m=$((m + 128)) ;; esac
	case $1 in ???[xs]*) m=$((m + 64)) ;; esac
	case $1 in ????r*) m=$((m + 32)) ;; esac
	case $1 in ?????w*) m=$((m + 16)) ;; esac
	case $1 in ??????[xs]*) m=$((m + 8)) ;; esac
	case $1 in ???????r*) m=$((m + 4)) ;; esac
	case $1 in ????????w*) m=$((m + 2)) ;; esac
	case $1 in ?????????[xt]*) m=$((m + 1)) ;; esac
}
# keep sets m to the mode that the new file t is to have, and gives t the owner
# and group of the old one, f. A group that cannot be kept loses its rights.
keep() {
	m=$want
	[ -f "$f" ] || return 0
	set -f
	set -- $(ls -ldLn "$f") -
	bits "$1"
	m=$((m & want)) uid=$3 gid=$4
	set -- $(ls -ldn "$t") -
	set +f
	if [ "$uid:$gid" != "$3:$4" ] && ! chown "$uid:$gid" "$t" 2>/dev/null; then
		[ "$gid" = "$4" ] || chgrp "$gid" "$t" 2>/dev/null || m=$((m & ~56))
	fi
}
# swap puts the file t into the place of f, if that is as the change $1 expects.
# Of several processes that do so at once, one succeeds and the others see its file.
swap() {
	seen=1
	[ "$old" = 0 ] || flock -w 10 9 2>/dev/null
	expected "$1" '' || return 1
	# A new file is a second name for t: no name that is there is taken.
	if [ "$old" = 0 ] && ln "$t" "$f" 2>/dev/null; then
		:
	elif [ "$old" = 0 ] && { [ -e "$f" ] || [ -L "$f" ]; }; then
		no "$1" changed
		return 1
	elif ! e=$(mv -f "$t" "$f" 2>&1); then
		why "$1" "$e"
		return 1
	fi
}
# locked runs swap with the file f open, for the lock.
locked() {
	seen=
	if [ "$old" = 0 ]; then
		swap "$1"
	else
		swap "$1" 9<"$f" && return
		[ -n "$seen" ] || no "$1" changed
		return 1
	fi
}
# What a program does for many files at once it does not do for each: starting it takes
# longer than its work. So changes wait for commit.
waiting= folders= many=0
# change takes the change $1: path, mode, whether old content is expected, whether
# to remove. The functions o$1 and n$1 print the old and the new content.
change() {
	# One that waits may make what this one expects, and comes before what is removed.
	if [ -n "$waiting" ] && follow "$2"; then
		there=0
		[ ! -e "$f" ] || there=1
		[ "$5$there" = "0$4" ] || commit
	fi
	want=$3 old=$4 remove=$5
	if ! follow "$2"; then
		no "$1" circle
		return
	fi
	d=${f%/*}
	if [ "$remove" = 1 ]; then
		expected "$1" '' || return
		if [ -e "$f" ]; then
			if ! e=$(rm -f "$f" 2>&1); then
				why "$1" "$e"
				return
			fi
			durable "${d:-/}"
		fi
		say ok "$1"
		return
	fi
	expected "$1" quickly || return
	eval "f$1=\$f d$1=\${d:-/} t$1=\$d/.rhx-$$-$R$1.tmp want$1=\$want old$1=\$old"
	waiting="$waiting $1" many=$((many + 1))
	[ -d "${d:-/}" ] || folders="$folders \"\$d$1\""
	[ "$many" -lt 64 ] || commit # the arguments of a program have a bound
}
# commit makes the changes that wait.
commit() {
	[ -n "$waiting" ] || return 0
	[ -z "$folders" ] || eval "mkdir -p$folders" 2>/dev/null
	ready= new= put= in=
	for i in $waiting; do
		recall "$i"
		prepare "$i" || continue
		ready="$ready $i" new="$new \"\$t$i\""
	done
	waiting= folders= many=0
	[ -z "$ready" ] || eval "durable$new"
	for i in $ready; do
		recall "$i"
		replace "$i" || continue
		put="$put $i" in="$in \"\$d$i\""
	done
	tidy
	[ -z "$put" ] || eval "durable$in"
	for i in $put; do
		say ok "$i"
	done
}
recall() { eval "f=\$f$1 d=\$d$1 t=\$t$1 want=\$want$1 old=\$old$1" remove=0; }
# prepare writes the new content into t.
prepare() {
	if ! [ -d "$d" ] && ! e=$(mkdir -p "$d" 2>&1); then
		why "$1" "$e"
		return 1
	fi
	sweep
	set -C
	{ true >"$t"; } 2>/dev/null
	made=$?
	set +C
	if [ "$made" != 0 ] && ! e=$( (set -C && : >"$t") 2>&1); then
		no "$1" folder
		raw "$e"
		return 1
	fi
	temps="$temps \"\$t$1\""
	# A dd without conv=fsync fails at once.
	if [ -n "$fsync" ]; then
		"n$1" 2>/dev/null >"$t"
	else
		"n$1" 2>/dev/null | dd of="$t" bs=65536 conv=fsync 2>/dev/null
	fi || again "$1"
}
# again writes the content of t once more, by a program that says what is wrong.
again() {
	e=$("n$1" 2>/dev/null | cat 2>&1 >"$t") && return
	why "$1" "$e"
	return 1
}
arrived() { "n$1" 2>/dev/null | same "$t"; }
# replace puts the new content into the place of f.
replace() {
	if ! arrived "$1"; then
		again "$1" || return
		if ! arrived "$1"; then
			no "$1" short
			return 1
		fi
		durable "$t"
	fi
	keep
	if [ "$m" != 384 ] && ! e=$(chmod "$((m / 64))$((m / 8 % 8))$((m % 8))" "$t" 2>&1); then
		why "$1" "$e"
		return 1
	fi
	locked "$1"
}
