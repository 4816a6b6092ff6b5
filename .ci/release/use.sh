#!/bin/sh
# Installs what make release made in each way that can be had on this machine, runs it there
# and takes it out: by install.sh, as deb, rpm, apk, wheel, npm packages and container, each
# in a folder of its own. Nothing else is changed, and nothing fetched. Says what it could
# not do.
#
# usage: use.sh VERSION DIST
set -eu
version=$1
cd "$2"
dist=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
export HOME="$work/home" XDG_CACHE_HOME="$work/cache"
mkdir "$HOME"
fail() { echo "use.sh: $1" >&2 && exit 1; }
# has PROGRAM FILE: both are there; check.sh says whether a file is missing that should be.
has() {
	[ -e "$2" ] || return 1
	command -v "$1" >/dev/null 2>&1 || { echo "use.sh: $1 is not here: $2 was not tried" >&2; return 1; }
}
# says reads what rhx version -o json wrote, of which both programs have to be of this release.
says() {
	jq -e --arg v "$version" '(.version | startswith("v" + $v)) and .full.agrees and (.commit | length == 40) and (.date | endswith("Z"))' "$1" >/dev/null || fail "$2: $(cat "$1")"
	echo "$2: installed and run" >&2
}

system=$(uname -s)
case $(uname -m) in x86_64) arch=amd64 rpmarch=x86_64 ;; *) arch=arm64 rpmarch=aarch64 ;; esac

if [ ! -f "rhx_${version}_checksums.txt.minisig" ]; then
	echo "use.sh: there are no signed checksums: install.sh was not tried" >&2
elif [ "$system" = Linux ] || [ "$system" = Darwin ]; then
	RHX_BASE_URL=file://$dist RHX_PREFIX=$work/local sh install.sh >"$work/said"
	"$work/local/bin/rhx" version -o json >"$work/version"
	says "$work/version" install.sh
fi

# Packages go into a root that has nothing else, where the programs have to run: in_root ID
# FOLDER PROGRAM... runs them as the user with that number.
in_root() {
	mkdir -p "$2/proc" "$2/dev" # as the system, or the runtime of containers, has them
	env -i HOME=/home/rhx PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare -rmpf --kill-child sh -euc 'mount --make-rprivate /
		id=$1 root=$2
		shift 2
		mount -t proc none "$root/proc"
		mount -t tmpfs none "$root/dev"
		: >"$root/dev/null"
		mount --bind /dev/null "$root/dev/null"
		exec unshare -U --map-user="$id" --map-group="$id" --root="$root" "$@"' sh "$@"
}
names() {
	for name in git-credential-rhx docker-credential-rhx terraform-credentials-rhx; do
		[ "$(readlink "$1/usr/bin/$name")" = rhx ] || fail "$2: $name does not lead to rhx"
	done
}
if [ "$system" = Linux ]; then
	if has dpkg rhx_"$version"_linux_$arch.deb; then
		root=$work/deb
		mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/log"
		: >"$root/var/lib/dpkg/status"
		deb() { unshare -r dpkg --root="$root" --log=/dev/null --force-depends --force-not-root "$@" >"$work/said" 2>&1 || fail "dpkg $*: $(cat "$work/said")"; }
		deb --force-script-chrootless -i rhx_"$version"_linux_$arch.deb
		in_root 0 "$root" /usr/bin/rhx version -o json >"$work/version"
		says "$work/version" deb
		names "$root" deb
		deb -P rhx
		[ ! -e "$root/usr/bin/rhx" ] || fail "the deb leaves /usr/bin/rhx"
	fi
	if has rpm rhx_"$version"_linux_$arch.rpm; then
		root=$work/rpm package=rhx_${version}_linux_$arch.rpm
		mkdir "$root"
		rpm() { unshare -r rpm --root="$root" "$@" >"$work/said" 2>&1 || fail "rpm $*: $(cat "$work/said")"; }
		rpm --initdb
		rpm --nosignature -K "$dist/$package"
		rpm --nosignature --nodeps -i "$dist/$package"
		in_root 0 "$root" /usr/bin/rhx version -o json >"$work/version"
		says "$work/version" rpm
		names "$root" rpm
		rpm -V --nodeps rhx
		[ "$(command rpm -qp --nosignature --qf '%{ARCH} %{LICENSE}' "$package")" = "$rpmarch Apache-2.0" ] || fail "the fields of $package"
		rpm -e rhx
		[ ! -e "$root/usr/bin/rhx" ] || fail "the rpm leaves /usr/bin/rhx"
	fi
	# An apk is two archives one after the other: what it says, with the digest of the other, and that.
	if has python3 rhx_"$version"_linux_$arch.apk; then
		mkdir "$work/apk"
		python3 - "rhx_${version}_linux_$arch.apk" "$work/apk" <<'PYTHON'
import hashlib, io, sys, tarfile, zlib
data, parts = open(sys.argv[1], "rb").read(), []
while data:
    z = zlib.decompressobj(31)
    text = z.decompress(data) + z.flush()
    parts.append((data[:len(data) - len(z.unused_data)], text))
    data = z.unused_data
