# What a user of the deb does, in a root of its own: TestDeb.
export HOME=/home/jane PATH=/usr/sbin:/usr/bin:/sbin:/bin
is() { [ "$1" = "$2" ] || { echo "$3: $1, not $2" >&2 && exit 1; }; }
case $1 in
install)
	mkdir -p "$HOME/.aws"
	dpkg -i /tmp/rhx.deb
	;;
use)
	cd "$HOME"
	rhx version -o json | grep '"agrees": true'
	printf '[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = FAKE/FAKE/FAKE\n' >.aws/credentials
	rhx detect | grep '^aws  *~/.aws/credentials '
	rhx save aws
	is "$(rhx run -s aws -- printenv AWS_ACCESS_KEY_ID)" AKIAIOSFODNN7EXAMPLE run
	printf FAKE | rhx save git url=https://git.example.com username=jane password=- || printf '{"url":"https://git.example.com","username":"jane","password":"FAKE"}' | rhx save git --values -
	printf 'protocol=https\nhost=git.example.com\n\n' | git -c credential.helper=rhx credential fill | grep '^password=FAKE$'
	for name in docker-credential-rhx terraform-credentials-rhx; do
		is "$(readlink -f "$(command -v $name)")" /usr/bin/rhx $name
	done
	is "$(man -w rhx-run)" /usr/share/man/man1/rhx-run.1.gz man
	man rhx-run | grep 'rhx-run - '
	is "$(find /usr/share/man/man1 -name 'rhx*' | wc -l)" "$(rhx man --dir /tmp/man -o json | grep -c '\.1"')" pages
	# The shells find the completions by themselves.
	is "$(bash --norc -c '. /usr/share/bash-completion/bash_completion; _completion_loader rhx; COMP_LINE="rhx det" COMP_POINT=7; _rhx_complete rhx det rhx; echo "${COMPREPLY[@]}"')" detect bash
	is "$(zsh -fc 'autoload -Uz compinit && compinit -uD && echo $_comps[rhx]')" _rhx zsh
	is "$(fish -c 'complete -C "rhx det"')" detect fish
	find / -xdev \( -path /proc -o -path /home -o -path /tmp \) -prune -o -newer /tmp/rhx.deb -path '*rhx*' ! -type l -perm /022 -print | if read -r file; do echo "others can write $file" >&2 && exit 1; fi
	;;
remove)
	dpkg -r rhx
	dpkg -P rhx
	! command -v rhx
	! man -w rhx-run
	;;
esac
