#!/bin/sh
# Makes the folder that is the whole of the container's file system: the programs, a user
# that is not root, its home folder, and the licences of what the programs link.
#
# usage: rootfs.sh FOLDER-OF-PROGRAMS FOLDER
set -eu
bin=$1 to=$2
rm -rf "$to"
umask 022
mkdir -p "$to/usr/bin" "$to/usr/share/doc/rhx" "$to/etc" "$to/home/rhx" "$to/tmp"
chmod 1777 "$to/tmp"
chmod 700 "$to/home/rhx"
cp "$bin/rhx" "$bin/rhx-full" "$to/usr/bin/"
for name in git-credential-rhx docker-credential-rhx terraform-credentials-rhx; do
	ln -s rhx "$to/usr/bin/$name"
done
echo 'rhx:x:65532:65532:rhx:/home/rhx:/usr/bin/rhx' >"$to/etc/passwd"
echo 'rhx:x:65532:' >"$to/etc/group"
cp "$(dirname "$0")/../../LICENSE" "$to/usr/share/doc/rhx/"
chmod 644 "$to/usr/share/doc/rhx/LICENSE"
bash "$(dirname "$0")/../notices.sh" "$to/usr/share/doc/rhx/THIRD_PARTY_NOTICES"
