# What a user of the deb does, in a root of its own: TestDeb runs it by sh -eu.
set -eu
export HOME=/home/jane PATH=/usr/sbin:/usr/bin:/sbin:/bin
is() { [ "$1" = "$2" ] || { echo "$3: $1, not $2" >&2 && exit 1; }; }
case $1 in
install)
	mkdir -p "$HOME/.aws"
	dpkg -i /tmp/rhx.deb
	;;
use)
	cd /home/jane
	rhx version -o json | grep '"agrees": true'
	printf '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = FAKE/FAKE/FAKE\n' >.aws/credentials
	rhx detect | grep '^aws  *~/.aws/credentials '
	rhx save aws
	is "$(rhx run -s aws -- printenv AWS_ACCESS_KEY_ID)" AKIAIOSFODNN7EXAMPLE run
	echo https://jane:FAKE@git.example.com >.git-credentials
	rhx save git/jane@git.example.com # by a module, which rhx-full runs
	rm .git-credentials
	printf 'protocol=https\nhost=git.example.com\n\n' | git -c credential.helper=rhx credential fill | grep '^password=FAKE$'
	for name in docker-credential-rhx terraform-credentials-rhx; do
		is "$(readlink -f "$(command -v $name)")" /usr/bin/rhx $name
	done
	is "$(man -w rhx-run)" /usr/share/man/man1/rhx-run.1.gz man
	man rhx-run | grep 'rhx-run - '
	is "$(find /usr/share/man/man1 -name 'rhx*' | wc -l)" "$(rhx man --dir /tmp/man -o json | grep -c '\.1"')" pages
	grep -q 'tetratelabs/wazero' /usr/share/doc/rhx/THIRD_PARTY_NOTICES
	# The shells find the completions by themselves.
	is "$(bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader rhx; COMP_LINE="rhx det" COMP_POINT=7; _rhx_complete rhx det rhx; echo "${COMPREPLY[@]}"')" detect bash
	is "$(zsh -fc 'autoload -Uz compinit && compinit -uD && echo $_comps[rhx]')" _rhx zsh
	is "$(fish -c 'complete -C "rhx det"')" detect fish
	is "$(dpkg -L rhx | xargs sh -c 'find "$@" -maxdepth 0 ! -type l -perm /022' sh)" "" "others can write"
	;;
remove)
	dpkg -r rhx
	dpkg -P rhx
	! command -v rhx
	! man -w rhx-run
	;;
esac
