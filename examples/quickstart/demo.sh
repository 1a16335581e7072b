#!/bin/sh
# Shows what fwctl does, on a simulated rack: inventory, plan, apply, and what is
# there afterwards. It needs Go, works on a copy in a temporary directory, touches
# no real device and leaves nothing behind.
set -eu

example=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp -R "$example/." "$dir"
echo "Building fwctl."
(cd "$example/../.." && go build -o "$dir/bin/fwctl" ./cmd/fwctl)
PATH=$dir/bin:$PATH
FWCTL_STATE_DIR=$dir/state
export PATH FWCTL_STATE_DIR
cd "$dir"

run() { # shows a command as it can be typed, and runs it
	printf '\n$'
	for word; do
		case $word in
		*[!A-Za-z0-9_@%+=:,./-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
	"$@"
}

run fwctl --simulate rack.yaml inventory
run fwctl --simulate rack.yaml plan -f desired-state.yaml --out rack-12.plan
run fwctl --simulate rack.yaml apply rack-12.plan --yes --accept-disruption '500304801f001200/*'
run fwctl --simulate rack.yaml inventory
run fwctl --simulate rack.yaml plan -f desired-state.yaml
