#!/bin/sh
# Installs what the tests need from Debian and unpacks (never installs) the
# stock kernel that the real-kernel test boots, into the directory $1, and into
# $1/tools the programs that would look after the disks of this machine.
set -eu
dir=$1
packages="qemu-system-x86 busybox-static sg3-utils dmsetup cpio kmod xz-utils"
tools="mdadm btrfs-progs"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

unpack() {
	to=$1
	shift
	echo "make e2e: downloading $* and unpacking to $to" >&2
	rm -rf "$to"
	mkdir -p "$to"
	(cd "$to" && apt-get download -q "$@" >&2 && for p in ./*.deb; do dpkg-deb -x "$p" .; done && rm ./*.deb)
	touch "$to/unpacked"
}

missing=
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
if [ -n "$missing" ] || [ ! -e "$dir/unpacked" ] || [ ! -e "$dir/tools/unpacked" ]; then
	echo "make e2e: updating the package lists" >&2
	as_root apt-get update -q >&2
fi
if [ -n "$missing" ]; then
	echo "make e2e: installing the Debian packages$missing" >&2
	# shellcheck disable=SC2086 # one word a package
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi
if [ ! -e "$dir/unpacked" ]; then
	kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	unpack "$dir" "$kernel"
fi
if [ ! -e "$dir/tools/unpacked" ]; then
	# shellcheck disable=SC2086 # one word a package
	unpack "$dir/tools" $tools
fi
