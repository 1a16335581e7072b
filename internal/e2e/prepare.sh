#!/bin/sh
# Installs what the tests need from Debian and unpacks (never installs) the
# stock kernel that the real-kernel test boots, into the directory $1.
set -eu
dir=$1
packages="qemu-system-x86 busybox-static sg3-utils dmsetup cpio kmod xz-utils"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
if [ -n "$missing" ] || [ ! -e "$dir/unpacked" ]; then
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
	echo "make e2e: downloading $kernel and unpacking it to $dir" >&2
	rm -rf "$dir"
	mkdir -p "$dir"
	(cd "$dir" && apt-get download -q "$kernel" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
	touch "$dir/unpacked"
fi