assert len(parts) == 2, f"{len(parts)} parts"
control, files = parts
# The first ends without the blocks that end an archive: the second goes on with it.
control = tarfile.open(fileobj=io.BytesIO(control[1] + bytes(1024)))
info = dict(line.split(" = ", 1) for line in control.extractfile(".PKGINFO").read().decode().splitlines() if " = " in line)
assert info["datahash"] == hashlib.sha256(files[0]).hexdigest(), "datahash is not that of the files"
assert info["pkgname"] == "rhx" and info["arch"] in ("x86_64", "aarch64") and info["license"] == "Apache-2.0", info
with tarfile.open(fileobj=io.BytesIO(files[1])) as t:
    for m in t:
        if m.isfile():
            assert m.pax_headers["APK-TOOLS.checksum.SHA1"] == hashlib.sha1(t.extractfile(m).read()).hexdigest(), m.name
        assert m.uid == m.gid == 0 and m.mode & 0o444 == 0o444 and not m.mode & 0o022 or m.issym(), m.name
    t.extractall(sys.argv[2])
PYTHON
		in_root 0 "$work/apk" /usr/bin/rhx version -o json >"$work/version"
		says "$work/version" "apk (its archive alone: apk is not to be had)"
		names "$work/apk" apk
	fi
	if has buildah container; then
		image() { buildah --root "$work/containers" --runroot "$work/run" --storage-driver vfs "$@"; }
		id=$(image build -q --isolation chroot --build-arg ARCH=$arch container)
		image inspect --type image "$id" | jq -e '.OCIv1.config | .User == "65532:65532" and .Entrypoint == ["/usr/bin/rhx"]' >/dev/null || fail "the image runs as another user, or another program"
		running=$(image from "$id")
		root=$(image mount "$running")
		in_root 65532 "$root" /usr/bin/rhx version -o json >"$work/version"
		says "$work/version" container
		image rm "$running" >/dev/null
		image rmi "$id" >/dev/null
	fi
fi

# The wheels: pip takes the one that fits, here and on each other platform, where it is of
# that system and processor.
wheel=$(find . -maxdepth 1 -name '*.whl' | head -n 1)
if has python3 "$wheel"; then
	python3 -m venv "$work/venv"
	pip() { "$work/venv/bin/python" -m pip -q --disable-pip-version-check --no-cache-dir "$@"; }
	pip install --no-index --pre --find-links "$dist" rhx
	"$work/venv/bin/rhx" version -o json >"$work/version"
	says "$work/version" wheel
	[ "$("$work/venv/bin/python" -c 'import rhx; print(rhx.secret("db", {"password": "FAKE"}).save().values)' 2>/dev/null)" = "{'password': ********}" ] || fail "the module of the wheel does not save a secret"
	for pair in manylinux_2_17_x86_64:linux_amd64 musllinux_1_1_x86_64:linux_amd64 manylinux_2_17_aarch64:linux_arm64 musllinux_1_1_aarch64:linux_arm64 \
		macosx_13_0_x86_64:darwin_amd64 macosx_14_0_arm64:darwin_arm64 win_amd64:windows_amd64 win_arm64:windows_arm64; do
		to=$work/wheel-${pair%:*}
		pip install --no-index --pre --find-links "$dist" --no-deps --only-binary :all: --platform "${pair%:*}" --target "$to" rhx
		of=$(go version -m "$to"/bin/rhx-full* | sed -n -E 's/.*(GOOS|GOARCH)=//p' | sort | tr '\n' ' ')
		want=$(echo "${pair#*:}" | tr _ '\n' | sort | tr '\n' ' ')
		[ "$of" = "$want" ] || fail "the wheel for ${pair%:*} has programs of $of, not of $want"
		rm -rf "$to"
	done
fi

package=$(find . -maxdepth 1 -name '*.tgz' | head -n 1)
if has npm "$package"; then
	mkdir "$work/npm"
	echo '{"private": true}' >"$work/npm/package.json"
	case $system-$arch in Linux-amd64) this=linux-x64 ;; Linux-arm64) this=linux-arm64 ;; Darwin-amd64) this=darwin-x64 ;; *) this=darwin-arm64 ;; esac
	(cd "$work/npm" && npm_config_update_notifier=false npm install --silent --offline --no-audit --no-fund "$dist"/rhx-dev-rhx-[0-9]*.tgz "$dist"/rhx-dev-rhx-"$this"-*.tgz)
	"$work/npm/node_modules/.bin/rhx" version -o json >"$work/version"
	says "$work/version" npm
	for pair in linux-x64:linux_amd64 linux-arm64:linux_arm64 darwin-x64:darwin_amd64 darwin-arm64:darwin_arm64 win32-x64:windows_amd64 win32-arm64:windows_arm64; do
		mkdir "$work/package"
		tar -xzf "$dist"/rhx-dev-rhx-"${pair%:*}"-*.tgz -C "$work/package"
		for program in "bin/${pair#*:}"/*; do
			cmp "$program" "$work/package/package/bin/${program##*/}" || fail "the npm package for ${pair%:*} has other programs"
		done
		rm -r "$work/package"
	done
fi
echo "use.sh: what could be tried works"
