#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# the layout rules: who may include what, who may read a clock

# layout.sh [TREE]: another tree than this one, for layout-test.sh. Sources are found by name, so
# that the tree need not be a git repository.
set -euo pipefail
me=check/layout
. "$(dirname "$(readlink -f "$0")")/lib.sh"
cd "${1:-.}"

status=0

# sources FOLDER...: C and C++ files below those that exist
sources() {
	local folder
	for folder; do
		[ ! -d "$folder" ] || find "$folder" -type f \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) | sort
	done
}

# forbid RULE REGEX: no file named on stdin may have a line that matches
forbid() {
	local found
	found=$(xargs -r -d '\n' grep -nHE "$2") || true
	[ -n "$found" ] || return 0
	while IFS= read -r found; do printf '%s\n    rule: %s\n' "$found" "$1"; done <<<"$found"
	status=1
}

# except FOLDER...: drops what is below them
except() {
	local folder pattern=
	for folder; do pattern+="${pattern:+|}^$folder/"; done
	grep -vE "$pattern" || true
}

include='^[[:space:]]*#[[:space:]]*include[[:space:]]*'
libbpf="$include(<bpf/|<linux/bpf\.h>|[<\"][^>\"]*\.skel\.h[>\"])"
libmnl="$include<libmnl/"
clock='clock_gettime|gettimeofday|timespec_get|_clock::now|\btime\((NULL|nullptr|0)\)|std::time\(|sd_event_now|CLOCK_(MONOTONIC|REALTIME|BOOTTIME)'
all=(bpf daemon cli tests)
pure=(daemon/guards daemon/govern daemon/model)
# what connects a guard to the kernel and the clock is no part of its logic
logic() { sources "${pure[@]}" | except 'daemon/guards/[a-z_]+/wiring'; }

forbid 'only daemon/kernel knows libbpf and the skeletons (and bpf/, its tests and benchmark)' "$libbpf" \
	< <(sources "${all[@]}" | except bpf tests/bpf tests/bench daemon/kernel)
forbid 'only daemon/netlink knows libmnl' "$libmnl" \
	< <(sources "${all[@]}" | except daemon/netlink)
forbid 'guards, govern and model know neither daemon/kernel nor daemon/netlink' "$include\"daemon/(kernel|netlink)/" \
	< <(logic)
forbid 'guards, govern and model read no clock: time is passed in' "$clock" \
	< <(logic)
shared='\bballast_(bucket|breaker|control|counters|destination|event|flow|reservation|service|suspicion)\b'
forbid 'only daemon/kernel knows the memory that the programs share' "$include\"bpf/abi|$shared" \
	< <(sources daemon | except daemon/kernel)
forbid 'daemon/app wires parts that have interfaces, not callbacks (but those of the event loop)' 'std::function' \
	< <(sources daemon/app)
forbid 'the command line uses the API and daemon/kernel/pinned.h, not the maps' "$include\"bpf/" \
	< <(sources cli)

# has_program FILE: more than maps, a licence, and what the daemon runs to read something
has_program() { grep -E '^[[:space:]]*SEC\("' "$1" | grep -qvE 'SEC\("(license|\.maps|syscall)"\)'; }

while IFS= read -r file; do
	if ! has_program "$file" || closure "$file" | grep -q '^bpf/lib/'; then continue; fi
	printf '%s\n    rule: %s\n' "$file" 'programs decide by calling predicates of bpf/lib'
	status=1
done < <(sources bpf | grep '\.bpf\.c$' || true)

exit "$status"
