# take answers with the file $2 for the request $1.
take() {
	if [ -f "$2" ]; then
		if [ -r "$2" ]; then
			say file "$1"
			raw "$2"
			say list
			ls -ldLn "$2" 2>/dev/null
			say data
			dd bs=65536 count=65 <"$2" 2>/dev/null
			say end "$?"
		else
			no "$1" denied
			raw "$2"
		fi
	elif [ -e "$2" ]; then
		no "$1" irregular
		raw "$2"
	elif denied "$2" || { [ -L "$2" ] && follow "$2" && denied "$f"; }; then
		no "$1" denied
		raw "$2"
	else
		no "$1" missing
		raw "$2"
	fi
}
# takeall answers with the files in the folder $2 that a pattern, expanded to the
# other arguments, matches.
takeall() {
	request=$1 folder=$2
	shift 2
	if [ -d "$folder" ]; then
		if ! [ -r "$folder" ] || ! searchable "$folder"; then
			no "$request" denied
			return
		fi
	elif denied "$folder"; then
		no "$request" denied
		return
	fi
	for file do
		[ ! -f "$file" ] || take "$request" "$file"
	done
}
