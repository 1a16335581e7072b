#!/bin/sh
# Installs the browser that the tests of the HTML pages need, from Debian, unless there is one.
set -eu

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v chromium >/dev/null; then
	echo "make browser: installing the Debian packages chromium and fonts-dejavu-core" >&2
	as_root apt-get update -q >&2
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core >&2
fi
