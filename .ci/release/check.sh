#!/bin/sh
# Looks at what make release made, as those look at it who get it: what is in the archives
# and packages, whether the files for package managers can be read by their languages.
# use.sh beside it installs and runs what can run here. Says what it could not look at.
#
# usage: check.sh VERSION DIST
set -eu
version=$1
cd "$2"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
fail() { echo "check.sh: $1" >&2 && exit 1; }
has() { command -v "$1" >/dev/null 2>&1 || { echo "check.sh: $1 is not here: $2 was not looked at" >&2; return 1; }; }

sha256sum -c --quiet "rhx_${version}_checksums.txt"
pages=$(find ../bin/release/man1 -name '*.1' | wc -l)
for archive in rhx_"$version"_linux_*.tar.gz rhx_"$version"_darwin_*.tar.gz; do
	tar -tzf "$archive" >"$work/list"
	for file in rhx rhx-full git-credential-rhx docker-credential-rhx terraform-credentials-rhx LICENSE THIRD_PARTY_NOTICES README.md completions/_rhx completions/rhx.bash completions/rhx.fish man1/rhx-run.1; do
		grep -qx "${archive%.tar.gz}/$file" "$work/list" || fail "$archive has no $file"
	done
	tar -tvzf "$archive" | awk '$1 !~ /^[-dl]r..r-.r-/ && !/^l/ { print; bad = 1 } END { exit bad }' >&2 || fail "$archive has files that not all can read, or others than their owner can write"
	[ "$(grep -c /man1/ "$work/list")" -eq "$pages" ] || fail "$archive has not all pages of the manual"
done
for archive in rhx_"$version"_windows_*.zip; do
	has unzip "$archive" || continue
	unzip -Z1 "$archive" >"$work/list"
	for file in rhx.exe rhx-full.exe LICENSE THIRD_PARTY_NOTICES; do
		grep -qx "${archive%.zip}/$file" "$work/list" || fail "$archive has no $file"
	done
	unzip -p "$archive" "${archive%.zip}/rhx.exe" >"$work/rhx.exe"
	for name in git-credential-rhx docker-credential-rhx terraform-credentials-rhx; do
		unzip -p "$archive" "${archive%.zip}/$name.exe" | cmp -s - "$work/rhx.exe" || fail "in $archive $name.exe is not rhx.exe"
	done
done
for pair in dpkg-deb:deb rpm:rpm tar:apk; do
	for package in rhx_"$version"_linux_*."${pair#*:}"; do
		has "${pair%:*}" "$package" || continue
		case $package in
		*.deb) dpkg-deb -c "$package" | awk '{ print substr($6, 2) }' ;;
		*.rpm) rpm -qlp "$package" ;;
		*.apk) tar -tzf "$package" 2>/dev/null | sed 's|^|/|' ;;
		esac >"$work/list"
		for file in bin/rhx bin/rhx-full bin/git-credential-rhx bin/docker-credential-rhx bin/terraform-credentials-rhx share/man/man1/rhx-run.1.gz share/bash-completion/completions/rhx share/fish/vendor_completions.d/rhx.fish; do
			grep -qx "/usr/$file" "$work/list" || fail "$package has no /usr/$file"
		done
		grep -q '^/usr/share/zsh/.*/_rhx$' "$work/list" || fail "$package has no completion for zsh"
		[ "$(grep -c '/man1/rhx' "$work/list")" -eq "$pages" ] || fail "$package has not all pages of the manual"
	done
done
[ "$(find . -maxdepth 1 -name 'rhx-*.whl' | wc -l)" -eq 6 ] || fail "there are not 6 wheels"
[ "$(find . -maxdepth 1 -name 'rhx-dev-rhx-*.tgz' | wc -l)" -eq 7 ] || fail "there are not 7 npm packages"
for file in rhx-*.whl rhx-dev-rhx-*.tgz install.sh; do
	grep -q "  $file\$" "rhx_${version}_checksums.txt" || fail "the checksums have no $file"
