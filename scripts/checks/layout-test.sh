#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# the layout check reports a breach of each of its rules, and nothing in a tree without one

set -euo pipefail
me=check/layout-test
layout=$(dirname "$(readlink -f "$0")")/layout.sh

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# file PATH LINE...: writes it into the tree
file() {
	local path=$tree/$1
	shift
	mkdir -p "${path%/*}"
	printf '%s\n' "$@" >"$path"
}

fail() {
	printf '%s: %s\n' "$me" "$1"
	failures=$((failures + 1))
}

clean_tree() {
	rm -rf "${tree:?}"/*
	file bpf/connect.bpf.c '#include "bpf/tables.h"' 'SEC("cgroup/connect4")' 'int connect4(void* c);'
	file bpf/tables.h '#include <bpf/bpf_helpers.h>' '#include "bpf/lib/limit.h"'
	file bpf/maps.bpf.c '#include "bpf/abi.h"' 'char LICENSE[] SEC("license") = "GPL";'
	file bpf/lib/limit.h '#include "bpf/abi.h"'
	file daemon/kernel/loader.cpp '#include <bpf/libbpf.h>' '#include "ballast.skel.h"' '#include "bpf/abi.h"'
	file daemon/netlink/destroy.cpp '#include <libmnl/libmnl.h>'
	file daemon/guards/limit/limit.cpp '#include <chrono>' '#include "daemon/model/snapshot.h"' 'std::chrono::seconds timeout(3);'
	file daemon/guards/limit/wiring/keeper.cpp '#include "daemon/kernel/datapath.h"' 'auto now = std::chrono::steady_clock::now();'
	file daemon/model/snapshot.h 'using WallTime = std::chrono::system_clock::time_point;'
	file daemon/app/loop.cpp 'auto now = std::chrono::steady_clock::now();'
	file tests/bpf/take.cpp '#include <bpf/bpf.h>'
	file cli/unload.cpp '#include "daemon/kernel/pinned.h"'
}

# breach RULE PATH LINE: in an otherwise clean tree, that line alone is reported under that rule
breach() {
	local rule=$1 path=$2 line=$3 output
	clean_tree
	file "$path" "$line"
	if output=$("$layout" "$tree"); then fail "$path with '$line' was not reported"; fi
	[[ $output == *"$path"* && $output == *"rule: "*"$rule"* ]] || fail "$path with '$line' was reported as: $output"
	[ "$(grep -c 'rule: ' <<<"$output")" -eq 1 ] || fail "$path with '$line' broke more than one rule: $output"
}

clean_tree
output=$("$layout" "$tree") || fail "a clean tree was reported: $output"

kernel='only daemon/kernel'
breach "$kernel" daemon/app/loop.cpp '#include <bpf/libbpf.h>'
breach "$kernel" daemon/app/loop.cpp '  #  include <bpf/btf.h>'
breach "$kernel" daemon/api/server.cpp '#include "ballast.skel.h"'
breach "$kernel" daemon/guards/limit/limit.cpp '#include <bpf/bpf.h>'
breach "$kernel" tests/e2e/race.cpp '#include <linux/bpf.h>'
breach "$kernel" cli/status.cpp '#include <bpf/bpf.h>'
breach 'only daemon/netlink' daemon/act/reset.cpp '#include <libmnl/libmnl.h>'
breach 'only daemon/netlink' daemon/kernel/iterate.cpp '#include <libmnl/libmnl.h>'
breach 'only daemon/netlink' daemon/model/flow.h '#include <libmnl/libmnl.h>'
breach 'neither daemon/kernel nor daemon/netlink' daemon/guards/limit/limit.cpp '#include "daemon/kernel/pinned.h"'
breach 'neither daemon/kernel nor daemon/netlink' daemon/govern/rate.h '#include "daemon/netlink/destroy.h"'
breach 'read no clock' daemon/guards/limit/limit.cpp 'auto t = std::chrono::steady_clock::now();'
breach 'read no clock' daemon/govern/rate.cpp 'clock_gettime(id, &ts);'
breach 'read no clock' daemon/model/policy.h 'auto t = std::time(nullptr);'
breach 'not callbacks' daemon/app/daemon.h 'std::function<void()> changed;'
breach 'only daemon/kernel' daemon/guards/limit/wiring/keeper.cpp '#include <bpf/bpf.h>'
breach 'memory that the programs share' daemon/app/loop.cpp '#include "bpf/abi.h"'
breach 'memory that the programs share' daemon/model/row.h 'int state_of(const ballast_flow& flow);'
breach 'not the maps' cli/status.cpp '#include "bpf/abi.h"'
breach 'predicates of bpf/lib' bpf/connect.bpf.c 'SEC("cgroup/connect4")'
breach 'predicates of bpf/lib' bpf/lifecycle.bpf.c 'SEC("tp_btf/inet_sock_set_state")'

[ "$failures" -eq 0 ]