done
# An SBOM names what its program says that it is made of, and the standard library.
for sbom in rhx_"$version"_*.cdx.json rhx-full_"$version"_*.cdx.json; do
	platform=${sbom#*_"$version"_}
	program=bin/${platform%.cdx.json}/${sbom%%_*}
	[ -f "$program" ] || program=$program.exe
	go version -m "$program" | awk '$1 == "dep" { print "pkg:golang/" $2 "@" $3 } $1 == "=>" { print "replaced" }' | sort >"$work/modules"
	jq -r '.components[].purl' "$sbom" | sed 's/?.*//; s/%21/!/g' | grep -v '^pkg:golang/std@' | sort >"$work/listed"
	cmp -s "$work/modules" "$work/listed" || fail "$sbom does not list what $program is made of: $(diff "$work/modules" "$work/listed" | head -n 5)"
	jq -e --arg v "v$version" '.bomFormat == "CycloneDX" and .specVersion >= "1.5" and .metadata.component.version == $v and .metadata.component.name == "github.com/rhx-dev/rhx"
		and ([.components[] | select(.name == "std")] | length == 1) and (has("serialNumber") or (.metadata | has("timestamp")) | not)' "$sbom" >/dev/null || fail "$sbom is not of this release"
done
[ "$(find . -maxdepth 1 -name '*.cdx.json' | wc -l)" -eq 12 ] || fail "there are not 12 SBOMs"

# What goes into the formula, too, is in the archive: its method install, run.
if has ruby homebrew/rhx.rb; then
	ruby -c homebrew/rhx.rb >/dev/null
	mkdir "$work/brew" && tar -xzf "rhx_${version}_linux_amd64.tar.gz" -C "$work/brew" --strip-components 1
	ruby - "$PWD/homebrew/rhx.rb" "$work/brew" <<'RUBY'
class To
  def install(*all)
    all.flatten.each { |f| f = f.keys.first if f.is_a?(Hash); File.lstat(f); $n = ($n || 0) + 1 }
  end
end
class Formula
  def self.method_missing(name, *args) = block_given? ? yield : nil
  def self.test = nil # not Kernel's
  def self.version(v = nil) = v ? @version = v : @version
  def method_missing(*) = To.new
end
load ARGV[0]
Dir.chdir(ARGV[1])
Rhx.new.install
abort "the formula installs #{$n} files" unless $n > 50
RUBY
fi
jq -e --arg v "$version" '.version == $v and (.architecture | keys == ["64bit", "arm64"])
	and ([.architecture[].bin[] | split("/")[-1]] | unique == ["docker-credential-rhx.exe", "git-credential-rhx.exe", "rhx-full.exe", "rhx.exe", "terraform-credentials-rhx.exe"])' scoop/rhx.json >/dev/null || fail "scoop/rhx.json is not of this release"
if has bash "aur/rhx-bin.pkgbuild"; then
	bash -n aur/rhx-bin.pkgbuild
	mkdir -p "$work/src" "$work/pkg" && tar -xzf "rhx_${version}_linux_amd64.tar.gz" -C "$work/src"
	bash -euc 'srcdir=$1 pkgdir=$2; source aur/rhx-bin.pkgbuild; package' bash "$work/src" "$work/pkg"
	[ "$(readlink -f "$work/pkg/usr/bin/git-credential-rhx")" = "$work/pkg/usr/bin/rhx" ] && [ -x "$work/pkg/usr/bin/rhx-full" ] || fail "the AUR's package has not its programs"
	# .SRCINFO says again what the PKGBUILD says.
	bash -euc 'source aur/rhx-bin.pkgbuild
	for name in pkgname pkgver pkgrel pkgdesc url license depends optdepends provides conflicts arch source_x86_64 source_aarch64 sha256sums_x86_64 sha256sums_aarch64; do
		declare -n values=$name
		for value in "${values[@]}"; do echo "$name = ${value#*::}"; done # a source without its name here
	done' | sort >"$work/pkgbuild"
	sed -n -E 's/^[[:space:]]*([a-z0-9_]+ = .*)$/\1/p' aur/rhx-bin.srcinfo | grep -v '^pkgbase = ' | sort >"$work/srcinfo"
	cmp -s "$work/pkgbuild" "$work/srcinfo" || fail "the AUR's two files do not agree: $(diff "$work/pkgbuild" "$work/srcinfo")"
fi
if has nix-instantiate nix/pkgs/rhx/default.nix; then
	nix-instantiate --parse nix/pkgs/rhx/default.nix >/dev/null
fi
echo "check.sh: all is there"
